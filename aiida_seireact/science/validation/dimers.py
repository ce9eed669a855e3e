"""Two atoms alone: do they repel each other as soon as they are nearer than any bond, down to where the nuclei do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.contacts import ContactLimits

FloatArray = NDArray[np.float64]
COULOMB_EV_ANG = Hartree * Bohr
"""e² / 4πε0."""


@dataclass(frozen=True)
class DimerCurve:
    """What a curve shows below the onset of the repulsion.

    :param onset_ang: no bond of these elements is shorter.
    :param hole_ev: by how much the energy falls, somewhere below the onset, on the way to shorter distances; 0 if it
        only rises.
    :param hole_at_ang: distance where that fall ends.
    :param pull_ev_per_ang: largest attractive force below the onset; 0 if all repel.
    :param pull_at_ang: where.
    :param zbl_ratio: energy at the shortest distance, over that of ZBL.
    """

    onset_ang: float
    hole_ev: float
    hole_at_ang: float
    pull_ev_per_ang: float
    pull_at_ang: float
    zbl_ratio: float


def zbl_energy(first: str, second: str, distances_ang: ArrayLike) -> FloatArray:
    """Return the energy of two screened nuclei, eV (Ziegler, Biersack and Littmark, 1985).

    J. F. Ziegler, J. P. Biersack and U. Littmark, The Stopping and Range of Ions in Solids, Pergamon (1985), with the
    constants of LAMMPS's `pair_style zbl`, which nequip's ZBL has too, and without the switch to zero of either.

    :param distances_ang: ``(n,)``
    """
    r = np.asarray(distances_ang, dtype=float)
    z1, z2 = atomic_numbers[first], atomic_numbers[second]
    x = (z1**0.23 + z2**0.23) * r / 0.46850
    screening = (
        0.18175 * np.exp(-3.19980 * x)
        + 0.50986 * np.exp(-0.94229 * x)
        + 0.28022 * np.exp(-0.40290 * x)
        + 0.02817 * np.exp(-0.20162 * x)
    )
    return np.asarray(COULOMB_EV_ANG * z1 * z2 / r * screening)


def repulsion_onset_ang(first: str, second: str) -> float:
    """Return the distance below which two atoms must repel each other: that of `science.contacts`, 0.7 of the radii."""
    return float(ContactLimits().table()[atomic_numbers[first], atomic_numbers[second]])


def judge_dimer(
    pair: Sequence[str], distances_ang: ArrayLike, energies_ev: ArrayLike, forces_ev_per_ang: ArrayLike
) -> DimerCurve:
    """Return what a curve shows below the onset.

    :param pair: the two elements.
    :param distances_ang: ``(n,)``, any order; some below the onset.
    :param energies_ev: ``(n,)``; that at the longest distance is the zero of `zbl_ratio`.
    :param forces_ev_per_ang: ``(n,)`` on one atom along the line away from the other: positive repels.
    :raises ValueError: fewer than three distances below the onset, or numbers that are none.
    """
    order = np.argsort(distances_ang)[::-1]
    r, energy, force = (
        np.asarray(column, dtype=float)[order] for column in (distances_ang, energies_ev, forces_ev_per_ang)
    )
    onset = repulsion_onset_ang(pair[0], pair[1])
    below = r <= onset
    if below.sum() < 3:
        raise ValueError(f"only {below.sum()} distances below {onset:.2f} Å, where {'-'.join(pair)} must repel")
    if not (np.isfinite(energy).all() and np.isfinite(force).all()):
        raise ValueError("some of the energies or forces are not numbers")
    inward, climbed = r[below], energy[below]
    falls = np.maximum.accumulate(climbed) - climbed
    pulls = np.maximum(-force[below], 0.0)
    return DimerCurve(
        onset_ang=onset,
        hole_ev=float(falls.max()),
        hole_at_ang=float(inward[falls.argmax()]),
        pull_ev_per_ang=float(pulls.max()),
        pull_at_ang=float(inward[pulls.argmax()]),
        zbl_ratio=float((energy[-1] - energy[0]) / zbl_energy(pair[0], pair[1], r[-1:])[0]),
    )

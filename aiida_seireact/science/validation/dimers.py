"""Two atoms alone: do they repel each other as soon as they are nearer than any bond, down to where the nuclei do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase.data import atomic_numbers
from ase.units import Bohr, Hartree
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.contacts import ContactLimits
from aiida_seireact.science.sampling.dimers import dimer, dimer_distances, pairs_of
from aiida_seireact.science.sampling.packing import pair_name
from aiida_seireact.science.validation.lines import Answer, Asked, Evidence, Line, Phases
from aiida_seireact.science.validation.targets import Measured

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


@dataclass(frozen=True, kw_only=True)
class Dimers(Line):
    """Pairs of atoms alone: whether they repel wherever they are nearer than any bond, down to where nuclei do.

    Only the model is asked: most labellers are wrong about two atoms alone, or refuse them.

    :param pairs: as ``Li-S``; none: all pairs of the elements of the phases.
    :param quantity: of `DimerCurve`: ``hole``, eV; ``pull``, eV/Å; ``zbl``, the energy at ``low_ang`` over that of ZBL.
    :param low_ang: shortest distance.
    :param high_ang: longest one, whose energy is zero.
    :param count: distances, closer to each other where they are short.
    """

    test: Literal["dimers"] = "dimers"
    pairs: tuple[str, ...] = ()
    quantity: Literal["hole", "pull", "zbl"] = "hole"
    low_ang: float = 0.6
    high_ang: float = 5.0
    count: int = 60

    def __post_init__(self) -> None:
        if not 0.3 <= self.low_ang < self.high_ang or self.count < 10:
            raise ValueError("low_ang is from 0.3 to high_ang, count 10 or more")
        for name in self.pairs:
            if len(parts := name.split("-")) != 2 or set(parts) - set(atomic_numbers):
                raise ValueError(f"pairs has {name!r}: write as Li-S")
        if self.target.needs_reference:
            raise ValueError("the labeller is not asked about two atoms: give max or min")

    def alone(self, phases: Phases) -> list[Asked]:
        """Return each pair at all distances, longest first."""
        species = {symbol for atoms in phases.values() for symbol in atoms.get_chemical_symbols()}
        names = self.pairs or tuple(pair_name(*pair) for pair in pairs_of(sorted(species)))
        return [
            Asked(name, dimer(first, second, float(distance)))
            for name, (first, second) in ((name, name.split("-")) for name in names)
            for distance in dimer_distances(self.low_ang, self.high_ang, self.count)[::-1]
        ]

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the number of each pair."""
        by_pair: dict[str, list[Answer]] = {}
        for answer in evidence.alone:
            by_pair.setdefault(answer.subject, []).append(answer)
        return [self._number(name, answers) for name, answers in by_pair.items()]

    def _number(self, name: str, answers: Sequence[Answer]) -> Measured:
        apart = np.array([one.atoms.positions[1] - one.atoms.positions[0] for one in answers])
        distances = np.linalg.norm(apart, axis=1)
        # Of the second atom along the line from the first to it: positive repels.
        lines = apart / distances[:, None]
        forces = [float(one.predicted.forces[1] @ line) for one, line in zip(answers, lines, strict=True)]
        quantity, unit = _TOLD[self.quantity]
        try:
            curve = judge_dimer(name.split("-"), distances, [one.predicted.energy for one in answers], forces)
        except ValueError as error:
            return Measured(subject=name, quantity=quantity, value=float("nan"), unit=unit, note=str(error))
        value, at = {
            "hole": (curve.hole_ev, curve.hole_at_ang),
            "pull": (curve.pull_ev_per_ang, curve.pull_at_ang),
            "zbl": (curve.zbl_ratio, float(distances.min())),
        }[self.quantity]
        note = f"at {at:.2f} Å, nearer than {curve.onset_ang:.2f} Å" if value or self.quantity == "zbl" else ""
        return Measured(subject=name, quantity=quantity, value=value, unit=unit, note=note)


_TOLD = {"hole": ("depth of a hole", "eV"), "pull": ("attraction", "eV/Å"), "zbl": ("energy over ZBL", "")}

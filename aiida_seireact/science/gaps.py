"""Band gap from the energies and occupations of bands on a k-mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

PARTLY = 0.01
"""An occupation further than this from empty and full is partial."""


@dataclass(frozen=True)
class Gap:
    """A band gap.

    :param gap_ev: None where it can't be told; 0 of a metal.
    :param direct_ev: the smallest at one k-point; None as `gap_ev`.
    :param vbm_ev: highest occupied level, and
    :param cbm_ev: lowest empty one, on the scale of the program.
    :param metallic: None where it can't be told.
    :param remark: what to know of it; why there is none.
    """

    gap_ev: float | None
    direct_ev: float | None
    vbm_ev: float | None
    cbm_ev: float | None
    metallic: bool | None
    remark: str = ""


def gap_of(eigenvalues: ArrayLike, occupations: ArrayLike) -> Gap:
    """Return the gap between levels that are more than half full and the others, on the mesh given.

    A coarse mesh misses band edges, so the gap is an upper bound of that of the functional. Smearing does not move
    levels at the Fermi level's sides, as long as the gap is wide against it; partly filled levels are told.

    :param eigenvalues: ``(n_spins, n_kpoints, n_bands)`` or without the first axis, eV.
    :param occupations: alike, from 0 to 1, or to 2 where one band holds both spins.
    :raises ValueError: unlike shapes, none, or numbers that are none.
    """
    energies, filled = np.asarray(eigenvalues, dtype=float), np.asarray(occupations, dtype=float)
    if energies.ndim == 2:
        energies, filled = energies[None], filled[None] if filled.ndim == 2 else filled
    if energies.shape != filled.shape or energies.ndim != 3 or not energies.size:
        raise ValueError(f"bands of shape {energies.shape} with occupations of shape {filled.shape}")
    if not (np.isfinite(energies).all() and np.isfinite(filled).all()):
        raise ValueError("a band energy or an occupation is not a number")
    full = 2.0 if filled.max() > 1.5 else 1.0
    shares = filled / full
    occupied = shares > 0.5
    n_occupied = occupied.sum(axis=2)
    if not occupied.any():
        return Gap(None, None, None, None, None, "no level is occupied, so there is no valence band")
    vbm = float(energies[occupied].max())
    if occupied.all():
        return Gap(None, None, vbm, None, None, "no empty band was computed, so there is no conduction band")
    cbm = float(energies[~occupied].min())
    if (n_occupied != n_occupied[:, :1]).any():
        return Gap(0.0, 0.0, vbm, cbm, True, "metallic: a band crosses the Fermi level between two k-points")
    partly = float(np.minimum(np.abs(shares), np.abs(1 - shares)).max())
    if cbm <= vbm:
        return Gap(0.0, 0.0, vbm, cbm, True, "metallic: the bands beside the Fermi level overlap")
    upper = np.where(occupied, -np.inf, energies).copy()
    below = np.where(occupied, energies, -np.inf).max(axis=2)
    above = np.where(np.isinf(upper), np.inf, upper).min(axis=2)
    # Between the spins too: an electron that is excited may keep its spin or not, the gap is the smallest at one k.
    direct = float((above.min(axis=0) - below.max(axis=0)).min())
    remark = ""
    if partly > PARTLY:
        remark = (
            f"levels beside the gap are up to {partly:.0%} off full or empty: the smearing is wide against the gap, so "
            "whether it is a metal can't be told; repeat it with a smaller smearing"
        )
    return Gap(cbm - vbm, direct, vbm, cbm, None if partly > PARTLY else False, remark)

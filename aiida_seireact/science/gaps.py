"""Band gap from the energies and occupations of bands on a k-mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

PARTLY = 0.01
"""An occupation further than this from empty and full is partial."""
WHOLE = 0.02
"""A number of filled bands nearer than this to a whole one is whole: occupations are written in few digits."""


@dataclass(frozen=True)
class Gap:
    """A band gap.

    :param gap_ev: None where it can't be told; 0 of a metal.
    :param direct_ev: the smallest at one k-point; None as `gap_ev`.
    :param vbm_ev: highest level of the valence bands, and
    :param cbm_ev: lowest one above them, on the scale of the program.
    :param metallic: None where it can't be told.
    :param remark: what to know of it; why there is none.
    """

    gap_ev: float | None
    direct_ev: float | None
    vbm_ev: float | None
    cbm_ev: float | None
    metallic: bool | None
    remark: str = ""


def gap_of(eigenvalues: ArrayLike, occupations: ArrayLike, weights: ArrayLike | None = None) -> Gap:
    """Return the gap between as many bands as there are electrons to fill them and the next one, on the mesh given.

    Electrons are counted, not looked up level by level: cold smearing (Marzari and Vanderbilt) puts the Fermi level of
    an insulator into the top of its valence band, and occupations above 1 make up for the holes there (pw.x 6.7:
    Li2S, gap 3.7 eV, has a valence level that is filled by a third only). A coarse mesh misses band edges, so the gap
    is an upper bound of that of the functional.

    :param eigenvalues: ``(n_spins, n_kpoints, n_bands)`` or without the first axis, eV.
    :param occupations: alike, about from 0 to 1, or to 2 where one band holds both spins.
    :param weights: ``(n_kpoints,)`` of the k-points; None: alike.
    :raises ValueError: unlike shapes, none, or numbers that are none.
    """
    energies, filled = np.asarray(eigenvalues, dtype=float), np.asarray(occupations, dtype=float)
    if energies.ndim == 2 and filled.ndim == 2:
        energies, filled = energies[None], filled[None]
    if energies.shape != filled.shape or energies.ndim != 3 or not energies.size:
        raise ValueError(f"bands of shape {energies.shape} with occupations of shape {filled.shape}")
    if not (np.isfinite(energies).all() and np.isfinite(filled).all()):
        raise ValueError("a band energy or an occupation is not a number")
    n_spins, n_kpoints, n_bands = energies.shape
    of = np.ones(n_kpoints) if weights is None else np.asarray(weights, dtype=float)
    if of.shape != (n_kpoints,) or not of.sum() > 0:
        raise ValueError(f"{n_kpoints} k-points with weights of shape {of.shape}")
    shares = filled / (2.0 if n_spins == 1 and filled.max() > 1.5 else 1.0)
    bands = np.einsum("skb,k->s", shares, of / of.sum())
    numbers = np.round(bands).astype(int)
    if np.abs(bands - numbers).max() > WHOLE:
        told = " and ".join(f"{number:.2f}" for number in bands)
        return Gap(0.0, 0.0, None, None, True, f"metallic: the electrons fill {told} bands, no whole number")
    if not numbers.any():
        return Gap(None, None, None, None, None, "no level is occupied, so there is no valence band")
    below = np.concatenate([energies[spin, :, : numbers[spin]] for spin in range(n_spins)], axis=1).max(axis=1)
    vbm = float(below.max())
    if (numbers >= n_bands).any():
        return Gap(None, None, vbm, None, None, "no empty band was computed, so there is no conduction band")
    above = np.stack([energies[spin, :, numbers[spin] :].min(axis=1) for spin in range(n_spins)]).min(axis=0)
    cbm = float(above.min())
    if cbm <= vbm:
        return Gap(0.0, 0.0, vbm, cbm, True, "metallic: valence and conduction bands overlap")
    direct = float((above - below).min())
    spilled = max(float(np.abs(shares[spin, :, numbers[spin] :]).max()) for spin in range(n_spins))
    if spilled <= PARTLY:
        return Gap(cbm - vbm, direct, vbm, cbm, False)
    remark = (
        f"conduction bands are up to {spilled:.0%} filled by the smearing, which is wide against the gap: whether "
        "it is a metal can't be told; repeat it with a smaller one"
    )
    return Gap(cbm - vbm, direct, vbm, cbm, None, remark)

"""Thickness of the interphases of a metal | electrolyte | metal cell, by two definitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.analysis.profiles import height_along_z, z_fractions
from aiida_seireact.science.analysis.ps4 import CHLORINE, PHOSPHORUS, SULFUR, intact_ps4

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Thickness:
    """Thickness of the two interphases of a Li | electrolyte | Li cell, Å, at the lower and upper side."""

    lower_ang: float
    upper_ang: float


def thickness_to_outermost(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    *,
    cutoff_ang: float = 2.6,
    min_metal_ang: float = 4.0,
) -> Thickness | None:
    """Measure from the outermost intact PS4 to the outermost S, P or Cl on both sides (arXiv:2506.10944).

    The Li metal is the widest stretch along z without S, P and Cl, so the cell may be cut anywhere. In an
    unreacted cell the thickness is not zero but the distance from the last P to the last anion beyond it.

    :param cutoff_ang: P–S distance of an intact PS4, see :func:`intact_ps4`.
    :param min_metal_ang: a narrower stretch is no metal any more, and the thickness not defined.
    :returns: None where the definition ends: no intact PS4, or no stretch of metal.
    """
    elements, places = np.asarray(numbers), np.asarray(positions, dtype=np.float64)
    intact = intact_ps4(places, elements, cell, pbc, cutoff_ang=cutoff_ang)
    height = height_along_z(cell)
    return thickness_beyond(z_fractions(places, cell) * height, elements, intact, height, min_metal_ang=min_metal_ang)


def thickness_beyond(
    heights: ArrayLike, numbers: ArrayLike, intact: ArrayLike, height_ang: float, *, min_metal_ang: float = 4.0
) -> Thickness | None:
    """Give :func:`thickness_to_outermost` where the intact PS4 are known.

    :param heights: ``(n_atoms,)`` places along z, Å, in [0, ``height_ang``).
    :param intact: ``(n_P,)`` of :func:`.ps4.intact_ps4`.
    """
    z, elements, whole = np.asarray(heights, dtype=np.float64), np.asarray(numbers), np.asarray(intact, dtype=bool)
    if not whole.any():
        return None
    others = np.sort(z[np.isin(elements, (PHOSPHORUS, SULFUR, CHLORINE))])
    gaps = np.diff(others, append=others[0] + height_ang)
    widest = int(np.argmax(gaps))
    if gaps[widest] < min_metal_ang:
        return None
    start = others[(widest + 1) % len(others)]
    width = height_ang - gaps[widest]
    centres = (z[elements == PHOSPHORUS][whole] - start) % height_ang
    # The lowest atom itself may come out one rounding below the start, hence at the far end.
    centres = np.where(centres > width + 1e-6, 0.0, centres)
    return Thickness(lower_ang=float(centres.min()), upper_ang=float(width - centres.max()))


def thickness_of_profile(
    profile: ArrayLike, height_ang: float, *, metal: int, electrolyte: int, threshold: float = 0.5
) -> float:
    """Sum the length along z, Å, where neither Li metal nor electrolyte fills half; both sides together.

    A slab counts when ``1 − f_Li − f_SE > threshold``, with fractions of the Li environments in the slab.
    Slabs without any environment are left out. Our own definition, which exists at any time: the one of
    :func:`thickness_to_outermost` ends with the last PS4, and its outermost atom is one atom.

    :param profile: counts ``(n_labels, n_bins)`` of :func:`.profiles.profile_along_z`.
    :param metal: row of Li metal; ``electrolyte``: row of the electrolyte.
    """
    counts = np.asarray(profile, dtype=np.float64)
    return float(_interphase(counts, metal, electrolyte, threshold).sum() * height_ang / counts.shape[1])


def sides_of_profile(
    profile: ArrayLike, height_ang: float, *, metal: int, electrolyte: int, threshold: float = 0.5
) -> Thickness | None:
    """Give :func:`thickness_of_profile` for each side apart; their sum is that.

    Seen upwards from the middle of the metal the slabs before the middle of the electrolyte are the lower side. When
    no electrolyte is left the two interphases have met, and the middle of what they fill parts them [ours].

    :returns: None without metal: there is no side to tell.
    """
    counts = np.asarray(profile, dtype=np.float64)
    n_bins = counts.shape[1]
    found = _interphase(counts, metal, electrolyte, threshold)
    if not counts[metal].any():
        return None
    angles = 2 * np.pi * (np.arange(n_bins) + 0.5) / n_bins
    # The mean on a circle: metal on both sides of the cell's face is one block.
    middle = np.angle((counts[metal] * np.exp(1j * angles)).sum()) % (2 * np.pi)
    along = (angles - middle) % (2 * np.pi)
    if counts[electrolyte].any():
        parting = float(np.average(along, weights=counts[electrolyte]))
    elif found.any():
        parting = float(along[found].min() + along[found].max()) / 2
    else:
        parting = np.pi
    width = height_ang / n_bins
    # A slab right at the parting is half of each side.
    share = np.where(np.abs(along - parting) < 1e-9, 0.5, along < parting)
    lower = float((found * share).sum() * width)
    return Thickness(lower_ang=lower, upper_ang=float(found.sum() * width - lower))


def _interphase(counts: FloatArray, metal: int, electrolyte: int, threshold: float) -> NDArray[np.bool_]:
    """Tell of each slab whether it is interphase, ``(n_bins,)``."""
    total = counts.sum(axis=0)
    other = np.divide(total - counts[metal] - counts[electrolyte], total, out=np.zeros_like(total), where=total > 0)
    return np.asarray(other > threshold)

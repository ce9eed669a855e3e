"""Which crystal the distances around some centres are nearest to, whatever elements its other sites hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
_BLUR_ANG = 0.25
STRETCHES = np.round(np.arange(0.94, 1.0601, 0.01), 2)
"""A crystal may be as much longer or shorter than known: it is warm, mixed, or of another level of theory."""


@dataclass(frozen=True)
class Likeness:
    """How alike two things are, and at which stretch of the known one.

    :param name: of the known crystal.
    :param value: correlation, −1 to 1.
    :param stretch: its lattice is this times as long.
    """

    name: str
    value: float
    stretch: float


def fingerprint(counts_by_kind: ArrayLike, n_centres: float, r_max_ang: float) -> FloatArray:
    """Return blurred distances around a centre, less what atoms of the same density without order would show.

    :param counts_by_kind: ``(2, n_bins)`` pairs with the element of the centre, and with all other elements.
    :returns: ``(2 * n_shown,)`` of 4πr(ρ(r) − ρ), in which far shells do not outweigh near ones.
    """
    counts = np.asarray(counts_by_kind, dtype=np.float64) / max(n_centres, 1)
    n_bins = counts.shape[1]
    r = (np.arange(n_bins) + 0.5) * r_max_ang / n_bins
    blur = np.exp(-0.5 * ((r[:, None] - r[None, :]) / _BLUR_ANG) ** 2) / (_BLUR_ANG * np.sqrt(2 * np.pi))
    density = counts.sum(axis=1) / (4.0 / 3.0 * np.pi * r_max_ang**3)
    values = (counts @ blur.T) / r - 4 * np.pi * r * density[:, None]
    # The blur loses what lies beyond the end.
    return np.asarray(values[:, r < r_max_ang - 3 * _BLUR_ANG].ravel())


def nearest_crystals(
    counts_by_kind: ArrayLike, n_centres: float, r_max_ang: float, crystals: Mapping[str, tuple[ArrayLike, float]]
) -> list[Likeness]:
    """Return known crystals by likeness, best first, each at its best stretch.

    :param crystals: for each name counts ``(2, n_bins)`` and the number of centres; to reach the end of the range
        when it is compressed, they are counted to ``r_max_ang / 0.94`` in bins of the same width.
    """
    mine = fingerprint(counts_by_kind, n_centres, r_max_ang)
    n_bins = np.asarray(counts_by_kind).shape[1]
    found = []
    for name, (counts, n) in crystals.items():
        best = max(
            (
                (_correlation(mine, _stretched(np.asarray(counts), n, r_max_ang, n_bins, stretch)), stretch)
                for stretch in STRETCHES
            ),
            key=lambda pair: pair[0],
        )
        found.append(Likeness(name, best[0], float(best[1])))
    return sorted(found, key=lambda item: -item.value)


def _stretched(counts: NDArray[np.float64], n: float, r_max_ang: float, n_bins: int, stretch: float) -> FloatArray:
    width = r_max_ang / n_bins
    r = (np.arange(counts.shape[1]) + 0.5) * width
    target = (r * stretch / width).astype(np.int64)
    inside = target < n_bins
    moved = np.stack([np.bincount(target[inside], weights=row[inside], minlength=n_bins) for row in counts])
    return fingerprint(moved, n, r_max_ang)


def _correlation(first: FloatArray, second: FloatArray) -> float:
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size > 0 else 0.0

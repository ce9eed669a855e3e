"""Distances of reduced points."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def nearest(points: ArrayLike, targets: ArrayLike, *, chunk: int = 1024) -> tuple[FloatArray, NDArray[np.int64]]:
    """Find the nearest target of each point.

    :param points: ``(n, d)``; :param targets: ``(m, d)`` reduced points.
    :returns: distances ``(n,)`` in float64, indices ``(n,)``.
    """
    some, others = np.asarray(points, dtype=np.float32), np.asarray(targets, dtype=np.float32)
    origin = others.mean(axis=0)
    others_c = others - origin
    halves = 0.5 * np.einsum("ij,ij->i", others_c, others_c)
    indices = np.empty(len(some), dtype=np.int64)
    for start in range(0, len(some), chunk):
        block = some[start : start + chunk] - origin
        indices[start : start + chunk] = np.argmin(halves - block @ others_c.T, axis=1)
    # The product orders candidates; the distance itself is taken without its cancellation.
    distances = np.empty(len(some))
    for start in range(0, len(some), chunk):
        rows = slice(start, start + chunk)
        difference = some[rows].astype(np.float64) - others[indices[rows]]
        distances[rows] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return distances, indices


def nearest_other(points: NDArray[np.float32]) -> FloatArray:
    """Distance of each point to the nearest other one of its set."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    squares = np.einsum("ij,ij->i", centred, centred)
    found = np.empty(len(points))
    for start in range(0, len(points), 1024):
        rows = np.arange(start, min(start + 1024, len(points)))
        order = squares - 2.0 * centred[rows] @ centred.T
        order[np.arange(len(rows)), rows] = np.inf
        difference = centred[rows] - centred[np.argmin(order, axis=1)]
        found[rows] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return found

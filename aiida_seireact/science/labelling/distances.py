"""Distances of reduced points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.nearest import nearest

__all__ = ["nearest", "nearest_other"]

FloatArray = NDArray[np.float64]


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

"""Places and counts along z, the third lattice vector."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def z_fractions(positions: ArrayLike, cell: ArrayLike, origin: ArrayLike = (0.0, 0.0, 0.0)) -> FloatArray:
    """Return where atoms lie along the third lattice vector, ``(n_atoms,)`` in [0, 1)."""
    relative = np.asarray(positions, dtype=np.float64) - np.asarray(origin, dtype=np.float64)
    fractions = (relative @ np.linalg.inv(np.asarray(cell, dtype=np.float64)))[:, 2] % 1.0
    return np.asarray(np.where(fractions >= 1.0, 0.0, fractions))


def height_along_z(cell: ArrayLike) -> float:
    """Return the height of the cell over the plane of its first two lattice vectors, Å."""
    a, b, c = np.asarray(cell, dtype=np.float64)
    normal = np.cross(a, b)
    return float(abs(c @ normal) / np.linalg.norm(normal))


def profile_along_z(fractions: ArrayLike, labels: ArrayLike, n_labels: int, n_bins: int) -> NDArray[np.int64]:
    """Count atoms by label and slab, ``(n_labels, n_bins)``.

    :param fractions: places along z in [0, 1), any shape.
    :param labels: label 0 … n_labels − 1 of each, same shape.
    """
    slabs = np.minimum((np.ravel(fractions) * n_bins).astype(np.int64), n_bins - 1)
    cells = np.ravel(labels).astype(np.int64) * n_bins + slabs
    return np.bincount(cells, minlength=n_labels * n_bins).reshape(n_labels, n_bins)

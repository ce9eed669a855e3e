"""Distances between all kinds of atoms of a frame in one go, by cell lists compiled by numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def pair_counts(
    positions: ArrayLike, kinds: ArrayLike, n_kinds: int, cell: ArrayLike, *, r_max_ang: float, n_bins: int
) -> IntArray:
    """Count ordered pairs by kinds and distance, periodic images included, those of an atom itself too.

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not; periodic in the three directions.
    :param kinds: ``(n_atoms,)`` 0 … n_kinds − 1.
    :param cell: ``(3, 3)``, any shape and size, rows are lattice vectors.
    :param r_max_ang: distances up to here, in ``n_bins`` equal bins; one on an edge counts to the bin above.
    :returns: ``(n_kinds, n_kinds, n_bins)``.
    :raises ValueError: a cell without volume.
    """
    lattice = np.ascontiguousarray(cell, dtype=np.float64)
    if abs(float(np.linalg.det(lattice))) < 1e-6:
        raise ValueError("Distances of a periodic frame need a cell with a volume.")
    inverse = np.linalg.inv(lattice)
    fractions = (np.asarray(positions, dtype=np.float64) @ inverse) % 1.0
    # −1e-17 % 1 is 1.
    fractions[fractions >= 1.0] = 0.0
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    # Boxes of half the reach: fewer distances are looked at in vain than with boxes of the reach.
    n_boxes = np.maximum(1, np.minimum((2 * heights / r_max_ang).astype(np.int64), 256))
    reach = np.ceil(r_max_ang / (heights / n_boxes)).astype(np.int64)
    box = np.minimum((fractions * n_boxes).astype(np.int64), n_boxes - 1)
    number = (box[:, 0] * n_boxes[1] + box[:, 1]) * n_boxes[2] + box[:, 2]
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(int(n_boxes.prod()) + 1))
    half: IntArray = np.zeros((n_kinds, n_kinds, n_bins), dtype=np.int64)
    _count(
        np.ascontiguousarray(fractions[order] @ lattice),
        np.asarray(kinds, dtype=np.int64)[order],
        lattice,
        n_boxes,
        reach,
        starts.astype(np.int64),
        r_max_ang,
        half,
    )
    return np.asarray(half + half.transpose(1, 0, 2))


@njit(cache=True)
def _count(
    places: Any, kinds: Any, lattice: Any, n_boxes: Any, reach: Any, starts: Any, r_max: float, half: Any
) -> None:
    """Count each pair of atom and image once, from the box that comes first."""
    n_bins = half.shape[2]
    r2_max, scale = r_max * r_max, n_bins / r_max
    nx, ny, nz = n_boxes
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                own = (x * ny + y) * nz + z
                if starts[own] == starts[own + 1]:
                    continue
                for dx in range(0, reach[0] + 1):
                    for dy in range(-reach[1] if dx > 0 else 0, reach[1] + 1):
                        for dz in range(-reach[2] if dx > 0 or dy > 0 else 0, reach[2] + 1):
                            tx, ty, tz = x + dx, y + dy, z + dz
                            sx, sy, sz = tx // nx, ty // ny, tz // nz
                            other = ((tx - sx * nx) * ny + (ty - sy * ny)) * nz + (tz - sz * nz)
                            if starts[other] == starts[other + 1]:
                                continue
                            ax = sx * lattice[0, 0] + sy * lattice[1, 0] + sz * lattice[2, 0]
                            ay = sx * lattice[0, 1] + sy * lattice[1, 1] + sz * lattice[2, 1]
                            az = sx * lattice[0, 2] + sy * lattice[1, 2] + sz * lattice[2, 2]
                            same = dx == 0 and dy == 0 and dz == 0
                            for i in range(starts[own], starts[own + 1]):
                                px, py, pz = places[i, 0] - ax, places[i, 1] - ay, places[i, 2] - az
                                first = i + 1 if same else starts[other]
                                for j in range(first, starts[other + 1]):
                                    ux = places[j, 0] - px
                                    uy = places[j, 1] - py
                                    uz = places[j, 2] - pz
                                    d2 = ux * ux + uy * uy + uz * uz
                                    if d2 < r2_max:
                                        bin_ = min(int(np.sqrt(d2) * scale), n_bins - 1)
                                        half[kinds[i], kinds[j], bin_] += 1

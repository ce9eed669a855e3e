"""Volume of the voids of a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

FloatArray = NDArray[np.float64]
_AT_ONCE = 200_000


def void_volume(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, *, probe_radius_ang: float, spacing_ang: float = 0.5
) -> float:
    """Return the volume that empty spheres of one size can sweep, Å³.

    A sphere is empty if it holds no atom centre, as in :func:`.health.largest_hole_radius`: with a probe as large as
    that hole the volume is that of the probe, with a larger one it is zero. Holes that are wider than the probe by less
    than half a box of the grid may be missed; the error is about the area of the voids times a fraction of the spacing:
    halve the spacing to see it.

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not.
    :param cell: ``(3, 3)``, rows are lattice vectors; ``pbc``: true in the three directions.
    :param probe_radius_ang: radius of the spheres; that of gaps between atoms of a dense solid is below 2 Å.
    :param spacing_ang: longest edge of the boxes of the grid.
    :raises ValueError: not periodic, no atom, or lengths that are not positive.
    """
    atoms, lattice = np.asarray(positions, dtype=np.float64), np.asarray(cell, dtype=np.float64)
    if not np.asarray(pbc, dtype=bool).all():
        raise ValueError("The volume of voids is defined for cells periodic in the three directions only.")
    if not len(atoms):
        raise ValueError("A cell without atoms is one void: there is nothing to measure.")
    if not (probe_radius_ang > 0 and spacing_ang > 0):
        raise ValueError("The radius of the probe and the spacing of the grid must be positive.")
    periodic = np.ones(3, dtype=bool)
    counts = np.ceil(np.linalg.norm(lattice, axis=1) / spacing_ang).astype(int)
    n_points = int(np.prod(counts))
    reach = 2.0 * probe_radius_ang
    tree = cKDTree(with_images(atoms, lattice, periodic, reach)[1])
    found = [
        _free(
            tree, _points(np.arange(start, min(start + _AT_ONCE, n_points)), counts, lattice), probe_radius_ang, reach
        )
        for start in range(0, n_points, _AT_ONCE)
    ]
    centres = np.concatenate([part[0] for part in found])
    radii = np.concatenate([part[1] for part in found])
    if not len(centres):
        return 0.0
    # Each box may hold a sphere larger than the probe, which sweeps it all: without that the grid of centres would
    # leave a rim at every surface.
    levels = np.arange(probe_radius_ang, radii.max() + 1e-9, spacing_ang / 4)
    trees = []
    for level in levels:
        chosen = centres[radii >= level]
        trees.append((level, cKDTree(with_images(chosen, lattice, periodic, level)[1])))
    swept = 0
    for start in range(0, n_points, _AT_ONCE):
        points = _points(np.arange(start, min(start + _AT_ONCE, n_points)), counts, lattice)
        for level, reached in trees:
            nearest, _ = reached.query(points, distance_upper_bound=level)
            swept += int((nearest < level).sum())
            points = points[nearest >= level]
    return swept / n_points * abs(float(np.linalg.det(lattice)))


def _free(tree: cKDTree, points: FloatArray, probe: float, reach: float) -> tuple[FloatArray, FloatArray]:
    """Return the points that are the centre of an empty sphere of the probe's size, and the radius of the largest.

    Radii are told up to ``reach``: a larger sphere is swept by its neighbours.
    """
    nearest, _ = tree.query(points, distance_upper_bound=reach)
    nearest = np.minimum(nearest, reach)
    free = nearest >= probe
    return points[free], nearest[free]


def _points(numbers: NDArray[np.int64], counts: NDArray[np.int64], lattice: FloatArray) -> FloatArray:
    """Return grid points by their number, ``(n, 3)``, Å, at the middles of their boxes."""
    places = np.stack(np.unravel_index(numbers, tuple(counts)), axis=1)
    return np.asarray((places + 0.5) / counts @ lattice)

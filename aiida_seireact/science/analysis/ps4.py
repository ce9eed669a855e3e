"""Intact PS4 tetrahedra and where they end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.geometry import complete_cell
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

PHOSPHORUS, SULFUR, CHLORINE = 15, 16, 17
FloatArray = NDArray[np.float64]


def intact_ps4(
    positions: ArrayLike, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, *, cutoff_ang: float = 2.6
) -> NDArray[np.bool_]:
    """Tell which phosphorus atoms are the centre of an intact PS4 tetrahedron.

    A PS4 is intact when the four nearest neighbours of its P, of any element, are all S and within the cutoff
    (Ding et al., arXiv:2506.10944, 2.6 Å).

    :param positions: ``(n_atoms, 3)``, Å, wrapped or not.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param cell: ``(3, 3)``, any shape and size, rows are lattice vectors.
    :param pbc: ``(3,)``.
    :returns: ``(n_P,)`` in the order of the P atoms.
    """
    places = np.asarray(positions, dtype=np.float64)
    elements = np.asarray(numbers)
    phosphorus = np.flatnonzero(elements == PHOSPHORUS)
    if not len(phosphorus):
        return np.zeros(0, dtype=bool)
    periodic = np.asarray(pbc, dtype=bool)
    lattice = np.asarray(complete_cell(np.asarray(cell, dtype=np.float64)), dtype=np.float64)
    wrapped, images, owner = with_images(places, lattice, periodic, cutoff_ang)
    distances, nearest = cKDTree(images).query(
        wrapped[phosphorus], k=5, distance_upper_bound=np.nextafter(cutoff_ang, np.inf)
    )
    found = np.isfinite(distances[:, 1:])
    # cKDTree marks a neighbour it did not find by an index one past the end.
    kinds = np.append(elements[owner], 0)[nearest[:, 1:]]
    return np.asarray((found & (kinds == SULFUR)).all(axis=1))


@dataclass(frozen=True)
class Boundary:
    """Where the intact PS4 begin and end along z, Å from the lower face of the cell, in [0, height)."""

    lower_ang: float
    upper_ang: float


def ps4_boundary(heights: ArrayLike, height_ang: float) -> Boundary | None:
    """Return the first and the last intact PS4 of the block they form along z, wherever the cell is cut.

    The block is all but the widest stretch without an intact PS4, so its upper end may lie below its lower one:
    then it goes through the boundary of the cell. One lone PS4 is both ends.

    :param heights: ``(n_intact,)`` places of their P along z, Å, in [0, ``height_ang``).
    :param height_ang: height of the cell.
    :returns: None without an intact PS4.
    """
    z = np.sort(np.asarray(heights, dtype=np.float64))
    if not len(z):
        return None
    widest = int(np.argmax(np.diff(z, append=z[0] + height_ang)))
    return Boundary(lower_ang=float(z[(widest + 1) % len(z)]), upper_ang=float(z[widest]))

"""Periodic images of the atoms around a cell, for searches of neighbours that must not miss one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def with_images(
    positions: FloatArray, cell: FloatArray, pbc: NDArray[np.bool_], reach_ang: float
) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Wrap the atoms and add the periodic images within ``reach_ang`` of the cell, for cells of any shape.

    :param positions: ``(n_atoms, 3)`` in Å, inside the cell or not.
    :param cell: ``(3, 3)`` in Å, rows are lattice vectors; rows of directions that are not periodic only have to
        complete it to a volume.
    :param pbc: ``(3,)``.
    :returns: wrapped positions ``(n_atoms, 3)``; positions of atoms and images ``(n_images, 3)``, the atoms
        themselves first and in order; atom index of each ``(n_images,)``.
    """
    inverse = np.linalg.inv(cell)
    fractions = positions @ inverse
    fractions[:, pbc] %= 1.0
    # The height of the cell over a face is 1 / |row of the inverse's transpose|.
    margins = reach_ang * np.linalg.norm(inverse, axis=0)
    everything, owner = fractions, np.arange(len(fractions))
    for axis in np.flatnonzero(pbc):
        parts, owners = [everything], [owner]
        repeats = int(np.ceil(margins[axis]))
        for shift in (shift for shift in range(-repeats, repeats + 1) if shift):
            moved = everything[:, axis] + shift
            near = (moved >= -margins[axis]) & (moved <= 1.0 + margins[axis])
            image = everything[near].copy()
            image[:, axis] += shift
            parts.append(image)
            owners.append(owner[near])
        everything, owner = np.concatenate(parts), np.concatenate(owners)
    return fractions @ cell, everything @ cell, owner

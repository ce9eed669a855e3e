"""Two slabs cut out of the cell that joins them, as they are, each alone with vacuum around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.analysis.profiles import height_along_z

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Apart:
    """A slab alone.

    :param atoms: ``(n,)`` which atoms of the joined cell it holds.
    :param positions: ``(n, 3)`` Å; :param cell: ``(3, 3)``, the first two vectors those of the joined cell.
    """

    atoms: NDArray[np.int64]
    positions: FloatArray
    cell: FloatArray


def cut_apart(
    positions: ArrayLike, cell: ArrayLike, low: float, high: float, *, vacuum_ang: float = 15.0
) -> tuple[Apart, Apart]:
    """Part a cell of two slabs stacked along its third vector, every atom frozen where it is.

    :param positions: ``(n_atoms, 3)`` Å, wrapped or not; ``cell``: ``(3, 3)``, rows are lattice vectors.
    :param low: fractional height of the one cut, :param high: of the other, ``0 <= low < high <= 1``. What lies between
        them is the first slab, all else the second, through the face of the cell.
    :param vacuum_ang: between the outermost atoms of a slab and its image.
    :raises ValueError: cuts out of order, a slab without atoms, or no vacuum.
    """
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"The cuts are at {low:g} and {high:g}: give 0 <= LOW < HIGH <= 1, fractions of the height.")
    if not vacuum_ang > 0:
        raise ValueError(f"A vacuum of {vacuum_ang:g} Å parts nothing: it must be positive.")
    lattice = np.asarray(cell, dtype=np.float64)
    fractions = np.asarray(positions, dtype=np.float64) @ np.linalg.inv(lattice)
    height = height_along_z(lattice)
    between = (fractions[:, 2] % 1.0 >= low) & (fractions[:, 2] % 1.0 < high)
    found = []
    for mine, begin in ((between, low), (~between, high)):
        atoms = np.flatnonzero(mine)
        if not len(atoms):
            raise ValueError(f"No atom lies {'between' if begin == low else 'outside of'} {low:g} and {high:g}.")
        places = fractions[atoms]
        # In one piece, and no atom moved but by whole lattice vectors.
        places[:, 2] = begin + (places[:, 2] - begin) % 1.0
        places[:, 2] -= places[:, 2].min()
        longer = lattice.copy()
        longer[2] *= (float(places[:, 2].max()) * height + vacuum_ang) / height
        found.append(Apart(atoms, places @ lattice + longer[2] * (vacuum_ang / 2 / height_along_z(longer)), longer))
    return found[0], found[1]

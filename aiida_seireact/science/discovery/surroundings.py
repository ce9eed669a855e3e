"""Who lies around some atoms of a frame: one neighbour search that everything here asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
from ase.geometry import complete_cell
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Surroundings:
    """A frame with its periodic images, to ask for neighbours of any of its atoms.

    :param positions: ``(n_atoms, 3)`` Å, wrapped or not.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param cell: ``(3, 3)`` Å, any shape and size.
    :param pbc: ``(3,)``
    :param reach_ang: the largest distance that will be asked for.
    """

    def __init__(
        self, positions: ArrayLike, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, reach_ang: float
    ) -> None:
        lattice = np.asarray(complete_cell(np.asarray(cell, dtype=np.float64)), dtype=np.float64)
        self.numbers: IntArray = np.asarray(numbers, dtype=np.int64)
        self.volume_ang3 = abs(float(np.linalg.det(lattice)))
        self.reach_ang = reach_ang
        self.wrapped, self._images, self._owner = with_images(
            np.asarray(positions, dtype=np.float64), lattice, np.asarray(pbc, dtype=bool), reach_ang
        )

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self._images)

    def within(self, centres: ArrayLike, radius_ang: float) -> tuple[IntArray, IntArray, FloatArray]:
        """Return all neighbours of some atoms, images of themselves too, themselves not.

        :param centres: ``(n,)`` rows of atoms.
        :returns: for each pair the place of the centre in `centres`, the row of the neighbour and the vector to it:
            ``(n_pairs,)``, ``(n_pairs,)``, ``(n_pairs, 3)`` Å; pairs of a centre follow each other.
        :raises ValueError: a radius beyond the reach.
        """
        if radius_ang > self.reach_ang + 1e-9:
            raise ValueError(f"Neighbours within {radius_ang:g} Å of a search that reaches {self.reach_ang:g} Å.")
        rows = np.asarray(centres, dtype=np.int64)
        found = self._tree.query_ball_point(self.wrapped[rows], radius_ang)
        counts = np.array([len(each) for each in found], dtype=np.int64)
        image = np.concatenate([np.zeros(0, dtype=np.int64), *(np.asarray(each, dtype=np.int64) for each in found)])
        first = np.repeat(np.arange(len(rows)), counts)
        # The first images are the atoms themselves.
        other = image != rows[first]
        first, image = first[other], image[other]
        return first, self._owner[image], self._images[image] - self.wrapped[rows[first]]

    def nearest(
        self, centres: ArrayLike, elements: Iterable[int], n: int, cutoffs_ang: Mapping[int, float]
    ) -> tuple[IntArray, FloatArray]:
        """Return the ``n`` nearest neighbours of some elements, each within the cutoff of its element.

        :param centres: ``(n_centres,)`` rows of atoms, none of them of those elements.
        :param cutoffs_ang: by atomic number; no neighbour of the others.
        :returns: rows of the neighbours ``(n_centres, n)``, −1 where there is none, and vectors to them
            ``(n_centres, n, 3)`` Å, NaN where there is none.
        """
        rows = np.asarray(centres, dtype=np.int64)
        present = set(np.unique(self.numbers).tolist())
        wanted = [element for element in elements if element in cutoffs_ang and element in present]
        image = np.flatnonzero(np.isin(self.numbers[self._owner], wanted))
        owners = np.full((len(rows), n), -1, dtype=np.int64)
        vectors = np.full((len(rows), n, 3), np.nan)
        if not len(image) or not len(rows):
            return owners, vectors
        most = max(cutoffs_ang[element] for element in wanted)
        distances, found = cKDTree(self._images[image]).query(
            self.wrapped[rows], k=n, distance_upper_bound=min(most, self.reach_ang) + 1e-9
        )
        distances, found = distances.reshape(len(rows), n), found.reshape(len(rows), n)
        limits = np.zeros(int(self.numbers.max()) + 1)
        for element in wanted:
            limits[element] = cutoffs_ang[element]
        # cKDTree marks a neighbour it did not find by an index one past the end.
        there = image[np.minimum(found, len(image) - 1)]
        near = np.isfinite(distances) & (distances <= limits[self.numbers[self._owner[there]]])
        owners[near] = self._owner[there[near]]
        vectors[near] = self._images[there[near]] - np.repeat(self.wrapped[rows], n, axis=0).reshape(-1, n, 3)[near]
        return owners, vectors

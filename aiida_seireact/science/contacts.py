"""How near two atoms may come, by species: limits, the pairs that break them, and what would mend it.

A limit is a fraction of the sum of the covalent radii of B. Cordero et al., Dalton Trans. 2832 (2008), as
``ase.data.covalent_radii`` holds them. The shortest bonds known between light atoms, those of N2 and CO, are 0.77 to
0.79 of that sum; ionic and metallic neighbours are farther apart than the sum. So 0.7 of it lets every bond pass,
stretched ones of hot frames too, and nothing that has slid into another atom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.health import checked
from aiida_seireact.science.images import with_images

FloatArray = NDArray[np.float64]
FACTOR = 0.7


@dataclass(frozen=True)
class ContactLimits:
    """Smallest allowed distances.

    :param factor: limit over the sum of the covalent radii.
    :param pairs: limits in Å of pairs that have their own, ``{"Li-S": 1.5}``, either order.
    :raises ValueError: a factor or limit below zero, a pair that is not two elements, or one that is given twice.
    """

    factor: float = FACTOR
    pairs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.factor < 0:
            raise ValueError(f"the factor of the covalent radii is {self.factor:g}, it can't be negative")
        seen: set[tuple[int, ...]] = set()
        for name, limit in self.pairs.items():
            pair = _numbers_of(name)
            if pair in seen:
                raise ValueError(f"the pair {name} has two limits, keep one")
            if limit < 0:
                raise ValueError(f"the limit of the pair {name} is {limit:g} Å, it can't be negative")
            seen.add(pair)

    def table(self) -> FloatArray:
        """Return the limits by atomic number, ``(n_elements + 1, n_elements + 1)``, Å."""
        radii = np.asarray(covalent_radii, dtype=float)
        limits: FloatArray = self.factor * (radii[:, None] + radii[None, :])
        for name, limit in self.pairs.items():
            first, second = _numbers_of(name)
            limits[first, second] = limits[second, first] = limit
        return limits


@dataclass(frozen=True)
class Contact:
    """Two atoms, or an atom and its own periodic image, and how near they are.

    :param atoms: indices, lower first.
    :param species: their elements, in that order.
    :param distance_ang: of the nearest images.
    :param limit_ang: smallest allowed distance, 0 where none was asked for.
    :param vector_ang: from the first to the nearest image of the second, ``(3,)``.
    """

    atoms: tuple[int, int]
    species: tuple[str, str]
    distance_ang: float
    limit_ang: float
    vector_ang: tuple[float, float, float]

    def __str__(self) -> str:
        first, second = (f"{symbol} (atom {index})" for symbol, index in zip(self.species, self.atoms, strict=True))
        told = f"{first} and {second} are {self.distance_ang:.3f} Å apart"
        return f"{told}, allowed from {self.limit_ang:.2f} Å" if self.limit_ang else told

    @property
    def rise_ang(self) -> float:
        """How much farther apart along z the two must be to reach the limit, Å."""
        across = self.vector_ang[0] ** 2 + self.vector_ang[1] ** 2
        return max(0.0, float(np.sqrt(max(0.0, self.limit_ang**2 - across))) - abs(self.vector_ang[2]))


def too_close(
    positions: ArrayLike, numbers: ArrayLike, cell: ArrayLike, pbc: ArrayLike, limits: ContactLimits | None = None
) -> list[Contact]:
    """Return the pairs below their limit, worst first, also across the periodic boundary.

    Takes time in proportion to the number of atoms.

    :param positions: ``(n_atoms, 3)`` in Å; ``numbers``: ``(n_atoms,)`` atomic numbers.
    :param cell: ``(3, 3)`` in Å, rows are lattice vectors; ``pbc``: ``(3,)`` or one bool.
    """
    table = (limits or ContactLimits()).table()
    kinds = np.asarray(numbers, dtype=int)
    elements = np.unique(kinds)
    pairs = _Pairs.within(float(table[np.ix_(elements, elements)].max()), positions, kinds, cell, pbc)
    low = np.flatnonzero(pairs.distances < pairs.values_of(table))
    found = [pairs.contact(int(index), table) for index in low]
    return sorted(found, key=lambda pair: (pair.distance_ang / pair.limit_ang, pair.atoms))


def closest_pairs(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    limits: ContactLimits | None = None,
    *,
    reach_ang: float = 4.0,
) -> dict[str, Contact]:
    """Return the closest pair of each two species, ``"Li-S"``, elements in alphabetical order.

    :param reach_ang: pairs of species that are nowhere nearer than this are left out.
    """
    table = (limits or ContactLimits()).table()
    pairs = _Pairs.within(reach_ang, positions, np.asarray(numbers, dtype=int), cell, pbc)
    _, first = np.unique(np.sort(pairs.kinds[pairs.ends], axis=1), axis=0, return_index=True)
    found = [pairs.contact(int(index), table) for index in first]
    return {"-".join(sorted(pair.species)): pair for pair in sorted(found, key=lambda pair: sorted(pair.species))}


def refusal(contacts: Sequence[Contact]) -> str:
    """Return the sentence that refuses a structure: the worst pair, how many more, and what would work.

    :param contacts: from `too_close`, at least one.
    """
    worst = contacts[0]
    more = "" if len(contacts) == 1 else f" ({len(contacts)} such pairs in all)"
    rise = max(pair.rise_ang for pair in contacts)
    return (
        f"{worst}{more}: if they belong to two slabs, raise the gap by {rise:.2f} Å; else move or remove one of them, "
        f"or give the pair {'-'.join(worst.species)} a limit of its own."
    )


@dataclass(frozen=True)
class _Pairs:
    """All pairs up to a distance, nearest first, each with its nearest images once.

    :param ends: ``(n_pairs, 2)`` indices, lower first; ``vectors`` ``(n_pairs, 3)`` and ``distances`` ``(n_pairs,)``.
    :param kinds: ``(n_atoms,)`` atomic numbers.
    """

    ends: NDArray[np.int64]
    vectors: FloatArray
    distances: FloatArray
    kinds: NDArray[np.int64]

    @classmethod
    def within(
        cls, reach: float, positions: ArrayLike, kinds: NDArray[np.int64], cell: ArrayLike, pbc: ArrayLike
    ) -> _Pairs:
        atoms, lattice, periodic = checked(positions, cell, pbc)
        _, images, owners = with_images(atoms, lattice, periodic, reach)
        pairs = cKDTree(images).query_pairs(reach, output_type="ndarray")
        pairs = pairs[(pairs < len(atoms)).any(axis=1)]
        ends, vectors = owners[pairs], images[pairs[:, 1]] - images[pairs[:, 0]]
        turned = ends[:, 0] > ends[:, 1]
        ends[turned], vectors[turned] = ends[turned][:, ::-1], -vectors[turned]
        distances = np.linalg.norm(vectors, axis=1)
        order = np.lexsort((ends[:, 1], ends[:, 0], distances))
        _, first = np.unique(ends[order, 0] * len(atoms) + ends[order, 1], return_index=True)
        chosen = order[np.sort(first)]
        return cls(ends[chosen], vectors[chosen], distances[chosen], kinds)

    def values_of(self, table: FloatArray) -> FloatArray:
        """Return the entry of a table by atomic number for each pair, ``(n_pairs,)``."""
        found: FloatArray = table[self.kinds[self.ends[:, 0]], self.kinds[self.ends[:, 1]]]
        return found

    def contact(self, index: int, table: FloatArray) -> Contact:
        """Return one pair, its limit that of ``table``."""
        first, second = (int(end) for end in self.ends[index])
        x, y, z = (float(part) for part in self.vectors[index])
        return Contact(
            atoms=(first, second),
            species=(chemical_symbols[self.kinds[first]], chemical_symbols[self.kinds[second]]),
            distance_ang=float(self.distances[index]),
            limit_ang=float(table[self.kinds[first], self.kinds[second]]),
            vector_ang=(x, y, z),
        )


def _numbers_of(name: str) -> tuple[int, int]:
    parts = name.split("-")
    unknown = [part for part in parts if part not in atomic_numbers or part == "X"]
    if len(parts) != 2 or unknown:
        raise ValueError(f"{name!r} is not a pair of two elements: write it as 'Li-S'")
    first, second = sorted(atomic_numbers[part] for part in parts)
    return first, second

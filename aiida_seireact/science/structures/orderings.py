"""The orderings of a disordered crystal in a supercell that its symmetry tells apart, and how often each occurs.

All arrangements of whole numbers of ions are listed and sorted into orbits of the space group. It is exact, and meant
for the few sites of a cell that a first-principles calculation can take; `disorder` draws larger ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.science.structures.arrangements import (
    EMPTY,
    MAX_ARRANGEMENTS,
    TooMany,
    arrangements,
    count_free,
)
from aiida_seireact.science.structures.disorder import MIN_DISTANCE_ANG, DisorderedCell, DrawnCell
from aiida_seireact.science.structures.exclusion import Exclusions
from aiida_seireact.science.structures.occupancy import Sublattice, apportion
from aiida_seireact.science.structures.supercells import (
    Operation,
    lattice_points,
    matrix_of,
    operations,
    supercell,
)

IntArray = NDArray[np.int64]

MAX_PERMUTED = 50_000_000
"""Most operations times sites: 0.4 GB."""

WHOLE_ATOM = 0.05
"""Numbers of ions this near to a whole one are whole: files write a third of 12 sites as 0.33."""


class TooManyArrangements(ValueError):
    """There are more arrangements than are listed."""


@dataclass(frozen=True)
class Orderings:
    """The distinct orderings of a supercell.

    :param cell: the supercell, with occupancies.
    :param choice: ``(n_orderings, n_sites)`` for each site the index of its ion, -1 for none.
    :param degeneracies: ``(n_orderings,)`` number of arrangements that are the same ordering.
    :param min_distance_ang: as it was asked for.
    """

    cell: DisorderedCell
    choice: NDArray[np.int8]
    degeneracies: IntArray
    min_distance_ang: float

    def __len__(self) -> int:
        return len(self.choice)

    @property
    def n_arrangements(self) -> int:
        """Return the number of arrangements, all orderings together."""
        return int(self.degeneracies.sum())

    def drawn(self, index: int) -> DrawnCell:
        """Return one ordering as `disorder` gives a draw."""
        return DrawnCell(self.cell, (1, 1, 1), self.choice[index].reshape(1, 1, 1, -1), 0, self.min_distance_ang)

    def to_ase(self, index: int) -> Atoms:
        """Return the atoms of one ordering, periodic."""
        return self.drawn(index).to_ase()


def orderings(
    cell: DisorderedCell,
    shape: Sequence[int] | Sequence[Sequence[int]] = (1, 1, 1),
    *,
    min_distance_ang: float = MIN_DISTANCE_ANG,
    limit: int = MAX_ARRANGEMENTS,
) -> Orderings:
    """Return the orderings of a supercell that no operation of the crystal's space group maps onto each other.

    Two arrangements are one ordering also where the operation maps the supercell onto another one, of which both are
    repetitions. Each ordering is told by the arrangement that comes first when sites are compared in order.

    :param cell: the crystal with its occupancies.
    :param shape: of the supercell: three repetitions, or rows in the lattice vectors of the cell.
    :param min_distance_ang: as in `DisorderedCell.draw`: sites nearer than this are not both filled.
    :param limit: most arrangements that are listed.
    :raises ValueError: occupancies that are not whole numbers of ions there, not neutral, no arrangement at all, or
        no symmetry found.
    :raises TooManyArrangements: more than ``limit``.
    """
    matrix = matrix_of(shape)
    larger = supercell(cell, matrix)
    _check_whole(larger.sublattices)
    numbers = apportion(larger.sublattices, (1, 1, 1))
    part_of = larger.sublattice_of
    is_open = [len(part.ions) > 1 or part.has_vacancies for part in larger.sublattices]
    open_parts = [index for index, part in enumerate(is_open) if part]
    sites = np.flatnonzero(np.isin(part_of, open_parts))
    of_ion = [numbers[index] for index in open_parts]
    excluded = _among(sites, larger.exclusions(min_distance_ang)[0])
    inner = np.searchsorted(open_parts, part_of[sites])
    free = count_free([int((inner == index).sum()) for index in range(len(open_parts))], of_ion)
    if free > limit and not len(excluded.pairs):
        raise TooManyArrangements(_too_many(free, limit, len(sites), exact=True))
    try:
        found = arrangements(inner, of_ion, excluded, limit)
    except TooMany:
        raise TooManyArrangements(_too_many(free, limit, len(sites), exact=False)) from None
    if not found:
        raise ValueError(
            f"No arrangement keeps the ions {min_distance_ang:g} Å apart: take a smaller min_distance_ang, or lower "
            "occupancies"
        )
    firsts, degeneracies = _orbits(found, _Symmetry(operations(cell), matrix, len(cell.labels), sites))
    choice = np.zeros((len(firsts), len(larger.labels)), dtype=np.int8)
    choice[:, sites] = np.frombuffer(b"".join(firsts), dtype=np.int8).reshape(len(firsts), len(sites)) - (EMPTY + 1)
    return Orderings(larger, choice, np.array(degeneracies), min_distance_ang)


def _check_whole(parts: Sequence[Sublattice]) -> None:
    """Refuse occupancies that only rounding makes whole: which ordering would be left out is a matter of chance."""

    def is_whole(times: int) -> bool:
        return all(abs(x - round(x)) <= WHOLE_ATOM for part in parts for x in part.targets(times))

    if is_whole(1):
        return
    part, ion, target = next(
        (part, ion, target)
        for part in parts
        for ion, target in zip(part.ions, part.targets(1), strict=False)
        if abs(target - round(target)) > WHOLE_ATOM
    )
    times = next((n for n in range(2, 65) if is_whole(n)), None)
    advice = f"take {times} times as many unit cells, or occupancies" if times else "give occupancies"
    raise ValueError(
        f"{part.label} would hold {target:.4g} {ion.symbol} in this supercell, and orderings are of whole numbers: "
        f"{advice} that are whole numbers of the {part.n_sites} sites"
    )


def _among(sites: IntArray, excluded: Exclusions) -> Exclusions:
    """Return the pairs that lie among ``sites``, which get new numbers."""
    kept = np.isin(excluded.pairs, sites).all(axis=1)
    return Exclusions(np.searchsorted(sites, excluded.pairs[kept]), excluded.offsets[kept], len(sites))


def _too_many(free: int, limit: int, n_sites: int, *, exact: bool) -> str:
    number = f"{free:,}" if free < 10**9 else f"{free:.1e}"
    told = number if exact else f"more than {limit:,} (of {number} if no distance had to be kept)"
    return (
        f"The ions can be arranged on the {n_sites} disordered sites in {told} ways, and at most {limit:,} are sorted: "
        "take a smaller supercell or the primitive cell, or draw an ensemble instead"
    )


class _Symmetry:
    """The space group as it acts on the open sites of a supercell.

    :ivar permutations: ``(n, n_open)``; an arrangement ``a`` and each ``a[permutation]`` are the same ordering.
    :ivar translations: ``(n_cells, n_open)``, those by lattice vectors of the unit cell.
    :ivar turning: operations that do not map the supercell onto itself: permutation, and the translations (numbers
        in `translations`) that must leave an arrangement unchanged for it to hold.
    """

    def __init__(self, group: Sequence[Operation], matrix: IntArray, n_sites: int, sites: IntArray) -> None:
        self._volume = round(float(np.linalg.det(matrix)))
        self._adjugate = np.round(np.linalg.inv(matrix) * self._volume).astype(np.int64)
        points = lattice_points(matrix)
        codes = self._codes(points)
        self._order = np.argsort(codes)
        self._sorted = codes[self._order]
        place = np.full(len(points) * n_sites, -1)
        place[sites] = np.arange(len(sites))
        cells, own = np.divmod(sites, n_sites)

        def permutation(operation: Operation) -> IntArray:
            images = self._cells(points[cells] @ operation.rotation.T + operation.shift[own])
            return np.asarray(place[images * n_sites + operation.site[own]], dtype=np.int64)

        identity = np.eye(3, dtype=np.int64), np.arange(n_sites)
        self.translations = np.array(
            [permutation(Operation(*identity, np.tile(point, (n_sites, 1)))) for point in points]
        )
        keeping, self.turning = [], []
        for operation in group:
            rows = matrix @ operation.rotation.T
            if self._codes(rows).any():
                self.turning.append((permutation(operation), self._cells(rows)))
            else:
                keeping.append(permutation(operation))
        if len(keeping) * self.translations.size > MAX_PERMUTED:
            raise ValueError(
                f"{len(keeping) * len(points):,} symmetry operations of {len(sites):,} disordered sites are too many "
                "to sort orderings by: take a smaller supercell, or draw an ensemble instead"
            )
        self.permutations = np.concatenate([self.translations[:, one] for one in keeping])

    def _codes(self, points: IntArray) -> IntArray:
        """Return a number for each lattice point, equal for those a vector of the supercell apart, 0 for its own."""
        inside = (points @ self._adjugate) % self._volume
        return np.asarray((inside[:, 0] * self._volume + inside[:, 1]) * self._volume + inside[:, 2], dtype=np.int64)

    def _cells(self, points: IntArray) -> IntArray:
        """Return the unit cell of the supercell that each lattice point falls into."""
        return np.asarray(self._order[np.searchsorted(self._sorted, self._codes(points))], dtype=np.int64)


def _orbits(found: Sequence[bytes], symmetry: _Symmetry) -> tuple[list[bytes], list[int]]:
    """Return the first arrangement of each orbit and the size of the orbit.

    :raises ValueError: an operation leaves the arrangements, since distances are on the edge of what is allowed.
    """
    orbit_of: dict[bytes, int] = {}
    firsts: list[bytes] = []
    for arrangement in found:
        if arrangement in orbit_of:
            continue
        held = np.frombuffer(arrangement, dtype=np.uint8)
        orbit_of.update(dict.fromkeys((image.tobytes() for image in held[symmetry.permutations]), len(firsts)))
        firsts.append(arrangement)
    if len(orbit_of) != len(found):
        raise ValueError(
            "The distances between sites don't obey the symmetry: take a min_distance_ang further from any of them"
        )
    parent = list(range(len(firsts)))

    def root(orbit: int) -> int:
        while parent[orbit] != orbit:
            orbit = parent[orbit]
        return orbit

    for orbit, arrangement in enumerate(firsts):
        held = np.frombuffer(arrangement, dtype=np.uint8)
        still = (held[symmetry.translations] == held).all(axis=1)
        if still.sum() == 1:  # its own cell is the supercell
            continue
        for permutation, rows in symmetry.turning:
            if still[rows].all():
                one, other = sorted((root(orbit), root(orbit_of[held[permutation].tobytes()])))
                parent[other] = one
    sizes = np.bincount([root(orbit) for orbit in orbit_of.values()], minlength=len(firsts))
    kept = [orbit for orbit in range(len(firsts)) if parent[orbit] == orbit]
    return [firsts[orbit] for orbit in kept], [int(sizes[orbit]) for orbit in kept]

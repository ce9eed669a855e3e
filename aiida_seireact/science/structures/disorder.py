"""Partial occupancies and mixed ions, drawn by a seed over a repeated unit cell of any chemistry.

The composition is exact over the whole repeated cell and charge neutral by construction (`occupancy`), no ion of a
partly filled site is nearer to another than a minimum distance, also across the seams of cells (`exclusion`), and the
same seed is the same cell on any machine: every choice is a sort of raw random numbers of PCG64, whose stream numpy
never changes. What was drawn is one byte a site, so that a cell of millions of atoms is written layer by layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import atomic_numbers
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import NDArray

from aiida_seireact.science.structures.drawn import DrawnCell, Layer
from aiida_seireact.science.structures.exclusion import (
    MAX_NETWORK_SITES,
    MOVES_PER_SITE,
    Exclusions,
    fill_groups,
    fill_network,
    over_cells,
)
from aiida_seireact.science.structures.occupancy import FULL, Ion, Repeat, Sublattice, apportion

if TYPE_CHECKING:
    from pymatgen.core.composition import Composition
    from pymatgen.core.structure import Structure

FloatArray = NDArray[np.float64]

MIN_DISTANCE_ANG = 2.0
"""Ions of like charge are never nearer in a crystal of Li: 48h doublets of argyrodites are 1.9 Å, the next sites 2.2 Å
apart."""

UNLIKE_FRACTION = 0.5
"""Ions of unlike charge bind (P-S 2.05 Å, P-O 1.5 Å): only below this fraction of the distance do they overlap."""

_SLACK_ANG = 1e-6


@dataclass(frozen=True)
class DisorderedCell:
    """A unit cell with occupancies.

    :param cell: ``(3, 3)`` in Å, rows are lattice vectors.
    :param fractional: ``(n_sites, 3)`` fractional coordinates, within the cell or not: an atom is written where it is
        said to be, so that a molecule on a face of the cell stays whole.
    :param labels: ``(n_sites,)``; sites of one label and the same ions are a sublattice and share their composition.
    :param ions: for each site what may sit on it; the charges are those that the cell is neutral in.
    :raises ValueError: unlike lengths, an unknown element, or occupancies beyond 0 to 1.
    """

    cell: FloatArray
    fractional: FloatArray
    labels: tuple[str, ...]
    ions: tuple[tuple[Ion, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "cell", np.array(self.cell, dtype=np.float64).reshape(3, 3))
        object.__setattr__(self, "fractional", np.array(self.fractional, dtype=np.float64).reshape(-1, 3))
        if not len(self.fractional) == len(self.labels) == len(self.ions) > 0:
            raise ValueError(
                f"A disordered cell needs a label and ions for each site: {len(self.fractional)} coordinates, "
                f"{len(self.labels)} labels and {len(self.ions)} lists of ions were given"
            )
        unknown = {ion.symbol for ions in self.ions for ion in ions} - set(atomic_numbers)
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))} is no chemical element")
        _ = self.sublattices

    @classmethod
    def from_structure(cls, structure: Structure) -> DisorderedCell:
        """Return the cell of a pymatgen structure, its sites in canonical order (label, then coordinates).

        :param structure: with oxidation states; `fill.with_occupancies` replaces occupancies and gives charges.
        :raises ValueError: an element without a charge.
        """
        sites = []
        for site in structure:
            label = str(site.label)
            # Wrapped with a margin, so that 0.99999999 and 0 sort alike on every machine.
            place = (np.asarray(site.frac_coords, dtype=np.float64) + 1e-4) % 1.0 - 1e-4
            sites.append((label, tuple(np.round(place, 4) + 0.0), _ions(label, site.species), place))
        sites.sort(key=lambda item: (item[0], item[1]))
        return cls(
            cell=np.asarray(structure.lattice.matrix, dtype=np.float64),
            fractional=np.array([place for *_, place in sites]),
            labels=tuple(label for label, *_ in sites),
            ions=tuple(ions for _, _, ions, _ in sites),
        )

    @cached_property
    def sublattices(self) -> tuple[Sublattice, ...]:
        """Return the sublattices in the order of their first site."""
        members = Counter(zip(self.labels, self.ions, strict=True))
        return tuple(Sublattice(label, count, ions) for (label, ions), count in members.items())

    @cached_property
    def sublattice_of(self) -> NDArray[np.int64]:
        """Return the index of the sublattice of each site, ``(n_sites,)``."""
        place = {key: index for index, key in enumerate(dict.fromkeys(zip(self.labels, self.ions, strict=True)))}
        return np.array([place[key] for key in zip(self.labels, self.ions, strict=True)])

    @property
    def is_ordered(self) -> bool:
        """Tell whether every site holds one ion and is always filled."""
        return all(len(part.ions) == 1 and not part.has_vacancies for part in self.sublattices)

    def counts(self, repeat: Repeat = (1, 1, 1)) -> dict[str, int]:
        """Return the exact number of atoms by element of the repeated cell, before any is made.

        :raises ValueError: as `occupancy.apportion`.
        """
        total: Counter[str] = Counter()
        for part, numbers in zip(self.sublattices, apportion(self.sublattices, checked(repeat)), strict=True):
            for ion, number in zip(part.ions, numbers, strict=False):
                total[ion.symbol] += number
        return {symbol: total[symbol] for symbol in sorted(total, key=atomic_numbers.__getitem__) if total[symbol]}

    def exclusions(self, min_distance_ang: float = MIN_DISTANCE_ANG) -> tuple[Exclusions, FloatArray]:
        """Return the pairs of sites that cannot both be filled, and their distances in Å.

        Of a pair at least one may be empty; ions of like charge (or without) are kept `min_distance_ang` apart, those
        of unlike charge half of it.

        :raises ValueError: a partly filled site is too near to one that is always filled.
        """
        first, second, distances, shifts = primitive_neighbor_list(
            "ijdS", [True] * 3, self.cell, self.fractional @ self.cell, max(min_distance_ang, _SLACK_ANG)
        )
        limits = self._closeness[self.sublattice_of[first], self.sublattice_of[second]]
        may_be_empty = np.array([part.has_vacancies for part in self.sublattices])[self.sublattice_of]
        near = (distances < min_distance_ang * limits - _SLACK_ANG) & (may_be_empty[first] | may_be_empty[second])
        first, second, distances, shifts = first[near], second[near], distances[near], shifts[near]
        never = np.flatnonzero(~(may_be_empty[first] & may_be_empty[second]))
        if len(never):
            worst = never[np.argmin(distances[never])]
            i, j = first[worst], second[worst]
            full, partly = (j, i) if may_be_empty[i] else (i, j)
            raise ValueError(
                f"{self.labels[partly]} is {distances[worst]:.3f} Å from {self.labels[full]}, which is always filled, "
                "so it never could be: take a min_distance_ang of at most "
                f"{_floor(float((distances / limits[near])[never].min())):g}"
            )
        # Of i-j and j-i one is kept, of a site and its own images those on one side.
        key = list(zip(first.tolist(), second.tolist(), map(tuple, shifts.tolist()), strict=True))
        keep = [k for k, (i, j, shift) in enumerate(key) if i < j or (i == j and shift > (0, 0, 0))]
        keep.sort(key=key.__getitem__)
        pairs = np.stack([first, second], axis=1)[keep].astype(np.int64).reshape(-1, 2)
        return Exclusions(pairs, shifts[keep].astype(np.int64).reshape(-1, 3), len(self.labels)), distances[keep]

    def draw(self, seed: int, repeat: Repeat = (1, 1, 1), *, min_distance_ang: float = MIN_DISTANCE_ANG) -> DrawnCell:
        """Return the repeated cell with one ion, or none, on every site.

        :param seed: the same seed is the same cell on any machine.
        :param repeat: repetitions along the three axes; the disorder is drawn after it.
        :param min_distance_ang: smallest distance of ions of like charge of which one is on a partly filled site.
        :raises ValueError: not neutral, no place for so many ions at this distance, or a network too large to fill.
        """
        repeat = checked(repeat)
        numbers = apportion(self.sublattices, repeat)
        n_sites, n_cells = len(self.labels), int(np.prod(repeat))
        part_of = np.tile(self.sublattice_of, n_cells)
        filled = self._filled(seed, repeat, part_of, numbers, min_distance_ang)
        choice = np.full(n_cells * n_sites, -1, dtype=np.int8)
        for index, (part, of_ion) in enumerate(zip(self.sublattices, numbers, strict=True)):
            members = np.flatnonzero(filled & (part_of == index))
            if len(part.ions) == 1:
                choice[members] = 0
            else:
                order = np.argsort(random_raw(seed, 1, index, len(members)), kind="stable")
                choice[members[order]] = np.repeat(np.arange(len(of_ion), dtype=np.int8), of_ion)
        return DrawnCell(self, repeat, choice.reshape(*repeat, n_sites), seed, min_distance_ang)

    @cached_property
    def _closeness(self) -> FloatArray:
        """Return the fraction of the minimum distance that counts between two sublattices."""
        charges = [[ion.charge for ion in part.ions] for part in self.sublattices]
        return np.array(
            [
                [1.0 if any(a * b >= 0 for a in first for b in second) else UNLIKE_FRACTION for second in charges]
                for first in charges
            ]
        )

    def _filled(
        self,
        seed: int,
        repeat: Repeat,
        part_of: NDArray[np.int64],
        numbers: Sequence[tuple[int, ...]],
        min_distance_ang: float,
    ) -> NDArray[np.bool_]:
        """Return which sites of the repeated cell are filled, ``(n_cells * n_sites,)``."""
        open_parts = [index for index, part in enumerate(self.sublattices) if part.has_vacancies]
        if not open_parts:
            return np.ones(len(part_of), dtype=bool)
        excluded, distances = self.exclusions(min_distance_ang)
        kind_of_part = np.full(len(self.sublattices), -1, dtype=np.int8)
        kind_of_part[open_parts] = np.arange(len(open_parts))
        kind = kind_of_part[part_of]
        quotas = [sum(numbers[index]) for index in open_parts]
        n_sites = excluded.n_sites
        groups = excluded.groups()
        if groups is not None:
            owner, shift = groups
            group = over_cells(owner, -shift, repeat, n_sites).reshape(-1)
            keys = [random_raw(seed, 0, n, int((kind == n).sum())) for n in range(len(quotas))]
            filled, missing = fill_groups(kind, group, quotas, keys)
        else:
            n_open = int((kind >= 0).sum())
            if n_open > MAX_NETWORK_SITES:
                raise ValueError(
                    f"Sites nearer than {min_distance_ang:g} Å form a network of {n_open} sites, and a network is "
                    f"filled one by one up to {MAX_NETWORK_SITES}: repeat the cell less often, or take "
                    f"a min_distance_ang of at most {_floor(distances.min()):g}, where no site excludes another"
                )
            here = over_cells(excluded.pairs[:, 0], np.zeros_like(excluded.offsets), repeat, n_sites)
            there = over_cells(excluded.pairs[:, 1], excluded.offsets, repeat, n_sites)
            edges = np.stack([here.reshape(-1), there.reshape(-1)], axis=1)
            order = np.argsort(random_raw(seed, 0, 0, len(kind)), kind="stable")
            draws = random_raw(seed, 0, 1, MOVES_PER_SITE * len(kind))
            filled, missing = fill_network(kind, edges, quotas, order, draws)
        for lacking, quota, index in zip(missing, quotas, open_parts, strict=True):
            if lacking:
                part = self.sublattices[index]
                reached = (quota - lacking) / (part.n_sites * np.prod(repeat))
                raise ValueError(
                    f"Only {quota - lacking} of the {quota} ions on {part.label} find a place {min_distance_ang:g} Å "
                    f"from the others: take a min_distance_ang of at most {_floor(distances.max()):g}, or an "
                    f"occupancy of at most {np.floor(reached * 1e4) / 1e4:g}"
                )
        return filled | (kind < 0)


def random_raw(seed: int, purpose: int, part: int, count: int) -> NDArray[np.uint64]:
    """Return ``count`` raw 64-bit numbers of a stream of its own for each purpose and part."""
    stream = np.random.PCG64(np.random.SeedSequence([seed, purpose, part]))
    return np.asarray(stream.random_raw(count), dtype=np.uint64)


def checked(repeat: Sequence[int]) -> Repeat:
    """Return the repetitions as three whole numbers.

    :raises ValueError: not three numbers of at least 1.
    """
    if len(repeat) != 3 or any(int(n) != n or n < 1 for n in repeat):
        raise ValueError(f"repeat is three whole numbers of at least 1, such as (2, 2, 2), not {tuple(repeat)}")
    return int(repeat[0]), int(repeat[1]), int(repeat[2])


def _ions(label: str, species: Composition) -> tuple[Ion, ...]:
    """Return the ions of a site, in the order of their symbols and charges."""
    found = []
    for kind, occupancy in species.items():
        symbol = str(getattr(kind, "symbol", kind))
        charge = getattr(kind, "oxi_state", None)
        if charge is None:
            raise ValueError(
                f"{symbol} on {label} has no oxidation state: give the charge of each element, such as "
                f"charges={{'{symbol}': {_common_charge(kind)}}}"
            )
        found.append(Ion(symbol, float(charge), float(occupancy)))
    return tuple(sorted((ion for ion in found if ion.occupancy > 0), key=lambda ion: (ion.symbol, ion.charge)))


def _common_charge(kind: Any) -> int:
    """Return the commonest oxidation state that pymatgen knows of an element."""
    states = getattr(kind, "common_oxidation_states", ()) or (0,)
    return int(states[0])


def _floor(distance: float) -> float:
    """Return a distance rounded down to 0.01 Å, so that it is allowed where the distance itself is."""
    return float(np.floor(distance * 100) / 100)


__all__ = ["FULL", "MIN_DISTANCE_ANG", "DisorderedCell", "DrawnCell", "Ion", "Layer", "checked", "random_raw"]

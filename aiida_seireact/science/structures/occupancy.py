"""Whole numbers of ions for fractional occupancies, so that a repeated cell is charge neutral.

A *sublattice* is a set of sites that share their ions; its occupancies hold for the whole of the repeated cell, not
for each unit cell of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np

FULL = 0.002
"""A site whose occupancies sum to 1 within this is always filled: files write a third as 0.333."""

WHOLE = 1e-6
"""Two numbers of atoms, or two charges in e, nearer than this are the same."""

Repeat = tuple[int, int, int]


@dataclass(frozen=True)
class Ion:
    """What may sit on a site: element, nominal charge in e, and the probability that it does."""

    symbol: str
    charge: float
    occupancy: float = 1.0


@dataclass(frozen=True)
class Sublattice:
    """The sites of one label and their ions.

    :param label: name of the sublattice for messages and reports.
    :param n_sites: number of its sites in the unit cell.
    :param ions: what may sit on a site; what is missing to an occupancy of 1 is vacancies.
    """

    label: str
    n_sites: int
    ions: tuple[Ion, ...]

    def __post_init__(self) -> None:
        for ion in self.ions:
            if not 0 < ion.occupancy <= 1 + FULL:
                raise ValueError(
                    f"{ion.symbol} on {self.label} has an occupancy of {ion.occupancy:g}: it must be above 0 and at "
                    "most 1; leave out an ion that is never there"
                )
        if self.filled > 1 + FULL:
            raise ValueError(
                f"The occupancies on {self.label} sum to {self.filled:g}: with {self._scaled()} they sum to 1"
            )

    @property
    def filled(self) -> float:
        """Return the sum of the occupancies."""
        return sum(ion.occupancy for ion in self.ions)

    @property
    def has_vacancies(self) -> bool:
        """Tell whether some of the sites stay empty."""
        return self.filled < 1 - FULL

    def targets(self, n_cells: int) -> list[float]:
        """Return how many of each ion, and of vacancies at last, the occupancies stand for in ``n_cells`` cells."""
        n_sites = self.n_sites * n_cells
        if self.has_vacancies:
            return [*(ion.occupancy * n_sites for ion in self.ions), (1 - self.filled) * n_sites]
        return [*(ion.occupancy / self.filled * n_sites for ion in self.ions), 0.0]

    def _scaled(self) -> str:
        return ", ".join(f"{ion.symbol} {ion.occupancy / self.filled:.4g}" for ion in self.ions)


def apportion(sublattices: Sequence[Sublattice], repeat: Repeat) -> list[tuple[int, ...]]:
    """Return the number of each ion of each sublattice in the repeated cell: whole, neutral, nearest to the target.

    Every number is its target rounded up or down; among the neutral ways to round, that with the smallest sum of
    squared differences is taken (of equal ones the first, earlier ions rounded up first).

    :raises ValueError: no way to round is neutral; the sentence names a repetition or an occupancy that would be.
    """
    found = _nearest_neutral(sublattices, _n_cells(repeat))
    if found is None:
        raise ValueError(_refusal(sublattices, repeat))
    return found


def mean_charge(sublattices: Sequence[Sublattice]) -> float:
    """Return the charge in e of a unit cell with exactly the occupancies given."""
    return sum(
        target * ion.charge
        for sublattice in sublattices
        for ion, target in zip(sublattice.ions, sublattice.targets(1)[:-1], strict=True)
    )


def _n_cells(repeat: Repeat) -> int:
    return repeat[0] * repeat[1] * repeat[2]


def _nearest_neutral(sublattices: Sequence[Sublattice], n_cells: int) -> list[tuple[int, ...]] | None:
    """Return the neutral numbers nearest to the targets, or None; by dynamic programming over the charge."""
    # Charge in 1e-6 e: (cost, numbers chosen so far, without the vacancies).
    best: dict[int, tuple[float, list[tuple[int, ...]]]] = {0: (0.0, [])}
    for sublattice in sublattices:
        ways = _roundings(sublattice.targets(n_cells))
        extended: dict[int, tuple[float, list[tuple[int, ...]]]] = {}
        for charge, (cost, chosen) in best.items():
            for numbers, way_cost in ways:
                total = charge + round(
                    sum(n * ion.charge for n, ion in zip(numbers, sublattice.ions, strict=False)) / WHOLE
                )
                way_total = round(cost + way_cost, 9)
                if total not in extended or way_total < extended[total][0]:
                    extended[total] = (way_total, [*chosen, numbers[:-1]])
        best = extended
    # Charges given as thirds do not sum to exactly zero.
    for charge in sorted(best, key=abs):
        if abs(charge) <= n_cells + 1:
            return best[charge][1]
        break
    return None


def _roundings(targets: list[float]) -> list[tuple[tuple[int, ...], float]]:
    """Return every way to round targets with a whole sum up or down to that sum, and its squared differences."""
    floors = [int(np.floor(target + WHOLE)) for target in targets]
    open_ones = [index for index, target in enumerate(targets) if target - floors[index] > WHOLE]
    missing = round(sum(targets)) - sum(floors)
    ways = []
    for up in combinations(open_ones, missing):
        numbers = tuple(floor + (index in up) for index, floor in enumerate(floors))
        ways.append((numbers, sum((n - target) ** 2 for n, target in zip(numbers, targets, strict=True))))
    return ways


def _refusal(sublattices: Sequence[Sublattice], repeat: Repeat) -> str:
    """Say that no rounding is neutral, and the nearest input that would be."""
    charge = mean_charge(sublattices)
    per_cell = f"their mean charge is {charge:+.4g} e a unit cell" if abs(charge) > WHOLE else "on the mean they are"
    said = f"With these occupancies no whole numbers of ions in {_times(repeat)} unit cells are neutral ({per_cell})"
    advice = [text for text in (_neutral_repeat(sublattices, repeat), _neutral_occupancy(sublattices, repeat)) if text]
    return f"{said}: {', or '.join(advice)}" if advice else f"{said}: look at the charges of the ions"


def _neutral_repeat(sublattices: Sequence[Sublattice], repeat: Repeat) -> str | None:
    """Return the smallest larger repetition that is neutral, in words."""
    larger = [tuple(n + more for n, more in zip(repeat, extra, strict=True)) for extra in product(range(4), repeat=3)]
    for candidate in sorted(larger[1:], key=lambda item: (_n_cells(item), max(item) - min(item), item)):  # type: ignore[arg-type]
        if _nearest_neutral(sublattices, _n_cells(candidate)) is not None:  # type: ignore[arg-type]
            return f"repeat the cell {_times(candidate)}"  # type: ignore[arg-type]
    return None


def _neutral_occupancy(sublattices: Sequence[Sublattice], repeat: Repeat) -> str | None:
    """Return the smallest change of one occupancy that makes the repeated cell neutral, in words."""
    charge = mean_charge(sublattices)
    tries: list[tuple[float, str, list[Sublattice]]] = []
    for place, sublattice in enumerate(sublattices):
        for index, ion in enumerate(sublattice.ions):
            # What the ion gains is lost by vacancies, or by another ion of the site.
            givers: list[int | None] = [other for other in range(len(sublattice.ions)) if other != index]
            if sublattice.has_vacancies or len(sublattice.ions) == 1:
                givers.insert(0, None)
            for giver in givers:
                gain = ion.charge - (0.0 if giver is None else sublattice.ions[giver].charge)
                if abs(gain) < WHOLE:
                    continue
                change = -charge / (gain * sublattice.n_sites)
                changed = _changed(sublattice, index, giver, change)
                if changed is not None and abs(change) > WHOLE:
                    others = [*sublattices[:place], changed, *sublattices[place + 1 :]]
                    new = changed.ions[index]
                    text = f"give {new.symbol} on {sublattice.label} the occupancy {new.occupancy:.6g}"
                    if giver is not None:
                        text += f" and {changed.ions[giver].symbol} {changed.ions[giver].occupancy:.6g}"
                    tries.append((abs(change), f"{text} (it is {ion.occupancy:g})", others))
    for _, text, others in sorted(tries, key=lambda item: item[0]):
        if _nearest_neutral(others, _n_cells(repeat)) is not None:
            return text
    return None


def _changed(sublattice: Sublattice, index: int, giver: int | None, change: float) -> Sublattice | None:
    """Return the sublattice with one occupancy changed at the cost of another, or None if that cannot be."""
    ions = list(sublattice.ions)
    ions[index] = replace(ions[index], occupancy=ions[index].occupancy + change)
    if giver is not None:
        ions[giver] = replace(ions[giver], occupancy=ions[giver].occupancy - change)
    if any(not 0 < ion.occupancy <= 1 for ion in ions) or sum(ion.occupancy for ion in ions) > 1 + FULL:
        return None
    return replace(sublattice, ions=tuple(ions))


def _times(repeat: Repeat) -> str:
    return " x ".join(str(n) for n in repeat)

"""Point defects, each drawn at random: vacancies, interstitials, and pairs of atoms that change places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

# Of so many random places the roomiest is taken: with one hole in the cell it is found, with many they vary.
PLACES = 400

MIN_DISTANCE_ANG = 1.5
"""An interstitial is nowhere nearer to another atom."""

NEUTRAL_E = 1e-6
_TOLD = 3

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Defects:
    """How many of each defect a cell gets.

    :param vacancies: by element.
    :param interstitials: by element.
    :param antisites: by pair of elements, the number of pairs of atoms that change places.
    :raises ValueError: no defect, a number below 1, or a pair of one element.
    """

    vacancies: Mapping[str, int] = field(default_factory=dict)
    interstitials: Mapping[str, int] = field(default_factory=dict)
    antisites: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [*self.vacancies.values(), *self.interstitials.values(), *self.antisites.values()]
        if not numbers or min(numbers) < 1:
            raise ValueError("There is no defect to make: give at least one vacancy, interstitial or antisite.")
        for first, second in self.antisites:
            if first == second:
                raise ValueError(f"An antisite is of two elements: {first} and {second} are one.")

    def charge(self, charges: Mapping[str, float]) -> float:
        """Return the charge in e that the defects leave a neutral cell with.

        :param charges: nominal charge of each element in e.
        :raises ValueError: an element without one.
        """
        missing = sorted((set(self.vacancies) | set(self.interstitials)) - set(charges))
        if missing:
            raise ValueError(
                f"No charge is known of {' and '.join(missing)}, and neutral is counted by charges: give it."
            )
        gained = sum(number * charges[symbol] for symbol, number in self.interstitials.items())
        return gained - sum(number * charges[symbol] for symbol, number in self.vacancies.items())

    def check_neutral(self, charges: Mapping[str, float]) -> None:
        """Refuse defects that charge the cell, with those that would balance them.

        :param charges: nominal charge of each element in e.
        :raises ValueError: they do, or an element has no charge.
        """
        charge = self.charge(charges)
        if abs(charge) <= NEUTRAL_E:
            return
        ways = []
        for symbol, own in charges.items():
            number = charge / own if own else 0.5
            if abs(number - round(number)) <= NEUTRAL_E:
                kind = "interstitial" if number < 0 else ("vacancy" if round(number) == 1 else "vacancies")
                count = abs(round(number))
                ways.append((count, f"{count} {symbol} {kind}{'s' if kind == 'interstitial' and count > 1 else ''}"))
        advice = " or ".join(text for _, text in sorted(ways)[:_TOLD]) or "defects of two elements"
        raise ValueError(f"These defects leave the cell a charge of {charge:+g} e: {advice} more would balance it.")


def with_defects(
    atoms: Atoms, defects: Defects, rng: np.random.Generator, *, min_distance_ang: float = MIN_DISTANCE_ANG
) -> Atoms:
    """Return the periodic cell with all of its defects; no atom takes part in two.

    Interstitials find their places before atoms are taken out, or each would fall into a vacancy.

    :raises ValueError: too few atoms of an element, or no place for an interstitial.
    """
    n_host = len(atoms)
    made: Atoms = atoms.copy()
    for symbol, number in defects.interstitials.items():
        made = with_interstitials(made, symbol, number, rng, min_distance_ang=min_distance_ang)
    free = np.arange(len(made)) < n_host
    for (first, second), number in defects.antisites.items():
        made, swapped = _swapped(made, first, second, number, rng, free)
        free[swapped] = False
    gone = np.zeros(0, dtype=np.int64)
    for symbol, number in defects.vacancies.items():
        gone = np.concatenate([gone, _drawn(made, symbol, number, rng, free)])
    del made[np.sort(gone).tolist()]
    return made


def with_vacancies(atoms: Atoms, species: str | None, number: int, rng: np.random.Generator) -> Atoms:
    """Return the cell without ``number`` atoms drawn at random.

    :param species: element of the atoms that go; None for any.
    :raises ValueError: the cell has no such atoms, or too few to leave one.
    """
    left: Atoms = atoms.copy()
    del left[np.sort(_drawn(atoms, species, number, rng)).tolist()]
    return left


def with_interstitials(
    atoms: Atoms, species: str, number: int, rng: np.random.Generator, *, min_distance_ang: float = MIN_DISTANCE_ANG
) -> Atoms:
    """Return the periodic cell with ``number`` atoms more, each in the roomiest of 400 random places.

    :raises ValueError: unknown element, or no place as far as ``min_distance_ang`` from all atoms.
    """
    if species not in atomic_numbers or species == "X":
        raise ValueError(f"{species!r} is no element: write for example Li.")
    filled: Atoms = atoms.copy()
    for _ in range(number):
        cell, pbc = np.asarray(filled.cell), np.ones(3, dtype=bool)
        reach = float(np.ceil(filled.get_volume() / len(filled)) ** (1 / 3) * 3)
        _, everything, _ = with_images(filled.positions, cell, pbc, reach)
        candidates = rng.uniform(size=(PLACES, 3)) @ cell
        room, _ = cKDTree(everything).query(candidates)
        best = int(np.argmax(room))
        if room[best] < min_distance_ang:
            raise ValueError(
                f"A cell of {filled.get_chemical_formula()} has no place {min_distance_ang:g} Å from all atoms, the "
                f"roomiest found is {room[best]:.2f} Å: lower min_distance_ang, or expand the cell."
            )
        filled += Atoms(species, positions=[candidates[best]])
    return filled


def with_antisites(atoms: Atoms, first: str, second: str, number: int, rng: np.random.Generator) -> Atoms:
    """Return the cell with ``number`` atoms of one element in the places of as many of another, and these in theirs.

    :raises ValueError: too few atoms of either.
    """
    return _swapped(atoms, first, second, number, rng)[0]


def _swapped(
    atoms: Atoms, first: str, second: str, number: int, rng: np.random.Generator, free: BoolArray | None = None
) -> tuple[Atoms, NDArray[np.int64]]:
    """Return the cell with antisites, and the atoms that have changed places."""
    one = _drawn(atoms, first, number, rng, free)
    other = _drawn(atoms, second, number, rng, free)
    made: Atoms = atoms.copy()
    made.positions[one], made.positions[other] = atoms.positions[other], atoms.positions[one]
    return made, np.concatenate([one, other])


def _drawn(
    atoms: Atoms, species: str | None, number: int, rng: np.random.Generator, free: BoolArray | None = None
) -> NDArray[np.int64]:
    """Return atoms drawn at random, among those that are free.

    :raises ValueError: there are not so many, or they are all atoms of the cell.
    """
    wanted = np.ones(len(atoms), dtype=bool) if species is None else np.asarray(atoms.symbols == species)
    places = np.flatnonzero(wanted if free is None else wanted & free)
    if number > len(places) or number >= len(atoms):
        what = species or "atoms"
        left = "" if free is None or free.all() else " that are in no other defect"
        raise ValueError(
            f"{number} {what} can't be drawn from a cell of {atoms.get_chemical_formula()} with {len(places)} "
            f"{what}{left}: ask for fewer, or repeat the cell."
        )
    return np.asarray(rng.choice(places, size=number, replace=False), dtype=np.int64)

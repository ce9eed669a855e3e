"""Vacancies and interstitials, each drawn at random."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

# Of so many random places the roomiest is taken: with one hole in the cell it is found, with many they vary.
PLACES = 400


def with_vacancies(atoms: Atoms, species: str | None, number: int, rng: np.random.Generator) -> Atoms:
    """Return the cell without ``number`` atoms drawn at random.

    :param species: element of the atoms that go; None for any.
    :raises ValueError: the cell has no such atoms, or too few to leave one.
    """
    places = np.arange(len(atoms)) if species is None else np.flatnonzero(atoms.symbols == species)
    if number > len(places) or number >= len(atoms):
        what = species or "atoms"
        raise ValueError(
            f"{number} {what} can't be taken out of a cell of {atoms.get_chemical_formula()} with {len(places)} "
            f"{what}: take out fewer, or repeat the cell."
        )
    gone = rng.choice(places, size=number, replace=False)
    left: Atoms = atoms.copy()
    del left[np.sort(gone).tolist()]
    return left


def with_interstitials(
    atoms: Atoms, species: str, number: int, rng: np.random.Generator, *, min_distance_ang: float = 1.5
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

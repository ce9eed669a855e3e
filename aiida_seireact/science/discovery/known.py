"""Crystals that a group is held against: of the library or given, by distances and by diffraction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.discovery.fingerprint import STRETCHES, Likeness
from aiida_seireact.science.discovery.shells import distance_counts
from aiida_seireact.science.discovery.surroundings import Surroundings
from aiida_seireact.science.discovery.xrd import COPPER_ANG, ReciprocalGrid, Reflections, pattern, similarity
from aiida_seireact.science.structures.library import entry, made_of, structure
from aiida_seireact.science.structures.ordered import ordered_cell

FloatArray = NDArray[np.float64]
B_ANG2 = 3.0
"""Factor of Debye and Waller given to crystals at rest, Å²: a mean square displacement of 0.04 Å² along each axis."""


@dataclass(frozen=True, eq=False)
class Known:
    """A known crystal.

    :param name: of the library, or as given.
    :param structure_type: such as ``antifluorite``; empty where it is not known.
    :param composition: fractions of the elements.
    :param scatters: its reflections.
    :param at_rest: whether its atoms were at their mean places, so that thermal motion has yet to damp the reflections.
    :param counts: distances around its centres by kind ``(2, n_bins)``, or None without such an element.
    :param n_centres: that `counts` are of.
    """

    name: str
    structure_type: str
    composition: Mapping[str, float]
    scatters: Reflections
    at_rest: bool
    counts: FloatArray | None
    n_centres: int


@lru_cache(maxsize=8)
def library_crystals(elements: frozenset[str], centre: str, r_max_ang: float, n_bins: int) -> tuple[Known, ...]:
    """Return the crystals of the library that some elements can form, disordered ones as one ordered cell.

    :param n_bins: of distances up to `r_max_ang`; crystals are counted further, to be compressed.
    """
    found = []
    for name in made_of(elements):
        atoms = ordered_cell(structure(name), name)
        found.append(known(name, atoms, centre, r_max_ang, n_bins, structure_type=entry(name).structure_type))
    return tuple(found)


def known(
    name: str, atoms: Atoms, centre: str, r_max_ang: float, n_bins: int, *, structure_type: str = "", warm: bool = False
) -> Known:
    """Prepare a crystal for comparison.

    :param warm: a frame of a simulation: large, its atoms displaced already.
    """
    numbers = np.asarray(atoms.numbers)
    centres = np.flatnonzero(numbers == atomic_numbers[centre])
    counts = None
    if len(centres):
        extra = int(np.ceil(n_bins / STRETCHES[0]))
        reach = extra * r_max_ang / n_bins
        frame = Surroundings(atoms.positions, numbers, atoms.cell.array, atoms.pbc, reach)
        counts = by_kind(distance_counts(frame, centres, sorted(set(numbers.tolist())), reach, extra),
                         sorted(set(numbers.tolist())), centre)  # fmt: skip
    symbols, amounts = np.unique(np.array(atoms.get_chemical_symbols()), return_counts=True)
    return Known(
        name=name,
        structure_type=structure_type,
        composition={str(s): float(n) / len(atoms) for s, n in zip(symbols, amounts, strict=True)},
        scatters=ReciprocalGrid(atoms.cell.array).reflections(atoms.positions, numbers, ordered_only=warm),
        at_rest=not warm,
        counts=counts,
        n_centres=len(centres),
    )


def by_kind(counts: ArrayLike, elements: Iterable[int], centre: str) -> FloatArray:
    """Sum counts of `distance_counts` to those of the centre's element and of all others, ``(2, n_bins)``."""
    values = np.asarray(counts, dtype=np.float64)
    own = np.array([element == atomic_numbers[centre] for element in elements])
    return np.stack([values[own].sum(axis=0), values[~own].sum(axis=0)])


def nearest_patterns(
    curve: ArrayLike,
    two_theta_deg: ArrayLike,
    crystals: Iterable[Known],
    *,
    wavelength_ang: float = COPPER_ANG,
    fwhm_deg: float = 0.6,
) -> list[Likeness]:
    """Return crystals by likeness of their patterns to one, best first, each at its best stretch.

    A crystal that scatters nothing in the range is left out.
    """
    found = []
    for crystal in crystals:
        values = [
            similarity(curve, shown(crystal, two_theta_deg, stretch, wavelength_ang=wavelength_ang, fwhm_deg=fwhm_deg))
            for stretch in STRETCHES
        ]
        best = int(np.argmax(values))
        found.append(Likeness(crystal.name, values[best], float(STRETCHES[best])))
    return sorted(found, key=lambda item: -item.value)


def shown(
    crystal: Known, two_theta_deg: ArrayLike, stretch: float, *, wavelength_ang: float, fwhm_deg: float
) -> FloatArray:
    """Return the pattern of a known crystal, stretched, as one that is warm."""
    return pattern(
        crystal.scatters, two_theta_deg, wavelength_ang=wavelength_ang, fwhm_deg=fwhm_deg, scale=stretch,
        b_ang2=B_ANG2 if crystal.at_rest else 0.0,
    )  # fmt: skip

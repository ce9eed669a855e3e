"""Known phases as prototypes: what a phase is made of and where its atoms sit, with the paper it comes from.

One YAML file a phase in `phases/`. Lattice parameters are those published (most at room temperature): pass those of
your level of theory to `structure`, or relax.
"""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from typing import Any

import spglib
import yaml
from pymatgen.core.composition import Composition
from pymatgen.core.lattice import Lattice
from pymatgen.core.periodic_table import DummySpecies, Element, Species
from pymatgen.core.structure import Structure
from pymatgen.io.cif import CifParser

from aiida_seireact.science.structures.charges import guessed_charges
from aiida_seireact.science.structures.labels import with_joined_labels

SITE_TOLERANCE = 1e-4
"""Fractional distance within which two images of a site are the same one."""

_ROUNDED = 0.05
"""A cell is this near to whole atoms of an element where a file rounds thirds."""

_ANGLES = ("alpha", "beta", "gamma")
_FREE = {
    "triclinic": ("a", "b", "c", *_ANGLES),
    "monoclinic": ("a", "b", "c", "beta"),
    "orthorhombic": ("a", "b", "c"),
    "tetragonal": ("a", "c"),
    "hexagonal": ("a", "c"),
    "cubic": ("a",),
}
_LAST_NUMBER = {
    2: "triclinic",
    15: "monoclinic",
    74: "orthorhombic",
    142: "tetragonal",
    194: "hexagonal",
    230: "cubic",
}


@dataclass(frozen=True)
class Site:
    """One Wyckoff site: its first position, in fractions of the conventional cell, and what sits there."""

    label: str
    wyckoff: str
    position: tuple[float, float, float]
    occupancy: Mapping[str, float]
    """Fraction of the site each element fills; the rest is vacant."""


@dataclass(frozen=True)
class Entry:
    """A phase of the library."""

    name: str
    structure_type: str
    space_group: str
    number: int
    lattice: Mapping[str, float]
    """Free lattice parameters of the conventional cell, Å and degrees."""
    oxidation_states: Mapping[str, int]
    sites: tuple[Site, ...]
    coordinates: str
    """Where the positions are from: ``published``, ``relaxed`` (by CHGNet at the published lattice), ``prototype``
    (those of the parent phase that `source` names) or ``model`` (known units, packed by us)."""
    source: str
    note: str = ""
    density_g_cm3: float | None = None
    """Published density, where one was found."""

    @property
    def elements(self) -> frozenset[str]:
        """Elements of the phase."""
        return frozenset(self.oxidation_states)

    @property
    def ordered(self) -> bool:
        """Whether every site holds one whole atom."""
        return all(site.occupancy == {next(iter(site.occupancy)): 1.0} for site in self.sites)

    @property
    def composition(self) -> Composition:
        """Composition of the conventional cell."""
        return structure(self.name).composition.element_composition


def names() -> list[str]:
    """Return the names of all phases, sorted."""
    files = resources.files(__package__).joinpath("phases").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def entry(name: str) -> Entry:
    """Return a phase of the library.

    :raises ValueError: no such phase; the sentence names the nearest ones and how a CIF adds one.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known)}."
        raise ValueError(f"The library has no phase '{name}': {hint} Any other phase can be given as a CIF.")
    return _read(name)


def structure(name: str, **lattice: float) -> Structure:
    """Return the conventional cell of a phase, disordered where its sites are, with oxidation states.

    Each site has the label of its Wyckoff site.

    :param lattice: lattice parameters in Å and degrees that replace the published ones; only those that the crystal
        system leaves free.
    :raises ValueError: unknown phase or lattice parameter.
    """
    phase = entry(name)
    unknown = sorted(set(lattice) - set(phase.lattice))
    if unknown:
        free = ", ".join(phase.lattice)
        raise ValueError(
            f"{name} ({phase.space_group}) has no free lattice parameter {', '.join(unknown)}: give {free}."
        )
    rotations, translations = _operations(phase.number)
    positions: list[tuple[float, ...]] = []
    species: list[dict[Species, float]] = []
    labels: list[str] = []
    for site in phase.sites:
        occupants = {
            Species(element, phase.oxidation_states[element]): share for element, share in site.occupancy.items()
        }
        for image in _orbit(site.position, rotations, translations):
            positions.append(image)
            species.append(occupants)
            labels.append(site.label)
    return Structure(_lattice(phase.number, {**phase.lattice, **lattice}), species, positions, labels=labels)


def within(elements: Iterable[str]) -> list[str]:
    """Return the names of the phases made of no other elements than these.

    :raises ValueError: a symbol is no chemical element, or no phase of the library holds it.
    """
    wanted = frozenset(elements)
    held = frozenset().union(*(entry(name).elements for name in names()))
    for symbol in sorted(wanted):
        if not Element.is_valid_symbol(symbol):
            raise ValueError(f"'{symbol}' is no chemical element: the library holds {', '.join(sorted(held))}.")
        if symbol not in held:
            raise ValueError(
                f"No phase of the library holds {symbol}: it has {', '.join(sorted(held))}. "
                f"Give the phases with {symbol} as CIFs."
            )
    return made_of(wanted)


def made_of(elements: Iterable[str]) -> list[str]:
    """Return the names of the phases made of no other elements than these, none of them where there is none."""
    wanted = set(elements)
    return [name for name in names() if entry(name).elements <= wanted]


def from_cif(text: str) -> Structure:
    """Return the conventional cell of the first crystal of a CIF, disordered where the CIF is.

    Occupancies that overshoot 1 by rounding (below 1 %) are scaled back. Oxidation states are kept if the CIF has
    them for every atom, else guessed from the composition; a phase keeps none where no guess is neutral, or where the
    cell holds no whole numbers of atoms.
    Disordered sites that only a file without symmetry tells apart get one label (`labels.with_joined_labels`).

    :raises ValueError: unreadable, without sites, an unknown species or isotope, or a site that holds more than one
        atom.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = CifParser.from_str(text, occupancy_tolerance=1.01)
            found = parser.parse_structures(primitive=False, on_error="raise", check_occu=True)
    except Exception as error:
        raise ValueError(_cif_refusal(text, error)) from error
    if not found or not len(found[0]):
        raise ValueError("The CIF has no atom sites: give one with an _atom_site_ loop and fractional coordinates.")
    cell = found[0]
    for specie in cell.composition:
        if isinstance(specie, DummySpecies):
            raise ValueError(
                f"The CIF has the unknown species '{specie.symbol}': write chemical symbols in _atom_site_type_symbol."
            )
    if not all(isinstance(specie, Species) and specie.oxi_state is not None for specie in cell.composition):
        cell.remove_oxidation_states()
        guess = _guess(cell.composition.element_composition)
        if guess:
            cell.add_oxidation_state_by_element(guess)
    return with_joined_labels(cell)


def _guess(composition: Composition) -> dict[str, float]:
    """Return the likeliest neutral oxidation states of a cell; none where it does not hold whole atoms."""
    whole = {str(element): round(n) for element, n in composition.items()}
    if any(abs(composition[element] - n) > _ROUNDED for element, n in whole.items()):
        return {}
    return guessed_charges(Composition(whole))


def _cif_refusal(text: str, error: Exception) -> str:
    """Return the sentence for a CIF that can't be read."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "_atom_site" not in text:
        if "data_" not in text:
            return "This is no CIF: it has no data_ block. Export the crystal as CIF and give that file."
        return "The CIF has no atom sites: give one with an _atom_site_ loop and fractional coordinates."
    if "ccupanc" in reason:
        return f"The CIF has a site that holds more than one atom ({reason}): correct its _atom_site_occupancy."
    return f"The CIF can't be read ({reason}): open it in a crystal viewer, save it as CIF again and give that."


@lru_cache(maxsize=64)
def _read(name: str) -> Entry:
    text = resources.files(__package__).joinpath("phases", f"{name}.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    free = _FREE[_system(data["number"])]
    if data["name"] != name or tuple(data["lattice"]) != free:
        raise RuntimeError(
            f"phases/{name}.yaml: name must be {name} and the lattice have {', '.join(free)}, in that order"
        )
    unknown = sorted(set(data["oxidation_states"]) - {str(element) for element in Element})
    sites = tuple(_site(site) for site in data.pop("sites"))
    used = {element for site in sites for element in site.occupancy}
    if unknown or used != set(data["oxidation_states"]):
        raise RuntimeError(f"phases/{name}.yaml: sites and oxidation_states must name the same chemical elements")
    return Entry(sites=sites, **data)


def _site(data: Mapping[str, Any]) -> Site:
    """Read one site; ``1/3`` is written as that, since 0.3333 would break the symmetry."""
    x, y, z = (float(Fraction(str(value))) for value in data["position"])
    occupancy = {element: float(Fraction(str(share))) for element, share in data["occupancy"].items()}
    return Site(data["label"], data["wyckoff"], (x, y, z), occupancy)


def _system(number: int) -> str:
    return next(system for last, system in _LAST_NUMBER.items() if number <= last)


def _lattice(number: int, given: Mapping[str, float]) -> Lattice:
    system = _system(number)
    a = given["a"]
    b = given.get("b", a)
    c = given.get("c", a)
    gamma = 120.0 if system == "hexagonal" else 90.0
    alpha, beta, gamma = given.get("alpha", 90.0), given.get("beta", 90.0), given.get("gamma", gamma)
    return Lattice.from_parameters(a, b, c, alpha, beta, gamma)


@lru_cache(maxsize=64)
def _operations(number: int) -> tuple[Any, Any]:
    """Return the operations of a space group in spglib's first setting (origin choice 1, unique axis b)."""
    hall = next(hall for hall in range(1, 531) if _space_group_type(hall).number == number)
    operations: Any = spglib.get_symmetry_from_database(hall)
    return operations["rotations"], operations["translations"]


def _space_group_type(hall: int) -> Any:
    return spglib.get_spacegroup_type(hall)


def _orbit(position: tuple[float, float, float], rotations: Any, translations: Any) -> list[tuple[float, ...]]:
    """Return the distinct images of a position in the cell, in the order of the operations."""
    images: list[tuple[float, ...]] = []
    for rotation, translation in zip(rotations, translations, strict=True):
        image = tuple(float(value) % 1.0 for value in rotation @ position + translation)
        image = tuple(0.0 if math.isclose(value, 1.0, abs_tol=SITE_TOLERANCE) else value for value in image)
        if not any(_same(image, other) for other in images):
            images.append(image)
    return images


def _same(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return all(abs((a - b + 0.5) % 1.0 - 0.5) < SITE_TOLERANCE for a, b in zip(first, second, strict=True))

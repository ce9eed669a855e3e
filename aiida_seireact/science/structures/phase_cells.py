"""The cells of the phases that a prediction of products looks at: of the library, and what CIFs add."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ase import Atoms
from pymatgen.core.structure import Structure

from aiida_seireact.science.structures.library import entry, from_cif, names, structure, within
from aiida_seireact.science.structures.ordered import ordered_cell

GROUP = "phase"


def read_cifs(texts: Mapping[str, str]) -> dict[str, Structure]:
    """Return the crystals of CIFs by their names.

    :raises ValueError: one can't be read; the sentence names it.
    """
    crystals = {}
    for name, text in sorted(texts.items()):
        try:
            crystals[name] = from_cif(text)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return crystals


def phases_between(first: str, second: str, crystals: Mapping[str, Structure] | None = None) -> list[str]:
    """Return the phases of the library that two phases can become, sorted; a CIF of the same name replaces one.

    :param first: a phase of the library or of `crystals`.
    :param second: another one.
    :raises ValueError: an unknown phase, or elements of which the library has no phase.
    """
    crystals = crystals or {}
    elements = elements_of(first, crystals) | elements_of(second, crystals)
    held = {element for name in names() for element in entry(name).elements}
    lone = {element for name in crystals for element in elements_of(name, crystals)}
    return [name for name in within(elements - (lone - held)) if name not in crystals]


def elements_of(name: str, crystals: Mapping[str, Structure]) -> frozenset[str]:
    """Return the elements of a phase of the library or of a CIF.

    :raises ValueError: unknown phase.
    """
    if name in crystals:
        return frozenset(element.symbol for element in crystals[name].composition.element_composition)
    return entry(name).elements


def phase_cells(phases: Iterable[str], crystals: Mapping[str, Structure] | None = None) -> list[Atoms]:
    """Return the smallest ordered cell of each phase, its name as ``config_type``, sorted by name.

    :param phases: of the library.
    :param crystals: others, by name.
    :raises ValueError: unknown phase, one that is in both, or one without an ordered cell.
    """
    crystals = crystals or {}
    wanted = sorted(set(phases))
    if twice := sorted(set(wanted) & set(crystals)):
        raise ValueError(f"{twice[0]} is given as CIF and named as a phase of the library: leave one out.")
    cells = []
    for name in sorted([*wanted, *crystals]):
        atoms = ordered_cell(crystals[name] if name in crystals else structure(name), name)
        atoms.info.update(config_type=name, group=f"{GROUP}/{name}")
        cells.append(atoms)
    return cells

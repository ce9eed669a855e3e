"""Energies of phases and of a reaction against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms

from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.structures.phase_cells import phase_cells
from aiida_seireact.science.validation.energies import Energies, Reaction, formula_unit
from aiida_seireact.science.validation.lines import Asked, Evidence, Labels, Pair
from aiida_seireact.science.validation.targets import Target

NAMES = ["Li", "Li2S", "Li3P", "LiCl", "Li6PS5Cl"]
REACTION: dict[str, Any] = {"reactants": {"Li6PS5Cl": 1, "Li": 8}, "products": {"Li2S": 5, "Li3P": 1, "LiCl": 1}}


@pytest.fixture(scope="module")
def phases() -> dict[str, Atoms]:
    return {str(atoms.info["config_type"]): atoms for atoms in phase_cells(NAMES)}


def pairs(asked: list[Asked], off_ev_per_atom: dict[str, float]) -> list[Pair]:
    """Label an atom of each element by -1, -2, … eV by its name; the model is off by so much an atom of a phase."""
    per_atom = {"Cl": -1.0, "Li": -2.0, "P": -3.0, "S": -4.0}
    found = []
    for number, cell in enumerate(asked):
        energy = sum(per_atom[symbol] for symbol in cell.atoms.get_chemical_symbols())
        wrong = energy + off_ev_per_atom.get(cell.subject, 0.0) * len(cell.atoms)
        zero = np.zeros((len(cell.atoms), 3))
        found.append(
            Pair(cell.subject, cell.atoms, f"frame {number}", Labels(energy, zero, None), Labels(wrong, zero, None))
        )
    return found


def test_one_wrong_phase_is_told_in_mev_per_atom_and_the_others_are_not(phases: dict[str, Atoms]) -> None:
    line = Energies(phases=("Li2S", "Li3P", "LiCl"), target=Target(max=5.0))
    found = line.measure(Evidence(static=pairs(line.static(phases), {"Li3P": 0.331})))
    assert {one.subject: one.value for one in found} == pytest.approx({"Li2S": 0.0, "Li3P": 331.0, "LiCl": 0.0})
    assert next(one.frames for one in found if one.subject == "Li3P") == ("frame 1",)


def test_copies_are_the_same_each_time_and_unlike_each_other(phases: dict[str, Atoms]) -> None:
    line = Energies(phases=("Li3P",), rattled=3, target=Target(max=5.0))
    ids = Frames.from_atoms([cell.atoms for cell in line.static(phases)]).structure_ids
    assert ids == Frames.from_atoms([cell.atoms for cell in line.static(phases)]).structure_ids
    assert len(set(ids)) == 4
    volumes = [cell.atoms.get_volume() / phases["Li3P"].get_volume() for cell in line.static(phases)]
    assert all(0.98**3 <= volume <= 1.02**3 for volume in volumes)


def test_no_energy_of_one_copy_is_no_number_and_that_copy_is_named(phases: dict[str, Atoms]) -> None:
    line = Energies(phases=("Li3P",), rattled=2, target=Target(max=5.0))
    static = pairs(line.static(phases), {})
    broken = Labels(np.nan, np.zeros((1, 3)), None)
    static[1] = Pair("Li3P", static[1].atoms, "the broken one", static[1].reference, broken)
    (found,) = line.measure(Evidence(static=static))
    assert np.isnan(found.value)
    assert found.frames[0] == "the broken one"
    assert found.note == "the model gave no energy"


def test_without_names_all_phases_are_asked_for(phases: dict[str, Atoms]) -> None:
    line = Energies(target=Target(max=5.0))
    assert [cell.subject for cell in line.static(phases)] == sorted(NAMES)
    with pytest.raises(ValueError, match="no cell of Li3P \\(there are LiCl\\)"):
        Energies(phases=("Li3P",), target=Target(max=5.0)).static({"LiCl": phases["LiCl"]})


def test_a_reaction_is_counted_in_formula_units(phases: dict[str, Atoms]) -> None:
    line = Reaction(**REACTION, target=Target(relative=0.1))
    # Of additive energies nothing is left but what the model adds: 4 atoms of Li3P among 21 of the reaction.
    (found,) = line.measure(Evidence(static=pairs(line.static(phases), {"Li3P": 0.331})))
    assert found.reference == pytest.approx(0.0, abs=1e-9)
    assert found.value == pytest.approx(1000 * 4 * 0.331 / 21)
    assert found.unit == "meV/atom"
    assert found.note == "1.324 eV as written, 0.000 eV by the labeller"
    assert found.subject == "Li6PS5Cl + 8 Li → 5 Li2S + Li3P + LiCl"


def test_a_reaction_that_is_not_balanced_is_refused(phases: dict[str, Atoms]) -> None:
    line = Reaction(reactants={"Li6PS5Cl": 1, "Li": 7}, products=REACTION["products"], target=Target(relative=0.1))
    with pytest.raises(ValueError, match="not balanced: 13 Li become 14"):
        line.static(phases)


@pytest.mark.parametrize(
    ("sides", "says"),
    [
        ({"reactants": {}, "products": {"Li": 1}}, "reactants and products"),
        ({"reactants": {"Li": -1}, "products": {"Li2S": 1}}, "above 0"),
        ({"reactants": {"Li": 1}, "products": {"Li": 1}}, "both sides"),
    ],
)
def test_what_is_no_reaction_is_refused(sides: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Reaction(**sides, target=Target(relative=0.1))


def test_a_formula_unit_is_the_smallest_one(phases: dict[str, Atoms]) -> None:
    assert formula_unit(phases["Li6PS5Cl"]) == {"Cl": 1, "Li": 6, "P": 1, "S": 5}
    assert formula_unit(phases["Li3P"]) == {"Li": 3, "P": 1}
    assert formula_unit(phases["Li"]) == {"Li": 1}

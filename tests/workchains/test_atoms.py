"""Isolated atoms are frames like any other: labelled by the same engine, and never twice."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import disable_caching
from ase import Atoms
from ase.calculators.emt import EMT

from aiida_seireact.workchains.atoms import IsolatedAtomsWorkChain
from tests.workchains.conftest import EMT_LABELS


def jobs(node):
    return [child for child in node.called_descendants if isinstance(child, orm.CalcJobNode)]


def test_atoms_have_their_energy_and_are_computed_once(program_code):
    inputs = {"code": program_code("label"), "parameters": orm.Dict(EMT_LABELS)}
    with disable_caching():
        _, first = run_get_node(IsolatedAtomsWorkChain, species=orm.List(["Cu", "Al"]), **inputs)
        _, second = run_get_node(IsolatedAtomsWorkChain, species=orm.List(["Al", "Cu", "Ni"]), **inputs)
    assert first.is_finished_ok, first.exit_message
    assert second.is_finished_ok, second.exit_message
    found = second.outputs.isolated_atoms
    for symbol in ("Cu", "Al", "Ni"):
        atom = Atoms(symbol, cell=[12, 12.1, 12.2], pbc=True)
        atom.calc = EMT()
        assert found["energies_ev"][symbol] == pytest.approx(atom.get_potential_energy(), abs=1e-9)
    assert found["source"] == "isolated atoms by seireact.label.ase"
    # Only nickel was new.
    (job,) = jobs(second)
    assert job.inputs.frames.base.attributes.get("species") == ["Ni"]
    assert len(jobs(first)) == 1


def test_an_atom_the_engine_cannot_do_is_told(program_code):
    inputs = {"code": program_code("label"), "parameters": orm.Dict(EMT_LABELS)}
    _, node = run_get_node(IsolatedAtomsWorkChain, species=orm.List(["Li"]), **inputs)
    assert node.exit_status == 442
    assert "Li" in node.exit_message


def test_what_is_no_element_is_refused(program_code):
    inputs = {"code": program_code("label"), "parameters": orm.Dict(EMT_LABELS)}
    with pytest.raises(ValueError, match="Xy"):
        run_get_node(IsolatedAtomsWorkChain, species=orm.List(["Li", "Xy"]), **inputs)

"""Products in the graph: from a user's entries, from labelled frames, and from phases that it relaxes itself."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.core.composition import Composition
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.products import ProductsWorkChain

RELAX = {"task": "relax", "calculator": {"name": "emt"}, "relax": {"steps": 40, "fmax_ev_per_ang": 0.05}}
ENTRIES = {"Li": 0.0, "In": 0.0, "Cl": 0.0, "LiCl": -4.1, "InCl": -1.9, "InCl3": -5.6, "Li3InCl6": -18.3}


def entries(table: dict[str, float]) -> list[dict[str, Any]]:
    return [{"formula": name, "energy_ev": energy, "level": "by hand"} for name, energy in table.items()]


def cif(lattice: float, species: list[str]) -> orm.SinglefileData:
    """Return an fcc crystal of four sites."""
    sites = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    text = Structure(Lattice.cubic(lattice), species, sites).to(fmt="cif")
    return orm.SinglefileData(io.BytesIO(text.encode()), filename="phase.cif")


def test_entries_of_a_user_give_a_node_with_the_products(aiida_profile):
    _, node = run_get_node(
        ProductsWorkChain, reactants=orm.List(["Li", "Li3InCl6"]), entries=orm.Dict({"entries": entries(ENTRIES)})
    )
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.products
    end = found["kinks"][found["lithiation_end"]]
    assert end["reaction"] == "3 Li + Li3InCl6 → In + 6 LiCl"
    assert end["energy_ev"] == pytest.approx(6 * -4.1 + 18.3)
    assert found["level"] == "by hand"
    (function,) = node.called
    assert function.process_label == "predict_products"


def test_a_file_and_its_content_give_the_same_node(aiida_profile):
    text = json.dumps(entries(ENTRIES))
    file = orm.SinglefileData(io.BytesIO(text.encode()), filename="entries.json")
    reactants = orm.List(["Li", "Li3InCl6"])
    _, first = run_get_node(ProductsWorkChain, reactants=reactants, entries=file)
    _, second = run_get_node(ProductsWorkChain, reactants=reactants, entries=orm.Dict({"entries": entries(ENTRIES)}))
    assert first.outputs.products.get_dict() == second.outputs.products.get_dict()


def test_cifs_are_relaxed_and_their_frames_are_the_sources(program_code):
    cifs = {
        "copper": cif(3.7, ["Cu"] * 4),
        "platinum": cif(3.9, ["Pt"] * 4),
        "Cu3Pt": cif(3.7, ["Pt", "Cu", "Cu", "Cu"]),
    }
    _, node = run_get_node(
        ProductsWorkChain,
        reactants=orm.List(["copper", "Pt"]),
        cifs=cifs,
        code=program_code("label"),
        parameters=orm.Dict(RELAX),
    )
    assert node.is_finished_ok, node.exit_message
    found = node.outputs.products
    frames = node.outputs.frames.frames
    assert {phase["source"] for phase in found["phases"]} == set(frames.frame_ids)
    assert {phase["name"] for phase in found["phases"]} == {"copper", "platinum", "Cu3Pt"}
    assert found["level"] == frames.settings_hash
    # Relaxed in their primitive cells: EMT has its fcc metals at 0 eV.
    energies = {phase["name"]: phase["energy_ev_per_atom"] for phase in found["phases"]}
    assert energies["copper"] == pytest.approx(0.0, abs=0.02)
    assert energies["Cu3Pt"] < -0.05
    assert [kink["reaction"] for kink in found["kinks"]] == ["Pt → Pt", "3 Cu + Pt → Cu3Pt", "Cu → Cu"]
    reports = node.outputs.failures["reports"]
    assert all(report["converged"] for report in reports)


def labelled(formula_by_cell: dict[str, float], settings_hash: str) -> FramesData:
    images = []
    for name, lattice in formula_by_cell.items():
        atoms = bulk(name, "fcc", a=lattice)
        atoms.info.update(config_type=name)
        atoms.calc = EMT()
        atoms.get_stress()
        images.append(atoms)
    return FramesData.from_ase(images, labels="required", settings_hash=settings_hash)


def test_two_levels_of_theory_are_refused(aiida_profile):
    _, node = run_get_node(
        ProductsWorkChain,
        reactants=orm.List(["Cu", "Al"]),
        frames=labelled({"Cu": 3.6}, "a" * 64),
        entries=orm.Dict({"entries": entries({"Al": 0.0})}),
    )
    assert node.exit_status == 270
    assert "2 levels of theory" in node.exit_message


def test_a_missing_reference_is_told(aiida_profile):
    table = {name: energy for name, energy in ENTRIES.items() if name != "Cl"}
    _, node = run_get_node(
        ProductsWorkChain, reactants=orm.List(["Li", "Li3InCl6"]), entries=orm.Dict({"entries": entries(table)})
    )
    assert node.exit_status == 270
    assert "no energy of the element Cl" in node.exit_message


def test_a_phase_the_engine_cannot_label_ends_the_process(program_code):
    _, node = run_get_node(
        ProductsWorkChain,
        reactants=orm.List(["Li", "LiCl"]),
        phases=orm.List(["Li", "Cl", "LiCl"]),
        code=program_code("label"),
        parameters=orm.Dict(RELAX),
    )
    assert node.exit_status == 445
    assert "Li" in node.exit_message


def test_a_bad_cif_is_refused(program_code):
    _, node = run_get_node(
        ProductsWorkChain,
        reactants=orm.List(["Cu", "Al"]),
        cifs={"odd": orm.SinglefileData(io.BytesIO(b"hello"), filename="odd.cif")},
        code=program_code("label"),
        parameters=orm.Dict(RELAX),
    )
    assert node.exit_status == 271
    assert "odd: This is no CIF" in node.exit_message


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "There are no energies: give entries"),
        ({"phases": ["Li", "Li2S"]}, "need the inputs code and parameters"),
        ({"phases": ["Li6PS5Br"]}, "did you mean Li6PS5Cl"),
    ],
)
def test_what_cannot_run_is_refused_before_it_is_submitted(inputs: dict[str, Any], sentence: str, aiida_profile):
    nodes = {name: orm.List(value) for name, value in inputs.items()}
    with pytest.raises(ValueError, match=sentence):
        run_get_node(ProductsWorkChain, reactants=orm.List(["Li", "Li2S"]), **nodes)
    with pytest.raises(ValueError, match="reactants are two phases"):
        run_get_node(ProductsWorkChain, reactants=orm.List(["Li"]), entries=orm.Dict({"entries": []}))


def test_the_protocol_takes_every_phase_of_the_pair_from_the_library(program_code):
    builder = ProductsWorkChain.get_builder_from_protocol("Li", "Li6PS5Cl", code=program_code("label"))
    phases = builder.phases.get_list()
    assert {"Li", "P", "S", "Cl", "Li2S", "Li3P", "LiCl", "LiP", "Li3PS4", "Li6PS5Cl"} <= set(phases)
    assert all({e.symbol for e in Composition(name)} <= {"Li", "P", "S", "Cl"} for name in phases)
    assert builder.parameters["task"] == "relax"

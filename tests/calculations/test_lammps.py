from __future__ import annotations

import pytest
from aiida import orm
from aiida.common import AttributeDict
from ase.build import bulk

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.lammps import (
    LammpsCalculation,
    validate_parameters,
    validate_potential,
    validate_start,
    validate_structure,
)
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData

CARD = {
    "kind": "allegro-compiled",
    "target": "pair_allegro",
    "species": ["Li", "S"],
    "cutoff_ang": 4.5,
    "model_hash": "m",
    "dataset_hash": "d",
    "versions": {},
    "metrics": {},
    "torch_version": "2.13.0",
    "device": "cpu",
}


@pytest.fixture
def potential(tmp_path, aiida_profile):
    path = tmp_path / "model.nequip.pt2"
    path.write_bytes(b"compiled")
    return lambda **changes: PotentialData(path, card={**CARD, **changes})


def test_a_model_that_does_not_know_a_species_is_refused(potential):
    structure = FramesData.from_ase([bulk("LiCl", "rocksalt", a=5.14)])
    message = validate_start({"structure": structure, "potential": potential()}, None)
    assert "The model knows Li, S, but the structure holds Cl" in message


def test_a_package_must_be_compiled_first(potential):
    assert "compile it" in validate_potential(potential(kind="allegro-package"), None)
    assert "pair_allegro" in validate_potential(potential(target="ase"), None)
    assert validate_potential(potential(), None) is None


def test_one_periodic_frame_is_asked_for(aiida_profile):
    crystal = bulk("LiCl", "rocksalt", a=5.14)
    assert "holds 2" in validate_structure(FramesData.from_ase([crystal, crystal.repeat(2)]), None)
    crystal.pbc = [True, True, False]
    assert "not periodic" in validate_structure(FramesData.from_ase([crystal]), None)


def test_a_misspelt_setting_is_named(aiida_profile):
    parameters = orm.Dict({"md": {"ensemble": "npt", "temperature": 300}})
    assert "md.temperature" in validate_parameters(parameters, None)


def test_the_start_file_is_not_for_the_user(aiida_profile):
    told = {"file": "a.data", "sha256": "0" * 64, "bytes": 1}
    parameters = orm.Dict({"md": {"ensemble": "nve"}, "engine": {"start_file": told}})
    assert "engine.start_file is filled in" in validate_parameters(parameters, None)


def report(**changes):
    told = {"lammps": {"file": "cell.data", "sha256": "a" * 64, "bytes": 7}}
    return orm.Dict({"species": ["S", "Li"], "counts": {"Li": 2, "S": 1}, "files": told, **changes})


def test_one_start_is_asked_for(potential, aiida_localhost):
    structure = FramesData.from_ase([bulk("Li")])
    folder = orm.RemoteData(remote_path="/scratch/build", computer=aiida_localhost).store()
    cell = {"folder": folder, "report": report()}
    assert validate_start({"cell": cell, "potential": potential()}, None) is None
    for given in ({}, {"cell": {}}, {"structure": structure, "cell": cell}):
        assert "MD starts from one structure" in validate_start({**given, "potential": potential()}, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folder": None}, "cell.folder is missing"),
        ({"report": None}, "cell.report is missing"),
        ({"report": {"n_atoms": 3}}, "not the report of a `seireact.build`"),
        ({"report": {"species": ["Li"], "files": {"frames": {}}}}, "built without its lammps file"),
        ({"report": {"species": ["Li", "Cl"], "files": {"lammps": {}}}}, "the structure holds Cl"),
    ],
)
def test_a_cell_that_does_not_fit_is_refused(potential, aiida_localhost, changes, message):
    cell = {
        "folder": orm.RemoteData(remote_path="/scratch/build", computer=aiida_localhost).store(),
        "report": report(),
    }
    for name, value in changes.items():
        cell[name] = orm.Dict(value) if value else cell.pop(name) and None
    cell = {name: node for name, node in cell.items() if node is not None}
    assert message in validate_start({"cell": cell, "potential": potential()}, None)


def test_a_cell_on_another_computer_is_refused(potential, aiida_localhost, aiida_computer):
    elsewhere = aiida_computer(label="elsewhere", hostname="elsewhere")
    code = orm.InstalledCode(label="lmp", computer=aiida_localhost, filepath_executable="/bin/true")
    cell = {"folder": orm.RemoteData(remote_path="/scratch/build", computer=elsewhere).store(), "report": report()}
    message = validate_start({"cell": cell, "potential": potential(), "code": code}, None)
    assert "The cell lies on elsewhere" in message


def test_a_cell_is_linked_and_its_sha256_passed_on(potential, aiida_localhost, tmp_path):
    process = LammpsCalculation.__new__(LammpsCalculation)
    code = orm.InstalledCode(label="lmp", computer=aiida_localhost, filepath_executable="/bin/seireact-lmp")
    folder = orm.RemoteData(remote_path="/scratch/build", computer=aiida_localhost)
    process._parsed_inputs = AttributeDict(
        {
            "code": code,
            "cell": AttributeDict({"folder": folder, "report": report()}),
            "potential": potential(),
            "parameters": orm.Dict({"md": {"ensemble": "nve"}}),
            "metadata": AttributeDict({"options": AttributeDict({"max_wallclock_seconds": 3600})}),
        }
    )
    links = Links()
    job = process.write_files(tmp_path, links)
    assert job["start_file"] == {"file": "structure.data", "sha256": "a" * 64, "bytes": 7}
    assert links.remote_symlink == [(aiida_localhost.uuid, "/scratch/build/cell.data", "structure.data")]
    assert not (tmp_path / "structure.data").exists()
    assert "timer           timeout 0:56:00 every 10" in (tmp_path / "in.lammps").read_text()
    # The types are those of the file, whatever the order of the model.
    assert "pair_coeff      * * model.nequip.pt2 S Li" in (tmp_path / "in.lammps").read_text()

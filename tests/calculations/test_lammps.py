from __future__ import annotations

import pytest
from aiida import orm
from ase.build import bulk

from aiida_seireact.calculations.lammps import (
    validate_parameters,
    validate_potential,
    validate_species,
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
    message = validate_species({"structure": structure, "potential": potential()}, None)
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

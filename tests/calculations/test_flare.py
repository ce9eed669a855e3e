"""A leg is given its labels in order, and refuses inputs that don't belong together before anything is queued."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage.manager import get_manager
from ase.build import bulk

from aiida_seireact.calculations.flare import FlareCalculation, validate_detour, validate_leg, validate_start
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.base import read_job
from aiida_seireact.formats.jobs.flare import FlareJob
from aiida_seireact.formats.sgp import load_gp, save_gp

SETTINGS = {"temperature_k": 300.0, "steps": 10}


@pytest.fixture
def start(aiida_profile):
    atoms = bulk("Li2S", "fluorite", a=5.71)
    atoms.symbols = ["S", "Li", "Li"]
    return FramesData.from_ase([atoms])


@pytest.fixture
def known(sparse_gp, start, tmp_path):
    """Return the GP and the state of a last leg."""
    gp = sparse_gp(start.to_ase(), species=("Li", "S"))
    save_gp(tmp_path / "sgp.npz", gp)
    card = {
        "kind": "sgp",
        "species": list(gp.species),
        "cutoff_ang": gp.cutoff_ang,
        "model_hash": gp.content_hash,
        "dataset_hash": "d",
        "versions": {},
        "metrics": {},
    }
    state = orm.ArrayData({"positions": np.array([[0.1 + 0.2, np.pi, -1e-17]])})
    state.set_array("rng", np.array('{"state": 1}'))
    state.set_array("step", np.array(7))
    return {"gp": PotentialData(tmp_path / "sgp.npz", card=card), "state": state}


def written(folder, localhost, **inputs):
    """Return the job file of a calculation."""
    code = orm.InstalledCode(label="flare", computer=localhost, filepath_executable="/bin/true").store()
    process = instantiate_process(
        get_manager().get_runner(),
        FlareCalculation,
        **{"code": code, "parameters": orm.Dict(SETTINGS), **inputs},
    )
    process.prepare_for_submission(folder)
    return json.loads(Path(folder.abspath, "job.json").read_text(encoding="utf-8"))


def test_labels_are_given_in_the_order_of_their_rounds(start, known, labelled, aiida_localhost):
    rounds = {f"round_{number:03d}": FramesData(labelled(2, seed=number)) for number in (2, 0, 1)}
    with SandboxFolder() as folder:
        energies = orm.Dict({"energies_ev": {"Li": -1.0, "S": -2.0}, "source": "made up"})
        job = written(folder, aiida_localhost, start=start, labels=rounds, reference_energies=energies, **known)
        assert job["labels"] == ["round_000.npz", "round_001.npz", "round_002.npz"]
        assert job["energies_ev"] == {"Li": -1.0, "S": -2.0}
        assert read_job(f"{folder.abspath}/job.json", FlareJob).settings.steps == 10
        assert load_gp(f"{folder.abspath}/{job['gp']}").content_hash == known["gp"].model_hash
        with np.load(f"{folder.abspath}/{job['state']}") as state:
            assert state["positions"].tobytes() == known["state"].get_array("positions").tobytes()
            assert str(state["rng"]) == '{"state": 1}'
            assert int(state["step"]) == 7


def test_a_first_leg_has_neither_gp_nor_state(start, labelled, aiida_localhost):
    with SandboxFolder() as folder:
        job = written(folder, aiida_localhost, start=start, labels={"round_000": FramesData(labelled(2))})
    assert sorted(job) == ["labels", "settings", "start"]


def test_a_detour_is_told_and_hashed(start, known, labelled, aiida_localhost):
    inputs = {"start": start, "labels": {"round_000": FramesData(labelled(2))}, **known}
    with SandboxFolder() as folder:
        job = written(folder, aiida_localhost, **inputs, detour=orm.Int(2))
        assert read_job(f"{folder.abspath}/job.json", FlareJob).detour == job["detour"] == 2
    assert validate_detour(orm.Int(0), None) is validate_detour(None, None) is None
    assert "not -1" in validate_detour(orm.Int(-1), None)
    assert "detour" not in FlareCalculation.UNHASHED


def test_gp_and_state_belong_together(start, known, labelled):
    labels = {"round_000": FramesData(labelled(2))}
    assert validate_leg({"start": start, "labels": labels, **known}, None) is None
    for name in known:
        message = validate_leg({"start": start, "labels": labels, name: known[name]}, None)
        assert "give both or none" in message


def test_another_kind_of_model_is_refused(start, known, labelled, tmp_path):
    package = PotentialData(tmp_path / "sgp.npz", card={**known["gp"].card, "kind": "allegro-package"})
    inputs = {"start": start, "labels": {"round_000": FramesData(labelled(2))}, **known, "gp": package}
    assert "gp is an allegro-package, not a sparse GP" in validate_leg(inputs, None)


def test_labels_are_of_one_level_of_theory_and_of_the_species_of_the_cell(start, labelled):
    two = {f"round_00{number}": FramesData(labelled(1, settings_hash=hash_)) for number, hash_ in ((0, "a"), (1, "b"))}
    assert "different settings (a, b)" in validate_leg({"start": start, "labels": two}, None)
    metal = FramesData.from_ase([bulk("Li", cubic=True)])
    foreign = {"round_000": FramesData(labelled(1))}
    assert "labels.round_000: they hold S" in validate_leg({"start": metal, "labels": foreign}, None)
    bare = {"round_000": FramesData(labelled(1).without_labels())}
    assert "no energy, forces and stress" in validate_leg({"start": start, "labels": bare}, None)
    assert "A GP starts from labels" in validate_leg({"start": start, "labels": {}}, None)


def test_an_engine_and_its_lammps_belong_together(start, labelled, aiida_localhost):
    code, lmp = (
        orm.InstalledCode(label=name, computer=aiida_localhost, filepath_executable=f"/bin/{name}").store()
        for name in ("true", "false")
    )
    parameters = orm.Dict({**SETTINGS, "engine": "lammps", "label_every": 5})
    inputs = {"code": code, "start": start, "labels": {"round_000": FramesData(labelled(2))}, "parameters": parameters}
    assert "needs a LAMMPS with FLARE's plugin as `lmp`" in validate_leg(inputs, None)
    assert "lmp is for the engine `lammps`" in validate_leg(
        {**inputs, "parameters": orm.Dict(SETTINGS), "lmp": lmp}, None
    )
    assert validate_leg({**inputs, "lmp": lmp}, None) is None
    with SandboxFolder() as folder:
        job = written(
            folder, aiida_localhost, **{key: inputs[key] for key in ("start", "labels", "parameters")}, lmp=lmp
        )
        assert read_job(f"{folder.abspath}/job.json", FlareJob).lammps == job["lammps"] == "/bin/false"


def test_a_condition_starts_from_one_periodic_frame(start):
    assert validate_start(start, None) is None
    atoms = start.to_ase()
    assert "2 are given" in validate_start(FramesData.from_ase([atoms, atoms]), None)
    atoms.pbc = [True, True, False]
    assert "not periodic" in validate_start(FramesData.from_ase([atoms]), None)

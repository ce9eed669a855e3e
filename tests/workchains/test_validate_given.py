"""What a validation is given: test frames that the model has learned, and runs that are not what a line asks for."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from ase.build import bulk

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.validation.lines import AskedRun
from aiida_seireact.workchains.validate_given import foreign_runs, not_held_out

pytestmark = pytest.mark.usefixtures("aiida_profile_clean")
CARD: dict[str, Any] = {"species": ["Li"], "cutoff_ang": 5.0, "versions": {}, "metrics": {}}
LI = bulk("Li", "bcc", a=3.5, cubic=True) * (2, 2, 2)
ASKED = AskedRun("li", "Li", LI, steps=100, frames_every=20)
CHUNK = {"file": "traj.dump", "sha256": "c" * 64, "bytes": 9, "first_step": 0, "last_step": 100}


def model(dataset_hash: str, model_hash: str = "m") -> PotentialData:
    card = {**CARD, "kind": "allegro-package", "model_hash": model_hash, "dataset_hash": dataset_hash}
    return PotentialData(io.BytesIO(b"model"), card=card)


def job(computer: orm.Computer, output: orm.Data, **inputs: orm.Data) -> None:
    """Let a job with these inputs make a node."""
    node = orm.CalcJobNode(computer=computer)
    for name, data in inputs.items():
        node.base.links.add_incoming(data.store(), link_type=LinkType.INPUT_CALC, link_label=name)
    node.store()
    output.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label="output")
    output.store()


@pytest.fixture
def datasets(labelled: Callable[..., Frames]) -> Callable[[str], DatasetData]:
    """Return a factory of datasets of the same frames, by the first letters of their splits; `.` leaves one out."""
    shard = FramesData(labelled(6)).store().frames
    words = {"a": "train", "v": "val", "e": "test", ".": ""}
    return lambda letters: DatasetData([shard], [np.array([words[one] for one in letters])]).store()


def test_frames_that_the_model_has_learned_are_not_held_out(datasets: Callable[[str], DatasetData]) -> None:
    own, again, more = datasets("aaavve"), datasets("aaaeve"), datasets("aaav.e")
    assert not_held_out(model(own.content_hash), own) is None
    assert not_held_out(model(own.content_hash), more) is None
    assert not_held_out(model(""), again) is None
    told = str(not_held_out(model(own.content_hash), again))
    assert told.startswith("The model has learned 1 of the 2 test frames of this dataset")
    unknown = str(not_held_out(model("d" * 64), own))
    assert "dataset dddddddddddd, which is not in this profile, so nobody can tell" in unknown


def test_frames_that_a_parent_has_learned_are_not_held_out(
    datasets: Callable[[str], DatasetData], aiida_localhost: orm.Computer
) -> None:
    before, now = datasets("aaav.e"), datasets("aaaeve")
    child = model(now.content_hash, "child")
    job(aiida_localhost, child, parent=model(before.content_hash, "parent"))
    assert f"(dataset {before.content_hash[:12]}" in str(not_held_out(child, now))
    assert not_held_out(child, before) is None


def trajectory(computer: orm.Computer, atoms: Any = LI, steps: int = 100, **md: Any) -> TrajectoryData:
    facts = {"n_atoms": len(atoms), "species": ["Li"], "timestep_fs": 2.0, "steps": steps, "stopped_by": None}
    run = TrajectoryData({"step": np.array([0.0, 100.0])}, manifest=[CHUNK], facts=facts)
    own = {"ensemble": "npt", "steps": 100, "timestep_fs": 2.0, "temperature_k": 300.0, "pressure_gpa": 0.0}
    settings = {"md": {**own, "tau_t_ps": 0.1, "tau_p_ps": 1.0, "dump_every": 20, "thermo_every": 10, **md}}
    job(
        computer,
        run,
        potential=model(""),
        parameters=orm.Dict(settings),
        structure=FramesData.from_ase([atoms], labels="ignore"),
    )
    return run


def said(run: orm.Data, asked: AskedRun = ASKED, **inputs: Any) -> str:
    return str(foreign_runs({"li": asked}, {"runs": {"li": run}, "potential": model(""), **inputs}))


def test_a_run_of_the_model_is_what_the_line_asks_for(aiida_localhost: orm.Computer) -> None:
    assert said(trajectory(aiida_localhost)) == "None"
    for change, told in (
        ({"temperature_k": 600.0}, "runs.li has temperature_k 600.0, the line asks for 300.0."),
        ({"timestep_fs": 1.0}, "has timestep_fs 1.0"),
        ({"ensemble": "nvt"}, "has pressure_gpa none, the line asks for 0.0"),
        ({"pressure_gpa": 2.0}, "has pressure_gpa 2.0"),
        ({"steps": 50}, "has steps 50, the line asks for 100"),
        ({"atoms": LI * (2, 1, 1)}, "is of 32 atoms of Li; the line asks for 16"),
    ):
        assert told in said(trajectory(aiida_localhost, **change))  # type: ignore[arg-type]
    wide = LI.copy()
    wide.set_cell(LI.cell * 1.2, scale_atoms=True)
    assert "begins in a cell of [8.4" in said(trajectory(aiida_localhost, wide))
    assert "is asked of the model: hand in the trajectory" in said(FramesData.from_ase([LI], labels="ignore"))
    handed_in = replace(ASKED, atoms=None)
    assert said(trajectory(aiida_localhost, temperature_k=600.0), handed_in) == "None"


def test_a_run_of_the_labeller_is_of_the_level_of_the_dataset(
    datasets: Callable[[str], DatasetData], aiida_localhost: orm.Computer
) -> None:
    asked = replace(ASKED, by="labeller")

    def frames(last: int = 100, **md: Any) -> FramesData:
        images = []
        for step in range(20, last + 1, 20):
            atoms = LI.copy()
            atoms.info["md_step"] = step
            images.append(atoms)
        found = FramesData.from_ase(images, labels="ignore")
        if md:
            job(aiida_localhost, found, parameters=orm.Dict({"md": md}))
        return found

    assert said(frames(), asked) == "None"
    assert said(frames(temperature_k=300.0), asked) == "None"
    assert "has temperature_k 900.0" in said(frames(temperature_k=900.0), asked)
    assert "has steps 60, the line asks for 100" in said(frames(60), asked)
    assert "is asked of the labeller: hand in the labelled frames" in said(trajectory(aiida_localhost), asked)
    dataset = datasets("aaav.e")
    assert f"the dataset of {dataset.settings_hash[:12]}" in said(frames(), asked, dataset=dataset)

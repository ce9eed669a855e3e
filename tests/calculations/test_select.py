"""What is refused before anything is queued, and what the job file says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from ase.build import bulk

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.select import SelectCalculation, validate_names, validate_processes
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.select import SelectJob

NUMBERS = {"skip_first": 1, "learned": 3, "held_out": 1}
CARD: dict[str, Any] = {"species": ["Li"], "cutoff_ang": 5.0, "model_hash": "m", "dataset_hash": "d"}


def potential(kind: str) -> PotentialData:
    return PotentialData(
        io.BytesIO(b"gp"), filename="sgp.npz", card={**CARD, "kind": kind, "versions": {}, "metrics": {}}
    )


@pytest.fixture
def runs(aiida_profile) -> dict[str, FramesData]:
    return {name: FramesData.from_ase([bulk(name, a=4.0)]).store() for name in ("Li", "Na")}


def complaint(parameters: dict[str, Any]) -> str | None:
    return SelectCalculation.spec().inputs["parameters"].validator(orm.Dict(parameters), None)


def test_settings_are_those_of_the_program_without_its_files(aiida_profile):
    assert complaint({"runs": {"Li": NUMBERS}}) is None
    assert "gps is filled in" in complaint({"runs": {"Li": NUMBERS}, "gps": {}})
    assert "runs.Li.files" in complaint({"runs": {"Li": {**NUMBERS, "files": ["a"]}}})
    assert "min_learned 9" in complaint({"runs": {"Li": NUMBERS}, "min_learned": 9})
    assert "held_out_every" in complaint({"runs": {"Li": NUMBERS}, "held_out_every": 1})


def test_each_run_has_numbers_and_each_start_a_run(runs):
    both = orm.Dict({"runs": {"Li": NUMBERS, "Na": NUMBERS}})
    assert validate_names({"runs": runs, "parameters": both}, None) is None
    one = orm.Dict({"runs": {"Li": NUMBERS}})
    assert "runs are Li, Na, but the numbers of frames are for Li" in validate_names(
        {"runs": runs, "parameters": one}, None
    )
    given = {"runs": runs, "parameters": both, "starts": {"K": runs["Li"]}}
    assert "starts.K belongs to no run" in validate_names(given, None)


def test_a_model_without_uncertainty_is_refused(aiida_profile):
    assert validate_processes({"cold": potential("sgp")}, None) is None
    assert "only a sparse Gaussian process" in validate_processes({"cold": potential("allegro-package")}, None)


def test_the_job_names_every_file_and_the_parent_of_each_run(runs, aiida_localhost, tmp_path: Path):
    start, gp = FramesData.from_ase([bulk("Li", a=3.9)]).store(), potential("sgp").store()
    process = SelectCalculation.__new__(SelectCalculation)
    parameters = {"runs": {"Li": NUMBERS, "Na": NUMBERS}, "n_blocks": 5}
    code = orm.InstalledCode(label="select", computer=aiida_localhost, filepath_executable="/bin/true")
    inputs = {"code": code, "runs": runs, "starts": {"Li": start}, "gps": {"cold": gp}}
    process._parsed_inputs = _attributes({**inputs, "parameters": orm.Dict(parameters)})
    links = Links()
    job = SelectJob.model_validate(process.write_files(tmp_path, links))
    assert job.runs["Li"].files == ("run_0.npz",)
    assert job.runs["Li"].start_id == start.frames.frame_ids[0]
    assert job.runs["Na"].start_id == ""
    assert job.runs["Na"].learned == 3
    assert job.gps == {"cold": "gp_0.npz"}
    assert links.local_copy == [(gp.uuid, "sgp.npz", "gp_0.npz")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run_0.npz", "run_1.npz"]


def _attributes(inputs: dict[str, Any]) -> Any:
    from aiida.common import AttributeDict

    return AttributeDict(inputs)

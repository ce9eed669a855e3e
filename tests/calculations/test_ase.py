"""What a job of labels is given: the model that labels, and what an earlier job had finished."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from ase.build import bulk

from aiida_seireact.calculations.ase import AseCalculation, validate_model
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData

CARD = {
    "kind": "allegro-package",
    "species": ["Cu"],
    "cutoff_ang": 4.5,
    "model_hash": "m",
    "dataset_hash": "d",
    "versions": {},
    "metrics": {},
}
NEQUIP = {"name": "nequip", "allow_import": True}


@pytest.fixture
def potential(tmp_path: Path, aiida_profile: Any) -> PotentialData:
    path = tmp_path / "mine.nequip.zip"
    path.write_bytes(b"package")
    return PotentialData(path, card=CARD)


def written(computer: orm.Computer, **inputs: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the job file of a calculation, and where the files copied beside it come from."""
    code = orm.InstalledCode(label="label", computer=computer, filepath_executable="/bin/true").store()
    frames = FramesData.from_ase([bulk("Cu", cubic=True)])
    process = instantiate_process(get_manager().get_runner(), AseCalculation, code=code, frames=frames, **inputs)
    with SandboxFolder() as folder:
        info = process.prepare_for_submission(folder)
        job = json.loads((Path(folder.abspath) / "job.json").read_text())
    return job, {name: uuid for uuid, _, name in info.local_copy_list}


def test_the_program_checks_that_the_model_is_the_one_meant(aiida_localhost: orm.Computer, potential: PotentialData):
    job, copied = written(aiida_localhost, potential=potential, parameters=orm.Dict({"calculator": NEQUIP}))
    assert job["calculator"]["kwargs"] == {"model": "model.nequip.zip", "model_hash": "m"}
    assert copied == {"model.nequip.zip": potential.uuid}


def test_what_was_finished_lies_where_the_program_left_it(aiida_localhost: orm.Computer, aiida_profile: Any):
    finished = orm.SinglefileData(io.BytesIO(b"records"), filename="finished.jsonl")
    job, copied = written(aiida_localhost, finished=finished, parameters=orm.Dict({"calculator": "emt"}))
    assert copied == {"finished.jsonl": finished.uuid}
    assert "finished" not in job


@pytest.mark.parametrize(
    ("calculator", "sentence"),
    [
        ("emt", "`potential` is for the calculator 'nequip', not for 'emt'"),
        ({**NEQUIP, "kwargs": {"model": "/tmp/m.nequip.zip"}}, "takes its model from `potential`"),
    ],
)
def test_a_model_that_nobody_takes_is_refused(potential: PotentialData, calculator: Any, sentence: str):
    inputs = {"parameters": orm.Dict({"calculator": calculator}), "potential": potential}
    assert sentence in str(validate_model(inputs, None))

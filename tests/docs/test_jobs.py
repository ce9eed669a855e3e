"""Every job file of the pages fits the schema of its program."""

from __future__ import annotations

import json

import pytest

from aiida_seireact.formats.jobs.analyse import AnalyseJob
from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.build import BuildJob
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.jobs.curate import CurateJob
from aiida_seireact.formats.jobs.flare import FlareJob
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.formats.jobs.lmp import LmpJob
from aiida_seireact.formats.jobs.sample import SampleJob
from aiida_seireact.formats.jobs.select import SelectJob
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.formats.jobs.validate import ValidateJob
from tests.docs._pages import Block, all_blocks

SCHEMAS: dict[str, type[Job]] = {
    "label": LabelJob,
    "flare": FlareJob,
    "train": TrainJob,
    "compile": CompileJob,
    "lmp": LmpJob,
    "select": SelectJob,
    "validate": ValidateJob,
    "curate": CurateJob,
    "sample": SampleJob,
    "classify": ClassifyJob,
    "analyse": AnalyseJob,
    "build": BuildJob,
}
JOBS = all_blocks("json")


@pytest.mark.parametrize("block", JOBS, ids=lambda block: block.where)
def test_job_fits_its_schema(block: Block) -> None:
    kind, _, program = block.comment.partition(": ")
    assert kind == "job", f"{block.where}: say above the block whose job it is, <!-- job: label -->"
    SCHEMAS[program].model_validate(json.loads(block.text))


def test_every_program_has_an_example() -> None:
    assert {block.comment.removeprefix("job: ") for block in JOBS} == set(SCHEMAS)

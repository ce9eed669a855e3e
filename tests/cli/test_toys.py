from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aiida_seireact.cli.programs import PROGRAMS
from aiida_seireact.cli.toys import TOYS
from aiida_seireact.formats.jobs.analyse import AnalyseJob
from aiida_seireact.formats.jobs.base import read_job
from aiida_seireact.formats.jobs.build import BuildJob
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.formats.jobs.compile import CompileJob
from aiida_seireact.formats.jobs.curate import CurateJob
from aiida_seireact.formats.jobs.flare import FlareJob
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.formats.jobs.select import SelectJob
from aiida_seireact.formats.jobs.train import TrainJob
from aiida_seireact.formats.jobs.validate import ValidateJob

JOBS = {
    "label": LabelJob,
    "flare": FlareJob,
    "select": SelectJob,
    "validate": ValidateJob,
    "curate": CurateJob,
    "train": TrainJob,
    "compile": CompileJob,
    "classify": ClassifyJob,
    "analyse": AnalyseJob,
    "build": BuildJob,
}


def test_every_program_has_a_toy():
    assert {card.name for card in PROGRAMS} == set(TOYS)


def test_toys_come_after_what_they_need():
    names = [card.name for card in PROGRAMS]
    assert all(toy.after is None or names.index(toy.after) < names.index(name) for name, toy in TOYS.items())


def test_files_fit_in_one_argument_of_a_shell():
    # Linux takes 128 kB an argument, and base64 needs a third more than the file.
    assert all(len(content) < 90_000 for toy in TOYS.values() for content in toy.files().values())


@pytest.mark.parametrize("name", JOBS)
def test_job_files_fit_their_schema(name, tmp_path):
    (tmp_path / "job.json").write_bytes(TOYS[name].files()["job.json"])
    read_job(tmp_path / "job.json", JOBS[name])


@pytest.mark.parametrize("names", [("label",), ("flare", "select", "validate"), ("curate",), ("analyse",), ("build",)])
def test_quick_toys_work(names, tmp_path):
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        for file, content in TOYS[name].files().items():
            (folder / file).write_bytes(content)
        program = Path(sys.executable).parent / f"seireact-{name}"
        done = subprocess.run([program, TOYS[name].arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

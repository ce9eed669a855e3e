"""seireact-label with thousands of frames in mind: workers, frames that kill them, and a kill of the program itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from aiida_seireact.formats.finished import read_finished
from aiida_seireact.formats.frames import Frames

# EMT that writes down which frame it computes, and does with some what a bad calculator does.
COUNTING = """
import os, signal, time
from ase.calculators.emt import EMT


class Counting(EMT):
    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds = seconds

    def calculate(self, atoms=None, properties=("energy",), system_changes=()):
        with open("calls.txt", "a") as stream:
            stream.write(f"{float(atoms.positions[0, 0]).hex()}\\n")
        time.sleep(self.seconds)
        if len(atoms) == 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        if len(atoms) == 5:
            os._exit(1)
        super().calculate(atoms, properties, system_changes)


def make(**kwargs):
    return Counting(**kwargs)
"""
COMMAND = [sys.executable, "-c", "from aiida_seireact.programs.label import main; main()", "job.json"]


def copper(count: int) -> list[Atoms]:
    images = []
    for seed in range(count):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
        atoms.rattle(0.05, seed=seed)
        atoms.info.update(config_type="Cu", group=f"g{seed}")
        images.append(atoms)
    return images


def prepare(folder: Path, images: list[Atoms], **job: Any) -> dict[str, str]:
    """Write a job with the counting calculator into a folder and return the environment to run it in."""
    folder.mkdir()
    (folder / "counting.py").write_text(COUNTING)
    Frames.from_atoms(images).save(folder / "frames.npz")
    kwargs = job.pop("kwargs", {})
    calculator = {"name": "counting:make", "allow_import": True, "kwargs": kwargs}
    (folder / "job.json").write_text(json.dumps({"calculator": calculator, "frames": "frames.npz", **job}))
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def run(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(COMMAND, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text())


def calls(folder: Path) -> Counter[str]:
    return Counter((folder / "calls.txt").read_text().split())


@pytest.mark.parametrize("task", ["label", "relax", "md"])
def test_the_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path, task: str) -> None:
    md = {"steps": 20, "temperature_k": 300.0, "label_every": 5}
    found = []
    for workers in (1, 3):
        folder = tmp_path / str(workers)
        images = [atoms.repeat((1 + index % 2, 1, 1)) for index, atoms in enumerate(copper(6))]
        environment = prepare(folder, images, task=task, workers=workers, relax={"steps": 3}, md=md)
        outputs = run(folder, environment)["outputs"]
        found.append(((folder / "labelled.npz").read_bytes(), outputs))
    assert found[0] == found[1]


def test_a_frame_that_kills_its_worker_fails_alone(tmp_path: Path) -> None:
    crash, leave = (bulk("Cu", "fcc", a=3.6).repeat((n, 1, 1)) for n in (3, 5))
    good = copper(4)
    images = [good[0], crash, good[1], good[2], leave, good[3]]
    environment = prepare(tmp_path / "job", images, workers=2)
    outputs = run(tmp_path / "job", environment)["outputs"]
    assert [(item["index"], item["reason"]) for item in outputs["failures"]] == [
        (1, "its process was killed by SIGSEGV"),
        (4, "its process ended with status 1"),
    ]
    labelled = Frames.load(tmp_path / "job" / "labelled.npz")
    assert labelled.structure_ids == Frames.from_atoms(good).structure_ids
    assert sum(calls(tmp_path / "job").values()) == 4 + 2 * 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_program_goes_on_where_it_was(tmp_path: Path, workers: int) -> None:
    images = copper(100)
    undisturbed = prepare(tmp_path / "undisturbed", images)
    run(tmp_path / "undisturbed", undisturbed)
    folder = tmp_path / "killed"
    environment = prepare(folder, images, workers=workers, kwargs={"seconds": 0.02})
    program = subprocess.Popen(COMMAND, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while len(read_finished(folder / "finished.jsonl")) < 40 and time.monotonic() < end:
        time.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    program.wait()
    n_finished = len(read_finished(folder / "finished.jsonl"))
    # As if it had been killed in the middle of a line.
    with (folder / "finished.jsonl").open("ab") as stream:
        stream.write(b'0123456789 {"task"')
    assert 40 <= n_finished < 100
    assert not (folder / "labelled.npz").exists()
    time.sleep(0.3)

    outputs = run(folder, environment)["outputs"]
    counted = calls(folder)
    assert outputs["n_labelled"] == len(counted) == 100
    # Those in flight when it was killed are computed again, no others.
    assert sum(counted.values()) <= 100 + workers
    assert max(counted.values()) <= 2
    first, second = (Frames.load(path / "labelled.npz") for path in (tmp_path / "undisturbed", folder))
    assert np.array_equal(first.forces, second.forces)
    assert not (folder / "finished.jsonl").exists()


def test_finished_labels_are_those_of_this_job_only(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    environment = prepare(folder, copper(3))
    job = json.loads((folder / "job.json").read_text())
    # The result can't be written: what is finished stays.
    (folder / "labelled.npz").mkdir()
    failed = subprocess.run(COMMAND, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert failed.returncode == 4
    assert len(read_finished(folder / "finished.jsonl")) == 3
    (folder / "labelled.npz").rmdir()

    other = {**job, "acceptance": {"max_force_ev_per_ang": 40.0}}
    (folder / "job.json").write_text(json.dumps(other))
    run(folder, environment)
    assert set(calls(folder).values()) == {2}

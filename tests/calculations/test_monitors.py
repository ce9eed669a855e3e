"""A job that is ill gets a stop file, once; one that is sound or can't be judged is left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine.processes.calcjobs.monitors import CalcJobMonitor, CalcJobMonitors
from aiida.schedulers import JobState
from ase import Atoms

from aiida_seireact.calculations.monitors import monitor, validate_monitors
from aiida_seireact.data.frames import FramesData
from tests.runs import dump_of, grid, log_of, write_run

EDGE = 17.0
ATOMS = grid(5, EDGE / 5)
MD = {"temperature_k": 300.0, "timestep_fs": 1.0, "steps": 1000, "ensemble": "npt"}


def moved(atom: int, way: list[float]) -> np.ndarray:
    """Return the positions with one atom elsewhere."""
    positions = ATOMS.copy()
    positions[atom] += way
    return positions


@pytest.fixture(scope="module")
def transport(aiida_profile: Any) -> Any:
    """Return an open transport of this machine."""
    computer = orm.Computer(
        label="monitored", hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
    ).store()
    computer.configure(safe_interval=0, use_login_shell=False)
    with computer.get_transport() as opened:
        yield opened


@pytest.fixture
def job(aiida_profile: Any, transport: Any, tmp_path: Path) -> Callable[..., orm.CalcJobNode]:
    """Return a factory of running jobs in this folder."""

    def make(**engine: Any) -> orm.CalcJobNode:
        atoms = Atoms("Li125", positions=ATOMS, cell=[EDGE] * 3, pbc=True)
        atoms.info.update(config_type="Li", group="Li")
        computer = orm.load_computer("monitored")
        node = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:seireact.lammps")
        parameters = orm.Dict({"md": MD, "engine": {"reference_volume_ang3": 5000.0, **engine}})
        for name, data in {"structure": FramesData.from_ase([atoms]), "parameters": parameters}.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, name)
        node.store()
        node.set_remote_workdir(str(tmp_path))
        node.set_scheduler_state(JobState.RUNNING)
        return node

    return make


def told(node: orm.CalcJobNode) -> list[str]:
    """Return the report of a job."""
    return [log.message for log in orm.Log.collection.get_logs_for(node)]


def stop_of(folder: Path) -> str:
    """Return the content of the stop file, empty without one."""
    path = folder / "STOP"
    return path.read_text() if path.exists() else ""


def test_a_sound_job_is_left_alone(job, transport, tmp_path):
    write_run(tmp_path, log_of(100), dump_of([ATOMS, ATOMS + 0.01], EDGE))
    node = job()
    assert monitor(node, transport) is None
    assert stop_of(tmp_path) == ""
    assert told(node) == []


def test_a_job_that_is_ill_is_asked_to_end_once(job, transport, tmp_path):
    write_run(tmp_path, log_of(100, Temp=1000.0))
    node = job()
    assert monitor(node, transport) is None
    sentence = "temperature: 1000 K at step 990, allowed up to 900 K, 3 times what is asked for"
    assert stop_of(tmp_path) == f"health: {sentence}\n"
    write_run(tmp_path, log_of(101, Temp=1100.0))
    monitor(node, transport)
    assert "step 990" in stop_of(tmp_path)
    assert told(node) == [f"it is ended softly, health: {sentence}"]


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (moved(0, [0, 0, 2.5]), "distance: atoms 0 and 1 are 0.900 Å apart"),
        (moved(124, [3 * EDGE, 0, 0]), "ballistic: atom 124 (Li) flew at 5059"),
        (ATOMS[1:], "lost: 1 of 125 atoms are gone, at step 10"),
        (ATOMS * np.nan, "nan: positions or cell of the last frames are not numbers"),
    ],
)
def test_frames_that_are_ill_are_seen(job, transport, tmp_path, frame, sentence):
    write_run(tmp_path, log_of(100), dump_of([ATOMS, frame], EDGE))
    monitor(job(), transport)
    assert stop_of(tmp_path).startswith(f"health: {sentence}")


def test_frames_of_cells_too_large_for_it_are_not_looked_at(job, transport, tmp_path):
    write_run(tmp_path, log_of(100), dump_of([ATOMS, ATOMS * np.nan], EDGE))
    monitor(job(), transport, frames_atoms_max=124)
    assert stop_of(tmp_path) == ""


def test_the_stop_rule_of_the_run_holds_unless_a_limit_is_given(job, transport, tmp_path):
    write_run(tmp_path, log_of(100, Volume=6000.0))
    node = job(stop={"volume_ratio_max": 1.1})
    monitor(node, transport, volume_ratio_max=1.3)
    assert stop_of(tmp_path) == ""
    monitor(node, transport)
    assert stop_of(tmp_path).startswith("health: volume: 1.200 of the reference volume, allowed 0.75-1.1")


def test_a_log_that_does_not_grow_is_told_of_once(job, transport, tmp_path):
    write_run(tmp_path, log_of(100))
    os.utime(tmp_path / "log.lammps", (1e9, 1e9))
    node = job()
    for _ in range(2):
        monitor(node, transport, hung_minutes=30.0)
    assert told(node) == ["its log has not grown for 30 minutes: it may hang, look at its machine."]
    assert stop_of(tmp_path) == ""


def test_a_job_that_has_not_begun_has_ended_or_is_gone_is_left_alone(job, transport, tmp_path):
    node = job()
    monitor(node, transport)
    write_run(tmp_path, log_of(100, Temp=1000.0) + "Total wall time: 0:00:01\n")
    monitor(node, transport)
    write_run(tmp_path, log_of(100, Temp=1000.0))
    node.set_scheduler_state(JobState.DONE)
    monitor(node, transport)
    node.set_scheduler_state(JobState.RUNNING)
    node.set_remote_workdir(str(tmp_path / "gone"))
    monitor(node, transport)
    assert list(tmp_path.glob("*STOP*")) == []
    assert told(node) == []


def test_limits_that_can_not_be_are_told_and_pause_nobody(job, transport, tmp_path):
    write_run(tmp_path, log_of(100, Temp=1000.0))
    node = job()
    assert monitor(node, transport, temperature_ratio_max=-1.0) is None
    assert "temperature_ratio_max must be a positive number, not -1.0" in told(node)[0]


def test_aiida_takes_it_for_a_monitor(job, transport, tmp_path):
    write_run(tmp_path, log_of(100, Press=5e5))
    node = orm.Dict({"entry_point": "seireact.health", "kwargs": {"pressure_max_gpa": 30.0}})
    assert CalcJobMonitors({"health": node}).process(job(), transport) is None
    assert stop_of(tmp_path).startswith("health: pressure: 50.0 GPa")
    with pytest.raises(ValueError, match="does not accept the keywords"):
        CalcJobMonitor("seireact.health", kwargs={"colour": 1})


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({}, None),
        ({"pressure_max_gpa": 5, "frames_atoms_max": 0, "volume_ratio_max": 1.2}, None),
        ({"pressure_max_gpa": -5}, "monitors.health: these limits don't fit: the limit pressure_max_gpa must be"),
        ({"volume_ratio_max": 0.9}, "monitors.health: these limits don't fit"),
        ({"hung_minutes": -1}, "monitors.health: hung_minutes must not be negative."),
    ],
)
def test_limits_are_looked_at_before_anything_runs(aiida_profile, kwargs, sentence):
    node = orm.Dict({"entry_point": "seireact.health", "kwargs": kwargs})
    found = validate_monitors({"monitors": {"health": node}})
    assert found is None if sentence is None else found.startswith(sentence)

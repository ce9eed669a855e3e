"""Long runs are shown while they run, by their graph and by the end of their log; and ended softly on request."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager
from aiida.schedulers import JobState
from click.testing import CliRunner

from aiida_seireact.calculations.functions.production import keep_ledger
from aiida_seireact.cli.main import cli
from aiida_seireact.cli.production import seconds_a_step
from aiida_seireact.cli.render.sparkline import sparkline
from aiida_seireact.data.restart import RestartData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.run_tail import RunTail
from tests.runs import log_of, write_run

from .conftest import add_job, call, created, finish, workchain

MD = {"temperature_k": 300.0, "timestep_fs": 2.0, "steps": 5000, "ensemble": "npt", "restart_every": 100}
PARAMETERS = {"md": MD, "segment_steps": 1000}
FACTS = {"n_atoms": 108, "species": ["Li"], "timestep_fs": 2.0, "dump_every": 50, "first_step": 0, "done": False}


def run(*arguments: Any) -> Any:
    """Run the command."""
    profile = get_manager().get_profile().name
    return CliRunner().invoke(cli, ["-p", profile, *map(str, arguments)])


def words(result: Any) -> str:
    """Return what it said, on one line."""
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def thermo(first: int, last: int) -> dict[str, np.ndarray]:
    """Return a thermo table."""
    steps = np.arange(first, last + 1, 10)
    return {"step": steps, "temp": 300 + 20 * np.sin(steps / 300), "vol": 5000 + 0.1 * steps}


def chain(caller: orm.WorkflowNode | None = None, label: str = "", **inputs: orm.Data) -> orm.WorkChainNode:
    """Return a running chain."""
    node = orm.WorkChainNode()
    node.set_process_label("ProduceWorkChain")
    node.set_process_state("waiting")
    for name, data in {"parameters": orm.Dict(PARAMETERS), **inputs}.items():
        node.base.links.add_incoming(data if data.is_stored else data.store(), LinkType.INPUT_WORK, name)
    call(caller, node, label)
    return node.store()


def restart(step: int) -> RestartData:
    """Return where a segment ended."""
    species = {"species": ["Li"], "n_atoms": 108, "reference_volume_ang3": 5000.0}
    return RestartData({"file": "final.restart", "sha256": "c" * 64, "bytes": 1, "step": step, **species})


def segment(top: orm.WorkChainNode, number: int, **inputs: orm.Data) -> orm.CalcJobNode:
    """Return a running job."""
    inputs = {"parameters": orm.Dict(PARAMETERS), **inputs}
    return add_job("lmp", "seireact.lammps", top, f"segment_{number:03d}", **inputs)


def ended_segment(top: orm.WorkChainNode, stopped: dict[str, Any] | None = None) -> orm.CalcJobNode:
    """Return a first segment that has run 1000 steps in half an hour on four cores."""
    job = segment(top, 1)
    facts = {**FACTS, "last_step": 1000, "steps": 1000, "steps_asked": 1000, "stopped_by": stopped}
    created(TrajectoryData(thermo(0, 1000), manifest=[], facts=facts), job, "trajectory")
    cost = {"ranks": 4, "threads": 1, "gpus": 0, "md_seconds": 1728.0, "seconds": 1800.0}
    created(orm.Dict({"steps": 1000, "ps": 2.0, "first_step": 0, "last_step": 1000, **cost}), job, "performance")
    created(restart(1000), job, "restart")
    finish(job)
    return job


@pytest.fixture
def running(aiida_profile: Any, tmp_path: Path) -> tuple[orm.WorkChainNode, orm.CalcJobNode]:
    """Return a chain in its second segment, and its job, which runs in this test's folder."""
    top = chain()
    ended_segment(top)
    job = segment(top, 2, restart=restart(1000))
    job.set_remote_workdir(str(tmp_path))
    job.set_scheduler_state(JobState.RUNNING)
    write_run(tmp_path, log_of(51, first=1000))
    return top, job


def test_a_running_chain_is_told_in_numbers(running):
    top, job = running
    (content,) = json.loads(words(run("watch", top.pk, "--json")))
    production = content["production"]
    assert (production["segment"], production["n_segments"]) == (2, 5)
    assert (production["step"], production["steps"]) == (1500, 5000)
    assert production["ns"] == pytest.approx(0.003)
    assert (content["job_pk"], content["job_state"]) == (job.pk, "running")
    assert content["temperature_k"] == 301.0
    assert content["pressure_gpa"] == pytest.approx(0.01)
    assert content["health"] == ""
    assert not content["is_stopping"]
    assert production["core_hours"] >= 2.0
    steps = content["series"]["step"]
    assert steps[0] < 10
    assert steps[-1] == 1500
    assert len(steps) == len(content["series"]["vol"]) == 101 + 51


def test_a_running_chain_is_drawn(running):
    top, job = running
    text = words(run("watch", top.pk, "--once"))
    assert f"ProduceWorkChain <{top.pk}> is running · segment 2 of 5 · job <{job.pk}> running" in text
    assert "step 1,500 of 5,000, 30.0 %" in text
    assert "health sound" in text
    assert any(block in text for block in "▁▂▃▄▅▆▇█")


def test_a_run_that_is_ill_is_told_with_its_reason(running, tmp_path):
    write_run(tmp_path, log_of(51, Temp=1500.0))
    assert "health temperature: 1500 K at step 500, allowed up to 900 K" in words(run("watch", running[0].pk, "--once"))


def test_a_run_that_hangs_is_told(running, tmp_path):
    os.utime(tmp_path / "log.lammps", (time.time() - 7200,) * 2)
    assert "its log has not grown for 120 minutes" in words(run("watch", running[0].pk, "--once"))


def test_status_tells_pace_and_cost_of_a_run(running):
    text = words(run("status", running[0].pk))
    assert "0.003 of 0.01 ns" in text
    assert "ns/day" in text
    assert "core-hours" in text
    assert json.loads(run("status", running[0].pk, "--json").output)["productions"][0]["steps"] == 5000


def test_a_run_is_stopped_softly_and_how_to_go_on_is_said(running, tmp_path):
    top, job = running
    text = words(run("watch", top.pk, "--stop", "the queue is\nneeded"))
    assert (tmp_path / "STOP").read_text() == "asked: the queue is needed\n"
    assert f"Job <{job.pk}> is asked to end: LAMMPS ends within 10 steps" in text
    assert f"Run <{top.pk}> then ends with exit status 433, whole so far." in text
    assert f"aiida-seireact extend {top.pk}" in text
    assert "health is being ended" in words(run("watch", top.pk, "--once"))


def test_a_computer_that_can_not_be_reached_costs_its_numbers_only(running, monkeypatch):
    from aiida_seireact.cli import looking

    def unreachable(computer: orm.Computer) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr(looking, "shell_on", unreachable)
    text = words(run("watch", running[0].pk, "--once"))
    assert "health not seen: toy can't be reached (no route to host)" in text
    assert "segment 2 of 5" in text
    result = run("watch", running[0].pk, "--stop", "it must")
    assert result.exit_code == 1
    assert "was not stopped: toy can't be reached" in result.output


def test_of_a_run_that_has_ended_the_ledger_is_shown(aiida_profile):
    stopped = {"reason": "health", "step": 1000, "message": "health: temperature: 1500 K at step 1000"}
    top = chain()
    job = ended_segment(top, stopped)
    ledger = keep_ledger(orm.Dict(PARAMETERS), segment_001=job.outputs.performance)
    for name, node in {"ledger": ledger, "trajectory": job.outputs.trajectory, "restart": job.outputs.restart}.items():
        node.base.links.add_incoming(top, LinkType.RETURN, name)
    finish(top)
    text = words(run("watch", top.pk))
    assert "is done · segment 1 of 5" in text
    assert "step 1,000 of 5,000" in text
    assert "cost 2 core-hours" in text
    assert "0.1 ns/day" in text
    assert "health temperature: 1500 K at step 1000" in text
    assert "extend" not in text
    result = run("watch", top.pk, "--stop", "too late")
    assert result.exit_code == 1
    assert "so none was stopped" in result.output


def test_of_a_run_that_was_asked_to_end_it_is_said_how_to_go_on(aiida_profile):
    top = chain()
    job = ended_segment(top, {"reason": "asked", "step": 1000, "message": "asked: for the queue"})
    for name in ("trajectory", "restart"):
        job.outputs[name].base.links.add_incoming(top, LinkType.RETURN, name)
    finish(top, 433, "The run is sound up to step 1000")
    text = words(run("watch", top.pk))
    assert "health asked: for the queue" in text
    assert f"→ `aiida-seireact extend {top.pk}` goes on to its end." in text
    assert f"→ `aiida-seireact extend {top.pk}` goes on from there." in words(run("status", top.pk))


def test_all_runs_below_a_study_are_shown_and_one_is_named_to_be_stopped(aiida_profile):
    top = workchain("ReactWorkChain")
    runs = [chain(top, name) for name in ("produce", "reference_Li2S")]
    jobs = [segment(one, 1, restart=restart(0)) for one in runs]
    text = words(run("watch", top.pk, "--once"))
    for one in runs:
        assert f"<{one.pk}> is running · segment 1 of 5" in text
    result = run("watch", top.pk, "--stop", "both?")
    assert result.exit_code == 1
    assert f"Several runs are under way: <{runs[0].pk}> (produce), <{runs[1].pk}> (reference_Li2S)." in result.output
    assert jobs[0].pk


def test_the_pace_is_that_between_two_looks_where_they_are_far_enough_apart():
    def tail(step: int, written: float | None, first: int = 0) -> RunTail:
        return RunTail(rows={"step": np.array([float(step)])}, first_step=first, written=written)

    assert seconds_a_step(tail(100, 1000.0), tail(300, 1040.0)) == pytest.approx(0.2)
    assert seconds_a_step(tail(100, 1000.0), tail(300, 1004.0)) is None
    assert seconds_a_step(tail(100, 1000.0), tail(100, 1040.0)) is None
    # Another try of the segment, whose log begins elsewhere.
    assert seconds_a_step(tail(100, 1000.0), tail(300, 1040.0, first=200)) is None
    assert seconds_a_step(tail(100, None), tail(300, 1040.0)) is None


def test_watching_ends_with_the_process(running, monkeypatch):
    top, job = running
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        finish(job, 427)
        finish(top, 433, "The run is sound up to step 1500")

    monkeypatch.setattr(time, "sleep", sleep)
    assert f"ProduceWorkChain <{top.pk}> is failed" in words(run("watch", top.pk, "--every", "5"))
    assert looks == [5.0]


def test_a_job_that_was_submitted_alone_is_a_run(running):
    _, job = running
    text = words(run("watch", job.pk, "--once"))
    assert "step 1,500 of 5,000" in text
    assert "health sound" in text


def test_a_run_with_settings_of_another_version_is_passed_over(aiida_profile):
    top = workchain("ReactWorkChain")
    chain(top, "produce", parameters=orm.Dict({"md": {"colour": "red"}}))
    assert run("watch", top.pk).exit_code == 1
    assert run("status", top.pk).exit_code == 0


def test_a_process_without_a_run_says_what_to_ask(aiida_profile):
    top = workchain("ReactWorkChain")
    result = run("watch", top.pk)
    assert result.exit_code == 1
    assert f"has no MD run yet: `aiida-seireact status {top.pk}`" in result.output


def test_a_curve_in_one_line():
    steps = np.arange(1000)
    assert sparkline(steps, steps, 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(steps, np.ones(1000), 4) == "▅▅▅▅"
    assert sparkline([0, 999], [1.0, 2.0], 5) == "▁   █"
    assert sparkline(steps, np.where(steps < 500, 0.0, np.nan), 4) == "▅▅  "
    assert sparkline([5], [1.0]) == "▅"
    assert sparkline([], []) == ""

"""What a person kills or pauses ends or waits with all below it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiida import orm
from aiida.engine import submit

from tests.workflow.conftest import describe, wait_for, wait_until

pytestmark = pytest.mark.workflow


def programs_of(top: orm.ProcessNode, name: str) -> list[psutil.Process]:
    """Return the running programs called ``name`` in the work folders of the jobs under ``top``."""
    folders = [
        node.get_remote_workdir()
        for node in top.called_descendants
        if isinstance(node, orm.CalcJobNode) and node.get_remote_workdir()
    ]
    found = []
    for process in psutil.process_iter():
        try:
            if any(process.cwd().startswith(folder) for folder in folders):
                found += [process] if any(part.endswith(name) for part in process.cmdline()[:3]) else []
        except psutil.Error:
            continue
    return found


def test_killing_the_top_ends_children_and_programs(small_loop, daemon, verdi, verdi_environment):
    top = submit(small_loop(structures={"seed": 5}))
    wait_until(lambda: programs_of(top, "seireact-label"), 300, lambda: describe(top))
    follow = subprocess.Popen(
        [str(Path(sys.executable).parent / "aiida-seireact"), "status", "--follow", str(top.pk)],
        env=verdi_environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    verdi("process", "kill", str(top.pk))
    wait_until(lambda: top.is_terminated and all(node.is_terminated for node in top.called_descendants), 180)
    assert top.is_killed
    wait_until(lambda: not programs_of(top, "seireact-label"), 90)
    told = follow.communicate(timeout=90)[0]
    assert f"ReactWorkChain <{top.pk}> is killed" in told
    assert "sample" in told


def test_pause_and_play_lose_nothing(small_loop, daemon, verdi, finished_loop):
    top = submit(small_loop())
    verdi("process", "pause", str(top.pk))
    wait_until(lambda: top.paused, 180, lambda: describe(top))
    done = len(top.called)
    verdi("process", "play", str(top.pk))
    wait_for(top)
    assert top.is_finished_ok, describe(top)
    assert len(top.called) > done
    assert top.outputs.summary.get_dict() == finished_loop.outputs.summary.get_dict()


def test_verdi_tells_stage_and_reason(finished_loop, verdi):
    status = verdi("process", "status", str(finished_loop.pk))
    assert "ReactWorkChain" in status
    assert "TrainWorkChain" in status
    report = verdi("process", "report", str(finished_loop.pk))
    assert "labelling" in report
    assert "training on" in report
    assert "running the interface and the reference phases" in report

"""What is killed starts again from its inputs, and nobody can tell from the result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiida import orm
from aiida.engine import submit
from aiida.manage import get_config, get_manager

from aiida_seireact.calculations.allegro import AllegroCalculation
from aiida_seireact.calculations.ase import AseCalculation
from tests.workflow.conftest import PROFILE, describe, wait_for, wait_until

pytestmark = pytest.mark.workflow

REALLY_RUN = ("aiida.calculations:seireact.ase", "aiida.calculations:seireact.allegro")


@pytest.fixture
def labels_and_training_not_cached(daemon) -> Iterator[None]:
    """Switch the cache off for labelling and training only: the stages behind them answer from the cache.

    They can do so only if what the killed stages made is the same to the last bit.
    """
    config = get_config()
    before = config.get_option("caching.disabled_for", scope=PROFILE)

    def set_and_restart(value: list[str]) -> None:
        config.set_option("caching.disabled_for", value, scope=PROFILE)
        config.store()
        daemon.stop_daemon(wait=True)
        daemon.start_daemon(number_workers=2)
        # This process still talks to the broker that is gone; what it submits would never be heard of.
        get_manager().reset_broker()
        get_manager().reset_runner()

    set_and_restart([*before, *REALLY_RUN])
    yield
    set_and_restart(before)


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


def test_same_dataset_and_model_after_kills(finished_loop, small_loop, daemon, labels_and_training_not_cached):
    top = submit(small_loop())

    wait_until(lambda: programs_of(top, "seireact-label"), 300, lambda: describe(top))
    worker = next(iter(daemon.get_worker_info()["info"]))
    os.kill(int(worker), signal.SIGKILL)

    trainer = wait_until(lambda: programs_of(top, "nequip-train"), 600, lambda: describe(top))[0]
    trainer.kill()

    wait_for(top)
    assert top.is_finished_ok, describe(top)
    assert top.outputs.dataset.content_hash == finished_loop.outputs.dataset.content_hash
    assert top.outputs.potential.model_hash == finished_loop.outputs.potential.model_hash

    jobs = [node for node in top.called_descendants if isinstance(node, orm.CalcJobNode)]
    trainings = [node for node in jobs if node.process_class is AllegroCalculation]
    assert [node.is_finished_ok for node in trainings] == [False, True]
    assert not any(
        node.base.caching.is_created_from_cache
        for node in jobs
        if node.process_class in (AllegroCalculation, AseCalculation)
    )
    behind = [node for node in jobs if node.process_class not in (AllegroCalculation, AseCalculation)]
    assert behind
    assert all(node.base.caching.is_created_from_cache for node in behind)


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
    assert "relax" in told


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

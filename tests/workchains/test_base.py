"""The handlers of the WorkChains around one program: what is tried again, and how often."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common import AttributeDict, LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy.process_states import ProcessState
from sqlalchemy import create_engine

from aiida_seireact.calculations.base import missing_outputs
from aiida_seireact.workchains.build import BuildWorkChain

Handled = Callable[..., tuple[bool, int]]


@pytest.fixture
def after_jobs(aiida_profile: Any, aiida_localhost: orm.Computer) -> Handled:
    """Return a function of exit statuses, or exceptions, of jobs: is another one started, else which status ends it."""
    code = orm.InstalledCode(label="build", computer=aiida_localhost, filepath_executable="/bin/true").store()
    recipe = orm.Dict(
        {
            "phases": {"Li": {"name": "Li", "lattice": {"a": 3.42}}},
            "slabs": [{"phase": "Li", "hkl": [1, 0, 0], "matrix": [[1, 0], [0, 1]], "layers": 6}],
            "lattice_of": "Li",
        }
    )

    def job(end: int | str, outputs: tuple[str, ...]) -> orm.CalcJobNode:
        node = orm.CalcJobNode(computer=aiida_localhost, process_type="aiida.calculations:seireact.build")
        node.set_process_label("BuildCalculation")
        if isinstance(end, str):
            node.set_process_state(ProcessState.EXCEPTED)
            node.set_exception(end)
        else:
            node.set_process_state(ProcessState.FINISHED)
            node.set_exit_status(end)
        node.store()
        for name in outputs:
            output = orm.Dict({})
            output.base.links.add_incoming(node, LinkType.CREATE, name)
            output.store()
        node.seal()
        return node

    def after(*ends: int | str, outputs: tuple[str, ...] = ()) -> tuple[bool, int]:
        process = instantiate_process(get_manager().get_runner(), BuildWorkChain, code=code, recipe=recipe)
        process.setup()
        process.ctx.children = [job(end, outputs) for end in ends]
        process.ctx.iteration = len(ends)
        process.ctx.inputs = AttributeDict()
        result = process.inspect_process()
        status = 0 if result is None else result.status
        return process.should_run_process() and status == 0, status

    return after


def locked_database(folder: Path) -> str:
    """Return what AiiDA keeps of a write to a database that another connection has locked."""
    engine = create_engine(f"sqlite:///{folder / 'locked.sqlite'}", connect_args={"timeout": 0.01})
    with engine.connect() as other, engine.connect() as connection:
        other.exec_driver_sql("BEGIN EXCLUSIVE")
        try:
            connection.exec_driver_sql("CREATE TABLE nodes (id INTEGER)")
        except Exception:
            return traceback.format_exc()
    raise AssertionError("the database was not locked")


@pytest.mark.parametrize("status", [120, 140, 310, 410, 420, 426])
def test_what_the_machine_may_have_done_is_tried_again(after_jobs: Handled, status: int) -> None:
    assert after_jobs(status) == (True, 0)


@pytest.mark.parametrize("status", [310, 420, 426])
def test_once(after_jobs: Handled, status: int) -> None:
    assert after_jobs(status, status) == (False, 430)


@pytest.mark.parametrize("status", [120, 140, 410])
def test_a_killed_job_is_tried_as_often_as_is_allowed(after_jobs: Handled, status: int) -> None:
    """Killed, out of walltime or on a node that failed, by the word of SLURM: the inputs are not to blame."""
    assert after_jobs(*[status] * 4) == (True, 0)
    assert after_jobs(*[status] * 5) == (False, 401)


def test_a_job_that_lost_the_database_is_tried_again_and_none_else_that_excepted(
    after_jobs: Handled, tmp_path: Path
) -> None:
    """SQLite gives up after five seconds; what else a parser or plugin raises would be raised again."""
    locked = locked_database(tmp_path)
    assert after_jobs(locked) == (True, 0)
    assert after_jobs(*[locked] * 4) == (True, 0)
    assert after_jobs(*[locked] * 5) == (False, 301)
    assert after_jobs("KeyError: 'energy'") == (False, 301)


@pytest.mark.parametrize("status", [210, 220])
def test_what_a_restart_would_only_repeat_ends_it(after_jobs: Handled, status: int) -> None:
    assert after_jobs(status) == (False, 430)


def test_a_job_that_a_crash_cut_short_is_run_again_once_and_never_taken_from_the_cache(after_jobs: Handled) -> None:
    """aiida-core calls it finished, status 0; its outputs were not stored when the worker was killed."""
    assert after_jobs(0) == (True, 0)
    assert after_jobs(0, outputs=("remote_folder", "retrieved")) == (True, 0)
    job = orm.QueryBuilder().append(orm.CalcJobNode).order_by({orm.CalcJobNode: {"id": "desc"}}).first(flat=True)
    assert missing_outputs(job.process_class, job) == ["report"]
    # Of another caller, that has not looked at it.
    job.base.extras.clear()
    assert not job.base.caching.is_valid_cache
    assert after_jobs(0, 0) == (False, 430)
    assert after_jobs(410, 0) == (True, 0)


def test_a_whole_job_is_the_end_and_may_be_taken_from_the_cache(after_jobs: Handled) -> None:
    assert after_jobs(0, outputs=("report",)) == (False, 0)
    job = orm.QueryBuilder().append(orm.CalcJobNode).order_by({orm.CalcJobNode: {"id": "desc"}}).first(flat=True)
    assert job.base.caching.is_valid_cache

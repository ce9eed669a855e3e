"""The handlers of the WorkChains around one program: what is tried again, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy.process_states import ProcessState

from aiida_seireact.workchains.label_ase import AseLabelWorkChain

Handled = Callable[..., tuple[bool, int]]


@pytest.fixture
def after_jobs(aiida_profile: Any, aiida_localhost: orm.Computer) -> Handled:
    """Return a function of exit statuses of jobs: is another one started, and else with which status does it end."""
    code = orm.InstalledCode(label="label", computer=aiida_localhost, filepath_executable="/bin/true").store()
    parameters = orm.Dict({"task": "isolated_atoms", "calculator": {"name": "emt"}, "species": ["Cu"]})

    def job(exit_status: int) -> orm.CalcJobNode:
        node = orm.CalcJobNode(computer=aiida_localhost, process_type="aiida.calculations:seireact.ase")
        node.set_process_label("AseCalculation")
        node.set_process_state(ProcessState.FINISHED)
        node.set_exit_status(exit_status)
        return node.store()

    def after(*exit_statuses: int) -> tuple[bool, int]:
        process = instantiate_process(get_manager().get_runner(), AseLabelWorkChain, code=code, parameters=parameters)
        process.setup()
        process.ctx.children = [job(status) for status in exit_statuses]
        process.ctx.iteration = len(exit_statuses)
        process.ctx.inputs = AttributeDict()
        result = process.inspect_process()
        status = 0 if result is None else result.status
        return process.should_run_process() and status == 0, status

    return after


@pytest.mark.parametrize("status", [310, 410, 420])
def test_what_the_machine_may_have_done_is_tried_again(after_jobs: Handled, status: int) -> None:
    assert after_jobs(status) == (True, 0)


@pytest.mark.parametrize("status", [310, 420])
def test_once(after_jobs: Handled, status: int) -> None:
    assert after_jobs(status, status) == (False, 430)


def test_a_killed_job_is_tried_as_often_as_is_allowed(after_jobs: Handled) -> None:
    assert after_jobs(410, 410, 410, 410) == (True, 0)
    assert after_jobs(410, 410, 410, 410, 410) == (False, 401)


@pytest.mark.parametrize("status", [210, 220])
def test_what_a_restart_would_only_repeat_ends_it(after_jobs: Handled, status: int) -> None:
    assert after_jobs(status) == (False, 430)

"""RabbitMQ is killed while jobs run, and comes back: all ends well by itself."""

from __future__ import annotations

import os
import signal
import time

import pytest
from aiida.engine import submit

from aiida_seireact.workchains.react import ReactWorkChain
from tests.services.jobs import small_cell
from tests.workflow.conftest import describe, wait_for, wait_until
from tests.workflow.loop import SMALL

pytestmark = pytest.mark.workflow

GONE_SECONDS = 3.0


def kill_broker(services) -> None:
    """Kill RabbitMQ, and start it again after a while."""
    os.kill(services.pid("rabbitmq"), signal.SIGKILL)
    time.sleep(GONE_SECONDS)
    services.start("rabbitmq")


def test_jobs_survive_the_death_of_the_broker(services, daemon):
    nodes = [submit(small_cell("localhost", seed=seed)) for seed in range(6)]
    # Some are under way, others still wait in its queue.
    wait_until(lambda: any(node.get_job_id() for node in nodes), 120)
    kill_broker(services)
    for node in nodes:
        assert wait_for(node, 300).is_finished_ok, describe(node)
    assert len({node.outputs.report["files"]["lammps"]["sha256"] for node in nodes}) == 1


@pytest.mark.slow
def test_a_whole_loop_survives_the_death_of_the_broker(services, daemon):
    top = submit(ReactWorkChain.get_builder_from_protocol(overrides=SMALL))
    for n_done in (2, 12, 24):
        wait_until(
            lambda n_done=n_done: (
                top.is_terminated or len([node for node in top.called_descendants if node.is_finished]) > n_done
            ),
            1200,
            lambda: describe(top),
        )
        if not top.is_terminated:
            kill_broker(services)
    wait_for(top, 1800)
    assert top.is_finished_ok, describe(top)
    failed = [node for node in top.called_descendants if not node.is_finished_ok]
    assert all(not node.is_sealed or node.is_excepted for node in failed), describe(top)

"""RabbitMQ is killed while jobs run, and comes back: all ends well."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest
from aiida import orm
from aiida.engine import submit
from aiida.manage import get_manager

from aiida_seireact.cli.daemon_parts import daemon_processes
from aiida_seireact.cli.demo_daemon import await_broker
from aiida_seireact.cli.doubled import doubled_processes
from aiida_seireact.cli.mending import clear_up, forget_dead_daemon
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


def kill_broker_with_the_daemon(services, daemon) -> None:
    """Do as systemd does where the daemon's unit is bound to that of RabbitMQ: end it, and start both again."""
    os.kill(services.pid("rabbitmq"), signal.SIGKILL)
    # At once, and without a question: a workflow that submits without a broker is excepted.
    for process in daemon_processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    forget_dead_daemon(daemon)
    time.sleep(GONE_SECONDS)
    services.start("rabbitmq")
    daemon.start_daemon(number_workers=2)
    # What this process says from now on, it says to the new broker.
    get_manager().reset_broker()
    get_manager().reset_runner()
    await_broker()


def some_jobs() -> list[orm.CalcJobNode]:
    """Return six jobs, of which some are under way while others still wait in the broker's queue."""
    nodes = [submit(small_cell("localhost", seed=seed)) for seed in range(6)]
    wait_until(lambda: any(node.get_job_id() for node in nodes), 120)
    return nodes


def test_jobs_survive_the_death_of_the_broker(services, daemon):
    nodes = some_jobs()
    kill_broker_with_the_daemon(services, daemon)
    for node in nodes:
        assert wait_for(node, 300).is_finished_ok, describe(node)
    assert doubled_processes() == []


def test_workers_that_outlive_the_broker_lose_nothing(services, daemon):
    """They may run a job twice, as its task is handed out again; the end that both write is then put right."""
    nodes = some_jobs()
    kill_broker(services)
    said: list[str] = []

    def have_ended() -> bool:
        clear_up(said.append, daemon_stopped=False)
        return all(node.is_terminated for node in nodes)

    wait_until(have_ended, 300, lambda: "\n".join(map(describe, nodes)))
    assert all("report" in node.outputs for node in nodes), "\n".join(map(describe, nodes))
    print(*said, sep="\n")


@pytest.mark.slow
def test_a_whole_loop_survives_the_death_of_the_broker(services, daemon):
    top = submit(ReactWorkChain.get_builder_from_protocol(overrides=SMALL))

    def has_come_to(n_ended: int) -> bool:
        return top.is_terminated or sum(node.is_terminated for node in top.called_descendants) >= n_ended

    for n_ended in (3, 15, 30):
        wait_until(lambda n_ended=n_ended: has_come_to(n_ended), 1200, lambda: describe(top))
        assert not top.is_terminated, describe(top)
        kill_broker_with_the_daemon(services, daemon)
    wait_for(top, 1800)
    assert top.is_finished_ok, describe(top)
    assert doubled_processes() == []

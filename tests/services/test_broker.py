"""RabbitMQ is killed while jobs run, and comes back: all ends well."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time

import pytest
from aiida import orm
from aiida.engine import submit
from aiida.engine.processes.control import get_process_tasks
from aiida.manage import get_manager

from aiida_seireact.cli.daemon_parts import daemon_processes
from aiida_seireact.cli.demo_daemon import await_broker
from aiida_seireact.cli.doubled import doubled_processes
from aiida_seireact.cli.mending import clear_up, forget_dead_daemon, mend, repair_rabbitmq
from aiida_seireact.workchains.react import ReactWorkChain
from tests.services.jobs import small_cell, small_sample
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
    # Looked for before, so that all die at once: a workflow that submits without a broker is excepted.
    pids = [services.pid("rabbitmq"), *(process.pid for process in daemon_processes())]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # The supervisor may have replaced a worker before its own turn came.
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


def test_every_process_gets_one_task_and_no_other_has_one(services, daemon):
    manager = get_manager()
    daemon.stop_daemon(wait=True)
    for pk in (101, 101, 102, 104):
        manager.get_process_controller().continue_process(pk, no_reply=True)
    assert repair_rabbitmq([101, 102, 103]) == [103]
    assert sorted(get_process_tasks(manager.get_broker())) == [101, 102, 103]
    assert repair_rabbitmq([]) == []
    assert get_process_tasks(manager.get_broker()) == []
    daemon.start_daemon(number_workers=2)


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
def test_a_workflow_that_submits_without_a_broker_is_submitted_again(services, daemon):
    """aiida-core ends it with an exception. The how-to says: mend, submit again; what was done is not done again."""
    top = submit(small_sample())
    wait_until(lambda: [job for job in jobs(top) if job.get_job_id()], 120, lambda: describe(top))
    os.kill(services.pid("rabbitmq"), signal.SIGKILL)
    # Its relaxation ends, then it starts the next job.
    wait_for(top, 300)
    assert top.is_excepted, describe(top)
    done = done_jobs(top)
    assert done, describe(top)
    services.start("rabbitmq")
    mend(print)
    again = wait_for(submit(small_sample()), 300)
    assert again.is_finished_ok, describe(again)
    assert not done & computed_jobs(again), describe(again)


@pytest.mark.slow
def test_a_whole_loop_comes_through_the_death_of_the_broker(services, daemon):
    """By itself, unless a workflow submitted in that very moment, as above: then it is submitted again."""
    top = submit_loop()

    def is_half_done() -> bool:
        """Both conditions have learned from a leg; six levels of workflows wait for the next ones."""
        return top.is_terminated or sum(job.process_label == "FlareCalculation" for job in jobs(top)) > 2

    wait_until(is_half_done, 1800, lambda: describe(top))
    assert not top.is_terminated, describe(top)
    done = done_jobs(top)
    kill_broker_with_the_daemon(services, daemon)
    wait_for(top, 1800)
    lost = [node for node in top.called_descendants if node.is_excepted]
    if lost:
        print("Submitted again after:", describe(top))
        assert all(re.search("aiormq|aio_pika|kiwipy|Connection", node.exception) for node in lost), describe(top)
        mend(print)
        top = wait_for(submit_loop(), 1800)
        assert not done & computed_jobs(top), describe(top)
    assert top.is_finished_ok, describe(top)
    assert doubled_processes() == []


def submit_loop() -> orm.ProcessNode:
    return submit(ReactWorkChain.get_builder_from_protocol(overrides=SMALL))


def jobs(top: orm.ProcessNode) -> list[orm.CalcJobNode]:
    return [node for node in top.called_descendants if isinstance(node, orm.CalcJobNode)]


def done_jobs(top: orm.ProcessNode) -> set[str]:
    """Return the hashes of the jobs that are done: of what a job of equal inputs would be taken from."""
    return {job.base.caching.get_hash() for job in jobs(top) if job.is_finished_ok}


def computed_jobs(top: orm.ProcessNode) -> set[str]:
    """Return the hashes of the jobs that were not taken from the cache."""
    return {job.base.caching.get_hash() for job in jobs(top) if not job.base.caching.is_created_from_cache}

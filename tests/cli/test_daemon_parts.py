"""What is alive: programs whose job is over, tasks of the broker on disk."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiida import orm
from aiida.brokers.zeromq.queue import PersistentQueue
from plumpy.process_comms import create_continue_body

from aiida_seireact.cli.daemon_parts import DaemonProcess, TaskQueue, end, programs, strays

from .conftest import add_job, finish


@pytest.fixture
def queue(aiida_profile_clean, tmp_path: Path) -> TaskQueue:
    """Return a queue in an empty folder."""
    found = TaskQueue()
    found.folder = tmp_path / "tasks"
    return found


def fill(queue: TaskQueue, **tasks: tuple[int, bool]) -> PersistentQueue:
    """Put tasks in the queue by their id: process and whether they end as they are begun."""
    broker = PersistentQueue(queue.folder)
    for task_id, (pk, nowait) in tasks.items():
        broker.push(task_id, {"id": task_id, "body": create_continue_body(pid=pk, nowait=nowait)})
    return broker


def bodies(queue: TaskQueue) -> list[dict[str, object]]:
    return [json.loads(path.read_text())["body"]["args"] for path in sorted(queue.folder.glob("pending/*.json"))]


def test_every_process_has_one_task_after_the_repair(queue: TaskQueue) -> None:
    broker = fill(queue, a=(1, False), b=(1, False), c=(2, False), d=(3, True))
    broker.pop()
    (queue.folder / "pending" / "torn.tmp").write_text("{")
    assert queue.process_pks() == {1, 2, 3}
    # 2 is over; the task of 3 would be lost in the next crash; 4 has none.
    assert queue.repair([1, 3, 4]) == [3, 4]
    assert sorted((task["pid"], task["nowait"]) for task in bodies(queue)) == [(1, False), (3, False), (4, False)]
    assert not list(queue.folder.glob("*/*.tmp"))


def test_tasks_wait_while_no_worker_has_one(queue: TaskQueue) -> None:
    assert queue.waiting_seconds() is None
    broker = fill(queue, a=(1, False), b=(2, False))
    assert 0 <= (queue.waiting_seconds() or -1) < 60
    broker.pop()
    assert queue.waiting_seconds() is None


def test_what_a_dead_broker_left_is_forgotten(queue: TaskQueue, tmp_path: Path) -> None:
    queue.layout.service_dir.mkdir(parents=True, exist_ok=True)
    sockets, mine = tmp_path / "aiida_zeromq_x", tmp_path / "mine"
    for folder in (sockets, mine):
        folder.mkdir()
        queue.layout.sockets_file.write_text(str(folder))
        queue.layout.pid_file.write_text("aiida-zeromq-broker 1")
        queue.forget_dead_broker()
        assert not queue.layout.sockets_file.exists()
        assert not queue.layout.pid_file.exists()
    assert not sockets.exists()
    assert mine.exists()
    queue.forget_dead_broker()


@pytest.mark.parametrize(
    ("line", "role"),
    [
        (("verdi", "-p", "x", "daemon", "worker"), "worker"),
        (("verdi", "-p", "x", "daemon", "broker", "--service-dir", "y"), "broker"),
        (("verdi", "-p", "x", "daemon", "start-circus", "2"), "supervisor"),
    ],
)
def test_roles(line: tuple[str, ...], role: str) -> None:
    assert DaemonProcess(1, line).role == role


@pytest.fixture
def in_job_folder(aiida_profile_clean, tmp_path: Path) -> Iterator[tuple[orm.CalcJobNode, subprocess.Popen[bytes]]]:
    """Return a job and a program in its folder that knows nothing of its end."""
    job = add_job("label", "seireact.ase", None, "")
    assert job.computer is not None
    job.computer.set_workdir(str(tmp_path))
    folder = tmp_path / job.uuid[:2] / job.uuid[2:4] / job.uuid[4:]
    folder.mkdir(parents=True)
    program = subprocess.Popen(["sleep", "300"], cwd=folder, start_new_session=True)
    yield job, program
    program.kill()
    program.wait()


def test_a_program_that_its_job_knows_is_no_stray(in_job_folder) -> None:
    job, program = in_job_folder
    assert [found.pid for found in programs()] == [program.pid]
    job.set_job_id(str(program.pid))
    assert strays(daemon_stopped=True) == []


def test_a_program_its_job_does_not_know_is_one_once_the_daemon_is_stopped(in_job_folder) -> None:
    _, program = in_job_folder
    # The job is just about to note it.
    assert strays(daemon_stopped=False) == []
    assert [found.pid for found in strays(daemon_stopped=True)] == [program.pid]


def test_a_program_whose_job_is_over_is_ended(in_job_folder) -> None:
    job, program = in_job_folder
    job.set_job_id(str(program.pid))
    finish(job, 410)
    found = strays(daemon_stopped=False)
    assert [(stray.pid, stray.name) for stray in found] == [(program.pid, "sleep")]
    assert end([program.pid], seconds=0) == 1
    assert programs() == []

"""A worker that dies costs its own task; none outlives the program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from aiida_seireact.formats.jobs.base import MissingPackage, ProgramFailed
from aiida_seireact.programs._workers import WorkerDied, Workers, how_it_ended


def squares(task: int) -> int:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 5:
        os._exit(7)
    return task**2


def working(function: Callable[[Any], Any]) -> Callable[[], tuple[str, Callable[[Any], Any]]]:
    return lambda: ("hello", function)


@pytest.mark.parametrize("count", [1, 3])
def test_every_task_is_done_but_those_whose_worker_dies(count: int) -> None:
    with Workers(working(squares), count) as workers:
        assert workers.greeting == "hello"
        found = dict(workers.results(range(8)))
    assert sorted(found) == list(range(8))
    deaths = {number: str(result) for number, result in found.items() if isinstance(result, WorkerDied)}
    assert deaths == {
        3: "its process was killed by SIGKILL (often: out of memory)",
        5: "its process ended with status 7",
    }
    assert {number: result for number, result in found.items() if number not in deaths} == {
        number: number**2 for number in (0, 1, 2, 4, 6, 7)
    }


def test_a_task_is_tried_again_where_somebody_else_killed_its_worker(tmp_path: Path) -> None:
    def killed_once(task: int) -> int:
        if task == 0 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return task + 10

    with Workers(working(killed_once), 1) as workers:
        # After all others, which may have been what was in its way.
        assert list(workers.results(range(3))) == [(1, 11), (2, 12), (0, 10)]


def test_workers_work_side_by_side() -> None:
    def sleep(_: int) -> int:
        time.sleep(0.4)
        return os.getpid()

    with Workers(working(sleep), 4) as workers:
        start = time.monotonic()
        found = {pid for _, pid in workers.results(range(4))}
    assert len(found) == 4
    # One after the other they sleep 1.6 s.
    assert time.monotonic() - start < 1.4


def test_no_more_workers_than_tasks() -> None:
    with Workers(working(lambda task: os.getpid()), 8) as workers:
        assert len({pid for _, pid in workers.results(range(2))}) <= 2
        assert len(workers._workers) <= 2


def test_what_is_wrong_with_the_first_worker_is_told() -> None:
    def missing() -> tuple[str, Callable[[Any], Any]]:
        raise MissingPackage("pip install it")

    def broken() -> tuple[str, Callable[[Any], Any]]:
        raise ZeroDivisionError("by zero")

    def dying() -> tuple[str, Callable[[Any], Any]]:
        os._exit(3)

    with pytest.raises(MissingPackage, match="pip install it"):
        Workers(missing, 2)
    with pytest.raises(ProgramFailed, match="ZeroDivisionError: by zero"):
        Workers(broken, 1)
    with pytest.raises(ProgramFailed, match="could not be loaded: its process ended with status 3"):
        Workers(dying, 1)


def test_a_killed_program_takes_its_workers_along(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import os, time\n"
        "from aiida_seireact.programs._workers import Workers\n"
        "def work(task):\n"
        "    open(f'pid_{os.getpid()}', 'w').close()\n"
        "    time.sleep(60)\n"
        "with Workers(lambda: ('', work), 3) as workers:\n"
        "    list(workers.results(range(3)))\n"
    )
    program = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path)
    end = time.monotonic() + 30
    while len(list(tmp_path.glob("pid_*"))) < 3 and time.monotonic() < end:
        time.sleep(0.05)
    pids = [int(path.name.removeprefix("pid_")) for path in tmp_path.glob("pid_*")]
    program.kill()
    program.wait()
    assert len(pids) == 3
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_crash_is_told_by_its_signal() -> None:
    assert how_it_ended(-signal.SIGSEGV) == "was killed by SIGSEGV"
    assert how_it_ended(1) == "ended with status 1"

"""Processes that work side by side, each on one task at a time; one that dies costs its own task at most."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed

Greeting = TypeVar("Greeting")
Task = TypeVar("Task")
Result = TypeVar("Result")

# The parent holds little more than numpy and ASE and has no threads: a fork of it is safe and costs milliseconds.
_FORK = multiprocessing.get_context("fork")
_SECONDS_TO_END = 5.0


class WorkerDied(RuntimeError):
    """A worker ended before its task did; the message says how."""


def how_it_ended(status: int) -> str:
    """Return what an exit status tells: ``was killed by SIGSEGV``, ``ended with status 3``."""
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was killed by {name}" + " (often: out of memory)" * (name == "SIGKILL")


class _Worker:
    """A process, the connection to it and the number of its task; None while it has none."""

    def __init__(self, make: Callable[[], tuple[Any, Callable[[Any], Any]]]) -> None:
        self.connection, theirs = _FORK.Pipe()
        self.process: ForkProcess = _FORK.Process(target=_serve, args=(theirs, make))
        self.process.start()
        theirs.close()
        self.ready = False
        self.task: int | None = None

    def send(self, number: int, task: Any) -> None:
        self.task = number
        with suppress(OSError):  # it has died meanwhile: receive says so
            self.connection.send(task)

    def receive(self) -> Any:
        """Return its next message.

        :raises WorkerDied: there is none to come.
        """
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            raise WorkerDied(f"its process {how_it_ended(self.process.exitcode or 0)}") from None

    def close(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Workers(Generic[Greeting, Task, Result]):
    """Up to ``count`` processes. The first starts at once, the others when there are tasks for them.

    :param make: called in each process; returns what the process tells of itself, and the function that works.
    :param greeting: what the first process tells of itself.
    :raises InvalidInput, MissingPackage, ProgramFailed: what ``make`` raised in the first process, or its death.
    """

    def __init__(self, make: Callable[[], tuple[Greeting, Callable[[Task], Result]]], count: int) -> None:
        self._make, self._count = make, count
        self._workers = [_Worker(make)]
        try:
            self.greeting: Greeting = self._greet(self._workers[0])
        except BaseException:
            self.close()
            raise

    def results(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Result | WorkerDied]]:
        """Yield number and result of each task as they are done; in place of a result the death of its worker.

        A task whose worker dies is tried once more, after all others: what killed it may have been somebody else, or
        its neighbours, which took the memory.

        :raises InvalidInput, MissingPackage, ProgramFailed: a worker could not be made.
        """
        waiting = deque(range(len(tasks)))
        tried: set[int] = set()
        while waiting or any(worker.task is not None for worker in self._workers):
            idle = [worker for worker in self._workers if worker.ready and worker.task is None]
            for worker in idle[: len(waiting)]:
                number = waiting.popleft()
                worker.send(number, tasks[number])
            coming = sum(not worker.ready for worker in self._workers)
            for _ in range(min(self._count - len(self._workers), len(waiting) - coming)):
                self._workers.append(_Worker(self._make))
            expected = {w.connection: w for w in self._workers if w.task is not None or not w.ready}
            for connection in wait(list(expected)):
                worker = expected[connection]  # type: ignore[index]
                if not worker.ready:
                    self._greet(worker)
                    continue
                assert worker.task is not None
                number, worker.task = worker.task, None
                try:
                    result = worker.receive()
                except WorkerDied as death:
                    self._workers.remove(worker)
                    worker.connection.close()
                    if number not in tried:
                        tried.add(number)
                        waiting.append(number)
                        continue
                    result = death
                yield number, result

    @staticmethod
    def _greet(worker: _Worker) -> Any:
        try:
            greeting = worker.receive()
        except WorkerDied as death:
            raise ProgramFailed(f"The calculator could not be loaded: {death}.") from None
        if isinstance(greeting, Exception):
            raise greeting
        worker.ready = True
        return greeting

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _serve(connection: Connection, make: Callable[[], tuple[Any, Callable[[Any], Any]]]) -> None:
    """Work until there is nothing more to do, or nobody to do it for."""
    # Ctrl-C reaches all processes of a terminal; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What a calculator prints, in C too, would end up on the standard output, which belongs to --help and --dry-run.
    os.dup2(2, 1)
    try:
        greeting, work = make()
    except (InvalidInput, MissingPackage, ProgramFailed) as error:
        connection.send(error)
        return
    except Exception as error:
        traceback.print_exc()
        connection.send(ProgramFailed(f"{type(error).__name__}: {error}. The traceback is in the standard error."))
        return
    connection.send(greeting)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(work(task))


def _end_with_parent() -> None:
    """End at once when the parent is killed: nobody would take the result."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    sys.stderr.flush()
    os._exit(1)

"""Signs that the daemon hangs without a word; :mod:`aiida_seireact.cli.mending` is the cure.

The signs are those of measured crashes: a broker that was killed leaves its tasks pending for ever, a full
disk poisons the database sessions of workers, and a job whose folder is lost pauses after a few attempts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
from aiida.common import timezone
from aiida.engine.daemon.client import get_daemon_client
from aiida.engine.processes.control import get_active_processes
from aiida.manage import get_config, get_manager
from aiida.orm import Computer, ProcessNode, QueryBuilder

from aiida_seireact.cli.daemon_parts import DaemonProcess, TaskQueue, daemon_processes, programs
from aiida_seireact.cli.doubled import doubled_processes

PATIENCE_SECONDS = 300.0
STILL_SECONDS = 40.0
SUBMISSION_SECONDS = 20.0
BUSY_FRACTION = 0.1
FREE_FRACTION = 0.10
FREE_BYTES = 20 * 1024**3
LOG_TAIL_BYTES = 512 * 1024
FAILED_TRANSPORT = "Pausing after failed transport task"


class Sign(str):
    """A sentence about a trouble, the same as long as the trouble lasts."""

    curable: bool
    """Whether :func:`aiida_seireact.cli.mending.mend` helps against it."""
    lasting: bool
    """Whether waiting is in vain: others, such as a worker that restarts, may pass by themselves."""

    def __new__(cls, text: str, *, curable: bool, lasting: bool = False) -> Sign:
        sign = super().__new__(cls, text)
        sign.curable, sign.lasting = curable, lasting
        return sign


def signs_of_trouble(*, patience_seconds: float = PATIENCE_SECONDS, all_submitted: bool = False) -> list[Sign]:
    """Return what is wrong with daemon, broker, processes and disk of the loaded profile; nothing is good news.

    Asks files and the database only, so it may be called every few seconds.

    :param patience_seconds: how long tasks may wait for a worker while none is being worked on.
    :param all_submitted: nobody runs processes of this profile outside its daemon; one without a task is then lost.
    """
    active: list[ProcessNode] = get_active_processes()
    paused = [node for node in active if node.paused]
    signs = [*_paused_signs(paused), *_doubled_signs()]
    if len(active) > len(paused):
        parts = daemon_processes()
        signs += [*_daemon_signs(parts), *_broker_signs(parts, patience_seconds), *_log_signs(parts)]
        if all_submitted:
            signs += _task_signs(active)
    return [*signs, *_disk_signs()]


def was_paused_by_transport(node: ProcessNode) -> bool:
    """Return whether AiiDA paused a process after a lost connection, and not a person or a workflow."""
    return (node.process_status or "").startswith(FAILED_TRANSPORT)


class Stillness:
    """Notices, looked at every few seconds, that unfinished processes go no further, whatever the reason is."""

    def __init__(self, seconds: float = STILL_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        """:param seconds: how long nothing may happen."""
        self.seconds = seconds
        self._clock = clock
        self._seen: object = None
        self._worked, self._since, self._looked = 0.0, clock(), clock()

    def look(self) -> Sign | None:
        """Return a sign when for long no program ran, no worker computed and no process changed."""
        now, seen, worked = self._clock(), _state_of_processes(), _seconds_of_workers()
        busy = worked - self._worked > BUSY_FRACTION * (now - self._looked) or worked < self._worked
        if seen is None or seen != self._seen or busy or programs():
            self._since = now
        self._seen, self._worked, self._looked = seen, worked, now
        if now - self._since < self.seconds:
            return None
        self._since = now
        return Sign(
            f"For {self.seconds:.0f} s no program ran and no process changed, though some are not finished.",
            curable=True,
            lasting=True,
        )


def _state_of_processes() -> object:
    """Return something that changes whenever a process does; None where nothing has to happen."""
    query = QueryBuilder().append(
        ProcessNode,
        filters={"attributes.process_state": {"in": ["created", "waiting", "running"]}},
        project=["id", "mtime", "attributes.paused"],
    )
    rows = query.all()
    # Below a paused process all may rightly wait.
    return sorted((pk, changed) for pk, changed, _ in rows) if rows and not any(row[2] for row in rows) else None


def _seconds_of_workers() -> float:
    """Return the processor time that the workers have used."""
    total = 0.0
    for part in daemon_processes():
        try:
            total += sum(psutil.Process(part.pid).cpu_times()[:2]) if part.role == "worker" else 0.0
        except psutil.NoSuchProcess:
            continue
    return total


# -------------------------------------------------------------------------------- signs
def _paused_signs(paused: list[ProcessNode]) -> Iterator[Sign]:
    for node in paused:
        reason = node.process_status or "no reason was noted"
        yield Sign(
            f"{node.process_label} <{node.pk}> is paused ({reason}): `verdi process play {node.pk}` goes on.",
            curable=was_paused_by_transport(node),
        )


def _doubled_signs() -> Iterator[Sign]:
    for node in doubled_processes():
        yield Sign(
            f"{node.process_label} <{node.pk}> has ended, in two workers at once, but its state does not say so.",
            curable=True,
            lasting=True,
        )


def _daemon_signs(parts: Sequence[DaemonProcess]) -> Iterator[Sign]:
    pid = get_daemon_client().get_daemon_pid()
    waiting = "while processes are not finished"
    if pid is None:
        yield Sign(f"The daemon is not running {waiting}: `verdi daemon start`.", curable=True)
    elif pid not in {part.pid for part in parts}:
        yield Sign(f"The daemon (process {pid}) died {waiting}.", curable=True, lasting=True)
    elif not any(part.role == "worker" for part in parts):
        yield Sign(f"The daemon has no workers {waiting}: `verdi daemon incr 2`.", curable=True)


def _broker_signs(parts: Sequence[DaemonProcess], patience_seconds: float) -> Iterator[Sign]:
    queue = TaskQueue.of_profile()
    if queue is None or get_daemon_client().get_daemon_pid() is None:
        return
    births = [part.born for part in parts if part.role == "broker"]
    # One that the daemon does not supervise is known by its own file.
    if not births and not get_manager().get_broker().check_service_reachable():
        yield Sign("The broker, which hands tasks to the workers, died.", curable=True, lasting=True)
        return
    # The daemon starts its broker first; one that it had to start again speaks where old workers do not listen.
    orphans = [part.pid for part in parts if part.role == "worker" and births and part.born < min(births) - 1]
    if orphans:
        yield Sign(
            f"The broker died and is another one now; worker {', '.join(map(str, orphans))} still listens to the old "
            "one, and will for ever.",
            curable=True,
            lasting=True,
        )
    elif (queue.waiting_seconds() or 0.0) > patience_seconds:
        yield Sign(
            f"Tasks have waited more than {patience_seconds:.0f} s, and no worker has one: the workers lost the "
            "broker.",
            curable=True,
        )


def _task_signs(active: Sequence[ProcessNode]) -> Iterator[Sign]:
    queue = TaskQueue.of_profile()
    # Calcfunctions have no task: they are a step of their caller. A task follows a moment after its process.
    old = [
        node
        for node in active
        if node.node_type.endswith(("WorkChainNode.", "CalcJobNode."))
        and (timezone.now() - node.ctime).total_seconds() > SUBMISSION_SECONDS
    ]
    lost = {node.pk: node for node in old} if queue is not None else {}
    for pk in queue.process_pks() if lost and queue is not None else ():
        lost.pop(pk, None)
    # Those that ended between the two questions have lost nothing.
    for node in [node for node in lost.values() if not node.is_terminated]:
        yield Sign(
            f"{node.process_label} <{node.pk}> is not finished, but no worker has the task to go on with it.",
            curable=True,
        )


def _log_signs(parts: Sequence[DaemonProcess]) -> Iterator[Sign]:
    """Poisoned database sessions of workers that are still alive; those of dead workers are history."""
    log = Path(get_daemon_client().daemon_log_file)
    if not log.exists():
        return
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
        tail = stream.read().decode("utf-8", errors="replace")
    poisoned: set[int] = set()
    writer: int | None = None
    for line in tail.splitlines():
        entry = re.match(r"\d\d/\d\d/\d{4} .{11} <(\d+)>", line)
        if entry:
            writer = int(entry.group(1))
        if "PendingRollbackError" in line and writer is not None:
            poisoned.add(writer)
    alive = sorted(part.pid for part in parts if part.pid in poisoned)
    if alive:
        yield Sign(
            f"The database session of worker {', '.join(map(str, alive))} is broken (PendingRollbackError, as "
            "after a full disk): it can't save anything any more.",
            curable=True,
        )


def _disk_signs() -> Iterator[Sign]:
    folders = {Path(get_config().dirpath)}
    for computer in QueryBuilder().append(Computer, filters={"transport_type": "core.local"}).all(flat=True):
        folders.add(Path(computer.get_workdir()))
    devices: set[int] = set()
    for folder in sorted(folders):
        if not folder.exists() or folder.stat().st_dev in devices:
            continue
        devices.add(folder.stat().st_dev)
        usage = psutil.disk_usage(str(folder))
        # On a large disk a tenth is plenty.
        if usage.free < FREE_FRACTION * usage.total and usage.free < FREE_BYTES:
            yield Sign(
                f"Less than {100 * FREE_FRACTION:.0f} % is free on the disk of {folder}: make room, since a full "
                "disk stops the daemon without a word.",
                curable=False,
            )

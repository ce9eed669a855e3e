"""Signs that the daemon hangs without a word, and the cure: stop, repair, start. Nothing is lost by it.

The signs are those of measured crashes: a broker that was killed leaves its tasks pending for ever, a full
disk poisons the database sessions of workers, and a job whose folder is lost pauses after a few attempts.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from aiida.brokers.zeromq.broker import ZeromqBroker
from aiida.brokers.zeromq.service import ZeromqBrokerService
from aiida.common.exceptions import ConfigurationError
from aiida.engine.daemon.client import DaemonException, get_daemon_client
from aiida.engine.processes.control import get_active_processes, play_processes
from aiida.manage import get_config, get_manager
from aiida.orm import Computer, ProcessNode, QueryBuilder

from aiida_seireact.cli._profile import use_this_environment

if TYPE_CHECKING:
    from aiida.manage.configuration import Profile

PATIENCE_SECONDS = 300.0
FREE_FRACTION = 0.10
FREE_BYTES = 20 * 1024**3
LOG_TAIL_BYTES = 512 * 1024
FAILED_TRANSPORT = "Pausing after failed transport task"


class Sign(str):
    """A sentence about a trouble, the same as long as the trouble lasts.

    ``curable`` says whether :func:`mend` helps against it.
    """

    curable: bool

    def __new__(cls, text: str, *, curable: bool) -> Sign:
        sign = super().__new__(cls, text)
        sign.curable = curable
        return sign


def signs_of_trouble(*, patience_seconds: float = PATIENCE_SECONDS) -> list[Sign]:
    """Return what is wrong with daemon, broker, processes and disk of the loaded profile; nothing is good news.

    Asks files and the database only, so it may be called every few seconds.

    :param patience_seconds: how long tasks may wait for a worker while none is being worked on.
    """
    active: list[ProcessNode] = get_active_processes()
    paused = [node for node in active if node.paused]
    signs = list(_paused_signs(paused))
    if len(active) > len(paused):
        signs += [*_daemon_signs(), *_broker_signs(patience_seconds), *_log_signs()]
    return [*signs, *_disk_signs()]


def mend(say: Callable[[str], None] = lambda line: None) -> list[str]:
    """Stop the daemon, give every unfinished process exactly one task again, start; return what was done.

    Processes go on from their last checkpoint. Those that AiiDA paused after a lost connection are played;
    those that a person or a workflow paused stay paused.

    :param say: called with each line as it happens.
    :raises RuntimeError: the repair failed, or the daemon can't be started; the message says what to do.
    """
    use_this_environment()
    profile = _profile()
    client = get_daemon_client()
    done: list[str] = []

    def tell(line: str) -> None:
        done.append(line)
        say(line)

    # A dead supervisor is not asked: the question would wait for `daemon.timeout`.
    if client.get_daemon_pid() in {process.pid for process in daemon_processes()}:
        try:
            client.stop_daemon(wait=True)
            tell("Stopped the daemon.")
        except DaemonException as error:
            tell(f"The daemon did not stop by itself ({error}).")
    left = _end(daemon_processes())
    if left:
        tell(f"Ended {left} processes of the daemon that were left over.")
    # A daemon that was killed leaves its file behind, and `verdi process repair` takes it for a running one.
    Path(client.circus_pid_file).unlink(missing_ok=True)

    command = [sys.executable, "-m", "aiida", "-p", profile.name, "process", "repair", "--force"]
    repair = subprocess.run(command, capture_output=True, text=True, env=client.get_env(), check=False)
    if repair.returncode:
        raise RuntimeError(
            f"`verdi process repair` failed ({repair.stderr.strip()[-300:]}). The daemon is stopped; nothing "
            "is lost: make room if the disk is full, and mend again."
        )
    revived = re.findall(r"Revived process `(\d+)`", repair.stdout + repair.stderr)
    tell(f"Gave {len(revived)} processes their task again." if revived else "Every process has its task.")

    workers = int(get_config().get_option("daemon.default_workers", scope=profile.name))
    try:
        client.start_daemon(number_workers=workers)
    except (DaemonException, ConfigurationError) as error:
        raise RuntimeError(f"The daemon did not start: {error}. Try `verdi daemon start {workers}`.") from error
    tell(f"Started the daemon with {workers} workers.")

    paused = [node for node in get_active_processes(paused=True) if _was_paused_by_transport(node)]
    if paused:
        still = _play(paused)
        tell(f"Played {len(paused) - len(still)} processes that had paused after a lost connection.")
        if still:
            numbers = " ".join(str(node.pk) for node in still)
            tell(f"These did not answer yet; in a minute: `verdi process play {numbers}`.")
    return done


def _profile() -> Profile:
    profile = get_manager().get_profile()
    if profile is None:
        raise ConfigurationError("No profile is loaded.")
    return profile


# -------------------------------------------------------------------------------- signs
def _paused_signs(paused: list[ProcessNode]) -> Iterator[Sign]:
    for node in paused:
        reason = node.process_status or "no reason was noted"
        yield Sign(
            f"{node.process_label} <{node.pk}> is paused ({reason}): `verdi process play {node.pk}` goes on.",
            curable=_was_paused_by_transport(node),
        )


def _was_paused_by_transport(node: ProcessNode) -> bool:
    return (node.process_status or "").startswith(FAILED_TRANSPORT)


def _daemon_signs() -> Iterator[Sign]:
    pid = get_daemon_client().get_daemon_pid()
    waiting = "while processes are not finished"
    if pid is None:
        yield Sign(f"The daemon is not running {waiting}: `verdi daemon start`.", curable=True)
    elif pid not in {process.pid for process in daemon_processes()}:
        yield Sign(f"The daemon (process {pid}) died {waiting}.", curable=True)
    elif not any("worker" in process.cmdline for process in daemon_processes()):
        yield Sign(f"The daemon has no workers {waiting}: `verdi daemon incr 2`.", curable=True)


def _broker_signs(patience_seconds: float) -> Iterator[Sign]:
    broker = get_manager().get_broker()
    if not isinstance(broker, ZeromqBroker) or get_daemon_client().get_daemon_pid() is None:
        return
    if not broker.check_service_reachable():
        yield Sign("The broker, which hands tasks to the workers, died.", curable=True)
        return
    # Only names are read: aiida's own PersistentQueue moves the tasks of a living broker when it is opened.
    files = get_config().filepaths(_profile())["broker_service"]
    tasks = ZeromqBrokerService.FilepathLayout(files["dir"], files["log"]).storage_path / "tasks"
    pending = list((tasks / "pending").glob("*.json"))
    processing = list((tasks / "processing").glob("*.json"))
    if pending and not processing:
        ages = [time.time() - changed for changed in map(_changed, pending) if changed is not None]
        if max(ages, default=0.0) > patience_seconds:
            yield Sign(
                f"Tasks have waited more than {patience_seconds:.0f} s, and no worker has one: the workers lost the "
                "broker.",
                curable=True,
            )


def _changed(path: Path) -> float | None:
    try:
        # Not the modification time: a task goes back to the queue by renaming, which leaves that alone.
        return path.stat().st_ctime
    except FileNotFoundError:
        return None


def _log_signs() -> Iterator[Sign]:
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
    alive = sorted(process.pid for process in daemon_processes() if process.pid in poisoned)
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


# -------------------------------------------------------------------------------- processes of the daemon
@dataclass(frozen=True)
class DaemonProcess:
    """A process of this profile's daemon: its supervisor and its statistics, its broker or a worker."""

    pid: int
    cmdline: tuple[str, ...]


def daemon_processes() -> list[DaemonProcess]:
    """Return the living processes of the loaded profile's daemon, and of no other folder of AiiDA."""
    name, folder = _profile().name, str(get_config().dirpath)
    log = get_daemon_client().circus_log_file
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            ours = any(line[i : i + 3] == ["-p", name, "daemon"] for i in range(len(line)))
            # Another folder may hold a profile of the same name.
            ours = ours and process.environ().get("AIIDA_PATH") == folder
            # The supervisor's own statistics, which outlive it when it is killed.
            ours = ours or log in line
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(DaemonProcess(process.pid, tuple(line)))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def _end(processes: list[DaemonProcess]) -> int:
    """Wait for processes to end, then end them, kindly first; return how many had to be ended."""
    left = []
    for item in processes:
        try:
            left.append(psutil.Process(item.pid))
        except psutil.NoSuchProcess:
            continue
    _, left = psutil.wait_procs(left, timeout=5)
    n_ended = len(left)
    for signal, patience in (("terminate", 10), ("kill", 5)):
        for process in left:
            try:
                getattr(process, signal)()
            except psutil.NoSuchProcess:
                continue
        _, left = psutil.wait_procs(left, timeout=patience)
    return n_ended


def _play(nodes: list[ProcessNode], *, seconds: float = 60.0) -> list[ProcessNode]:
    """Play processes as soon as workers have loaded them; return those that did not answer in time."""
    deadline = time.monotonic() + seconds
    waiting = list(nodes)
    while waiting and time.monotonic() < deadline:
        time.sleep(3)
        play_processes(waiting, timeout=5.0)
        time.sleep(1)
        waiting = [node for node in waiting if node.paused and not node.is_terminated]
    return waiting

"""What of a profile is alive on this machine: the processes of its daemon, the programs of its jobs, its task queue."""

from __future__ import annotations

import getpass
import json
import shutil
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil
from aiida.brokers.zeromq import ZeromqBroker
from aiida.brokers.zeromq.queue import PersistentQueue
from aiida.brokers.zeromq.service import ZeromqBrokerService
from aiida.common.exceptions import ConfigurationError
from aiida.engine.daemon.client import get_daemon_client
from aiida.manage import get_config, get_manager
from aiida.orm import CalcJobNode, Computer, QueryBuilder
from plumpy.process_comms import create_continue_body

if TYPE_CHECKING:
    from aiida.manage.configuration import Profile

# Of the folder of its sockets, which a broker makes beside other temporary ones (aiida-core 2.9.4).
SOCKETS_PREFIX = "aiida_zeromq_"


def loaded_profile() -> Profile:
    """Return the loaded profile.

    :raises ConfigurationError: none is loaded.
    """
    profile = get_manager().get_profile()
    if profile is None:
        raise ConfigurationError("No profile is loaded.")
    return profile


# -------------------------------------------------------------------------------- daemon
@dataclass(frozen=True)
class DaemonProcess:
    """A process of this profile's daemon."""

    pid: int
    cmdline: tuple[str, ...]
    born: float = 0.0
    """Seconds since the epoch."""

    @property
    def role(self) -> Literal["worker", "broker", "supervisor"]:
        """What it does; the supervisor's statistics count as the supervisor."""
        if "worker" in self.cmdline:
            return "worker"
        return "broker" if "broker" in self.cmdline else "supervisor"


def daemon_processes() -> list[DaemonProcess]:
    """Return the living processes of the loaded profile's daemon, and of no other folder of AiiDA."""
    name, folder = loaded_profile().name, str(get_config().dirpath)
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
                found.append(DaemonProcess(process.pid, tuple(line), process.create_time()))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def end(pids: Iterable[int], *, seconds: float = 5.0) -> int:
    """Wait for processes to end, then end them, kindly first; return how many had to be ended.

    :param seconds: how long they may take to end by themselves.
    """
    left = []
    for pid in pids:
        try:
            left.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    _, left = psutil.wait_procs(left, timeout=seconds)
    n_ended = len(left)
    for signal, patience in (("terminate", 10), ("kill", 5)):
        for process in left:
            try:
                getattr(process, signal)()
            except psutil.NoSuchProcess:
                continue
        _, left = psutil.wait_procs(left, timeout=patience)
    return n_ended


# -------------------------------------------------------------------------------- programs
@dataclass(frozen=True)
class Program:
    """A living process in the folder of a job."""

    pid: int
    name: str
    uuid: str
    """Of the job whose folder it works in."""
    ancestry: frozenset[int]
    """Its own number and those of the processes above it."""


def programs() -> list[Program]:
    """Return what the jobs of this profile run on this machine without a queueing system; shells of people are not."""
    local = {"transport_type": "core.local", "scheduler_type": "core.direct"}
    computers = QueryBuilder().append(Computer, filters=local).all(flat=True)
    scratch = [Path(computer.get_workdir().format(username=getpass.getuser())) for computer in computers]
    found = []
    for process in psutil.process_iter():
        try:
            cwd = Path(process.cwd())
            root = next((folder for folder in scratch if cwd.is_relative_to(folder)), None)
            parts = cwd.relative_to(root).parts if root is not None else ()
            # Jobs have no terminal; who looks around in their folder has one.
            if len(parts) < 3 or process.terminal() is not None or process.status() == psutil.STATUS_ZOMBIE:
                continue
            ancestry = frozenset({process.pid, *(above.pid for above in process.parents())})
            found.append(Program(process.pid, process.name(), "".join(parts[:3]), ancestry))
        except psutil.Error:
            continue
    return found


def strays(*, daemon_stopped: bool) -> list[Program]:
    """Return the programs whose job is over, or started them twice: they would write beside its successor.

    :param daemon_stopped: no job is being started at this moment, so one that did not note its program starts it again.
    """
    running = programs()
    query = QueryBuilder().append(
        CalcJobNode,
        filters={"uuid": {"in": sorted({program.uuid for program in running})}},
        project=["uuid", "attributes.process_state", "attributes.job_id"],
    )
    jobs = {key: (state, number) for key, state, number in query.all()} if running else {}
    found = []
    for program in running:
        state, number = jobs.get(program.uuid, (None, None))
        if state is None:
            continue
        is_over = state in ("finished", "excepted", "killed")
        is_its_own = number is not None and int(number) in program.ancestry
        if is_over or (daemon_stopped and not is_its_own):
            found.append(program)
    return found


# -------------------------------------------------------------------------------- tasks
class TaskQueue:
    """The tasks of AiiDA's own broker, one file each; read without disturbing the broker that is at work on them."""

    def __init__(self) -> None:
        files = get_config().filepaths(loaded_profile())["broker_service"]
        self.layout = ZeromqBrokerService.FilepathLayout(files["dir"], files["log"])
        self.folder = self.layout.storage_path / "tasks"

    @classmethod
    def of_profile(cls) -> TaskQueue | None:
        """Return the queue of the loaded profile, None if it has another broker."""
        return cls() if isinstance(get_manager().get_broker(), ZeromqBroker) else None

    def waiting_seconds(self) -> float | None:
        """Return for how long tasks have waited while no worker has one; None if one has, or there are none."""
        if next((self.folder / "processing").glob("*.json"), None) is not None:
            return None
        # Not the modification time: a task goes back to the queue by renaming, which leaves that alone.
        changed = [seconds for path in (self.folder / "pending").glob("*.json") if (seconds := _changed(path))]
        return time.time() - min(changed) if changed else None

    def process_pks(self) -> set[int]:
        """Return the processes that have a task, waiting or being worked on."""
        found = set()
        # A task moves between the folders at any moment, and back: what is in neither at one look is at the next.
        for name in ("pending", "processing", "pending"):
            for path in (self.folder / name).glob("*.json"):
                try:
                    found.add(int(json.loads(path.read_text())["body"]["args"]["pid"]))
                except (OSError, ValueError, KeyError, TypeError):
                    continue
        return found

    def repair(self, active: Iterable[int]) -> list[int]:
        """Give every active process exactly one task; return those that had none. The daemon must be stopped.

        `verdi process repair` (aiida-core 2.9.4) gives tasks that count as done once a worker has begun them: at the
        next crash they are lost for good. These here stay until the process has ended.
        """
        queue = PersistentQueue(self.folder)
        wanted = set(active)
        for task_id, task in queue.get_all_pending():
            arguments = (task.get("body") or {}).get("args", {})
            if arguments.get("pid") in wanted and not arguments.get("nowait"):
                wanted.remove(arguments["pid"])
            else:
                queue.remove_pending(task_id)
        for torn in self.folder.glob("*/*.tmp"):
            torn.unlink(missing_ok=True)
        for pk in sorted(wanted):
            task_id = uuid.uuid4().hex
            queue.push(task_id, {"id": task_id, "body": create_continue_body(pid=pk, nowait=False), "no_reply": True})
        return sorted(wanted)

    def forget_dead_broker(self) -> None:
        """Remove what a killed broker left behind: new workers would connect to its socket, and wait for ever."""
        with suppress(OSError):
            sockets = Path(self.layout.sockets_file.read_text().strip())
            if sockets.name.startswith(SOCKETS_PREFIX):
                shutil.rmtree(sockets, ignore_errors=True)
        for path in (self.layout.pid_file, self.layout.sockets_file, self.layout.status_file):
            path.unlink(missing_ok=True)


def _changed(path: Path) -> float | None:
    try:
        return path.stat().st_ctime
    except FileNotFoundError:
        return None

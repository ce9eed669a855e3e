"""The cure of a hang: stop, clear up, give every process its task, start. Nothing is lost by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from aiida.common import timezone
from aiida.common.exceptions import ConfigurationError
from aiida.engine.daemon.client import DaemonClient, DaemonException, get_daemon_client
from aiida.engine.processes.control import get_active_processes, iterate_process_tasks, play_processes
from aiida.manage import get_config, get_manager
from aiida.orm import CalcFunctionNode, ProcessNode, QueryBuilder, WorkFunctionNode
from plumpy.process_states import ProcessState

from aiida_seireact.cli._profile import use_this_environment
from aiida_seireact.cli.daemon_parts import TaskQueue, daemon_processes, end, loaded_profile, strays
from aiida_seireact.cli.doubled import doubled_processes, tell_its_end
from aiida_seireact.cli.watchdog import was_paused_by_transport

UNSEALED_SECONDS = 30.0
KILLED = "It was left behind by a crash; what needed it was done again."

Say = Callable[[str], None]


def mend(say: Say = lambda line: None) -> list[str]:
    """Stop the daemon, give every unfinished process exactly one task again, start; return what was done.

    Processes go on from their last checkpoint. Those that AiiDA paused after a lost connection are played;
    those that a person or a workflow paused stay paused.

    :param say: called with each line as it happens.
    :raises RuntimeError: the repair failed, or the daemon can't be started; the message says what to do.
    """
    use_this_environment()
    profile = loaded_profile()
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
    left = end(process.pid for process in daemon_processes())
    if left:
        tell(f"Ended {left} processes of the daemon that were left over.")
    forget_dead_daemon(client)
    clear_up(tell, daemon_stopped=True)

    queue = TaskQueue.of_profile()
    active = [node.pk for node in get_active_processes()]
    revived = queue.repair(active) if queue is not None else repair_rabbitmq(active)
    tell(
        f"Gave {len(revived)} of {len(active)} unfinished processes their task again."
        if revived
        else "Every process has its task."
    )

    workers = int(get_config().get_option("daemon.default_workers", scope=profile.name))
    try:
        client.start_daemon(number_workers=workers)
    except (DaemonException, ConfigurationError) as error:
        raise RuntimeError(f"The daemon did not start: {error}. Try `verdi daemon start {workers}`.") from error
    # What this process would say from now on, it would say to the broker that is gone.
    get_manager().reset_broker()
    get_manager().reset_runner()
    tell(f"Started the daemon with {workers} workers.")

    paused = [node for node in get_active_processes(paused=True) if was_paused_by_transport(node)]
    if paused:
        still = _play(paused)
        tell(f"Played {len(paused) - len(still)} processes that had paused after a lost connection.")
        if still:
            numbers = " ".join(str(node.pk) for node in still)
            tell(f"These did not answer yet; in a minute: `verdi process play {numbers}`.")
    return done


def forget_dead_daemon(client: DaemonClient) -> None:
    """Remove the files by which a daemon that was killed seems to run still; no daemon may be running."""
    Path(client.circus_pid_file).unlink(missing_ok=True)
    if (queue := TaskQueue.of_profile()) is not None:
        queue.forget_dead_broker()


def clear_up(say: Say = lambda line: None, *, daemon_stopped: bool) -> None:
    """Close the processes that nobody will ever work on again, and end programs that nobody waits for.

    :param say: called with a line about each.
    :param daemon_stopped: no worker is alive.
    """
    for node in doubled_processes():
        state = tell_its_end(node)
        say(f"{node.process_label} <{node.pk}> had ended in two workers at once: {state.value}.")
    for node in dead_processes(daemon_stopped=daemon_stopped):
        close(node)
        say(f"Closed {node.process_label} <{node.pk}>: a crash ended it.")
    for node in unsealed_processes(daemon_stopped=daemon_stopped):
        node.seal()
    stray = strays(daemon_stopped=daemon_stopped)
    if stray:
        end((program.pid for program in stray), seconds=0)
        names = ", ".join(sorted({f"{program.name} ({program.pid})" for program in stray}))
        say(f"Ended {names}: the job that started it is over.")


def dead_processes(*, daemon_stopped: bool) -> list[ProcessNode]:
    """Return unfinished processes that can't go on: steps of a caller that is past them, and those never really born.

    A calcfunction is a step of its caller and dies with the worker; the caller then does the step again, as
    another process. One without a caller may be at work in somebody's shell.

    :param daemon_stopped: no worker is alive, so nobody is at work on the step of any caller.
    """
    found = []
    for node in get_active_processes():
        caller = node.caller
        if isinstance(node, CalcFunctionNode | WorkFunctionNode):
            is_dead = caller is not None and (
                daemon_stopped or caller.is_terminated or max(child.pk for child in caller.called) > node.pk
            )
        else:
            # Who submitted it was killed before the first checkpoint was stored.
            is_dead = daemon_stopped and node.checkpoint is None
        # It may have ended, and its caller gone on, between the two looks.
        if is_dead and not node.is_sealed:
            found.append(node)
    return found


def close_left_over(top: ProcessNode, say: Say = lambda line: None) -> None:
    """Close what is unfinished below a finished process, once the daemon is stopped: nobody waits for it.

    A caller that was killed between a submission and its next checkpoint submits again, and knows one child only.

    :param say: called with a line about each.
    """
    for node in top.called_descendants:
        if not node.is_terminated:
            close(node)
            say(f"Closed {node.process_label} <{node.pk}>: a crash had started it twice.")


def unsealed_processes(*, daemon_stopped: bool) -> list[ProcessNode]:
    """Return processes whose worker was killed between their end and their seal; nobody else would ever seal them."""
    filters = {
        "attributes.process_state": {"in": ["finished", "excepted", "killed"]},
        "or": [{"attributes": {"!has_key": "sealed"}}, {"attributes.sealed": False}],
    }
    if not daemon_stopped:
        filters["mtime"] = {"<": timezone.now() - timedelta(seconds=UNSEALED_SECONDS)}
    return QueryBuilder().append(ProcessNode, filters=filters).all(flat=True)


def close(node: ProcessNode) -> None:
    """End a dead process in the graph: killed, with its reason, and never to be changed or taken from the cache."""
    node.set_process_state(ProcessState.KILLED)
    node.set_process_status(KILLED)
    node.delete_checkpoint()
    node.seal()


def repair_rabbitmq(active: Iterable[int]) -> list[int]:
    """Give every active process exactly one task in RabbitMQ; return those that had none. The daemon must be stopped.

    `verdi process repair --force` (aiida-core 2.9.4) would also end every connection to the profile's database, that of
    this process among them.

    :raises RuntimeError: RabbitMQ does not answer.
    """
    manager = get_manager()
    # Both may be connected to one that is gone, and a runner that keeps a closed connection can't submit any more.
    manager.reset_broker()
    manager.reset_runner()
    wanted = set(active)
    try:
        for task in iterate_process_tasks(manager.get_broker()):
            pk = task.body.get("args", {}).get("pid")
            if pk in wanted:
                # What is not answered goes back to the queue.
                wanted.remove(pk)
            else:
                with task.processing() as outcome:
                    outcome.set_result(False)
        for pk in sorted(wanted):
            manager.get_process_controller().continue_process(pk, nowait=False, no_reply=True)
    except (ConnectionError, TimeoutError) as error:
        raise RuntimeError(
            f"RabbitMQ does not answer ({error}). The daemon is stopped; nothing is lost: start RabbitMQ "
            "(`sudo systemctl start rabbitmq-server`), and mend again."
        ) from error
    return sorted(wanted)


def _play(nodes: Iterable[ProcessNode], *, seconds: float = 60.0) -> list[ProcessNode]:
    """Play processes as soon as workers have loaded them; return those that did not answer in time."""
    deadline = time.monotonic() + seconds
    waiting = list(nodes)
    while waiting and time.monotonic() < deadline:
        time.sleep(3)
        play_processes(waiting, timeout=5.0)
        time.sleep(1)
        waiting = [node for node in waiting if node.paused and not node.is_terminated]
    return waiting

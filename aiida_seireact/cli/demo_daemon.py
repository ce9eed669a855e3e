"""The daemon of the demo: started, watched while the run goes on, stopped at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

LOOK_FOR_TROUBLE_EVERY_SECONDS = 10.0
PATIENCE_SECONDS = 30.0
BROKER_SECONDS = 60.0


def start_daemon(workers: int) -> None:
    """Start the daemon, or mend one that a kill or a reboot left in pieces.

    :raises click.ClickException: it does not start.
    """
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    from aiida_seireact.cli.daemon_parts import daemon_processes
    from aiida_seireact.cli.mending import clear_up, forget_dead_daemon, mend
    from aiida_seireact.cli.watchdog import signs_of_trouble

    client = get_daemon_client()
    roles = {part.role for part in daemon_processes()}
    signs = signs_of_trouble(patience_seconds=PATIENCE_SECONDS, all_submitted=True)
    trouble = [str(sign) for sign in signs if sign.curable]
    if not trouble and roles and not {"supervisor", "worker"} <= roles:
        trouble = [f"Of the daemon only this is alive: {', '.join(sorted(roles))}."]
    try:
        if trouble:
            for sign in trouble:
                click.echo(f"Trouble: {sign}")
            mend(lambda line: click.echo(f"  {line}"))
        elif not roles:
            forget_dead_daemon(client)
            clear_up(click.echo, daemon_stopped=True)
            client.start_daemon(number_workers=workers)
    except (DaemonException, RuntimeError) as error:
        raise click.ClickException(f"The daemon did not start: {error}") from None
    await_broker()


def await_broker(seconds: float = BROKER_SECONDS) -> None:
    """Wait until the broker answers: on a busy machine it needs longer than a submission would wait for it.

    :raises click.ClickException: it does not answer in time.
    """
    from aiida.brokers.zeromq import ZeromqBroker
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    deadline = time.monotonic() + seconds
    while isinstance(broker, ZeromqBroker) and not broker.check_service_reachable():
        if time.monotonic() > deadline:
            raise click.ClickException(
                f"AiiDA's broker does not answer after {seconds:.0f} s: `aiida-seireact doctor --mend` tells more."
            )
        time.sleep(0.2)


def stop_daemon(top: ProcessNode) -> None:
    """Stop the daemon and close what crashes left over of a run; a daemon that can't be stopped is told."""
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    from aiida_seireact.cli.daemon_parts import daemon_processes, end
    from aiida_seireact.cli.mending import clear_up, close_left_over, forget_dead_daemon

    try:
        client = get_daemon_client()
        if client.is_daemon_running:
            client.stop_daemon(wait=True)
    except DaemonException as error:
        click.secho(f"The daemon did not stop by itself ({error}).", fg="yellow")
    end(process.pid for process in daemon_processes())
    forget_dead_daemon(client)
    close_left_over(top, click.echo)
    clear_up(click.echo, daemon_stopped=True)


class Guard:
    """Looks for signs of a hang now and then, says them, and mends what stays: within a minute of the crash."""

    def __init__(
        self,
        every_seconds: float = LOOK_FOR_TROUBLE_EVERY_SECONDS,
        alone: Callable[[], AbstractContextManager[bool]] = lambda: nullcontext(True),
    ) -> None:
        """:param alone: gives True while no other call of the demo is at work on the same folder."""
        from aiida_seireact.cli.watchdog import Stillness

        self.every_seconds = every_seconds
        self._alone = alone
        self._next = time.monotonic() + every_seconds
        self._before: frozenset[str] = frozenset()
        self._was_curable = False
        # A machine on which workers take longer to come back shall not be mended for ever.
        self._patience, self._stillness = PATIENCE_SECONDS, Stillness()

    def __call__(self, say: Callable[[str], None]) -> list[str]:
        """Look if it is time; mend what never passes, and what was there the last time too: a worker may restart.

        :param say: called with each line about mending.
        :returns: the signs, for the view; empty while it is not time.
        """
        if time.monotonic() < self._next:
            return sorted(self._before)
        with self._alone() as alone:
            signs = self._look(say) if alone else []
        self._before = frozenset(signs)
        self._next = time.monotonic() + self.every_seconds
        return sorted(self._before)

    def _look(self, say: Callable[[str], None]) -> list[str]:
        from aiida_seireact.cli import mending, watchdog

        mending.clear_up(say, daemon_stopped=False)
        signs = watchdog.signs_of_trouble(patience_seconds=self._patience, all_submitted=True)
        if (still := self._stillness.look()) is not None:
            signs.append(still)
        curable = [sign for sign in signs if sign.curable]
        if not any(sign.lasting for sign in curable) and not (curable and self._was_curable):
            self._was_curable = bool(curable)
            return list(signs)
        for sign in sorted(curable):
            say(f"Trouble: {sign}")
        self._was_curable = False
        self._patience *= 2
        self._stillness = watchdog.Stillness(2 * self._stillness.seconds)
        try:
            for line in mending.mend():
                say(f"  {line}")
        except RuntimeError as error:
            say(f"  {error}")
            return list(signs)
        return [sign for sign in signs if not sign.curable]

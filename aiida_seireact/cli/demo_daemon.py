"""The daemon of the demo: started, watched while the run goes on, stopped at the end."""

from __future__ import annotations

import time
from collections.abc import Callable

import click

LOOK_FOR_TROUBLE_EVERY_SECONDS = 30.0
BROKER_SECONDS = 60.0


def start_daemon(workers: int) -> None:
    """Start the daemon, or mend one that a kill or a reboot left in pieces.

    :raises click.ClickException: it does not start.
    """
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    from aiida_seireact.cli.watchdog import mend, signs_of_trouble

    client = get_daemon_client()
    try:
        if any(sign.curable for sign in signs_of_trouble()):
            mend(lambda line: click.echo(f"  {line}"))
        elif not client.is_daemon_running:
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


def stop_daemon() -> None:
    """Stop the daemon; one that can't be stopped is told, since the run is over."""
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    try:
        client = get_daemon_client()
        if client.is_daemon_running:
            client.stop_daemon(wait=True)
    except DaemonException as error:
        click.secho(f"The daemon did not stop ({error}): `verdi daemon stop`.", fg="yellow")


class Guard:
    """Looks for signs of a hang now and then, says them, and mends what stays."""

    def __init__(self, every_seconds: float = LOOK_FOR_TROUBLE_EVERY_SECONDS) -> None:
        self.every_seconds = every_seconds
        self._next = time.monotonic() + every_seconds
        self._before: frozenset[str] = frozenset()

    def __call__(self, say: Callable[[str], None]) -> list[str]:
        """Look if it is time; mend what was there the last time too, since a restarting worker is no trouble.

        :param say: called with each line about mending.
        :returns: the signs, for the view; empty while it is not time.
        """
        from aiida_seireact.cli.watchdog import mend, signs_of_trouble

        if time.monotonic() < self._next:
            return sorted(self._before)
        signs = signs_of_trouble(patience_seconds=4 * self.every_seconds)
        curable = frozenset(sign for sign in signs if sign.curable)
        if curable & self._before:
            for sign in sorted(curable):
                say(f"Trouble: {sign}")
            try:
                for line in mend():
                    say(f"  {line}")
                signs = []
            except RuntimeError as error:
                say(f"  {error}")
        self._before = frozenset(signs)
        self._next = time.monotonic() + self.every_seconds
        return sorted(self._before)

"""``aiida-seireact demo``: the whole loop on a small cell, in a folder and a profile of its own."""

from __future__ import annotations

import sys
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli.demo_daemon import Guard, start_daemon, stop_daemon
from aiida_seireact.cli.demo_folder import Folder, at_work, point_aiida_at, refuse_impossible, remove_debris, set_up
from aiida_seireact.cli.demo_outcome import again, conclude, tell_how_to_go_on
from aiida_seireact.cli.demo_overrides import read_overrides
from aiida_seireact.cli.demo_plan import EXPECTED_SECONDS, tell_plan
from aiida_seireact.cli.demo_process import Choice, build, find, why
from aiida_seireact.cli.interrupts import interruptible, undisturbed

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

INTERRUPTED = 130


@click.command("demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"), show_default=True,
    help="Folder of the demo: its own AiiDA, scratch, report.",
)  # fmt: skip
@click.option(
    "--labeller", help="Calculator of `seireact-label` that labels; default: that of the protocol, CHGNet in `fast`."
)
@click.option("--protocol", default="fast", show_default=True, help="Protocol of the ReactWorkChain.")
@click.option(
    "--overrides", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.yaml",
    help="Other values than those of the protocol, nested as in it, for example `train: {settings: {max_epochs: 5}}`.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Daemon workers.")
@click.option("--live/--no-live", default=True, help="Live view; plain lines where the output is no terminal.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and how long it takes; do nothing.")
@click.option(
    "--fresh", is_flag=True, help="Submit anew even if this very demo is there; the cache answers what is known."
)
@click.option("--keep-daemon", is_flag=True, help="Leave the daemon running at the end.")
def demo(
    folder: Path,
    labeller: str | None,
    protocol: str,
    overrides: Path | None,
    workers: int,
    live: bool,
    dry_run: bool,
    fresh: bool,
    keep_daemon: bool,
) -> None:
    """Run the whole loop on a small Li | Li6PS5Cl | Li cell, as a person would run a study: label, learn, produce,
    recognise; submitted to the daemon, followed until it is done, told in a report.

    Ctrl-C ends the view, not the run. Called again it goes on where it was, also after a kill or a reboot.
    """
    place = Folder(folder.absolute())
    values = read_overrides(overrides)
    try:
        refuse_impossible(place)
        if dry_run:
            tell_plan(place, labeller, protocol, workers, values)
            return
        with interruptible():
            choice = Choice(protocol, values, labeller)
            code = run(place, choice, workers, live=live, fresh=fresh, keep_daemon=keep_daemon)
    except KeyboardInterrupt:
        click.echo()
        click.echo(f"Interrupted while setting up; nothing is broken: {again(place)} goes on.")
        code = INTERRUPTED
    sys.exit(code)


def run(place: Folder, choice: Choice, workers: int, *, live: bool, fresh: bool, keep_daemon: bool) -> int:
    """Set up, submit or find the run, follow it, report; return the exit status."""
    node = None
    try:
        with at_work(place, wait=True):
            node = begin(place, choice, workers, fresh=fresh)
        if not node.is_finished_ok:
            from aiida_seireact.cli.render.live import Follower

            # The plan knows how long the protocol takes as it is.
            expected = None if choice.overrides else EXPECTED_SECONDS.get(choice.protocol)
            guard = Guard(alone=partial(at_work, place, wait=False))
            Follower(node, expected=expected, folder=place.shown, live=live).follow(guard=guard)
        code = conclude(place, node)
    except KeyboardInterrupt:
        if node is None:
            raise
        tell_how_to_go_on(place, node)
        return INTERRUPTED
    if not keep_daemon:
        with at_work(place, wait=True):
            stop_daemon(node)
    return code


def begin(place: Folder, choice: Choice, workers: int, *, fresh: bool) -> ProcessNode:
    """Set up, then submit the run, or find it; return it, with a daemon at work on it unless it is done.

    :raises SystemExit: interrupted in the moment of submission; how to go on is told.
    """
    remove_debris(place)
    point_aiida_at(place)
    from aiida.engine import submit

    set_up(place, workers)
    builder = build(choice)
    node = None if fresh else find(builder.metadata.label)
    if node is not None and node.is_finished_ok:
        click.echo(f"This demo is done already (process {node.pk}); the report is made again. --fresh runs it anew.")
        return node
    start_daemon(workers)
    if node is not None and node.is_terminated:
        click.echo(f"Process {node.pk} of last time ended ({why(node)}).")
        click.echo("It is submitted anew; what succeeded comes from the cache.")
        node = None
    if node is not None:
        submitted = node.ctime.astimezone(UTC)
        click.echo(f"Going on with {node.process_label} <{node.pk}>, submitted {submitted:%-d %b %H:%M} UTC.")
        return node
    try:
        with undisturbed():
            node = submit(builder)
            click.echo(f"Submitted {node.process_label} <{node.pk}> to the daemon.")
    except KeyboardInterrupt:
        # Held back meanwhile: the run is there, so it is no set-up that was interrupted.
        tell_how_to_go_on(place, node)
        sys.exit(INTERRUPTED)
    return node

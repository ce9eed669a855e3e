"""What a person sees while a run goes on: a view that renews itself, or plain lines without a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence

import click
from aiida import orm
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from aiida_seireact.cli.progress import Progress, Stage, progress_of
from aiida_seireact.cli.status import duration, render
from aiida_seireact.query.family import family_of

# A look costs a sixth of a second of the core that the programs want.
LOOK_EVERY_SECONDS = 3.0
PLAIN_EVERY_SECONDS = 15.0
SHOWN_ERRORS = 3

Guard = Callable[[Callable[[str], None]], Sequence[str]]
"""Called at each look with a function that prints a line; returns the signs of trouble to show."""


class Follower:
    """Follows a run until it is over."""

    def __init__(
        self,
        node: orm.ProcessNode,
        *,
        expected: Mapping[str, float] | None = None,
        folder: str = "demo",
        live: bool = True,
    ) -> None:
        """:param expected: seconds of each stage on a quiet machine, for the time left; none: no estimate.

        :param folder: the demo's folder as a person would type it.
        :param live: renew a view where the output is a terminal; else, and without, print plain lines.
        """
        self.node = node
        self.expected = dict(expected or {})
        self.folder = folder
        self.console = Console(highlight=False)
        self.live = live and self.console.is_terminal

    def follow(self, guard: Guard = lambda say: ()) -> Progress:
        """Show the run until it is over; return the last look.

        :raises KeyboardInterrupt: passed on from Ctrl-C.
        """
        return self._renew(guard) if self.live else self._print(guard)

    def _renew(self, guard: Guard) -> Progress:
        with Live(console=self.console, auto_refresh=False, vertical_overflow="crop") as view:
            while True:
                signs = guard(lambda line: view.console.print(line, markup=False))
                now = progress_of(self.node)
                view.update(self._screen(now, signs), refresh=True)
                if self._is_over(now):
                    return now
                time.sleep(LOOK_EVERY_SECONDS)

    def _print(self, guard: Guard) -> Progress:
        said: tuple[tuple[str, str], ...] | None = None
        said_at = 0.0
        told: set[str] = set()
        while True:
            signs = guard(click.echo)
            now = progress_of(self.node)
            for line in (*last_errors(self.node, now), *signs):
                if line not in told:
                    told.add(line)
                    click.echo(f"! {line}")
            over = self._is_over(now)
            stages = tuple((stage.name, stage.state) for stage in now.stages)
            if stages != said or time.monotonic() - said_at >= PLAIN_EVERY_SECONDS or over:
                click.echo(plain_line(now, self.expected))
                said, said_at = stages, time.monotonic()
            # Behind a pipe a line that stays in the buffer is no progress.
            sys.stdout.flush()
            if over:
                return now
            time.sleep(LOOK_EVERY_SECONDS)

    def _is_over(self, now: Progress) -> bool:
        # A process is sealed a moment after its state says finished; only then are its links and times final.
        return now.is_terminated and self.node.is_sealed

    def _screen(self, now: Progress, signs: Sequence[str]) -> RenderableType:
        parts: list[RenderableType] = [render(now)]
        if now.is_terminated:
            return Group(*parts)
        left = time_left(now.stages, self.expected)
        if left is not None:
            parts.append(Text(f"about {duration(left)} left", style="bold"))
        parts += [Text(f"✗ {error}", style="red") for error in last_errors(self.node, now)]
        parts += [Text(f"! {sign}", style="yellow") for sign in signs]
        hint = f"Ctrl-C ends this view, not the run. In another shell: source {self.folder}/env.sh"
        return Group(*parts, Text(hint, style="dim"))


def last_errors(node: orm.ProcessNode, now: Progress) -> list[str]:
    """Return the last failures under ``node``, those that were tried again included."""
    if not now.n_failed:
        return []
    failed = [member for member in family_of(node) if member.is_failed]
    return [
        f"{member.name} <{member.pk}> {member.state}: {member.reason or 'no reason given'}"
        for member in failed[-SHOWN_ERRORS:]
    ]


def plain_line(now: Progress, expected: Mapping[str, float]) -> str:
    """Return one line about a run, for logs."""
    running = [stage.name for stage in now.stages if stage.state in ("running", "paused")]
    parts = [f"[{duration(now.seconds)}]", ", ".join(running) or now.state]
    parts += [job.last_line for job in now.jobs if job.last_line][-2:]
    if now.n_labels:
        parts.append(f"{now.n_labels} frames labelled")
    left = None if now.is_terminated else time_left(now.stages, expected)
    if left is not None:
        parts.append(f"about {duration(left)} left")
    return " · ".join(parts)


def time_left(stages: Sequence[Stage], expected: Mapping[str, float]) -> float | None:
    """Estimate the seconds to go from the plan of each stage and how fast this machine has been so far.

    :param expected: seconds of each stage of the critical path; stages beside it are left out.
    """
    known = [stage for stage in stages if stage.name in expected]
    if not known:
        return None
    # What came from the cache says nothing about speed.
    done = [stage for stage in known if stage.state == "done" and stage.n_from_cache < stage.n_processes / 2]
    # A stage or two say little: the plan counts like a minute that was measured.
    measured = sum(stage.seconds or 0.0 for stage in done) + 60
    speed = measured / (sum(expected[stage.name] for stage in done) + 60)
    left = 0.0
    for stage in known:
        ahead = expected[stage.name] * speed
        if stage.state == "waiting":
            left += ahead
        elif stage.state in ("running", "paused"):
            left += max(ahead - (stage.seconds or 0.0), 0.1 * ahead)
    return left

"""``aiida-seireact status``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load, load_process, profile_option, terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from aiida_seireact.cli.conditions import ConditionNow
    from aiida_seireact.cli.progress import Progress

FOLLOW_SECONDS = 3.0

COLOURS = {
    "done": "green",
    "running": "cyan",
    "waiting": "dim",
    "paused": "yellow",
    "failed": "red",
    "killed": "red",
}


@click.command("status")
@profile_option
@click.argument("process", metavar="PK|UUID")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
@click.option("--follow", is_flag=True, help="Stay and show each change until PROCESS has ended; Ctrl-C leaves.")
def status(profile: str | None, process: str, as_json: bool, follow: bool) -> None:
    """Say how far PROCESS is, stage by stage; what runs now; why it waits or failed, and what to do.

    Any process of ours will do: a whole study (ReactWorkChain) or one of its parts.
    """
    load(profile)
    from dataclasses import asdict

    from aiida_seireact.cli.progress import progress_of
    from aiida_seireact.cli.watchdog import signs_of_trouble

    node = load_process(process)
    progress = progress_of(node)
    if follow and not as_json:
        from rich.live import Live

        with Live(render(progress), console=terminal(), auto_refresh=False) as live:
            while not progress.is_terminated:
                time.sleep(FOLLOW_SECONDS)
                progress = progress_of(node)
                live.update(render(progress), refresh=True)
        return
    # Of a process that has ended, the daemon's health is no news.
    signs = [] if progress.is_terminated else [str(sign) for sign in signs_of_trouble()]
    # A paused process is told by the progress already.
    signs = [sign for sign in signs if "is paused" not in sign]
    if as_json:
        click.echo(json.dumps({**asdict(progress), "signs_of_trouble": signs}, indent=2))
        return
    console = terminal()
    console.print(render(progress))
    if signs:
        console.print("[yellow]The daemon needs care[/]: `aiida-seireact doctor --mend`.")
        for sign in signs:
            console.print(f"  {sign}", markup=False)


def render(progress: Progress) -> RenderableType:
    """Return the progress for a terminal; also used by the live view of the demo."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    from aiida_seireact.cli.production import sentence

    head = Text.assemble(
        (f"{progress.process} <{progress.pk}>", "bold"),
        " is ",
        (progress.state, COLOURS[progress.state]),
        f" after {duration(progress.seconds)}",
        f" with exit status {progress.exit_status}" if progress.exit_status is not None else "",
        f" · {progress.n_processes} processes",
        f", {progress.n_from_cache} from the cache" if progress.n_from_cache else "",
        f" · {progress.n_labels} frames labelled" if progress.n_labels else "",
    )
    parts: list[RenderableType] = [head]
    if progress.stages:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title in ("stage", "state", "done", "time", ""):
            table.add_column(title, justify="right" if title in ("done", "time") else "left")
        for stage in progress.stages:
            table.add_row(
                stage.name,
                Text(stage.state, COLOURS[stage.state]),
                f"{stage.n_done}/{stage.n_processes}" if stage.n_processes else "",
                duration(stage.seconds) if stage.seconds is not None else "",
                escape(stage.message),
            )
        parts.append(table)
    for condition in progress.conditions:
        parts.append(Text(f"learning {condition_text(condition)}"))
    parts += [Text(f"{run.name} <{run.pk}>: {sentence(run)}") for run in progress.productions]
    for job in progress.jobs:
        line = f": {job.last_line}" if job.last_line else ""
        parts.append(Text(f"now: {job.process} <{job.pk}> {job.state}, {duration(job.seconds)}{line}"))
    if progress.errors:
        parts.append(Text(f"last model: {errors_text(progress.errors)}"))
    parts += [Text(cause, "red") for cause in progress.causes]
    parts += [Text(f"→ {line}") for line in progress.advice]
    return Group(*parts)


def condition_text(condition: ConditionNow) -> str:
    """Return how far a condition of on-the-fly learning is, in words."""
    steps = f" of {condition.steps}" if condition.steps is not None else ""
    return (
        f"{condition.name}: {condition.state}, step {condition.step}{steps} after {condition.n_legs} "
        f"leg{'' if condition.n_legs == 1 else 's'}, {condition.n_calls} ended by a call for a label"
    )


def errors_text(errors: dict[str, float]) -> str:
    """Return the errors of a model in words."""
    known = (
        ("force_rmse_ev_per_ang", "force error {:.3f} eV/Å"),
        ("force_rms_ev_per_ang", "of rms {:.3f}"),
        ("energy_rmse_mev_per_atom", "energy {:.1f} meV/atom"),
        ("stress_rmse_gpa", "stress {:.2f} GPa"),
    )
    return ", ".join(text.format(errors[key]) for key, text in known if errors.get(key) is not None)


def duration(seconds: float) -> str:
    """Return a time as a person says it: 42 s, 3 min 05 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"

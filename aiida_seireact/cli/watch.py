"""``aiida-seireact watch``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_process, profile_option, terminal

if TYPE_CHECKING:
    from aiida.orm import ProcessNode
    from rich.console import RenderableType

    from aiida_seireact.cli.looking import Eyes, Sight
    from aiida_seireact.cli.production import Run


@click.command("watch", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("process", metavar="PK|UUID")
@click.option("--once", is_flag=True, help="Look once and leave.")
@click.option("--json", "as_json", is_flag=True, help="Look once and write JSON, for programs.")
@click.option("--every", type=click.FloatRange(1.0), default=10.0, show_default=True, metavar="SECONDS",
              help="Time from look to look.")  # fmt: skip
@click.option("--stop", "reason", metavar="REASON", help="End the running job softly; `aiida-seireact extend` goes on "
              "later.")  # fmt: skip
def watch(profile: str | None, process: str, once: bool, as_json: bool, every: float, reason: str | None) -> None:
    """Look at long MD runs while they run: how far, how fast, how healthy, what they have cost and will.

    PROCESS is a ProduceWorkChain or any process above it; then all its runs are shown. Temperature and volume are drawn
    over the run so far. Of a run that has ended, its ledger is shown. Ctrl-C leaves; the run goes on.

    \b
    Examples:
      aiida-seireact watch 1300
      aiida-seireact watch 1300 --once
      aiida-seireact watch 1300 --stop "the queue is needed for labels"
      aiida-seireact extend 1300                                    on from there
    """
    load(profile)
    from aiida_seireact.cli.looking import Eyes

    node = load_process(process)
    with Eyes.opened() as eyes:
        if reason is not None:
            stop(eyes, node, reason)
            return
        sights = look(eyes, node)
        if not sights:
            raise click.ClickException(
                f"{node.process_label} <{node.pk}> has no MD run yet: `aiida-seireact status {node.pk}` tells how far "
                "it is."
            )
        if as_json:
            click.echo(json.dumps([as_plain(sight) for sight in sights], indent=2))
            return
        if once or node.is_terminated:
            terminal().print(render(sights))
            return
        from rich.live import Live

        with Live(render(sights), console=terminal(), auto_refresh=False) as live:
            while not node.is_terminated:
                time.sleep(every)
                live.update(render(look(eyes, node)), refresh=True)


def look(eyes: Eyes, node: ProcessNode) -> list[Sight]:
    """Return the runs of a process that have not ended, all of one that has."""
    sights = [eyes.look(run) for run in _runs(node)]
    if node.is_terminated:
        return sights
    going_on = [sight for sight in sights if sight.production.state in ("running", "paused", "waiting")]
    return going_on or sights


def stop(eyes: Eyes, node: ProcessNode, reason: str) -> None:
    """Ask the running job of a process to end, and say what happens next.

    :raises click.ClickException: no job runs, or several do.
    """
    running = [(run, job) for run in _runs(node) if (job := run.running) is not None]
    if not running:
        raise click.ClickException(f"No MD job of {node.process_label} <{node.pk}> is under way, so none was stopped.")
    if len(running) > 1:
        names = ", ".join(f"<{run.chain.pk}> ({run.chain.call_label or run.chain.name})" for run, _ in running)
        raise click.ClickException(
            f"Several runs are under way: {names}. Say which one: `aiida-seireact watch PK --stop`."
        )
    run, job = running[0]
    try:
        eyes.ask_to_stop(job, " ".join(reason.split()))
    except ConnectionError as error:
        raise click.ClickException(f"Run <{run.chain.pk}> was not stopped: {error}.") from None
    click.echo(
        f"Job <{job.pk}> is asked to end: LAMMPS ends within 10 steps, and writes its restart file and all frames."
    )
    if run.chain.is_job:
        return
    above = f" {node.process_label} <{node.pk}> above it ends with it." if node.pk != run.chain.pk else ""
    click.echo(f"Run <{run.chain.pk}> then ends with exit status 433, whole so far.{above}")
    click.echo(f"To go on: aiida-seireact extend {run.chain.pk}")


def _runs(node: ProcessNode) -> list[Run]:
    from aiida_seireact.cli.production import runs_of
    from aiida_seireact.query.family import family_of

    return runs_of(family_of(node))


def as_plain(sight: Sight) -> dict[str, Any]:
    """Return a sight as JSON takes it."""
    from dataclasses import asdict

    content = asdict(sight)
    return {**content, "series": {name: column.tolist() for name, column in sight.series.items()}}


def render(sights: list[Sight]) -> RenderableType:
    """Return the runs for a terminal."""
    from rich.console import Group

    return Group(*(part for sight in sights for part in _one(sight)))


def _one(sight: Sight) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    from aiida_seireact.cli.render.sparkline import sparkline
    from aiida_seireact.cli.render.words import number
    from aiida_seireact.cli.status import COLOURS

    run = sight.production
    planned = f" of {run.n_segments}" if run.n_segments else ""
    segment = f" · segment {run.segment}{planned}" if run.segment else " · before its first segment"
    job = f" · job <{sight.job_pk}> {sight.job_state}" if sight.job_pk is not None else ""
    head = Text.assemble((f"{run.name} <{run.pk}>", "bold"), " is ", (run.state, COLOURS[run.state]), f"{segment}{job}")
    table = Table.grid(padding=(0, 2, 0, 0))
    share = f"{100 * run.step / run.steps:.1f} %" if run.steps else ""
    table.add_row("step", f"{run.step:,} of {run.steps:,}, {share}", f"{run.ns:.4g} of {run.ns_asked:.4g} ns")
    table.add_row("speed", "–" if run.ns_per_day is None else f"{run.ns_per_day:.3g} ns/day", _left(sight))
    for name, key, value, unit in (
        ("temperature", "temp", sight.temperature_k, "K"),
        ("volume", "vol", sight.volume_ang3, "Å³"),
    ):
        curve = sparkline(sight.series["step"], sight.series[key]) if sight.series else ""
        ends = _ends(sight.series[key], unit) if sight.series else ""
        table.add_row(
            name, "–" if value is None else f"{number(value, 4)} {unit}", Text.assemble((curve, "cyan"), ends)
        )
    if sight.pressure_gpa is not None:
        drift = sight.drift_mev_per_atom_per_ps
        told = "–" if drift is None else f"{drift:+.3f} meV an atom and ps"
        table.add_row("pressure", f"{sight.pressure_gpa:.2f} GPa", f"drift of the conserved quantity {told}")
    table.add_row("cost", _cost(run.core_hours, run.gpu_hours), _rest(sight))
    parts: list[RenderableType] = [head, table, Text.assemble("health       ", _health(sight))]
    if sight.can_go_on:
        parts.append(Text(f"→ `aiida-seireact extend {run.pk}` goes on to its end."))
    return parts


def _health(sight: Sight) -> tuple[str, str]:
    """Return words and their colour."""
    if sight.is_stopping:
        return "is being ended" + (f": {sight.health}" if sight.health else ""), "yellow"
    if sight.health:
        return sight.health.removeprefix("health: "), "yellow" if sight.health.startswith(
            ("not seen", "asked")
        ) else "red"
    return ("sound", "green") if sight.temperature_k is not None else ("–", "dim")


def _left(sight: Sight) -> str:
    from aiida_seireact.cli.production import hours

    run = sight.production
    return "" if run.hours_left is None or run.state == "done" else f"{hours(run.hours_left)} left"


def _cost(core_hours: float, gpu_hours: float) -> str:
    gpus = f", {gpu_hours:.3g} GPU-hours" if gpu_hours else ""
    return f"{core_hours:.3g} core-hours{gpus}"


def _rest(sight: Sight) -> str:
    run = sight.production
    if run.core_hours_left is None or run.state == "done":
        return ""
    return f"the rest about {_cost(run.core_hours_left, run.gpu_hours_left or 0.0)}"


def _ends(values: Any, unit: str) -> str:
    from aiida_seireact.cli.render.words import number

    return f"  {number(float(values.min()), 4)} to {number(float(values.max()), 4)} {unit}" if len(values) else ""

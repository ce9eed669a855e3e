"""What the demo says at its end, or when the view of it ends before."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli.demo_folder import Folder
from aiida_seireact.cli.demo_process import why

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

    from aiida_seireact.figures.files import Format


FORMATS: tuple[Format, ...] = ("svg",)
"""Of the pictures in ``figures/``: what a browser shows. `aiida-seireact report` makes those for print too."""


def conclude(place: Folder, node: ProcessNode) -> int:
    """Write report and summary, print what matters; return 0 for a run that finished well, else 1."""
    from aiida_seireact.cli.report import key_numbers, write_report

    data, written = write_report(node, place.path, FORMATS)
    click.echo()
    for line in key_numbers(data):
        click.echo(f"  {line}")
    click.echo()
    seconds = {name: value for name, value in data.seconds_by_stage.items() if name != "total"}
    click.echo("Seconds by stage: " + ", ".join(f"{name} {value:.0f}" for name, value in seconds.items()))
    click.echo(f"in all {data.seconds:.0f} s, {len(data.processes)} processes, "
               f"{sum(process.member.from_cache for process in data.processes)} of them from the cache.")  # fmt: skip
    click.echo()
    for path in written:
        click.echo(f"  {place.shown}/{path.name}")
    click.echo()
    if data.ended_well:
        click.secho(f"Done. Open {place.shown}/report.html in a browser. Then:", fg="green")
    else:
        click.secho(f"Process {node.pk} did not finish: {why(node)}", fg="red")
        click.echo("The report shows how far it came. Then:")
    click.echo(f"  source {place.shown}/env.sh")
    for command, text in (
        (f"verdi process show {node.pk}", "inputs, outputs, children"),
        (f"verdi node graph generate {node.pk}", "the graph as a picture; needs Graphviz"),
        (f"aiida-seireact trace {node.pk}", "any number back to the labels under it"),
        (
            f"{again(place)}{' --fresh' if data.ended_well else ''}",
            "from the cache" if data.ended_well else "once more",
        ),
    ):
        click.echo(f"  {command:<44} # {text}")
    return 0 if data.ended_well else 1


def again(place: Folder) -> str:
    """Return what to type to call this demo again."""
    return (
        "aiida-seireact demo" if place.shown == "demo" else f"aiida-seireact demo --folder {shlex.quote(place.shown)}"
    )


def tell_how_to_go_on(place: Folder, node: ProcessNode) -> None:
    """Say, after Ctrl-C, that the run goes on and how to watch, pause or end it."""
    click.echo()
    click.echo(f"The view ended; process {node.pk} goes on in the daemon.")
    for command, text in (
        (f"{again(place)}", "watch again (or make demo); it never starts twice"),
        (f"source {place.shown}/env.sh", "point verdi at the demo, then"),
        (f"verdi process status {node.pk}", "  how far it is"),
        (f"verdi process pause {node.pk}", "  halt; `verdi process play` goes on"),
        (f"verdi process kill {node.pk}", "  end it with all its programs"),
        ("verdi daemon stop", "  stop all for now; the demo called again goes on"),
    ):
        click.echo(f"  {command:<44} # {text}")

"""``aiida-seireact trace``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, profile_option, terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

    from aiida_seireact.cli.trace_frames import FrameOrigin
    from aiida_seireact.cli.trace_numbers import Report
    from aiida_seireact.cli.tracing import Labelling, Step, Trace


@click.command("trace", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("what", required=False)
@click.option("--in", "place", metavar="PK|REPORT", help="Where a number is: a process, or the folder or summary.json "
              "of its report. Without WHAT its keys are listed.")  # fmt: skip
@click.option("--frame", type=int, metavar="I", help="Tell of frame I of a shard or a dataset, counted from 0.")
@click.option("--row", type=int, metavar="I", help="Which row of the CSV of a figure, counted from 0.")
@click.option("--graph", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.svg",
              help="Draw the chain; also .pdf, .png, .dot.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def trace(
    profile: str | None,
    what: str | None,
    place: str | None,
    frame: int | None,
    row: int | None,
    graph: Path | None,
    as_json: bool,
) -> None:
    """Walk WHAT back to the calculations that labelled.

    WHAT is a node (a model, a dataset, frames, a trajectory, a process) by PK or UUID; a frame by the beginning of its
    id; the CSV of a figure; or, with --in, a number of a report by its key, dots between the keys of a mapping.

    \b
    Examples:
      aiida-seireact trace 1234                     a potential: training, dataset, shards, labelling jobs
      aiida-seireact trace 1200 --frame 17          who labelled frame 17 of this dataset, and from what it came
      aiida-seireact trace 3f9c2ab1                 the same of a frame by its id
      aiida-seireact trace --in 1300                which numbers of the report of 1300 can be traced
      aiida-seireact trace force_rmse_ev_per_ang --in 1300 --graph error.svg
      aiida-seireact trace phase_fractions.last.Li2S --in report/
      aiida-seireact trace figures/phases.csv --row 12
    """
    load(profile)
    from aiida_seireact.cli.trace_frames import FrameOrigin
    from aiida_seireact.cli.trace_questions import answer
    from aiida_seireact.cli.tracing import Trace, TraceError

    try:
        found = answer(what, place, frame, row)
    except TraceError as error:
        raise click.ClickException(str(error)) from None
    if graph is not None:
        if not isinstance(found, Trace):
            raise click.UsageError("--graph draws the chain of a node or of a number: say which.")
        _draw(found, graph)
    if as_json:
        click.echo(json.dumps(_as_plain(found), indent=2))
    elif isinstance(found, Trace):
        _print_trace(terminal(), found)
    elif isinstance(found, FrameOrigin):
        _print_origin(terminal(), found)
    else:
        _print_keys(terminal(), found)


def _draw(way: Trace, path: Path) -> None:
    from aiida_seireact.cli.trace_drawing import DrawingError, draw

    try:
        click.echo(f"Drawn: {draw(way, path)}", err=True)
    except (DrawingError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _as_plain(found: Trace | FrameOrigin | Report) -> dict[str, Any]:
    from dataclasses import asdict

    from aiida_seireact.cli.trace_numbers import Report

    if not isinstance(found, Report):
        return asdict(found)
    return {key: {**asdict(source), "value": found.value(key)} for key, source in found.sources.items()}


def _print_keys(console: Console, report: Report) -> None:
    from rich.table import Table
    from rich.text import Text

    from aiida_seireact.cli.trace_numbers import short

    if not report.sources:
        raise click.ClickException(f"{report.name} has no number yet that a node holds.")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("key", "value", "held by"):
        table.add_column(title, overflow="fold")
    for key in sorted(report.sources):
        number = report.number(key)
        table.add_row(
            key,
            Text("" if number.value is None else short(number.value)),
            Text(f"{type(number.nodes[0]).__name__} <{number.nodes[0].pk}>"),
        )
    console.print(table)
    console.print(f"`aiida-seireact trace KEY --in {report.name}` walks one of them back.", markup=False)


def _print_trace(console: Console, way: Trace) -> None:
    console.print(_tree(way.root))
    if not way.labellings:
        console.print("No labelling calculation lies under it: it came from outside, or needed none.")
        return
    total = sum(item.n_frames for item in way.labellings)
    console.print(f"{len(way.labellings)} labelling calculations, {total} labelled frames:")
    for item in way.labellings:
        console.print(f"  {_labelling_text(item)}", markup=False, soft_wrap=True)


def _tree(step: Step) -> Tree:
    from rich.markup import escape
    from rich.tree import Tree

    def label(item: Step) -> str:
        text = escape(item.text)
        link = f"[dim]{escape(item.link)}[/] " if item.link else ""
        if item.is_label:
            return f"{link}[green]{text}[/]"
        return f"{link}{text}" + (" [dim](above)[/]" if item.again else "")

    def grow(tree: Tree, item: Step) -> None:
        for child in item.under:
            grow(tree.add(label(child)), child)

    root = Tree(label(step))
    grow(root, step)
    return root


def _labelling_text(item: Labelling) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in item.versions.items() if version != "absent")
    return (
        f"{item.process} <{item.pk}> {item.uuid}: {item.n_frames} frames by {item.code}"
        + (f" ({versions})" if versions else "")
        + (", from the cache" if item.from_cache else "")
        + f", settings {json.dumps(item.settings, sort_keys=True)}"
    )


def _print_origin(console: Console, origin: FrameOrigin) -> None:
    from rich.table import Table

    if origin.labelling is not None:
        labelled = _labelling_text(origin.labelling)
    else:
        labelled = "by no calculation: it is not labelled, or came labelled from outside"
    if origin.parent_shard_pk is not None:
        parent = f"frame {origin.parent_index} of FramesData <{origin.parent_shard_pk}>"
    else:
        parent = "not in this profile" if origin.parent_id else "none"
    step = f", MD step {origin.md_step}" if origin.md_step is not None else ""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = [
        ("frame", f"{origin.index} of <{origin.pk}>"),
        ("frame id", origin.frame_id),
        ("structure id", origin.structure_id),
        ("type, group", f"{origin.config_type or '-'}, {origin.group or '-'}"),
        ("split", origin.split),
        ("shard", f"frame {origin.index_in_shard} of FramesData <{origin.shard_pk}> {origin.shard_uuid}"),
        ("labelled", labelled),
        ("parent", f"{parent}{step}" + (f" ({origin.parent_id})" if origin.parent_id else "")),
    ]
    for key, value in rows:
        if value:
            table.add_row(key, value.replace("[", r"\["))
    console.print(table)

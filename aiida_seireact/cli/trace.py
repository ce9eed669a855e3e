"""``aiida-seireact trace``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load, load_node, profile_option, terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.tree import Tree

    from aiida_seireact.cli.tracing import FrameOrigin, Labelling, Step, Trace


@click.command("trace")
@profile_option
@click.argument("node", metavar="PK|UUID")
@click.option("--frame", type=int, metavar="I", help="Tell of frame I of a shard or a dataset, counted from 0.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for programs.")
def trace(profile: str | None, node: str, frame: int | None, as_json: bool) -> None:
    """Walk NODE (a model, a dataset, frames, a trajectory, a process) back to the calculations that labelled.

    \b
    Examples:
      aiida-seireact trace 1234             a potential: training, dataset, shards, labelling jobs
      aiida-seireact trace 1200 --frame 17  who labelled frame 17 of this dataset, and from what it came
    """
    load(profile)
    from dataclasses import asdict

    from aiida_seireact.cli import tracing

    found = load_node(node)
    console = terminal()
    if frame is None:
        way = tracing.trace(found)
        if as_json:
            click.echo(json.dumps(asdict(way), indent=2))
        else:
            _print_trace(console, way)
        return
    try:
        origin = tracing.frame_origin(found, frame)
    except tracing.TraceError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(asdict(origin), indent=2))
    else:
        _print_origin(console, frame, origin)


def _print_trace(console: Console, way: Trace) -> None:
    console.print(_tree(way.root))
    if not way.labellings:
        console.print("No labelling calculation lies under this node: it came from outside, or needed none.")
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


def _print_origin(console: Console, frame: int, origin: FrameOrigin) -> None:
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
        ("frame", f"{frame}"),
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

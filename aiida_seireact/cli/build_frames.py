"""How the commands that make many frames of a crystal read their words, and end: told, written or stored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, profile_option, terminal, without_tracebacks
from aiida_seireact.cli.build_cell import NEW_FILE, sentence

if TYPE_CHECKING:
    from aiida_seireact.formats.disorder import Made
    from aiida_seireact.formats.frames import Frames

WORDS = {
    "min_distance_ang": "--min-distance",
    "max_arrangements": "--max-arrangements",
    "in charges": "as NAME:Cl=-1",
}
"""How the commands call what a recipe names otherwise."""
ROWS_TOLD = 20


class Shares(click.ParamType):
    """Occupancies of the sites of a label, as ``S:S=0.75,P=0.125``."""

    name = "occupancy"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, dict[str, float]]:
        label, colon, told = value.rpartition(":")
        try:
            shares = {key.strip(): float(share) for key, share in (item.split("=") for item in told.split(","))}
        except ValueError:
            shares = {}
        if not colon or not label or not shares:
            self.fail(f"occupancies are told as LABEL:El=x,El=y, such as X1:Cl=0.75,S=0.25: not {value!r}")
        return label, shares


class Number(click.ParamType):
    """A number of something, as ``Li=2``."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        what, _, told = value.partition("=")
        if not what or not told.isdecimal() or int(told) < 1:
            self.fail(f"how many is told as WHAT=NUMBER, such as Li=2: not {value!r}")
        return what, int(told)


def frames_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every command of frames ends with."""
    options = (
        profile_option,
        click.option("-o", "--out", type=NEW_FILE, metavar="FILE.extxyz", help="Write the frames (extended XYZ)."),
        click.option("--store", is_flag=True, help="Make them as a process of the profile, here and now."),
        click.option("--dry-run", is_flag=True, help="Say what would be made; write and store nothing."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def min_distance_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the distance that partly filled sites are kept apart."""
    return click.option(
        "--min-distance", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True, metavar="Å",
        help="Ions of like charge on partly filled sites are nowhere nearer.",
    )(command)  # fmt: skip


occupancy_option = click.option(
    "--occupancy", "occupancies", type=Shares(), multiple=True, metavar="LABEL:El=x,El=y",
    help="Occupancies of the sites of a label instead of the crystal's; what is missing to 1 stays empty. May be given "
    "again.",
)  # fmt: skip


def check_output(out: Path | None) -> None:
    """Refuse a file that could not be written, before anything is made.

    :raises click.UsageError: in a sentence.
    """
    if out is None:
        return
    if out.suffix.lower() not in (".extxyz", ".xyz"):
        raise click.UsageError(f"--out writes extended XYZ: call the file .extxyz, not {out.name}.")
    if not out.parent.is_dir():
        raise click.UsageError(f"There is no folder {out.parent} for {out.name}: make it first.")


def phase_with(
    told: str, occupancies: Sequence[tuple[str, Mapping[str, float]]], min_distance: float
) -> tuple[str, dict[str, Any]]:
    """Return the name of a crystal and what a recipe says of it, with other occupancies.

    :raises ValueError: unknown phase, no file, or a label told twice.
    """
    from aiida_seireact.cli.build_phases import phase_of

    name, recipe = phase_of(told)
    labels = [label for label, _ in occupancies]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"The occupancies of {twice[0]} are told twice: put all its elements into one --occupancy.")
    return name, {**recipe, "occupancies": dict(occupancies), "min_distance_ang": min_distance}


def composition(counts: Mapping[str, int]) -> str:
    """Return a composition as the commands tell it."""
    return f"{sum(counts.values()):,} atoms: {', '.join(f'{symbol} {count:,}' for symbol, count in counts.items())}"


def tell_rows(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str], title: str = "") -> None:
    """Print the first rows as a table.

    :param titles: key of a row: title of its column; keys that the rows lack are left out.
    """
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    keys = [key for key in titles if rows and rows[0].get(key) is not None]
    for key in keys:
        table.add_column(titles[key], justify="right", no_wrap=True)
    for row in rows[:ROWS_TOLD]:
        table.add_row(*(_cell(key, row[key]) for key in keys))
    terminal().print(table)
    if len(rows) > ROWS_TOLD:
        click.echo(f"and {len(rows) - ROWS_TOLD} more rows")


def _cell(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if key == "charge_e":
        return f"{value:+g}" if value else "0"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def write_frames(made: Made, out: Path) -> None:
    """Write frames with what each was made of in its header."""
    from aiida_seireact.formats.extxyz import write_extxyz

    write_extxyz(out, made.frames, tags=made.rows)
    click.echo(str(out))


def store_frames(function: str, parameters: Mapping[str, Any], profile: str | None, cells: Frames | None) -> None:
    """Run a calcfunction of `calculations.functions.disorder` in this process.

    :param cells: hosts, which become a node of their own.
    :raises ValueError: what it refuses.
    """
    load(profile)
    from aiida import orm

    from aiida_seireact.calculations.functions import disorder
    from aiida_seireact.data.frames import FramesData

    inputs: dict[str, Any] = {} if cells is None else {"cells": FramesData(cells)}
    with without_tracebacks():
        outputs, node = getattr(disorder, function).run_get_node(orm.Dict(dict(parameters)), **inputs)
    cached = ", taken from the cache" if node.base.caching.is_created_from_cache else ""
    click.echo(f"{function} <{node.pk}>{cached}: FramesData <{outputs['frames'].pk}>, report <{outputs['report'].pk}>")


def finish(
    made: Made, function: str, parameters: Mapping[str, Any], *, out: Path | None, store: bool, profile: str | None,
    dry_run: bool, cells: Frames | None = None,
) -> None:  # fmt: skip
    """Write and store what was made, or say that it was not.

    :raises ValueError: what the calcfunction refuses.
    """
    if dry_run:
        click.echo("Nothing was written (--dry-run).")
        return
    if out is not None:
        write_frames(made, out)
    if store:
        store_frames(function, parameters, profile, cells)
    if out is None and not store:
        click.echo("Nothing was written: -o FILE.extxyz writes the frames, --store keeps them in the profile.")


def refusal(error: Exception) -> click.ClickException:
    """Return a refusal in the words of the commands."""
    told = re.sub(r"charges=\{'(\w+)': (-?\d+)\}", r"NAME:\1=\2", sentence(error, WORDS))
    return click.ClickException(told)

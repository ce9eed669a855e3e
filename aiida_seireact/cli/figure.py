"""``aiida-seireact figure``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, profile_option, terminal

if TYPE_CHECKING:
    from aiida_seireact.figures.figure import Figure

FORMATS = ("pdf", "svg", "png", "json")
COLOURS = ("run", "size", "temperature", "coating", "model")


@click.command("figure")
@profile_option
@click.argument("words", metavar="[NAME]... [PK|UUID|GROUP]...", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="The figure map: what the papers show, and how it is made here.")
@click.option("--all", "everything", is_flag=True, help="Every figure that these processes have numbers for.")
@click.option(
    "--dry-run", is_flag=True, help="Tell which figures could be made of these processes, and what is missing."
)
@click.option(
    "--colour", type=click.Choice(COLOURS), help="What colours tell apart; default: what the figure is about."
)
@click.option("--mean-over", type=click.Choice(["seed"]), help="Mean and spread over runs that differ by their seed.")
@click.option(
    "--format", "formats", type=click.Choice(FORMATS), multiple=True,
    help="Pictures to write, repeatable; json is plotly's. Default: pdf, svg and png.",
)  # fmt: skip
@click.option(
    "-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("figures"),
    show_default=True, metavar="FOLDER", help="Where files go; made if it is not there.",
)  # fmt: skip
def figure(
    profile: str | None, words: tuple[str, ...], listed: bool, everything: bool, dry_run: bool, **told: Any
) -> None:
    """Draw figures of the papers from processes of the profile, with the numbers and the nodes behind them.

    Several processes, or a group of them, lie on one axis. Each figure is written as pictures, as a CSV with the table
    that the query has given, and as NAME.sources.json with the UUIDs of all nodes in it.

    \b
    Examples:
      aiida-seireact figure --list                          what there is
      aiida-seireact figure --dry-run 1234                  what could be made of process 1234
      aiida-seireact figure ps4 1234                        one figure
      aiida-seireact figure ps4 thickness 1234 1300 -o out  two figures of two runs
      aiida-seireact figure sizes my-runs                   all processes of a group
      aiida-seireact figure ps4 1234 1300 1400 --colour temperature --mean-over seed
      aiida-seireact figure --all 1234 --format svg
    """
    from aiida_seireact.figures.gallery import FIGURES

    if listed:
        _print_map()
        return
    names, processes = _split(words, list(FIGURES))
    if not processes:
        raise click.UsageError(
            "Name processes: PKs, UUIDs or groups. `aiida-seireact figure --list` tells the figures."
        )
    if not names and not (everything or dry_run):
        raise click.UsageError(
            f"{words[0]!r} is no figure{_near(words[0], list(FIGURES))}. "
            "`aiida-seireact figure --list` tells them; --all makes every one that can be made."
        )
    if names and everything:
        raise click.UsageError("--all makes every figure: name none, or leave it out.")
    load(profile)
    from aiida_seireact.query import QueryError

    what = [int(word) if word.isdigit() else word for word in processes]
    try:
        if dry_run:
            _tell_what_can_be_made(what, names)
        else:
            _make(names, what, everything=everything, **told)
    except QueryError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(
            f"Nothing more can be written to {told['folder']}: {error.strerror or error}."
        ) from None


def _split(words: Sequence[str], known: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names of figures that come first, and the processes behind them."""
    place = next((place for place, word in enumerate(words) if word not in known), len(words))
    return list(dict.fromkeys(words[:place])), list(words[place:])


def _near(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, known, n=1)
    return f" (do you mean {near[0]}?)" if near else ""


def _make(
    names: Sequence[str],
    what: Sequence[int | str],
    *,
    everything: bool,
    colour: Any,
    mean_over: Any,
    formats: Sequence[Any],
    folder: Path,
) -> None:
    from aiida_seireact.figures.figure import FigureError
    from aiida_seireact.figures.files import save
    from aiida_seireact.figures.gallery import FIGURES, make
    from aiida_seireact.query import walked

    graph = walked(what)
    kinds: Sequence[Any] = formats or ("pdf", "svg", "png")
    left_out, not_drawn = 0, []
    for name in FIGURES if everything else names:
        try:
            found = make(name, graph, colour=colour, mean_over=mean_over)
        except FigureError as error:
            if not everything:
                raise click.ClickException(str(error)) from None
            # What has no such colour or mean is drawn as it is.
            plain = _plain(name, graph) if colour or mean_over else None
            if plain is None:
                left_out += 1
                continue
            found = plain
        try:
            save(found, folder, kinds)
        except FigureError as error:
            # It is found out as it is drawn, of two rows at one place of a map, say; the others are drawn.
            not_drawn.append(str(error))
            continue
        _tell(found, folder, kinds)
    if left_out:
        click.echo(f"{left_out} figures have nothing to draw here: --dry-run tells what each lacks.")
    if not_drawn:
        raise click.ClickException("\n".join(not_drawn))


def _plain(name: str, graph: Any) -> Figure | None:
    """Return a figure by its own colour, without a mean; None if it has nothing to draw."""
    from dataclasses import replace

    from aiida_seireact.figures.figure import FigureError
    from aiida_seireact.figures.gallery import make

    try:
        found = make(name, graph)
    except FigureError:
        return None
    return replace(found, notes=(*found.notes, "Drawn without the colour or mean asked for, which it does not have."))


def _tell(found: Figure, folder: Path, kinds: Sequence[str]) -> None:
    n_curves = sum(len(panel.traces) for panel in found.panels)
    files = ",".join([*kinds, "csv", "sources.json"])
    click.echo(f"{found.name}: {len(found.table)} rows, {n_curves} curves, {len(found.sources)} sources "
               f"→ {folder / found.name}.{{{files}}}")  # fmt: skip
    for note in found.notes:
        click.echo(f"  {note}")


def _tell_what_can_be_made(what: Sequence[int | str], names: Sequence[str]) -> None:
    from aiida_seireact.figures.gallery import can_be_made

    console = terminal()
    for name, n_points, why in can_be_made(what, names or None):
        mark, text = ("●", f"{n_points} rows") if not why else ("○", why)
        console.print(f"{mark} {name:<20} {text}", markup=False, soft_wrap=True)


def _print_map() -> None:
    from rich.table import Table

    from aiida_seireact.figures.entry import PAPERS
    from aiida_seireact.figures.gallery import FIGURES

    console = terminal()
    for paper, where in PAPERS.items():
        table = Table(title=f"{paper} ({where})", title_justify="left")
        table.add_column("figure", no_wrap=True)
        table.add_column("shows", overflow="fold")
        table.add_column("queries", overflow="fold")
        for name, entry in FIGURES.items():
            if entry.paper == paper:
                how = f"cannot be made: {entry.why_not}" if entry.why_not else ", ".join(entry.queries)
                table.add_row(name, entry.shows, how)
        console.print(table)

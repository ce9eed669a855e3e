"""``aiida-seireact build library``: the phases that are known."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import profile_option, terminal
from aiida_seireact.cli.build_cell import HELP, sentence

if TYPE_CHECKING:
    from aiida_seireact.science.structures.library import Entry


@click.command("library", context_settings=HELP)
@profile_option
@click.argument("name", required=False)
@click.option("--cif", "as_cif", is_flag=True, help="Print the phase as CIF, with partial occupancies and charges.")
def library_(profile: str | None, name: str | None, as_cif: bool) -> None:
    """List the phases of the library, or tell all of one: sites, occupancies, where the numbers are from.

    Positions are `published`, `relaxed` (by CHGNet at the published lattice), those of a `prototype`, or a `model` of
    known units. They were written down from memory and checked; give your own CIF for a number to be published.

    \b
    Examples:
      aiida-seireact build library
      aiida-seireact build library Li6PS5Cl
      aiida-seireact build library Li6PS5Cl --cif > my.cif      to change it, and use it as a crystal of your own
    """
    from aiida_seireact.science.structures import library

    if name is None:
        if as_cif:
            raise click.UsageError("--cif prints one phase: name it.")
        _list([library.entry(known) for known in library.names()])
        return
    try:
        entry = library.entry(name)
    except ValueError as error:
        raise click.ClickException(sentence(error)) from None
    if as_cif:
        from pymatgen.io.cif import CifWriter

        from aiida_seireact.science.structures.orient import SYMPREC_ANG

        with warnings.catch_warnings():
            # Two elements on one site share its label, which is what CIFs of disorder do.
            warnings.simplefilter("ignore", UserWarning)
            # With its symmetry a site is one line, and keeps its label.
            writer = CifWriter(
                library.structure(name), symprec=SYMPREC_ANG, significant_figures=10, refine_struct=False
            )
        click.echo(str(writer), nl=False)
        return
    _tell(entry)


def _list(entries: list[Entry]) -> None:
    from rich.table import Table

    table = Table()
    for title in ("phase", "space group", "lattice (Å, °)", "atoms", "positions", "source"):
        table.add_column(title, overflow="fold", no_wrap=title in ("phase", "space group"))
    for entry in entries:
        table.add_row(
            entry.name, entry.space_group, _lattice(entry), f"{entry.composition.num_atoms:g}",
            entry.coordinates, _paper(entry),
        )  # fmt: skip
    terminal().print(table)


def _tell(entry: Entry) -> None:
    from rich.table import Table

    click.echo(f"{entry.name}: {entry.composition.reduced_formula}, {entry.structure_type} type")
    click.echo(f"{entry.space_group} ({entry.number}), {_lattice(entry)}, {entry.composition.num_atoms:g} atoms a cell")
    table = Table()
    for title in ("site", "Wyckoff", "x", "y", "z", "occupancy"):
        table.add_column(title, justify="right" if title in "xyz" else "left")
    for site in entry.sites:
        filled = ", ".join(f"{element} {share:g}" for element, share in site.occupancy.items())
        table.add_row(site.label, site.wyckoff, *(f"{x:.4f}" for x in site.position), filled)
    terminal().print(table)
    click.echo(f"positions: {entry.coordinates}")
    click.echo(f"source: {' '.join(entry.source.split())}")
    if entry.note:
        click.echo(f"note: {' '.join(entry.note.split())}")
    if not entry.ordered:
        click.echo("Sites are filled in part: each cell is a draw, neutral, by --seed.")


def _paper(entry: Entry) -> str:
    """Return the first paper of a source, up to its year."""
    text = " ".join(entry.source.removeprefix("Lattice: ").split())
    found = re.match(r".*?\(\d{4}\)", text)
    return found[0] if found else text


def _lattice(entry: Entry) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in entry.lattice.items())

"""``aiida-seireact build slab``: a free slab of one crystal."""

from __future__ import annotations

import click

from aiida_seireact.cli.build_cell import HELP, Output, finish, output_options, sentence
from aiida_seireact.cli.build_phases import (
    WORDS,
    Plane,
    Vectors,
    chosen_cut,
    height_of,
    height_options,
    phase_of,
    tell_cuts,
)


@click.command("slab", context_settings=HELP)
@click.argument("a", metavar="A")
@click.option(
    "--hkl", type=Plane(), default=(1, 0, 0), metavar="PLANE", help="Its plane (110, '1 -1 0'); default: 100."
)
@click.option("--repeat", type=click.IntRange(1), nargs=2, default=(1, 1), metavar="N N", help="In plane, of its "
              "smallest cell.")  # fmt: skip
@click.option("--in-plane", type=Vectors(), metavar="'0 3 0 / 0 0 6'", help="Instead: in-plane vectors, in those of "
              "the conventional cell.")  # fmt: skip
@height_options("", "the slab")
@click.option("--vacuum", type=float, default=15.0, show_default=True, metavar="Å", help="Above it, up to its image.")
@click.option("--terminations", is_flag=True, help="List where it may be cut, and leave.")
@click.option("--cut", type=click.IntRange(1), metavar="ROW", help="Row of --terminations; default: nonpolar, widest.")
@output_options
def slab(
    output: Output,
    a: str,
    hkl: tuple[int, int, int],
    repeat: tuple[int, int],
    in_plane: list[list[float]] | None,
    layers: int | None,
    cells: float | None,
    thickness: float | None,
    vacuum: float,
    terminations: bool,
    cut: int | None,
) -> None:
    """Cut a free slab of A, a phase of the library or a CIF file, with vacuum above it.

    Its two faces give a surface energy, and with those of another crystal and their interface the work of adhesion.

    \b
    Examples:
      aiida-seireact build slab Li --hkl 110 --layers 8 -o slab.extxyz
      aiida-seireact build slab Li2S --hkl 111 --terminations           which faces are there, which are polar?
      aiida-seireact build slab Li6PS5Cl --thickness 20 --repeat 2 2 --vacuum 20 --picture slab.png
    """
    from aiida_seireact.formats.recipe import Recipe

    try:
        name, phase = phase_of(a)
        if terminations:
            tell_cuts(name, phase, hkl)
            return
        height = height_of("", layers, cells, thickness)
        if not height:
            raise click.UsageError(
                f"Nothing tells how thick the slab of {name} is: give --layers, --cells or --thickness."
            )
        recipe = Recipe.read(
            {
                "phases": {name: phase},
                "slabs": [
                    {"phase": name, "hkl": hkl, **({"in_plane": in_plane} if in_plane else {}), **height,
                     **chosen_cut(name, phase, hkl, cut)}
                ],
                "gaps_ang": vacuum,
                "match": {"repeat": repeat},
                "config_type": f"{name}-slab",
            }
        )  # fmt: skip
    except ValueError as error:
        raise click.ClickException(sentence(error, WORDS | {"gaps_ang": "--vacuum"})) from None
    finish(recipe, output, WORDS)

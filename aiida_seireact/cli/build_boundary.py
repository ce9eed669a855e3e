"""``aiida-seireact build boundary``: a crystal turned against itself, with both grain boundaries of a periodic cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aiida_seireact.cli.build_cell import HELP, Output, finish, output_options, sentence
from aiida_seireact.cli.build_phases import WORDS, Plane, crystal_of, phase_of

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

    from aiida_seireact.science.structures.boundaries import Boundary

Hkl = tuple[int, int, int]
WORDS_HERE = WORDS | {
    "layers or thickness_ang": "--layers or --thickness",
    "thickness_ang": "--thickness",
    "sigma or by angle": "--sigma or by --angle",
}


@click.command("boundary", context_settings=HELP)
@click.argument("a", metavar="A")
@click.option("--axis", type=Plane(), default=(0, 0, 1), metavar="UVW", help="Direction that the upper grain is turned "
              "about; default: 001.")  # fmt: skip
@click.option("--sigma", type=click.IntRange(3), metavar="N", help="Coincidence lattice; of several angles, that of "
              "the smallest cell.")  # fmt: skip
@click.option("--angle", type=float, metavar="DEG", help="Or: its angle, to 0.05°.")
@click.option("--plane", type=Plane(), metavar="HKL", help="Plane of the lower grain; default: normal to the axis, a "
              "twist.")  # fmt: skip
@click.option("--sigmas", is_flag=True, help="List the coincidence lattices about the axis, and leave.")
@click.option("--layers", type=click.IntRange(1), metavar="N", help="Of each grain, as they are.")
@click.option("--thickness", type=float, metavar="Å", help="Or: of each grain, met by whole periods of the crystal.")
@click.option("--repeat", type=click.IntRange(1), nargs=2, default=(1, 1), metavar="N N", help="Of the smallest common "
              "cell, in plane.")  # fmt: skip
@click.option("--gap", type=float, metavar="Å", help="Between outermost atoms of the grains; default: the smallest "
              "without overlap, see --closest.")  # fmt: skip
@click.option("--closest", type=float, metavar="X", help="How near two atoms may come across a boundary, in fractions "
              "of their shortest distance in the crystal; default: 0.9.")  # fmt: skip
@click.option("--shift", type=float, nargs=2, default=(0.0, 0.0), metavar="X Y", help="Displacement of the upper grain "
              "in plane, in fractions of the smallest common cell.")  # fmt: skip
@click.option("--max-strain", type=float, default=0.01, show_default=True, help="Of a grain, where c²/a² is made a "
              "ratio of small numbers.")  # fmt: skip
@output_options
def boundary(
    output: Output,
    a: str,
    axis: Hkl,
    sigma: int | None,
    angle: float | None,
    plane: Hkl | None,
    sigmas: bool,
    layers: int | None,
    thickness: float | None,
    repeat: tuple[int, int],
    gap: float | None,
    closest: float | None,
    shift: tuple[float, float],
    max_strain: float,
) -> None:
    """Join two grains of A, a cubic, tetragonal or hexagonal phase of the library or CIF file.

    The upper grain is turned about --axis, so that both share a coincidence lattice in the plane. The cell is periodic
    and holds two boundaries; they are alike where each grain is a whole number of periods thick. No atom is taken
    away: --gap and --shift say how the grains lie on each other. Disorder, molecules and large cells are as in
    `build interface`.

    \b
    Examples:
      aiida-seireact build boundary Li --sigmas                              which are there about [0 0 1]?
      aiida-seireact build boundary Li --sigma 5 --plane 210 --thickness 30 -o tilt.extxyz
      aiida-seireact build boundary Li --axis 110 --sigma 3 --plane 1,-1,2 --thickness 30 --picture twin.png
      aiida-seireact build boundary Li6PS5Cl --angle 36.87 --thickness 20 --repeat 2 2 --store
    """
    try:
        name, phase = phase_of(a)
        crystal = crystal_of(phase)
        if sigmas:
            _list(name, crystal, axis)
            return
        if (sigma is None) == (angle is None):
            raise click.UsageError(
                "A boundary is told by --sigma or by --angle: give one of them (--sigmas lists them)."
            )
        if (layers is None) == (thickness is None):
            raise click.UsageError(
                f"Each grain of {name} is as thick as --layers or --thickness tell: give one of them."
            )
        if gap is not None and closest is not None:
            raise click.UsageError("--closest finds the gap that --gap tells: give one of them.")
        from aiida_seireact.formats.boundary_recipe import CLOSEST, boundary_recipe
        from aiida_seireact.formats.recipe import PhaseRecipe
        from aiida_seireact.science.structures import boundaries

        found = boundaries.boundary(crystal, axis, sigma=sigma, angle_deg=angle, plane=plane, max_strain=max_strain)
        recipe = boundary_recipe(
            PhaseRecipe.model_validate(phase),
            found,
            name=name,
            layers=layers,
            thickness_ang=thickness,
            repeat=repeat,
            gap_ang=gap,
            closest=CLOSEST if closest is None else closest,
            shift=shift,
            seed=output.seed or 0,
        )
    except ValueError as error:
        raise click.ClickException(sentence(error, WORDS_HERE)) from None
    _tell(found)
    finish(recipe, output, WORDS_HERE)


def _list(name: str, crystal: Structure, axis: Hkl) -> None:
    """List Σ and angles about an axis.

    :raises ValueError: there are none.
    """
    from rich.table import Table

    from aiida_seireact.cli._profile import terminal
    from aiida_seireact.science.structures.boundaries import sigmas

    table = Table(title=f"coincidence lattices of {name} about [{' '.join(map(str, axis))}]", title_justify="left")
    table.add_column("Σ", justify="right")
    table.add_column("angles (°)")
    for sigma, angles in sigmas(crystal, axis).items():
        table.add_row(str(sigma), "  ".join(f"{angle:.2f}" for angle in angles))
    terminal().print(table)


def _tell(found: Boundary) -> None:
    """Say which boundary it is."""
    lower, upper = ("(" + " ".join(map(str, grain.hkl)) + ")" for grain in (found.lower, found.upper))
    click.echo(f"{found.name}, {found.kind}: {lower} on {upper}, {found.area_ang2:.1f} Å² the smallest common cell")

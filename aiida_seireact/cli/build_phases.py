"""Crystals, planes and heights as they are told on a command line, turned into the parts of a recipe."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

    from aiida_seireact.science.structures.cut import Termination

LATTICE = ("a", "b", "c", "alpha", "beta", "gamma")
WORDS = {
    "max_strain": "--max-strain",
    "max_area_ang2": "--max-area",
    "gaps_ang": "--gap",
    "layers, cells or thickness_ang, or the target n_atoms": "--layers, --cells or --thickness, or --atoms",
}
"""How the commands call what a recipe names otherwise."""
CRYSTAL = (
    "A phase of the library or a CIF file; `Li6PS5Cl:a=9.91` replaces a lattice parameter, `my.cif:Zr=4` a charge."
)


class Plane(click.ParamType):
    """A plane, as ``110``, ``1,-1,0``, ``1 -1 0`` or ``(1 1 0)``; four indices of a hexagonal one lose the third."""

    name = "plane"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int, int]:
        if isinstance(value, tuple):
            return value  # a default
        text = value.strip().strip("()")
        parts = re.split(r"[,\s]+", text) if re.search(r"[,\s]", text) else re.findall(r"-?\d", text)
        try:
            indices = [int(part) for part in parts]
        except ValueError:
            indices = []
        if len(indices) == 4 and sum(indices[:3]) == 0:
            del indices[2]
        if len(indices) != 3 or "".join(parts) != re.sub(r"[,\s]", "", text) or not any(indices):
            self.fail(f"a plane has three whole indices, not all zero, such as 110 or '1 -1 0': not {value!r}")
        return indices[0], indices[1], indices[2]


class Vectors(click.ParamType):
    """Two vectors in the plane, as ``0 3 0 / 0 0 6``, in those of the conventional cell."""

    name = "vectors"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[list[float]]:
        try:
            rows = [[float(x) for x in re.split(r"[,\s]+", row.strip())] for row in re.split(r"[/;]", value)]
        except ValueError:
            rows = []
        if [len(row) for row in rows] != [3, 3]:
            self.fail(f"two vectors in the plane are told as '0 3 0 / 0 0 6': not {value!r}")
        return rows


def phase_of(told: str) -> tuple[str, dict[str, Any]]:
    """Return the name of a crystal and what a recipe says of it (`formats.recipe.PhaseRecipe`).

    :param told: see `CRYSTAL`.
    :raises ValueError: unknown phase, no file, or a replacement that is none.
    """
    from aiida_seireact.science.structures.library import entry

    place, _, replaced = told.partition(":") if not Path(told).is_file() else (told, "", "")
    path = Path(place)
    recipe: dict[str, Any]
    if path.suffix.lower() == ".cif" or path.is_file():
        if not path.is_file():
            raise ValueError(f"There is no file {place}: name a CIF that is there, or a phase of the library.")
        name, recipe = path.stem, {"cif": path.read_text(encoding="utf-8", errors="replace")}
    else:
        name, recipe = entry(place).name, {"name": place}
    for item in filter(None, replaced.split(",")):
        key, _, value = item.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"{told}: after the colon stand values as a=9.91 or Li=1, not {item!r}.") from None
        recipe.setdefault("lattice" if key in LATTICE else "charges", {})[key] = number
    return name, recipe


def crystal_of(recipe: dict[str, Any]) -> Structure:
    """Return the crystal that a recipe tells.

    :raises ValueError: it does not fit, in a sentence.
    """
    from pydantic import ValidationError

    from aiida_seireact.formats.jobs.base import readable
    from aiida_seireact.formats.recipe import PhaseRecipe

    try:
        return PhaseRecipe.model_validate(recipe).structure()
    except ValidationError as error:
        raise ValueError(f"{recipe.get('name', 'The CIF')}: {readable(error)}.") from None


def height_options(side: str, of: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the three ways to tell how thick a slab is; `height_of` takes them.

    :param side: end of the options' names, as ``-a``.
    :param of: the slab, in words.
    """
    options = (
        click.option(f"--layers{side}", type=click.IntRange(1), metavar="N", help=f"Smallest repeats of {of}."),
        click.option(f"--cells{side}", type=float, metavar="X", help="Or: heights of its conventional cell."),
        click.option(f"--thickness{side}", type=float, metavar="Å", help="Or: thickness, met by whole layers."),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def height_of(side: str, layers: int | None, cells: float | None, thickness: float | None) -> dict[str, Any]:
    """Return what a recipe says of a height.

    :raises click.UsageError: it is told twice, or is not positive.
    """
    told = {"layers": layers, "cells": cells, "thickness_ang": thickness}
    given = {key: value for key, value in told.items() if value is not None}
    names = [f"--{name}{side}" for name in ("layers", "cells", "thickness")]
    if len(given) > 1:
        raise click.UsageError(f"{names[0]}, {names[1]} and {names[2]} all tell the height: give one of them.")
    for key, value in given.items():
        if value <= 0:
            raise click.UsageError(f"--{key.removesuffix('_ang')}{side} is above 0, not {value:g}: one layer is least.")
    return given


def cuts_of(recipe: dict[str, Any], hkl: Sequence[int]) -> list[Termination]:
    """Return where a crystal may be cut along a plane, the best cut first.

    :raises ValueError: in a sentence.
    """
    from aiida_seireact.science.structures.cut import terminations
    from aiida_seireact.science.structures.orient import oriented_unit

    return terminations(oriented_unit(crystal_of(recipe), hkl))


def chosen_cut(name: str, recipe: dict[str, Any], hkl: Sequence[int], row: int | None) -> dict[str, Any]:
    """Return what a recipe says of a cut: that of a row of `tell_cuts`; what is not chosen is left open.

    :raises ValueError: there is no such row.
    """
    if row is None:
        return {}
    found = cuts_of(recipe, hkl)
    if row > len(found):
        raise ValueError(
            f"{name} has {len(found)} cuts along ({' '.join(map(str, hkl))}), so none is number {row}: "
            "--terminations lists them."
        )
    return {"cut": found[row - 1].cut}


def tell_cuts(name: str, recipe: dict[str, Any], hkl: Sequence[int]) -> None:
    """List the cuts of a crystal along a plane."""
    from rich.table import Table

    from aiida_seireact.cli._profile import terminal

    table = Table(title=f"cuts of {name} along ({' '.join(map(str, hkl))})", title_justify="left")
    for title in ("row", "height", "width (Å)", "dipole (e Å)"):
        table.add_column(title, justify="right")
    for title in ("upper face of a slab", "lower face", ""):
        table.add_column(title)
    for row, cut in enumerate(cuts_of(recipe, hkl), start=1):
        polar = {True: "nonpolar", False: "polar", None: "charges unknown"}[cut.is_nonpolar]
        dipole = "" if cut.dipole_e_ang is None else f"{cut.dipole_e_ang:.2f}"
        table.add_row(str(row), f"{cut.cut:.4f}", f"{cut.width_ang:.2f}", dipole, cut.below, cut.above, polar)
    terminal().print(table)

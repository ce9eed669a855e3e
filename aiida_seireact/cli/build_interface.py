"""``aiida-seireact build interface``: two crystals on each other, with both boundaries, coated or not."""

from __future__ import annotations

from typing import Any

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

Hkl = tuple[int, int, int]


@click.command("interface", context_settings=HELP)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--hkl-a", type=Plane(), default=(1, 0, 0), metavar="PLANE", help="Plane of A; default: 100.")
@click.option("--hkl-b", type=Plane(), default=(1, 0, 0), metavar="PLANE", help="Plane of B; default: 100.")
@click.option("--strained", type=click.Choice(["A", "B", "both"]), default="B", show_default=True,
              help="The side that takes the strain; both: alike.")  # fmt: skip
@click.option("--match", "choose", default="area", show_default=True, metavar="area|strain|ROW",
              help="Supercells: the smallest, the least strained, or a row of `build match`.")  # fmt: skip
@click.option("--max-strain", type=float, default=0.05, show_default=True, help="Of the match, all on one side.")
@click.option("--max-area", type=float, default=400.0, show_default=True, metavar="Å²", help="Of the match.")
@click.option(
    "--repeat", type=click.IntRange(1), nargs=2, default=(1, 1), metavar="N N", help="Of the match, in plane."
)
@click.option("--in-plane-a", type=Vectors(), metavar="'0 3 0 / 0 0 6'", help="Instead of a match: in-plane vectors of "
              "A, in those of its conventional cell.")  # fmt: skip
@click.option("--in-plane-b", type=Vectors(), metavar="VECTORS", help="Those of B; left out: what fits on A best.")
@height_options("-a", "A")
@height_options("-b", "B")
@click.option("--ratio", type=float, metavar="X", help="Metal atoms for each formula unit of the other; decides what "
              "no height does.")  # fmt: skip
@click.option("--atoms", type=click.IntRange(1), metavar="N", help="With --ratio: atoms of the whole cell, about.")
@click.option("--gap", "gaps", type=float, multiple=True, metavar="Å", help="Between outermost atoms; default 2.0. "
              "Given again: one above each slab, the last across the cell's boundary (15: a vacuum).")  # fmt: skip
@click.option("--coating", metavar="C", help="A crystal between A and B, on both boundaries.")
@click.option("--coating-cells", type=float, default=1.0, show_default=True, help="Its height, in conventional cells.")
@click.option("--coating-hkl", type=Plane(), default=(1, 0, 0), metavar="PLANE", help="Its plane; default: 100.")
@click.option("--terminations", is_flag=True, help="List where A and B may be cut, and leave.")
@click.option(
    "--cut-a", type=click.IntRange(1), metavar="ROW", help="Row of --terminations; default: nonpolar, widest."
)
@click.option("--cut-b", type=click.IntRange(1), metavar="ROW", help="Likewise for B.")
@output_options
def interface(output: Output, terminations: bool, **given: Any) -> None:
    """Stack A and B along z, periodic: A, B and both boundaries between them.

    A and B are phases of the library or CIF files; `Li6PS5Cl:a=9.91` replaces a lattice parameter, `mine.cif:Zr=4`
    gives a charge. Where sites are filled in part, the cell is a draw by --seed, neutral. No bond of a PS4 or P2S7 is
    cut. What the options don't reach (occupancies, more phases, other bonds) does a recipe: --write-recipe, change it,
    `build cell`.

    \b
    Examples:
      aiida-seireact build interface Li6PS5Cl Li --layers-a 2 --layers-b 6 -o cell.cif --picture cell.png
      aiida-seireact build interface Li6PS5Cl Li --hkl-b 110 --match strain --max-area 200 --thickness-a 20 --ratio 8
      aiida-seireact build interface Li6PS5Cl Li --coating LiCl --coating-cells 1 --layers-a 4 --layers-b 12 --dry-run
      aiida-seireact build interface mine.cif Li --terminations
      aiida-seireact build interface Li6PS5Cl Li --layers-a 2 --layers-b 6 --gap 20    both free: adhesion
    """
    try:
        phases = {side: phase_of(given[side]) for side in ("a", "b")}
        if given["coating"]:
            phases["coating"] = phase_of(given["coating"])
        names = [name for name, _ in phases.values()]
        if len(set(names)) < len(names):
            raise click.UsageError(
                f"{' and '.join(names)}: an interface joins different crystals (a grain boundary of one is `build "
                "boundary`); two CIFs of one name need other names."
            )
        if terminations:
            for side, (name, told) in phases.items():
                tell_cuts(name, told, given["coating_hkl"] if side == "coating" else given[f"hkl_{side}"])
            return
        recipe = _recipe(phases, given)
    except ValueError as error:
        raise click.ClickException(sentence(error, WORDS)) from None
    finish(recipe, output, WORDS)


def _recipe(phases: dict[str, tuple[str, dict[str, Any]]], given: dict[str, Any]) -> Any:
    """Return the recipe that the options tell.

    :raises ValueError: in a sentence.
    :raises click.UsageError: options that don't go together.
    """
    from aiida_seireact.formats.recipe import Recipe

    target = _target(phases, given)
    slabs = {side: _slab(side, *phases[side], given) for side in ("a", "b")}
    heights = ("layers", "cells", "thickness_ang")
    untold = [side for side, slab in slabs.items() if not any(key in slab for key in heights)]
    if untold and not target:
        ends = " or ".join(f"--{name}-{untold[0]}" for name in ("layers", "cells", "thickness"))
        raise click.UsageError(
            f"Nothing tells how thick the slab of {phases[untold[0]][0]} is: give {ends}, or --ratio, with --atoms "
            "where both are open."
        )
    stack = [slabs["a"], slabs["b"]]
    if "coating" in phases:
        coat = {"phase": phases["coating"][0], "hkl": given["coating_hkl"], "cells": given["coating_cells"]}
        if not given["coating_cells"] > 0:
            raise click.UsageError(f"--coating-cells is above 0, not {given['coating_cells']:g}: 1 is one cell.")
        stack = [slabs["a"], coat, slabs["b"], coat]
    gaps = given["gaps"]
    content = {
        "phases": dict(phases.values()),
        "slabs": stack,
        "lattice_of": {"A": phases["b"][0], "B": phases["a"][0], "both": "mean"}[given["strained"]],
        "match": {
            "max_strain": given["max_strain"],
            "max_area_ang2": given["max_area"],
            "choose": _chosen(given["choose"]),
            "repeat": given["repeat"],
        },
        **({"target": target} if target else {}),
        **({"gaps_ang": gaps[0] if len(gaps) == 1 else gaps} if gaps else {}),
    }
    return Recipe.read(content)


def _slab(side: str, name: str, phase: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    hkl = given[f"hkl_{side}"]
    vectors = given[f"in_plane_{side}"]
    return {
        "phase": name,
        "hkl": hkl,
        **({"in_plane": vectors} if vectors else {}),
        **height_of(f"-{side}", *(given[f"{way}_{side}"] for way in ("layers", "cells", "thickness"))),
        **chosen_cut(name, phase, hkl, given[f"cut_{side}"]),
    }


def _target(phases: dict[str, tuple[str, dict[str, Any]]], given: dict[str, Any]) -> dict[str, Any] | None:
    """Return the wish for a ratio; the metal is the side that is one element.

    :raises click.UsageError: no ratio for a number of atoms, or no side or both are an element.
    """
    from aiida_seireact.cli.build_phases import crystal_of

    if given["ratio"] is None:
        if given["atoms"] is not None:
            raise click.UsageError("--atoms shares out what --ratio leaves open: give --ratio with it.")
        return None
    if given["ratio"] <= 0:
        raise click.UsageError(f"--ratio is above 0, not {given['ratio']:g}: 8 lithiates Li6PS5Cl fully.")
    metals = [side for side in ("a", "b") if len(crystal_of(phases[side][1]).composition.element_composition) == 1]
    if len(metals) != 1:
        raise click.UsageError(
            f"--ratio counts atoms of the side that is one element, and {'both are' if metals else 'none is'}: tell "
            "the heights instead."
        )
    metal, other = metals[0], "b" if metals[0] == "a" else "a"
    wish = {"metal": phases[metal][0], "electrolyte": phases[other][0], "metal_per_formula_unit": given["ratio"]}
    return wish if given["atoms"] is None else {**wish, "n_atoms": given["atoms"]}


def _chosen(told: str) -> str | int:
    if told in ("area", "strain"):
        return told
    if told.isdigit() and int(told) > 0:
        return int(told)
    raise click.UsageError(f"--match is area, strain or a row of `build match` from 1 on, not {told}.")

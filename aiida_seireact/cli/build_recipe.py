"""``aiida-seireact build cell``: any cell, from its recipe."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_seireact.cli.build_cell import HELP, Output, finish, output_options, sentence


@click.command("cell", context_settings=HELP)
@click.argument("file", metavar="RECIPE.yaml", type=click.Path(dir_okay=False, path_type=Path))
@output_options
def cell(file: Path, output: Output) -> None:
    """Build the cell of a recipe: YAML or JSON, also a job file of `seireact-build`.

    A recipe holds everything that decides a cell; the same recipe gives the same bytes. The other commands write theirs
    by --write-recipe, to be kept, changed and built again.

    \b
    Examples:
      aiida-seireact build interface Li6PS5Cl Li --layers-a 2 --layers-b 6 --write-recipe recipe.yaml
      aiida-seireact build cell recipe.yaml --dry-run
      aiida-seireact build cell recipe.yaml --seed 2 -o second.extxyz     another draw of the disorder
      aiida-seireact build cell recipe.yaml --submit                      large: by the daemon, where it will run
    """
    from aiida_seireact.formats.recipe_files import read_recipe

    try:
        recipe = read_recipe(file)
    except ValueError as error:
        raise click.ClickException(sentence(error)) from None
    finish(recipe, output)

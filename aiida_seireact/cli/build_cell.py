"""How every command that has a recipe ends: said, written, drawn, stored or submitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, profile_option, without_tracebacks
from aiida_seireact.cli._submission import checked

if TYPE_CHECKING:
    from aiida_seireact.formats.recipe import Recipe
    from aiida_seireact.science.structures.plan import CellPlan

NEW_FILE = click.Path(dir_okay=False, path_type=Path)
LARGE = 1_000_000
PICTURES = (".png", ".svg", ".pdf")
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@dataclass(frozen=True)
class Output:
    """What a user wants of a cell; the options of `output_options`, by their names."""

    profile: str | None
    out: Path | None
    picture: Path | None
    recipe_out: Path | None
    dry_run: bool
    store: bool
    submit: bool
    code: str | None
    species: str | None
    seed: int | None

    def check(self) -> None:
        """Refuse what can't be wanted together, before anything is planned.

        :raises click.UsageError: in a sentence.
        """
        from ase.data import chemical_symbols

        from aiida_seireact.formats.cell_forms import form_of
        from aiida_seireact.formats.recipe_files import SUFFIXES

        if self.store and self.submit:
            raise click.UsageError("--store builds it here, --submit gives it to the daemon: choose one.")
        if self.submit and self.out:
            raise click.UsageError("With --submit the cell lies where it was built: leave out --out, or --submit.")
        if self.code and not self.submit:
            raise click.UsageError("--code is the program of a process in the profile: give --submit with it.")
        if self.out is not None:
            try:
                form = form_of(self.out)
            except ValueError as error:
                raise click.UsageError(str(error)) from None
        else:
            form = ""
        if self.species and form != ".data" and not self.submit:
            raise click.UsageError("--species is the order of LAMMPS types: give --out FILE.data or --submit with it.")
        unknown = [name for name in self.types if name not in chemical_symbols[1:]]
        if unknown or len(set(self.types)) < len(self.types):
            raise click.UsageError(
                f"--species names each element once, as Li,P,S,Cl; {', '.join(unknown) or self.species} does not."
            )
        if self.picture is not None and self.picture.suffix.lower() not in PICTURES:
            raise click.UsageError(f"--picture draws {', '.join(PICTURES)}, by the end of the name.")
        if self.recipe_out is not None and self.recipe_out.suffix.lower() not in SUFFIXES:
            raise click.UsageError(f"--write-recipe writes {', '.join(SUFFIXES)}, by the end of the name.")
        for path in (self.out, self.picture, self.recipe_out):
            if path is not None and not path.parent.is_dir():
                raise click.UsageError(f"There is no folder {path.parent} for {path.name}: make it first.")

    @property
    def types(self) -> tuple[str, ...]:
        """Element of each LAMMPS type; empty: those that occur."""
        return tuple(self.species.replace(",", " ").split()) if self.species else ()


OPTIONS = (
    profile_option,
    click.option("-o", "--out", type=NEW_FILE, metavar="FILE", help="Write the cell: .extxyz, .cif, .vasp or POSCAR; "
                 ".data (LAMMPS) and .npz (our frames) at any size."),
    click.option("--picture", type=NEW_FILE, metavar="FILE.png", help="Draw the cell from the side: .png, .svg, .pdf."),
    click.option("--write-recipe", "recipe_out", type=NEW_FILE, metavar="FILE.yaml", help="Keep all that decides the "
                 "cell, with what was found, for `build cell` and `seireact-build` (.yaml or .json)."),
    click.option("--dry-run", is_flag=True, help="Say what the cell would be; make no atom, write and store nothing."),
    click.option("--store", is_flag=True, help="Build it as a process of the profile, here and now (small cells)."),
    click.option("--submit", is_flag=True, help="Give it to the daemon, to be built where it will run (any size)."),
    click.option("--code", metavar="LABEL@COMPUTER", help="With --submit: the code of seireact-build."),
    click.option("--species", metavar="Li,P,S,Cl", help="Element of each LAMMPS type; default: by atomic number."),
    click.option("--seed", type=click.IntRange(0), help="Of all that is drawn; default: that of the recipe, or 0."),
)  # fmt: skip


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every cell ends with; the command gets them as ``output``, for `finish`."""

    @wraps(command)
    def collected(*arguments: Any, **given: Any) -> Any:
        output = Output(**{field.name: given.pop(field.name) for field in fields(Output)})
        output.check()
        return command(*arguments, output=output, **given)

    for option in reversed(OPTIONS):
        collected = option(collected)
    return collected


def finish(recipe: Recipe, output: Output, words: Mapping[str, str] | None = None) -> CellPlan:
    """Plan a cell and do with it what is wanted.

    :param words: what the command calls otherwise than a recipe does, for refusals: ``max_strain`` is ``--max-strain``.
    :returns: the plan, for what a command has to add.
    :raises click.ClickException: what can't be, in a sentence.
    """
    from aiida_seireact.cli.build_report import tell
    from aiida_seireact.formats.cell_forms import refuse_large, refuse_too_large
    from aiida_seireact.formats.recipe_files import write_recipe

    if output.seed is not None:
        recipe = recipe.model_copy(update={"seed": output.seed})
    try:
        plan = recipe.plan()
        tell(plan, output.types)
        if output.dry_run:
            click.echo("No atom was made, nothing was written (--dry-run).")
            return plan
        if output.out is not None:
            refuse_too_large(plan.n_atoms, output.out)
        if output.store:
            refuse_large(plan.n_atoms)
        if output.recipe_out is not None:
            write_recipe(output.recipe_out, recipe.resolved(plan))
            click.echo(str(output.recipe_out))
        if output.out is not None:
            _write(plan, recipe, output.out, output.types)
        if output.picture is not None:
            _draw(plan, output.picture)
        if output.store:
            # As asked, not as found: that is in the report of the process, and only this says what was wanted.
            _store(recipe, output.profile)
        if output.submit:
            _submit(recipe, output)
    except (ValueError, OSError) as error:
        raise click.ClickException(sentence(error, words)) from None
    if not (output.recipe_out or output.out or output.picture or output.store or output.submit):
        click.echo("Nothing was written: -o FILE writes the cell, --picture draws it, --store keeps it in the profile.")
    return plan


def sentence(error: Exception, words: Mapping[str, str] | None = None) -> str:
    """Return the message of an error as a sentence: it starts with a capital where it starts with a word.

    :param words: see `finish`.
    """
    text = " ".join(str(error).split())
    for theirs, ours in (words or {}).items():
        text = text.replace(theirs, ours)
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.islower():
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _write(plan: CellPlan, recipe: Recipe, path: Path, species: tuple[str, ...]) -> None:
    from aiida_seireact.formats.cell_forms import write_form

    def progress(line: str) -> None:
        # A small cell is there before it could be read.
        if plan.n_atoms > LARGE:
            click.echo(line, err=True)

    write_form(plan, path, species=species, config_type=recipe.config_type, progress=progress)
    click.echo(str(path))


def _draw(plan: CellPlan, path: Path) -> None:
    from aiida_seireact.cli.render.figures_build import draw_cell

    draw_cell(plan, path)
    click.echo(str(path))


def _store(recipe: Recipe, profile: str | None) -> None:
    """Build the cell by a calcfunction in this process."""
    load(profile)
    from aiida import orm

    from aiida_seireact.calculations.functions.build import build_cell

    with without_tracebacks():
        outputs, node = build_cell.run_get_node(orm.Dict(recipe.content()))
    cached = ", taken from the cache" if node.base.caching.is_created_from_cache else ""
    click.echo(f"build_cell <{node.pk}>{cached}: FramesData <{outputs['frames'].pk}>, report <{outputs['report'].pk}>")


def _submit(recipe: Recipe, output: Output) -> None:
    """Give the cell to the daemon.

    :raises click.ClickException: there is no code.
    """
    load(output.profile)
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.engine import submit

    from aiida_seireact.cli.label import find
    from aiida_seireact.workchains.build import BuildWorkChain
    from aiida_seireact.workchains.codes import find_code

    builder = BuildWorkChain.get_builder()
    try:
        builder.code = find(output.code) or find_code("build")
    except NotExistent as error:
        raise click.ClickException(str(error)) from None
    builder.recipe = orm.Dict(recipe.content())
    if output.types:
        builder.parameters = orm.Dict({"species": list(output.types)})
    node = submit(checked(builder))
    click.echo(f"Submitted {node.process_label} <{node.pk}>.  aiida-seireact status {node.pk} --follow")

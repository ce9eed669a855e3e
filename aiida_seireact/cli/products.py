"""``aiida-seireact products``: what should form where two phases meet; from files alone, or in the profile."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import load, profile_option
from aiida_seireact.cli._submission import checked
from aiida_seireact.cli.cif_files import texts_of

if TYPE_CHECKING:
    from ase import Atoms

    from aiida_seireact.science.products import PhaseEnergy, Products

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
IMAGES = (".svg", ".png", ".pdf")
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("products", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--entries", type=FILE, multiple=True, metavar="FILE",
              help="Energies: JSON (yours, pymatgen's or saved from a database), or labelled frames (extxyz, npz). "
              "Nothing is downloaded, nothing is computed.")  # fmt: skip
@click.option("--phase", "phases", multiple=True, metavar="NAME",
              help="Phases of the library to look at; default: all that A and B can become.")  # fmt: skip
@click.option("--cif", "cifs", type=FILE, multiple=True, metavar="FILE.cif",
              help="A phase beside those of the library, named after its file.")  # fmt: skip
@click.option("--calculator", default="chgnet", show_default=True, metavar="NAME",
              help="Calculator of ASE that relaxes the phases, as in `seireact-label`.")  # fmt: skip
@click.option("--save", type=NEW_FILE, metavar="FILE.json", help="Keep the energies, for --entries next time.")
@click.option("--plot", type=NEW_FILE, metavar="FILE.svg", help="Draw the energy along the mixing fraction.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--submit", is_flag=True, help="Submit `seireact.products` in the profile instead of computing here.")
@click.option("--code", metavar="LABEL@COMPUTER", help="With --submit: the program that relaxes.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed; compute, write and submit nothing.")
def products(
    profile: str | None,
    first: str,
    second: str,
    entries: tuple[Path, ...],
    phases: tuple[str, ...],
    cifs: tuple[Path, ...],
    calculator: str,
    save: Path | None,
    plot: Path | None,
    as_json: bool,
    submit: bool,
    code: str | None,
    dry_run: bool,
) -> None:
    """Predict what forms where A meets B, along the fraction of A and B that mix.

    A and B are phases of the library, names of --cif files, or formulas that --entries hold. Without --entries each
    phase is relaxed here, in its smallest ordered cell. The prediction is thermodynamics of bulk phases at 0 K.

    \b
    Examples:
      aiida-seireact products Li Li6PS5Cl                        relax by CHGNet, half a minute
      aiida-seireact products Li Li6PS5Cl --save e.json --plot products.svg
      aiida-seireact products Li Li3InCl6 --entries e.json       yours, or a database's
      aiida-seireact products Li Li6PS5Br --cif Li6PS5Br.cif --cif LiBr.cif --cif Br.cif
    """
    if entries and (cifs or phases):
        raise click.UsageError("--entries brings energies of all phases: leave out --cif and --phase, or --entries.")
    if code and not submit:
        raise click.UsageError("--code is the program of a process in the profile: give --submit with it.")
    if submit and (save or plot or as_json):
        raise click.UsageError("--submit leaves the result in the profile: leave out --save, --plot and --json.")
    if plot is not None and plot.suffix not in IMAGES:
        raise click.UsageError(f"--plot draws {', '.join(IMAGES)}, by the end of the name: not {plot.name}.")
    try:
        if submit:
            _submit(profile, first, second, entries, phases, cifs, calculator, code, dry_run)
            return
        energies = _read(entries) if entries else _relaxed(first, second, phases, cifs, calculator, dry_run)
        if energies is None:
            return
        if save is not None and not dry_run:
            _save(energies, save)
        from aiida_seireact.science.products import predict

        found = predict(first, second, energies)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if dry_run:
        click.echo(f"{len(found.phases)} phases have energies; nothing was written (--dry-run).")
        return
    if plot is not None:
        _draw(found, plot)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        _tell(found)


def _read(files: Sequence[Path]) -> list[PhaseEnergy]:
    """Return the energies of files.

    :raises ValueError: one can't be used; the sentence names it.
    """
    from aiida_seireact.formats.entries import energies_of_frames, read_entries
    from aiida_seireact.formats.frames import Frames

    energies = []
    for path in files:
        try:
            if path.suffix == ".npz":
                energies += energies_of_frames(Frames.load(path))
            elif path.suffix in (".extxyz", ".xyz"):
                energies += energies_of_frames(Frames.from_extxyz(path))
            else:
                energies += read_entries(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ValueError(f"{path}: {error}") from error
    return energies


def _relaxed(
    first: str, second: str, phases: Sequence[str], cifs: Sequence[Path], calculator: str, dry_run: bool
) -> list[PhaseEnergy] | None:
    """Return the energies of the phases, relaxed by a calculator; None on a dry run, which tells the phases.

    :raises ValueError: unknown phases or calculator, or one that could not be relaxed.
    """
    from aiida_seireact.science.structures.phase_cells import phase_cells, phases_between, read_cifs

    crystals = read_cifs(texts_of(cifs, in_graph=False))
    wanted = list(phases) if phases else phases_between(first, second, crystals)
    cells = phase_cells(wanted, crystals)
    if dry_run:
        for atoms in cells:
            click.echo(f"{atoms.info['config_type']:12} {len(atoms):4} atoms")
        click.echo(f"{len(cells)} phases would be relaxed by {calculator}. Nothing was computed (--dry-run).")
        return None
    return _relax(cells, calculator)


def _relax(cells: Sequence[Atoms], calculator: str) -> list[PhaseEnergy]:
    """Relax by the code of ``seireact-label``, in this process."""
    from aiida_seireact.formats.entries import energies_of_frames
    from aiida_seireact.formats.frames import Frames
    from aiida_seireact.formats.jobs.label import LabelJob
    from aiida_seireact.programs.label import run

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Frames.from_atoms(cells).save(folder / "phases.npz")
        job = LabelJob.model_validate({"task": "relax", "calculator": calculator, "frames": "phases.npz"})
        try:
            # Stdout is for the result: potentials greet on it.
            with contextlib.redirect_stdout(sys.stderr):
                result = run(job, folder, lambda line: click.echo(line, err=True))
        except RuntimeError as error:  # the package is missing, or nothing could be relaxed
            raise ValueError(str(error)) from error
        names = [str(atoms.info["config_type"]) for atoms in cells]
        if result["failures"]:
            lost = result["failures"][0]
            raise ValueError(
                f"{names[lost['index']]} could not be relaxed by {calculator} ({lost['reason']}): "
                "choose another --calculator, or name the --phase to look at without it."
            )
        open_ends = [names[report["index"]] for report in result["reports"] if not report["converged"]]
        if open_ends:
            click.echo(
                f"Not fully relaxed in {job.relax.steps} steps, so a little too high: {', '.join(open_ends)}.", err=True
            )
        if result["calculator"]["kind"] == "stand-in":
            click.echo(f"{calculator} is a pretrained potential, a stand-in for DFT: look, don't publish.", err=True)
        return energies_of_frames(Frames.load(folder / result["frames"]))


def _submit(
    profile: str | None,
    first: str,
    second: str,
    entries: Sequence[Path],
    phases: Sequence[str],
    cifs: Sequence[Path],
    calculator: str,
    code: str | None,
    dry_run: bool,
) -> None:
    """Submit the process.

    :raises ValueError: what it refuses.
    """
    load(profile)
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.engine import submit

    from aiida_seireact.cli.label import find
    from aiida_seireact.workchains.products import ProductsWorkChain

    if entries:
        from aiida_seireact.formats.entries import to_content

        builder = ProductsWorkChain.get_builder()
        builder.reactants = orm.List([first, second])
        builder.entries = orm.Dict(to_content(_read(entries)))
    else:
        try:
            builder = ProductsWorkChain.get_builder_from_protocol(
                first, second, phases=phases or None, cifs=texts_of(cifs, in_graph=True), code=find(code),
                overrides=None if calculator == "chgnet" else {"parameters": {"calculator": {"name": calculator}}},
            )  # fmt: skip
        except NotExistent as error:
            raise click.ClickException(str(error)) from None
    checked(builder)
    if dry_run:
        looked_at = builder.phases.get_list() if "phases" in builder else []
        click.echo(f"{', '.join(looked_at) or 'the entries'}: nothing was submitted (--dry-run).")
        return
    node = submit(builder)
    click.echo(f"Submitted {node.process_label} <{node.pk}>.  aiida-seireact status {node.pk} --follow")


def _save(energies: Sequence[PhaseEnergy], path: Path) -> None:
    from aiida_seireact.formats.atomic import write_atomically
    from aiida_seireact.formats.entries import to_content

    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(to_content(energies), indent=1) + "\n", encoding="utf-8")
    click.echo(str(path), err=True)


def _draw(found: Products, path: Path) -> None:
    from aiida_seireact.cli.render.figures_products import reaction_energies
    from aiida_seireact.figures.saving import save_picture

    click.echo(str(save_picture(reaction_energies(found.to_dict()), path)), err=True)


def _tell(found: Products) -> None:
    """Print the kinks and the phases as tables."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    kinks = Table(title=f"{found.first} | {found.second}", title_justify="left")
    for name in (f"atoms from {found.first}", "eV/atom", "eV"):
        kinks.add_column(name, justify="right", no_wrap=True)
    kinks.add_column("reaction", overflow="fold")
    for kink in found.kinks:
        end = kink is found.lithiation_end
        kinks.add_row(
            f"{kink.mixing_fraction:.3f}",
            f"{kink.energy_ev_per_atom:.3f}",
            f"{kink.energy_ev:.2f}",
            kink.reaction + ("  (lithiation end)" if end else ""),
            style="bold" if end else None,
        )
    console.print(kinks)
    phases = Table(title="phases looked at", title_justify="left")
    phases.add_column("phase")
    for name in ("eV/atom", "above hull (meV/atom)"):
        phases.add_column(name, justify="right")
    for phase in found.phases:
        above = 1000 * phase["above_hull_ev_per_atom"]
        phases.add_row(phase["name"], f"{phase['energy_ev_per_atom']:.4f}", f"{above:.1f}" if above else "on it")
    console.print(phases)

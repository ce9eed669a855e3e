"""``aiida-seireact build disorder`` and ``build orderings``: frames of a phase with partial occupancies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli.build_cell import HELP
from aiida_seireact.cli.build_frames import (
    check_output,
    composition,
    finish,
    frames_options,
    min_distance_option,
    occupancy_option,
    phase_with,
    refusal,
    tell_rows,
)

if TYPE_CHECKING:
    from aiida_seireact.formats.disorder import EnsembleSettings

REPEAT = (1, 1, 1)
Shares = tuple[tuple[str, dict[str, float]], ...]
ENERGIES = {"ewald_ev": "Ewald (eV/cell)", "ewald_ev_per_atom": "(eV/atom)"}


@click.command("disorder", context_settings=HELP)
@click.argument("crystal", metavar="PHASE")
@click.option("--repeat", type=click.IntRange(1), nargs=3, default=REPEAT, metavar="N N N",
              help="Of the conventional cell; the composition is exact over all of it.")  # fmt: skip
@click.option("-n", "--number", type=click.IntRange(1), default=1, show_default=True, help="Draws.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first; the next ones follow."
)
@occupancy_option
@min_distance_option
@click.option("--rank", type=click.Choice(["ewald"]), help="Sort by the electrostatic energy of the nominal charges.")
@click.option(
    "--keep", type=click.IntRange(1), metavar="K", help="With --rank: only the K unlike draws of lowest energy."
)
@frames_options
def disorder(
    profile: str | None,
    crystal: str,
    repeat: tuple[int, int, int],
    number: int,
    seed: int,
    occupancies: Shares,
    min_distance: float,
    rank: str | None,
    keep: int | None,
    out: Path | None,
    store: bool,
    dry_run: bool,
) -> None:
    """Draw a disordered PHASE many times: a phase of the library or a CIF file, each draw by a seed of its own.

    Composition is exact and neutral, and no two ions share a doublet of sites. `Li6PS5Cl:a=9.91` replaces a lattice
    parameter; an element that is new to the crystal needs a charge, `Li2S:P=-3,Cl=-1`.

    \b
    Examples:
      aiida-seireact build disorder Li6PS5Cl -n 20 -o ensemble.extxyz
      aiida-seireact build disorder Li6PS5Cl -n 100 --rank ewald --keep 5 -o low.extxyz
      aiida-seireact build disorder Li6PS5Cl --occupancy X1:Cl=0.75,S=0.25 --occupancy X2:Cl=0.25,S=0.75 --dry-run
      aiida-seireact build disorder mine.cif --repeat 2 2 1 --seed 7 --store
    """
    from aiida_seireact.formats.disorder import EnsembleSettings, read_settings
    from aiida_seireact.science.structures.orderings import WHOLE_ATOM

    check_output(out)
    if keep is not None and rank is None:
        raise click.UsageError("--keep takes the draws of lowest energy: give --rank ewald too.")
    if keep is not None and keep > number:
        raise click.UsageError(f"--keep is {keep}, and only {number} are drawn: raise --number.")
    try:
        name, phase = phase_with(crystal, occupancies, min_distance)
        parameters: dict[str, Any] = {
            "phase": phase, "repeat": repeat, "seed": seed, "number": number, "rank": rank, "keep": keep,
            "config_type": name,
        }  # fmt: skip
        settings = read_settings(EnsembleSettings, parameters)
        click.echo(f"{composition(settings.counts())}; {number} draw{'s' if number > 1 else ''}")
        if dry_run:
            _tell_sublattices(settings)
            click.echo("No atom was made, nothing was written (--dry-run).")
            return
        if store:
            settings.small()
        made = settings.make()
        report = made.report
        for part in report["sublattices"]:
            for symbol, target in part["target"].items():
                if abs(part["drawn"][symbol] - target) > WHOLE_ATOM:
                    click.echo(
                        f"{part['label']} holds {part['drawn'][symbol]} {symbol} where its occupancy says {target:g}: "
                        "whole numbers that are neutral; a larger --repeat comes nearer."
                    )
        titles = {"seed": "seed", **ENERGIES, "kept": "kept"}
        tell_rows(report["rows"], titles if rank else {"seed": "seed"})
        if report["n_distinct"] < number:
            click.echo(f"Distinct cells among the {number} draws: {report['n_distinct']}; it has few arrangements.")
        finish(made, "ensemble", parameters, out=out, store=store, profile=profile, dry_run=False)
    except ValueError as error:
        raise refusal(error) from None


def _tell_sublattices(settings: EnsembleSettings) -> None:
    """Say what each sublattice gets, and what its occupancies stand for."""
    from aiida_seireact.science.structures.occupancy import apportion

    parts = settings.cell.sublattices
    n_cells = settings.repeat[0] * settings.repeat[1] * settings.repeat[2]
    rows = []
    for part, numbers in zip(parts, apportion(parts, settings.repeat), strict=True):
        for ion, count, target in zip(part.ions, numbers, part.targets(n_cells), strict=False):
            if len(part.ions) > 1 or part.has_vacancies:
                rows.append({"label": part.label, "sites": part.n_sites * n_cells, "ion": ion.symbol,
                             "number": count, "target": f"{target:g}"})  # fmt: skip
    titles = {"label": "label", "sites": "sites", "ion": "ion", "number": "number", "target": "by occupancy"}
    tell_rows(rows, titles, "disordered sites") if rows else click.echo("Every site is always filled by one ion.")


@click.command("orderings", context_settings=HELP)
@click.argument("crystal", metavar="PHASE")
@click.option("--repeat", "--supercell", "repeat", type=click.IntRange(1), nargs=3, default=REPEAT, metavar="N N N",
              help="Supercell.")  # fmt: skip
@click.option("--matrix", type=int, nargs=9, default=None, metavar="9 NUMBERS", help="Instead: a supercell of any "
              "shape, three rows in the vectors of the cell.")  # fmt: skip
@click.option("--primitive", is_flag=True, help="Of the primitive cell instead of the conventional one.")
@occupancy_option
@min_distance_option
@click.option("--rank", type=click.Choice(["ewald", "none"]), default="ewald", show_default=True,
              help="Sort by the electrostatic energy of the nominal charges.")  # fmt: skip
@click.option("--max-arrangements", type=click.IntRange(1), default=100_000, show_default=True,
              help="Refuse cells with more ways to put the ions.")  # fmt: skip
@frames_options
def orderings(
    profile: str | None,
    crystal: str,
    repeat: tuple[int, int, int],
    matrix: tuple[int, ...] | None,
    primitive: bool,
    occupancies: Shares,
    min_distance: float,
    rank: str,
    max_arrangements: int,
    out: Path | None,
    store: bool,
    dry_run: bool,
) -> None:
    """List the orderings of a disordered PHASE that its symmetry tells apart, and how often each occurs.

    All arrangements of whole numbers of ions in the supercell are listed, so it is for cells of few sites; `disorder`
    draws larger ones. The degeneracies are the weights of a configurational average.

    \b
    Examples:
      aiida-seireact build orderings Li2S:P=-3,Cl=-1 --occupancy S:S=0.75,P=0.125,Cl=0.125 --repeat 1 1 2
      aiida-seireact build orderings Li2S:P=-3,Cl=-1 --occupancy S:S=0.75,P=0.125,Cl=0.125 --primitive --repeat 2 2 2
      aiida-seireact build orderings Li6PS5Cl --primitive --repeat 1 1 2 -o orderings.extxyz
    """
    from aiida_seireact.formats.disorder import OrderingsSettings, read_settings

    check_output(out)
    if matrix and repeat != REPEAT:
        raise click.UsageError("--repeat and --matrix both tell the supercell: give one of them.")
    try:
        name, phase = phase_with(crystal, occupancies, min_distance)
        parameters: dict[str, Any] = {
            "phase": phase,
            "supercell": (matrix[:3], matrix[3:6], matrix[6:]) if matrix else repeat,
            "primitive": primitive,
            "rank": None if rank == "none" else rank,
            "max_arrangements": max_arrangements,
            "config_type": name,
        }
        settings = read_settings(OrderingsSettings, parameters)
        made = settings.make_small() if store else settings.make()
        report = made.report
        click.echo(
            f"{composition(report['counts'])}; {report['n_arrangements']:,} arrangements, "
            f"{report['n_orderings']:,} distinct orderings"
        )
        tell_rows(report["rows"], {"ordering": "ordering", "degeneracy": "degeneracy", **ENERGIES})
        finish(made, "distinct_orderings", parameters, out=out, store=store, profile=profile, dry_run=dry_run)
    except ValueError as error:
        raise refusal(error) from None

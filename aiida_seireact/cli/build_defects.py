"""``aiida-seireact build defects``: point defects in a crystal or in cells of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli.build_cell import HELP
from aiida_seireact.cli.build_frames import Number, check_output, finish, frames_options, refusal, tell_rows

if TYPE_CHECKING:
    from aiida_seireact.formats.frames import Frames

Numbers = tuple[tuple[str, int], ...]


@click.command("defects", context_settings=HELP)
@click.argument("host", metavar="PHASE|FILE")
@click.option("--vacancy", "vacancies", type=Number(), multiple=True, metavar="El=N", help="Atoms taken out.")
@click.option("--interstitial", "interstitials", type=Number(), multiple=True, metavar="El=N",
              help="Atoms put into the roomiest of random places.")  # fmt: skip
@click.option("--antisite", "antisites", type=Number(), multiple=True, metavar="El:El=N",
              help="Pairs of atoms that change places.")  # fmt: skip
@click.option("--neutral", is_flag=True, help="Refuse defects that leave the cell a charge, and say what balances it.")
@click.option("--charge", "charges", type=(str, float), multiple=True, metavar="El Q",
              help="Nominal charge of an element, where the host has none or another.")  # fmt: skip
@click.option("--repeat", type=click.IntRange(1), nargs=3, default=(1, 1, 1), metavar="N N N", help="Of the host.")
@click.option("-n", "--number", type=click.IntRange(1), default=1, show_default=True, help="Frames of each host.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first; the next ones follow."
)
@click.option("--min-distance", type=click.FloatRange(0, min_open=True), default=1.5, show_default=True, metavar="Å",
              help="Of an interstitial to all other atoms.")  # fmt: skip
@frames_options
def defects(
    profile: str | None,
    host: str,
    vacancies: Numbers,
    interstitials: Numbers,
    antisites: Numbers,
    neutral: bool,
    charges: tuple[tuple[str, float], ...],
    repeat: tuple[int, int, int],
    number: int,
    seed: int,
    min_distance: float,
    out: Path | None,
    store: bool,
    dry_run: bool,
) -> None:
    """Make point defects at random in a PHASE of the library, a CIF, or the cells of a FILE (extxyz, POSCAR, npz).

    A disordered phase is drawn anew for each frame. No atom takes part in two defects, and an interstitial does not
    fall into a vacancy.

    \b
    Examples:
      aiida-seireact build defects Li6PS5Cl --vacancy Li=2 -n 10 -o vacancies.extxyz
      aiida-seireact build defects Li6PS5Cl --vacancy Li=1 --interstitial Li=1 --antisite S:Cl=3 --neutral -n 5
      aiida-seireact build defects cell.extxyz --vacancy Li=1 --vacancy Cl=1 --neutral --repeat 2 2 2 --store
    """
    from aiida_seireact.formats.defects import DefectsSettings
    from aiida_seireact.formats.disorder import read_settings

    check_output(out)
    try:
        given = {"vacancies": vacancies, "interstitials": interstitials, "antisites": antisites}
        parameters: dict[str, Any] = {
            **{kind: _once(kind, numbers) for kind, numbers in given.items()}, "neutral": neutral,
            "charges": dict(charges), "repeat": repeat, "number": number, "seed": seed,
            "min_distance_ang": min_distance,
        }  # fmt: skip
        cells = _host(host, parameters)
        settings = read_settings(DefectsSettings, parameters)
        if store:
            settings.small(cells)
        made = settings.make(cells)
        titles = {"seed": "seed", "host": "host", "formula": "formula", "n_atoms": "atoms", "charge_e": "charge (e)"}
        tell_rows(made.report["rows"], titles)
        finish(made, "defects", parameters, out=out, store=store, profile=profile, dry_run=dry_run, cells=cells)
    except ValueError as error:
        raise refusal(error) from None


def _once(kind: str, numbers: Numbers) -> dict[str, int]:
    """Return numbers by what they are of.

    :raises ValueError: one is told twice.
    """
    names = [name for name, _ in numbers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"The {kind} of {twice[0]} are told twice: give their sum.")
    return dict(numbers)


def _host(told: str, parameters: dict[str, Any]) -> Frames | None:
    """Return the cells of a file, or put the phase into the parameters.

    :raises ValueError: unknown phase, or no file.
    """
    from aiida_seireact.cli.build_phases import phase_of
    from aiida_seireact.cli.sample import read_cells

    path = Path(told)
    if path.is_file() and path.suffix.lower() != ".cif":
        return read_cells((path,))
    name, phase = phase_of(told)
    parameters |= {"phase": phase, "config_type": f"{name}-defects"}
    return None

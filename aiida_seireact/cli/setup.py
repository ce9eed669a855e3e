"""``aiida-seireact setup``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from aiida_seireact.cli._profile import profile_option
from aiida_seireact.cli.programs import PROGRAMS

COLOURS = {"made": "green", "changed": "green", "hidden": "yellow", "missing": "red"}


@click.command("setup")
@profile_option
@click.option("--computer", default="localhost", show_default=True, help="Label of the computer the programs run on.")
@click.option("--workers", type=click.IntRange(1), help="Daemon workers; default 2 where nobody chose a number.")
@click.option(
    "--work-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Scratch folder of a localhost that is made.",
)
@click.option("--bin-dir", help="Folder of the programs on the computer; default on this machine: beside this Python.")
@click.option(
    "--program",
    "programs",
    multiple=True,
    type=click.Choice([card.name for card in PROGRAMS]),
    help="Only this program (repeatable), where a computer holds not all of them.",
)
@click.option(
    "--with-qe",
    is_flag=True,
    help="Add Quantum ESPRESSO: a code of the pw.x on PATH, and the SG15 pseudopotentials, fetched once.",
)
@click.option("--with-cp2k", is_flag=True, help="Add CP2K: a code of the cp2k.psmp or cp2k on PATH.")
@click.option(
    "--pair-style",
    "with_pair_style",
    is_flag=True,
    help="Build pair_style allegro for LAMMPS itself, once (half a minute, g++); add a code that runs on many ranks.",
)
@click.option(
    "--with-pyace",
    is_flag=True,
    help="Add python-ace, a source of descriptors: show its licence (academic, non-commercial), ask, install it in an "
    "environment of its own, add a code of seireact-classify there.",
)
@click.option("--accept-pyace-licence", is_flag=True, help="Accept the licence of python-ace without being asked.")
@click.option(
    "--caching/--no-caching",
    default=True,
    help="Let AiiDA reuse finished calculations; on unless switched off here.",
)
@click.option("--dry-run", is_flag=True, help="Change nothing, only tell.")
def setup(
    profile: str | None,
    computer: str,
    workers: int | None,
    work_dir: Path | None,
    bin_dir: str | None,
    programs: tuple[str, ...],
    with_qe: bool,
    with_cp2k: bool,
    with_pair_style: bool,
    with_pyace: bool,
    accept_pyace_licence: bool,
    caching: bool,
    dry_run: bool,
) -> None:
    """Make a profile, a computer and one code for each program version; or reuse what is there.

    Without --profile the profile is `seireact`: SQLite and AiiDA's own broker, so nothing else has to be
    installed or started. With --profile and --computer of your own, only the codes are added, and caching is
    switched on. Run it again after every upgrade: changed packages make new codes, so that old results in
    the cache stay apart.

    \b
    Examples:
      aiida-seireact setup
      aiida-seireact setup --with-qe
      aiida-seireact setup --pair-style
      aiida-seireact setup --with-pyace
      aiida-seireact setup --profile mine --computer cluster --bin-dir /home/me/seireact/bin --program lmp
    """
    from aiida_seireact.cli.installation import DEFAULT_PROFILE, SetupError, Step, install

    def say(step: Step) -> None:
        outcome = click.style(f"{step.outcome:>12}", fg=COLOURS.get(step.outcome))
        click.echo(f"{outcome}  {step.thing}" + (f": {step.detail}" if step.detail else ""))

    def accept(licence: str) -> bool:
        click.echo(licence)
        if accept_pyace_licence:
            click.echo("Accepted by --accept-pyace-licence.")
            return True
        if not sys.stdin.isatty():
            click.echo("Nobody is there to accept it: give --accept-pyace-licence if you do.", err=True)
            return False
        return click.confirm("Do you accept this licence of python-ace?")

    name = profile or DEFAULT_PROFILE
    try:
        steps = install(
            name,
            computer_label=computer,
            workers=workers,
            work_dir=work_dir,
            bin_dir=bin_dir,
            programs=programs or None,
            with_qe=with_qe,
            with_cp2k=with_cp2k,
            with_pair_style=with_pair_style,
            with_pyace=with_pyace,
            accept_pyace=accept,
            caching=caching,
            dry_run=dry_run,
            say=say,
        )
    except SetupError as error:
        raise click.ClickException(str(error)) from None

    missing = sum(step.outcome == "missing" for step in steps)
    if not any(step.is_change for step in steps):
        click.echo("Nothing to do.")
    if missing:
        raise click.ClickException(
            f"{missing} of the programs can't run yet: see `missing` above, then call setup again."
        )
    if dry_run:
        return
    from aiida.manage import get_config

    flag = "" if get_config().default_profile_name == name else f" -p {name}"
    click.echo(f"Next: `aiida-seireact{flag} doctor` tries everything; `verdi{flag} daemon start` starts the daemon.")

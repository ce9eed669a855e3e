"""``aiida-seireact dataset filter | dedupe | subsample``: fewer frames; at once, or, of a large set, as a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option, without_tracebacks

if TYPE_CHECKING:
    from aiida_seireact.data.dataset import DatasetData
    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.formats.jobs.curate import CurateSettings

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
SPLITS = ("train", "val", "test")


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what the three commands share: the frames, where they go, and how it is done."""
    options = (
        profile_option,
        click.argument("frames", metavar="PK|UUID|FILE"),
        click.option(
            "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
            help="Of frames from a file: write those that stay here, .extxyz or .npz.",
        ),
        click.option("--code", metavar="LABEL@COMPUTER", help="For a large set: seireact-curate; default: the newest."),
        click.option("--dry-run", is_flag=True, help="Tell what would stay, or be submitted; store nothing."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command("filter", context_settings=HELP)
@_common
@click.option("--max-force", type=float, metavar="EV/Å", help="Largest force on an atom.")
@click.option("--min-distance", type=float, metavar="Å", help="Smallest distance between two atoms.")
@click.option("--volume", type=(float, float), metavar="LOW HIGH", help="Smallest and largest volume an atom, Å³.")
@click.option("--species", metavar="Li,P,S,Cl", help="Frames with another species leave.")
@click.option("--formula", "formulas", multiple=True, metavar="Li2S", help="Only such compositions stay; repeatable.")
@click.option("--config-type", "types", multiple=True, metavar="NAME", help="Only such types stay; repeatable.")
@click.option(
    "--flag-beyond", default=6.0, show_default=True,
    help="Robust standard deviations at which an energy or force is told as unusual; such frames stay.",
)  # fmt: skip
def filter_(
    profile: str | None,
    frames: str,
    output: Path | None,
    code: str | None,
    dry_run: bool,
    max_force: float | None,
    min_distance: float | None,
    volume: tuple[float, float] | None,
    species: str | None,
    formulas: tuple[str, ...],
    types: tuple[str, ...],
    flag_beyond: float,
) -> None:
    """Keep the frames within all limits that are given; tell who left by which, and who is unusual.

    FRAMES is a dataset or a shard in the profile, or a file. A dataset keeps its splits, and its frames lie where they
    lay. A large set is curated by a job, with the same result.

    \b
    Examples:
      aiida-seireact dataset filter 1234 --max-force 20 --min-distance 1.2 --dry-run
      aiida-seireact dataset filter 1234 --config-type md --formula Li6PS5Cl
      aiida-seireact dataset filter aimd.extxyz --max-force 20 -o calm.extxyz       without a profile
    """
    settings = {
        "max_force_ev_per_ang": max_force,
        "min_distance_ang": min_distance,
        "volume_per_atom_ang3": volume,
        "species": [name.strip() for name in species.split(",")] if species else None,
        "formulas": formulas or None,
        "config_types": types or None,
        "flag_beyond": flag_beyond,
    }
    _curate(profile, frames, {"filter": settings}, output, code, dry_run)


@click.command("dedupe", context_settings=HELP)
@_common
@click.option(
    "--closest", type=float, metavar="NUMBER",
    help="Relative distance of descriptors (0 to 1) below which frames of a composition are doubles, too.",
)  # fmt: skip
def dedupe(
    profile: str | None, frames: str, output: Path | None, code: str | None, dry_run: bool, closest: float | None
) -> None:
    """Keep each structure once; with --closest also one of those that are nearly the same.

    Of doubles in a dataset that of test stays before that of validation before that of training, so that nothing that
    is tested was learned. A measure for --closest: two frames of 228 atoms, each atom of both displaced at random by
    0.02 Å along each axis, differ by 0.005 to 0.03.

    \b
    Examples:
      aiida-seireact dataset dedupe 1234 --dry-run
      aiida-seireact dataset dedupe 1234 --closest 0.002
      aiida-seireact dataset dedupe all.npz --closest 0.002 -o once.npz            without a profile
    """
    _curate(profile, frames, {"unique": {"closest": closest}}, output, code, dry_run)


@click.command("subsample", context_settings=HELP)
@_common
@click.option("--count", type=click.IntRange(1), required=True, help="Frames of each config type that stay.")
@click.option("--seed", type=click.IntRange(0), required=True, help="Chooses the first frame of each config type.")
@click.option(
    "--split", "splits", multiple=True, type=click.Choice(SPLITS), default=("train",), show_default=True,
    help="Parts of a dataset that are thinned out; the others stay whole. Repeatable.",
)  # fmt: skip
def subsample(
    profile: str | None,
    frames: str,
    output: Path | None,
    code: str | None,
    dry_run: bool,
    count: int,
    seed: int,
    splits: tuple[str, ...],
) -> None:
    """Keep so many frames of each config type, as unlike each other as can be (farthest-point sampling).

    \b
    Examples:
      aiida-seireact dataset subsample 1234 --count 500 --seed 1 --dry-run
      aiida-seireact dataset subsample 1234 --count 500 --seed 1 --split train --split val
      aiida-seireact dataset subsample md.extxyz --count 100 --seed 1 -o few.extxyz    without a profile
    """
    _curate(profile, frames, {"thin": {"count": count, "seed": seed, "splits": splits}}, output, code, dry_run)


# ------------------------------------------------------------------------------------ how
def _curate(
    profile: str | None, name: str, steps: dict[str, Any], output: Path | None, code: str | None, dry_run: bool
) -> None:
    from pydantic import ValidationError

    from aiida_seireact.formats.jobs.base import readable
    from aiida_seireact.formats.jobs.curate import CurateSettings

    try:
        settings = CurateSettings.model_validate(steps)
    except ValidationError as error:
        raise click.ClickException(f"This is not possible: {readable(error)}.") from None
    path = Path(name)
    is_file = path.is_file() or path.suffix in (".extxyz", ".xyz", ".npz")
    if is_file and output is None and not dry_run:
        raise click.UsageError("Frames from a file go to a file: give --output FILE.")
    if not is_file and output is not None:
        raise click.UsageError("--output is for frames from a file; `dataset export` writes those of a node.")
    try:
        if is_file:
            _of_file(path, settings, output, dry_run)
        else:
            load(profile)
            _of_node(name, settings, code, dry_run)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _of_file(path: Path, settings: CurateSettings, output: Path | None, dry_run: bool) -> None:
    import numpy as np

    from aiida_seireact.formats.curating import curate
    from aiida_seireact.formats.extxyz import read_extxyz
    from aiida_seireact.formats.frames import Frames
    from aiida_seireact.formats.scratch import Scratch

    frames, told = (Frames.load(path), None) if path.suffix == ".npz" else read_extxyz(path)
    split = np.array(told or [""] * len(frames), dtype="<U5")
    with Scratch() as scratch:
        verdicts = curate(lambda: [(frames, split)], settings, scratch, lambda line: click.echo(line, err=True))
    _tell(verdicts.report())
    if dry_run or output is None:
        click.echo("Nothing was written (--dry-run).")
        return
    kept = frames.select(np.flatnonzero(verdicts.kept))
    if output.suffix == ".npz":
        kept.save(output)
    else:
        kept.to_extxyz(output, split[verdicts.kept].tolist() if told else None)
    click.echo(str(output))


def _of_node(name: str, settings: CurateSettings, code: str | None, dry_run: bool) -> None:
    from aiida_seireact.calculations.functions.datasets import atoms_in, too_much, verdicts_on
    from aiida_seireact.data.dataset import DatasetData
    from aiida_seireact.data.frames import FramesData

    node = load_node(name)
    if not isinstance(node, DatasetData | FramesData):
        raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}: give a DatasetData or a FramesData.")
    n_atoms = atoms_in(node)
    if code is not None or too_much(n_atoms, settings):
        _by_job(node, n_atoms, settings, code, dry_run)
    elif dry_run:
        _tell(verdicts_on(node, settings).report())
        click.echo("Nothing was stored (--dry-run).")
    else:
        _at_once(node, settings)


def _at_once(node: DatasetData | FramesData, settings: CurateSettings) -> None:
    from aiida import orm

    from aiida_seireact.calculations.functions.datasets import drop_doubles, filter_frames, thin_out

    functions = {"filter": filter_frames, "unique": drop_doubles, "thin": thin_out}
    ((step, values),) = settings.model_dump(mode="json", exclude_none=True).items()
    with without_tracebacks():
        made, process = functions[step].run_get_node(node, orm.Dict(values))
    _tell(made["report"].get_dict())
    kept = made["kept"]
    click.echo(f"{process.process_label} <{process.pk}>: {type(kept).__name__} <{kept.pk}> {kept.content_hash[:12]}")


def _by_job(
    node: DatasetData | FramesData, n_atoms: int, settings: CurateSettings, code: str | None, dry_run: bool
) -> None:
    from aiida import orm
    from aiida.common.exceptions import NotExistent
    from aiida.engine import submit

    from aiida_seireact.cli.label import find
    from aiida_seireact.workchains.codes import find_code
    from aiida_seireact.workchains.curate import CurateWorkChain

    try:
        program = find(code) or find_code("curate")
    except NotExistent as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(node)} frames of {n_atoms} atoms: a job of {program.full_label}")
    if dry_run:
        click.echo("Nothing was submitted (--dry-run).")
        return
    parameters = orm.Dict(settings.model_dump(mode="json", exclude_none=True))
    process = submit(CurateWorkChain, code=program, frames=node, parameters=parameters)
    click.echo(
        f"Submitted CurateWorkChain <{process.pk}>; the frames that stay will be its output `kept`.  "
        f"aiida-seireact status {process.pk} --follow"
    )


def _tell(report: dict[str, Any]) -> None:
    click.echo(f"{report['n_kept']} of {report['n_frames']} frames stay")
    for rule, count in report["dropped_by"].items():
        click.echo(f"  {count} left: {rule}")
    flagged = report.get("flagged", [])
    for flag in flagged[:10]:
        click.echo(
            f"  unusual, stays: {flag['frame_id'][:12]} ({flag['config_type']}), {flag['quantity']} "
            f"{flag['value']:.3f}, {flag['robust_score']:+.1f} robust standard deviations"
        )
    if len(flagged) > 10:
        click.echo(f"  and {len(flagged) - 10} more")

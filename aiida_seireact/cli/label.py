"""``aiida-seireact label``: frames from a file, or in the profile, to a labelling engine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option
from aiida_seireact.cli._submission import checked, follow, list_protocols, tell_trouble
from aiida_seireact.cli.demo_overrides import read_overrides

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, WorkChainNode

    from aiida_seireact.data.frames import FramesData


@click.command("label", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("frames", metavar="FILE|PK|UUID")
@click.option(
    "--protocol", metavar="NAME", help="Engine and level of theory; `--protocols` lists them. Default: fast (CHGNet)."
)
@click.option("--protocols", is_flag=True, is_eager=True, callback=lambda *args: _list(*args), expose_value=False,
              help="List the protocols and leave.")  # fmt: skip
@click.option("--code", metavar="LABEL@COMPUTER", help="Program of the engine; default: the newest that setup made.")
@click.option(
    "--overrides", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.yaml",
    help="Other values than those of the protocol, nested as in it: `parameters: {calculator: {name: emt}}`.",
)  # fmt: skip
@click.option("--batch-size", type=click.IntRange(1), help="Frames a job.")
@click.option("--max-parallel", type=click.IntRange(0), default=0, help="Batches at a time; 0: all at once.")
@click.option("--no-reuse", is_flag=True, help="Compute also what this profile has a label of.")
@click.option("--dry-run", is_flag=True, help="Say what would be computed, and check it; submit nothing.")
@click.option("--wait", is_flag=True, help="Stay until it is done, and say how it went.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.extxyz",
    help="With --wait: write the labelled frames there.",
)  # fmt: skip
def label(
    profile: str | None,
    frames: str,
    protocol: str | None,
    code: str | None,
    overrides: Path | None,
    batch_size: int | None,
    max_parallel: int,
    no_reuse: bool,
    dry_run: bool,
    wait: bool,
    output: Path | None,
) -> None:
    """Label FRAMES: a file that ASE reads (extxyz, CIF, POSCAR, …), or frames in the profile.

    Labels are energy, forces and stress. A structure that the same engine and settings have labelled before is not
    computed again. A frame that fails costs no other, and is told with its reason.

    \b
    Examples:
      aiida-seireact label frames.extxyz --dry-run          what would be computed?
      aiida-seireact label frames.extxyz --wait -o labelled.extxyz
      aiida-seireact label 1234 --protocol paper --code vasp@cluster --max-parallel 4
    """
    if output is not None and not wait:
        raise click.UsageError("--output writes what --wait has waited for: give both.")
    values = read_overrides(overrides)
    if batch_size is not None:
        values["batch_size"] = batch_size
    load(profile)
    builder = build(read_frames(frames), protocol, values, find(code))
    builder.max_parallel, builder.reuse = max_parallel, not no_reuse
    tell_plan(builder)
    if dry_run:
        click.echo("Nothing was submitted (--dry-run).")
        return
    from aiida.engine import submit

    node = submit(builder)
    click.echo(f"Submitted {node.process_label} <{node.pk}>.  aiida-seireact status {node.pk} --follow")
    if wait:
        conclude(follow(node, _labelled_so_far), output)
        return
    tell_trouble()


def _labelled_so_far(node: WorkChainNode) -> str:
    from aiida_seireact.cli.progress import progress_of

    return f"{progress_of(node).n_labels} of {len(node.inputs.frames)} frames labelled"


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from aiida_seireact.workchains.label import LabelWorkChain

        list_protocols(context, LabelWorkChain)


def read_frames(name: str) -> FramesData:
    """Return the frames of a file, or those of a node.

    :raises click.ClickException: the file can't be read, or holds frames that must not be computed; no frames.
    """
    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.formats.frames import Frames, FramesError

    path = Path(name)
    if not path.is_file():
        if path.suffix or path.parent != Path("."):
            raise click.ClickException(f"There is no file {name}.")
        node = load_node(name)
        if not isinstance(node, FramesData):
            raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}; frames are a FramesData or a file.")
        return node
    try:
        if path.suffix == ".npz":
            frames = Frames.load(path)
        else:
            from ase.io import read

            frames = Frames.from_atoms(read(path, index=":"), labels="ignore")
        frames.validate()
        return FramesData(frames.without_labels())
    except FramesError as error:
        raise click.ClickException(f"{path}: {error}") from None
    except Exception as error:  # whatever a reader of ASE met
        reason = " ".join(str(error).split()) or type(error).__name__
        raise click.ClickException(
            f"{path} can't be read by ASE ({reason}): is it whole, and of a known form?"
        ) from None


def find(code: str | None) -> AbstractCode | None:
    """Return the code of this label.

    :raises click.ClickException: there is none.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    if code is None:
        return None
    try:
        return orm.load_code(code)
    except (NotExistent, MultipleObjectsError, ValueError):
        known = orm.QueryBuilder().append(orm.InstalledCode).all(flat=True)
        names = ", ".join(sorted({item.full_label for item in known if not item.is_hidden})) or "none"
        raise click.ClickException(f"There is no single code {code!r} in this profile; there is: {names}.") from None


def build(
    frames: FramesData, protocol: str | None, overrides: dict[str, Any], code: AbstractCode | None
) -> ProcessBuilder:
    """Return the builder, with all that can be checked before submission checked.

    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.workchains.label import LabelWorkChain

    try:
        builder = LabelWorkChain.get_builder_from_protocol(frames, code=code, protocol=protocol, overrides=overrides)
    except (ValueError, NotExistent) as error:
        raise click.ClickException(str(error)) from None
    return checked(builder)


def tell_plan(builder: ProcessBuilder) -> None:
    """Say what will be computed, and what is known already."""
    from aiida_seireact.workchains.known_labels import find_shards

    frames, size = builder.frames.frames, builder.batch_size.value
    types = ", ".join(f"{name or 'no type'} {count}" for name, count in sorted(Counter(frames.config_type).items()))
    click.echo(f"{len(frames)} frames of {', '.join(builder.frames.base.attributes.get('formulas'))} ({types})")
    click.echo(f"engine {builder.engine.value} by {builder.code.full_label}, {size} frames a job")
    wanted = set(frames.structure_ids)
    inputs = {"engine": builder.engine, "code": builder.code, "parameters": builder.parameters}
    parcels = find_shards(builder.frames, inputs) if builder.reuse else []
    known = wanted & {name for parcel in parcels for shard in parcel for name in shard.frames.structure_ids}
    left = len(wanted) - len(known)
    click.echo(
        f"{len(known)} labelled already, {len(frames) - len(wanted)} given twice, {left} to compute in "
        f"{-(-left // size)} batches"
    )


def conclude(node: WorkChainNode, output: Path | None) -> None:
    """Say what was labelled and what was not; write the labels.

    :raises click.ClickException: it failed; the labels there are were told and written all the same.
    """
    failures = node.outputs.failures["failures"] if "failures" in node.outputs else []
    for failure in failures:
        click.echo(f"frame {failure['index']}: {failure['reason']}", err=True)
    if "frames" in node.outputs:
        labelled = node.outputs.frames
        click.echo(f"{len(labelled)} frames labelled, {len(failures)} not: FramesData <{labelled.pk}>")
        if output is not None:
            labelled.frames.to_extxyz(output)
            click.echo(str(output))
    if not node.is_finished_ok:
        raise click.ClickException(
            node.exit_message or f"{node.process_label} <{node.pk}> was {node.process_state.value}."
        )

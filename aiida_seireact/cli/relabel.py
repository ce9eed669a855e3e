"""``aiida-seireact relabel`` and ``adopt``: other names for an old clustering, in a folder or in the profile."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option, without_tracebacks

if TYPE_CHECKING:
    from aiida.orm import ArrayData, Dict

    from aiida_seireact.data.phases import PhasesData
    from aiida_seireact.science.labelling import Classifier

FOLDER = click.Path(file_okay=False, path_type=Path)
HELP = {"help_option_names": ["-h", "--help"]}


def _where(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--dry-run", is_flag=True, help="Tell what would change; write and store nothing."),
        click.option("--timestep-fs", type=float, metavar="FS", help="MD time step, to draw against time."),
        click.option("-o", "--out", type=FOLDER, metavar="FOLDER", help="Where the new labels go. Default: beside the "
                     "old folder, under its name and what was done."),
        click.argument("what", metavar="FOLDER|PK"),
        profile_option,
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("relabel", context_settings=HELP)
@_where
@click.option("-r", "--reference", "references", multiple=True, metavar="[NAME=]PATH",
              help="A further known phase, as in `classify`. May be given again.")  # fmt: skip
@click.option("--remove", multiple=True, metavar="NAME", help="A phase to forget; also one that was adopted.")
@click.option("--reference-skip", type=click.IntRange(0), default=1, show_default=True,
              help="Frames left out at the start of each file of a reference.")  # fmt: skip
@click.option("--gate", "gates", multiple=True, metavar="NAME=VALUE", help="Another condition for a name: accept, "
              "support, majority, point, reach, second_pass; `point=none` for no such condition.")  # fmt: skip
def relabel(
    profile: str | None,
    what: str,
    out: Path | None,
    timestep_fs: float | None,
    dry_run: bool,
    references: tuple[str, ...],
    remove: tuple[str, ...],
    reference_skip: int,
    gates: tuple[str, ...],
) -> None:
    """Name the clusters of a classification anew, by other references or gates; nothing is clustered again.

    Give the folder that `classify` wrote, or the PK of a process or of phases. It takes seconds. The old labels stay
    as they are: a folder gets a new one beside it, a PK a new node.

    \b
    Examples:
      aiida-seireact relabel run.dump.phases -r Li3P=li3p.dump
      aiida-seireact relabel run.dump.phases --remove LiCl --gate point=1.5
      aiida-seireact relabel 1234 -r Li3P=li3p.extxyz
    """
    if not (references or remove or gates):
        raise click.UsageError("Nothing would change: give --reference, --remove or --gate.")
    settings = {"remove": list(remove), "gates": _gates(gates)}

    from aiida_seireact.cli.classify_inputs import reference_files

    _change(profile, what, out, timestep_fs, dry_run, settings, reference_files(references), reference_skip)


@click.command("adopt", context_settings=HELP)
@_where
@click.argument("clusters", metavar="CLUSTER...", nargs=-1, required=True, type=click.IntRange(0))
@click.option("--name", required=True, metavar="NAME", help="What the clusters turned out to be.")
def adopt(
    profile: str | None,
    what: str,
    out: Path | None,
    timestep_fs: float | None,
    dry_run: bool,
    clusters: tuple[int, ...],
    name: str,
) -> None:
    """Make unknown clusters a phase of its own, under a name of yours; nothing is clustered again.

    The cores of the clusters become references: what lies near them takes the name, in this run, and in any run that is
    labelled by the new classifier. `relabel --remove NAME` undoes it.

    \b
    Examples:
      aiida-seireact adopt run.dump.phases 4 7 12 --name Li2S0.72P0.14Cl0.14
      aiida-seireact classify next.dump --classifier run.dump.phases-Li2S0.72P0.14Cl0.14
      aiida-seireact adopt 1234 4 7 12 --name Li2S0.72P0.14Cl0.14
    """
    from aiida_seireact.science.labelling import LabellingError, require_name

    try:
        settings = {"adopt": {"clusters": list(clusters), "name": require_name(name)}}
    except LabellingError as error:
        raise click.ClickException(str(error)) from None
    _change(profile, what, out, timestep_fs, dry_run, settings, {}, 0)


def _gates(words: tuple[str, ...]) -> dict[str, float | None]:
    from dataclasses import fields

    from aiida_seireact.science.labelling import Gates

    known = [item.name for item in fields(Gates)]
    may_be_none = [item.name for item in fields(Gates) if "None" in str(item.type)]
    found: dict[str, float | None] = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in known:
            raise click.ClickException(f"--gate {word}: a gate is one of {', '.join(known)}, as in point=1.5.")
        if text.lower() == "none" and name not in may_be_none:
            raise click.ClickException(
                f"--gate {word}: without {name} no cluster gets a name; none may be {', '.join(may_be_none)}."
            )
        try:
            found[name] = None if text.lower() == "none" else float(text)
        except ValueError:
            raise click.ClickException(f"--gate {word}: {text!r} is no number.") from None
    return found


def _change(
    profile: str | None,
    what: str,
    out: Path | None,
    timestep_fs: float | None,
    dry_run: bool,
    settings: dict[str, Any],
    references: Mapping[str, list[Path]],
    reference_skip: int,
) -> None:
    from aiida_seireact.formats.jobs.base import InvalidInput
    from aiida_seireact.programs.classify import as_invalid_input

    try:
        with as_invalid_input():
            if Path(what).is_dir():
                in_folder(Path(what), out, timestep_fs, dry_run, settings, references, reference_skip)
            elif what.isdigit() or _is_uuid(what):
                in_profile(profile, what, dry_run, settings, references, reference_skip)
            else:
                raise click.ClickException(
                    f"There is no folder {what}: give one that `aiida-seireact classify` wrote, or a PK."
                )
    except InvalidInput as error:
        raise click.ClickException(str(error)) from None


def _is_uuid(text: str) -> bool:
    return len(text) >= 8 and all(letter in "0123456789abcdef-" for letter in text)


def in_folder(
    folder: Path,
    out: Path | None,
    timestep_fs: float | None,
    dry_run: bool,
    settings: Mapping[str, Any],
    references: Mapping[str, list[Path]],
    reference_skip: int,
) -> None:
    """Name anew what lies in a folder; the new one holds all that the old one did.

    :raises click.ClickException: no classification, or a new folder that is there already.
    """
    from aiida_seireact.cli.classify import show
    from aiida_seireact.cli.classify_report import read_outputs
    from aiida_seireact.formats import files
    from aiida_seireact.formats.atomic import write_json
    from aiida_seireact.formats.phases import load_classifier, load_sensitivity, save_classifier
    from aiida_seireact.programs._classify_follow import changed, follow_run, renamed_outputs

    outputs = read_outputs(folder)
    old, spec = load_classifier(folder / files.PHASES)
    new = changed(old, settings, _described(references, reference_skip, spec))
    tell_changes(old, new)
    if dry_run:
        click.echo("Nothing was written (--dry-run).")
        return
    adopted = settings.get("adopt")
    target = out or folder.with_name(f"{folder.name}-{adopted['name'] if adopted else 'relabelled'}")
    if (target / files.RESULT).exists():
        raise click.ClickException(f"{target} holds a result already: choose another --out.")
    target.mkdir(parents=True, exist_ok=True)
    save_classifier(target / files.PHASES, new, spec, load_sensitivity(folder / files.PHASES))
    course, chunks = follow_run(folder, target, old, new)
    result = json.loads((folder / files.RESULT).read_text(encoding="utf-8"))
    result["outputs"] = renamed_outputs(outputs, new, course, chunks)
    result["outputs"]["files"] = {"phases": files.PHASES, "labels": files.LABELS}
    write_json(target / files.RESULT, result)
    show(target, timestep_fs=timestep_fs)


def _described(references: Mapping[str, list[Path]], skip: int, spec: Any) -> dict[str, Any]:
    """Return the environments of further references, by name."""
    import tempfile

    from aiida_seireact.cli.classify_inputs import readable
    from aiida_seireact.formats.jobs.frame_files import FrameFiles
    from aiida_seireact.programs._classify_cluster import describe_files

    with tempfile.TemporaryDirectory() as name:
        chosen = {
            phase: FrameFiles(files=tuple(str(readable(path, Path(name))) for path in paths), skip_first=skip)
            for phase, paths in references.items()
        }
        return describe_files(chosen, Path(name), spec, lambda line: click.echo(line, err=True))


def tell_changes(old: Classifier, new: Classifier) -> None:
    """Print which clusters get another name."""
    number = 0
    for cluster, (before, after) in enumerate(zip(old.cluster_labels, new.cluster_labels, strict=True)):
        if old.names[before] != new.names[after]:
            click.echo(f"cluster {cluster}: {old.names[before]} -> {new.names[after]}")
            number += 1
    click.echo(f"{number} of {old.n_clusters} clusters get another name.")


def in_profile(
    profile: str | None,
    identifier: str,
    dry_run: bool,
    settings: Mapping[str, Any],
    references: Mapping[str, list[Path]],
    reference_skip: int,
) -> None:
    """Make new phases, and new labels of the run they were made of, by a calcfunction.

    :raises click.ClickException: nothing to relabel there, or a refusal.
    """
    load(profile)
    from aiida import orm
    from aiida.engine import run_get_node

    from aiida_seireact.calculations.functions.classify import relabel_phases, relabel_run
    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.programs._classify_follow import changed

    phases, labels, classification, discovery = parts_of(identifier)
    frames = {name: FramesData(_frames(paths, reference_skip)) for name, paths in references.items()}
    old, spec = phases.classifier()
    new = changed(old, settings, _described(references, reference_skip, spec))
    tell_changes(old, new)
    if dry_run:
        click.echo("Nothing was stored (--dry-run).")
        return
    with without_tracebacks():
        if labels is None or classification is None:
            found, node = run_get_node(relabel_phases, phases=phases, settings=orm.Dict(settings), **frames)
            found = {"phases": found}
        else:
            found, node = run_get_node(
                relabel_run,
                phases=phases,
                labels=labels,
                classification=classification,
                settings=orm.Dict(settings),
                **({} if discovery is None else {"discovery": discovery}),
                **frames,
            )
    if not node.is_finished_ok:
        raise click.ClickException(f"{node.process_label} <{node.pk}> did not finish: {node.exit_message}")
    click.echo(f"PhasesData <{found['phases'].pk}>: {', '.join(found['phases'].label_names)}")
    if "labels" not in found:
        click.echo(
            "The labels of a large run lie in chunks: `aiida-seireact classify TRAJECTORY_PK --classifier "
            f"{found['phases'].pk}` labels it anew, without clustering."
            if labels is not None
            else "Give the PK of the process to have its labels follow."
        )
        return
    click.echo(f"labels <{found['labels'].pk}>, classification <{found['classification'].pk}>")
    shares = found["classification"]["phase_fractions"]["last_tenth"]
    click.echo("last tenth: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items()))
    told = found["classification"].get_dict()
    if told.get("regions_before"):
        from aiida_seireact.cli.render.discovery import regions_before_text

        click.echo(regions_before_text(told["regions_before"], told["spec"]["centre"]))


def parts_of(identifier: str) -> tuple[PhasesData, ArrayData | None, Dict | None, Dict | None]:
    """Return phases, and labels, classification and discovery where the node has them.

    :raises click.ClickException: a node without phases.
    """
    from aiida.orm import ProcessNode

    from aiida_seireact.data.phases import PhasesData

    node = load_node(identifier)
    if isinstance(node, PhasesData):
        return node, None, None, None
    if not isinstance(node, ProcessNode) or "phases" not in node.outputs:
        raise click.ClickException(
            f"Node {node.pk} is a {type(node).__name__} without phases: give a ClassifyWorkChain that has ended well, "
            "or a node of phases."
        )
    labels = node.outputs.labels if "labels" in node.outputs else None
    if labels is not None and labels.base.attributes.get("chunks", []):
        return node.outputs.phases, labels, None, None
    held = set(node.outputs)
    classification, discovery = (
        node.outputs[name] if name in held else None for name in ("classification", "discovery")
    )
    return node.outputs.phases, labels, classification, discovery


def _frames(paths: list[Path], skip: int) -> Any:
    """Return the frames of files of one phase.

    :raises click.ClickException: unreadable files.
    """
    import tempfile

    from ase import Atoms

    from aiida_seireact.cli.classify_inputs import readable
    from aiida_seireact.formats.frame_stream import FrameStream
    from aiida_seireact.formats.frames import Frames

    with tempfile.TemporaryDirectory() as name:
        stream = FrameStream([readable(path, Path(name)) for path in paths], skip_first=skip, one_run=False)
        images = [
            Atoms(frame.numbers, positions=frame.positions - frame.origin, cell=frame.cell, pbc=frame.pbc)
            for frame in stream
        ]
    return Frames.from_atoms(images, labels="ignore")

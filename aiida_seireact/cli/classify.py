"""``aiida-seireact classify``: phases in a trajectory, in files by the program itself or in the profile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option, terminal
from aiida_seireact.cli._submission import checked, submit, tell_trouble

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder

    from aiida_seireact.data.phases import PhasesData

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("classify", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("words", metavar="TRAJECTORY...|PK", nargs=-1, required=True)
@click.option("-r", "--reference", "references", multiple=True, metavar="[NAME=]PATH|NAME=PK",
              help="Frames of a pure phase at temperature (dump, .npz, extxyz), or a folder with a file or a folder a "
              "phase; with a PK in place of the trajectory, a node. May be given again.")  # fmt: skip
@click.option("--classifier", metavar="FILE|FOLDER|PK", help="Label by this one (phases.npz, or the folder it lies in; "
              "with the PK of a trajectory also phases, or their process, in the profile), without clustering again. "
              "Descriptors, clusters and gates are its own; `relabel` changes gates.",
              )  # fmt: skip
@click.option("-o", "--out", type=FOLDER, metavar="FOLDER", help="Where results go; default: TRAJECTORY.phases")
@click.option("--skip-first", type=click.IntRange(0), default=1, show_default=True,
              help="Frames left out at the start: the first often repeats the start cell, and exact repeats have no "
              "density.")  # fmt: skip
@click.option("--stride", type=click.IntRange(1), default=1, show_default=True, help="Every how manieth frame is read.")
@click.option("--reference-skip", type=click.IntRange(0), default=1, show_default=True,
              help="Frames left out at the start of each file of a reference.")  # fmt: skip
@click.option("--centre", metavar="ELEMENT", help="Whose environments are classified. Default: Li, or that of the "
              "classifier.")  # fmt: skip
@click.option("--landmarks", type=click.IntRange(100), metavar="N", help="Environments that are clustered; all others "
              "follow their nearest landmark. Default: 20000; with a PK that of the protocol, 10000 in fast.",
              )  # fmt: skip
@click.option("--z", type=float, metavar="Z", help="Peaks less significant than this are merged: smaller, more "
              "clusters. The table at the end shows what another one would change. Default: 3.")  # fmt: skip
@click.option("--metal", multiple=True, metavar="NAME", help="Label that is metal, not interphase. Default: Li.")
@click.option("--electrolyte", multiple=True, metavar="NAME", help="Label that is electrolyte, not interphase. "
              "Default: Li6PS5Cl.")  # fmt: skip
@click.option("--no-discover", is_flag=True, help="Do not look at what the unknown clusters are.")
@click.option("--timestep-fs", type=float, metavar="FS", help="MD time step, to draw against time.")
@click.option("--settings", type=FILE, metavar="FILE.yaml", help="Any other key of the job of seireact-classify: "
              "`{engine: dadapy, gates: {point: null}, spec: {n_max: 9}}`.")  # fmt: skip
@click.option("--parallel", type=click.IntRange(1), metavar="N", help="With a PK: jobs side by side, at most as "
              "many as frames.")  # fmt: skip
@click.option("--protocol", metavar="NAME", help="With a PK: protocol of ClassifyWorkChain.")
@click.option("--force", is_flag=True, help="Replace results that are in the folder.")
@click.option("--dry-run", is_flag=True, help="Read, check and tell; write and submit nothing.")
def classify(profile: str | None, words: tuple[str, ...], **given: Any) -> None:
    """Say which phases the atoms of a trajectory belong to, and which are unknown.

    Each environment (by default of a Li, within 6 Å) becomes a vector. A draw of them is clustered once, around the
    peaks of their density. A cluster gets the name of a reference phase if references lie in its core, as near as they
    lie to each other; what lies near none is *unknown*, however dense. No phase has to be expected, and none that is
    absent appears.

    TRAJECTORY: one or more LAMMPS dumps (chunks of one run, in order; plain, gzip, zstd), an .npz of frames, or
    anything ASE reads. No database is needed. With the PK of a trajectory in the profile, ClassifyWorkChain is
    submitted, which runs the same code.

    \b
    Examples:
      aiida-seireact classify run.dump --reference phases/
      aiida-seireact classify run.*.dump.gz -r Li=li.dump -r Li2S=li2s.extxyz --landmarks 40000 -o sei
      aiida-seireact classify other.dump --classifier sei     same clusters, another run
      aiida-seireact classify 1234 -r Li=1201 -r Li2S=1207 --parallel 8
      aiida-seireact classify 1234 --classifier 1310          phases of the profile
      aiida-seireact adopt run.dump.phases 4 7 --name Li2S-PCl   what was unknown gets a name
    """
    values = _settings(given)
    if len(words) == 1 and words[0].isdigit() and not Path(words[0]).exists():
        for name in ("out", "force", "timestep_fs"):
            if given[name]:
                raise click.UsageError(
                    f"--{name.replace('_', '-')} belongs to files; results of a PK are nodes: `aiida-seireact report` "
                    "draws them."
                )
        in_profile(profile, words[0], values, given)
        return
    for name in ("parallel", "protocol"):
        if given[name] is not None:
            raise click.UsageError(f"--{name} belongs to the PK of a trajectory; {words[0]} is read here, by one job.")
    on_files([Path(word) for word in words], values, given)


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the job that options name, on top of those of a file."""
    from aiida_seireact.cli.demo_overrides import read_overrides

    values = read_overrides(given["settings"])
    named = {"n_landmarks": given["landmarks"], "z": given["z"]}
    named |= {"metal": list(given["metal"]) or None, "electrolyte": list(given["electrolyte"]) or None}
    values |= {name: value for name, value in named.items() if value is not None}
    if given["no_discover"]:
        values["discover"] = None
    if given["centre"] is not None:
        values["spec"] = {**values.get("spec", {}), "centre": given["centre"]}
    return values


# ------------------------------------------------------------------------------------------------ files


def on_files(trajectory: list[Path], values: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Classify here, by the very program that runs in a profile.

    :raises click.ClickException: what the program refuses.
    """
    import tempfile

    from aiida_seireact.cli.classify_inputs import (
        classifier_file,
        make_job,
        readable,
        reference_files,
        spec_of_classifier,
        species_of,
    )

    for path in trajectory:
        if not path.is_file():
            raise click.ClickException(f"There is no file {path}: give dumps, an .npz or an extxyz of frames, or a PK.")
    folder: Path = given["out"] or trajectory[0].with_name(f"{trajectory[0].name}.phases")
    if not given["dry_run"] and (folder / "result.json").exists() and not given["force"]:
        raise click.ClickException(f"{folder} holds a result already: choose another --out, or --force replaces it.")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        runs = [readable(path, place) for path in trajectory]
        references = {
            phase: [readable(path, place) for path in paths]
            for phase, paths in reference_files(given["references"]).items()
        }
        if given["classifier"] is not None:
            path = classifier_file(Path(given["classifier"])).absolute()
            if not path.exists():
                raise click.ClickException(
                    f"There is no classifier {path}: give phases.npz, or the folder that `classify` wrote."
                )
            values = {**values, "classifier": str(path), "spec": spec_of_classifier(path, values.get("spec", {}))}
        else:
            spec = {"species": species_of(runs[:1], *references.values())}
            values = {**values, "spec": {**spec, **values.get("spec", {})}}
            if not references:
                click.secho(
                    "No --reference: every cluster will be unknown. `aiida-seireact relabel` names them later.",
                    fg="yellow",
                    err=True,
                )
        job = make_job(
            runs,
            references,
            skip_first=given["skip_first"],
            stride=given["stride"],
            reference_skip=given["reference_skip"],
            settings=values,
        )
        _run(job, folder, given)


def _run(content: dict[str, Any], folder: Path, given: Mapping[str, Any]) -> None:
    from pydantic import ValidationError

    from aiida_seireact.formats import files
    from aiida_seireact.formats.jobs.base import readable
    from aiida_seireact.formats.jobs.classify import ClassifyJob
    from aiida_seireact.programs._program import execute, say
    from aiida_seireact.programs.classify import PACKAGES, run

    try:
        job = ClassifyJob.model_validate(content)
    except ValidationError as error:
        raise click.ClickException(f"These settings don't fit: {readable(error)}.") from None
    if given["dry_run"]:
        _tell_plan(job)
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / files.JOB).write_text(json.dumps(content, indent=2, sort_keys=True), encoding="utf-8")
    status = execute("seireact-classify", folder, PACKAGES, lambda: run(job, folder, say))
    if status:
        # The program has said why.
        raise SystemExit(status)
    show(folder, timestep_fs=given["timestep_fs"])


def show(folder: Path, *, timestep_fs: float | None = None) -> None:
    """Tell what a folder holds, and draw it."""
    from aiida_seireact.cli.classify_report import draw, read_outputs, tell

    outputs = read_outputs(folder)
    tell(outputs, terminal())
    for path in draw(folder, outputs, timestep_fs=timestep_fs):
        click.echo(str(path))
    click.echo(f"{folder}: phases.npz (the classifier), labels.npz, result.json")


def _tell_plan(job: Any) -> None:
    """Say what would be read and done."""
    from aiida_seireact.formats.jobs.base import InvalidInput
    from aiida_seireact.programs._classify_frames import Run, stream_of
    from aiida_seireact.programs._classify_known import known_classifier, require_settled
    from aiida_seireact.programs.classify import as_invalid_input

    try:
        with as_invalid_input():
            run = Run.open(job.trajectory, Path(), job.spec.spec())
            if job.classifier is not None:
                require_settled(job, known_classifier(job, Path(), run.spec))
            for name, chosen in job.references.items():
                click.echo(f"reference {name}: {len(stream_of(chosen, Path(), one_run=False))} frames")
    except InvalidInput as error:
        raise click.ClickException(str(error)) from None
    click.echo(
        f"{len(run.stream)} frames, steps {run.stream.steps[0]} to {run.stream.steps[-1]}, {len(run.numbers)} atoms, "
        f"{len(run.centre_ids)} {run.spec.centre} each: {run.n_environments} environments"
    )
    n_landmarks = min(job.n_landmarks, run.n_environments)
    how = f"by {job.classifier}" if job.classifier else f"by {n_landmarks} landmarks at z = {job.z:g}"
    click.echo(f"{run.spec.n_features} features within {run.spec.cutoff_ang:g} Å, {how}")
    click.echo("Nothing was written (--dry-run).")


# ------------------------------------------------------------------------------------------------ the profile


def in_profile(profile: str | None, pk: str, values: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Submit ClassifyWorkChain for a trajectory of the profile.

    :raises click.ClickException: what does not fit.
    """
    load(profile)
    builder = build(pk, values, given)
    if given["dry_run"]:
        click.echo(json.dumps(builder.parameters.get_dict(), indent=2))
        click.echo("Nothing was submitted (--dry-run).")
        return
    submit(builder, look="status")
    tell_trouble()


def build(pk: str, values: dict[str, Any], given: Mapping[str, Any]) -> ProcessBuilder:
    """Return the builder, checked.

    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.data.trajectory import TrajectoryData
    from aiida_seireact.workchains.classify import ClassifyWorkChain

    trajectory = load_node(pk)
    if not isinstance(trajectory, TrajectoryData | FramesData):
        raise click.ClickException(
            f"Node {pk} is a {type(trajectory).__name__}, not a trajectory: `aiida-seireact watch` lists runs."
        )
    references = {}
    for word in given["references"]:
        name, equals, text = word.partition("=")
        if not equals or not text.isdigit():
            raise click.ClickException(f"--reference {word}: with the PK of a trajectory, give NAME=PK of a run.")
        references[name] = run = load_node(text)
        if not isinstance(run, TrajectoryData | FramesData):
            raise click.ClickException(
                f"--reference {word}: node {text} is a {type(run).__name__}, not a run: give NAME=PK of a trajectory "
                "or of frames of the pure phase."
            )
    frames = {"skip_first": given["skip_first"], "stride": given["stride"]}
    changes = {**values, "trajectory": frames, "references": {"skip_first": given["reference_skip"]}}
    phases = None if given["classifier"] is None else _classifier_node(given["classifier"])
    try:
        builder = ClassifyWorkChain.get_builder_from_protocol(
            trajectory,
            references,
            protocol=given["protocol"],
            overrides={"parameters": changes},
            parallel=given["parallel"],
            classifier=phases,
        )
    except (ValueError, NotExistent) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    return checked(builder)


def _classifier_node(word: str) -> PhasesData:
    """Return phases of the profile, or of a file as a new node that is not stored.

    :raises click.ClickException: no phases.
    """
    from aiida_seireact.cli.classify_inputs import classifier_file
    from aiida_seireact.cli.relabel import parts_of
    from aiida_seireact.data.phases import PhasesData
    from aiida_seireact.formats.phases import PhasesError

    if not Path(word).exists():
        return parts_of(word)[0]
    try:
        return PhasesData(classifier_file(Path(word)))
    except (PhasesError, OSError) as error:
        raise click.ClickException(str(error)) from None

"""``aiida-seireact analyse``: everything along a run, of files without a database or of a node by its WorkChain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from aiida_seireact.cli._profile import load, load_node, profile_option
from aiida_seireact.cli._submission import checked, follow, submit, tell_trouble
from aiida_seireact.cli.analyse_told import conclude, list_analyses, tell

if TYPE_CHECKING:
    from aiida_seireact.formats.jobs.analyse import AnalyseJob

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("analyse", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("run", metavar="FILE…|PK", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="List the analyses, what each gives and its settings, and leave.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this analysis; may be repeated.")
@click.option("--with", "added", multiple=True, metavar="YAML", help="An analysis with its settings, as `ptm: {}` or "
              "`clusters: {species: [In], cutoff_ang: 3.6}`; may be repeated.")  # fmt: skip
@click.option("--without", multiple=True, metavar="NAME", help="Leave this analysis out; may be repeated.")
@click.option("--labels", metavar="FILE|PK", help="Labels of the environments, of `classify`: gives what is told by "
              "phase.")  # fmt: skip
@click.option("--thermo", type=FILE, metavar="LOG", help="Log of the run (thermo_modify line yaml): energies and their "
              "drift. A PK knows its own.")  # fmt: skip
@click.option("--timestep", type=click.FloatRange(min=0, min_open=True), metavar="FS", help="Time of one MD step; "
              "without it everything is told against steps. A PK knows its own.")  # fmt: skip
@click.option("--skip-first", type=click.IntRange(0), default=0, help="Frames left out at the start.")
@click.option("--stride", type=click.IntRange(1), default=1, help="Every how manieth frame is read.")
@click.option("--until-truncated", is_flag=True, help="Of a run that writes still, or was killed: end before a last "
              "frame that is cut off.")  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True,
    help="Processes that read side by side; the result does not depend on it, nor does the cache.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("analysis"),
              show_default=True, help="Folder for result.json, analysis.npz and the pictures.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an analysis that is in the folder.")
@click.option("--pictures", type=click.Choice(["png", "svg", "none"]), default="png", show_default=True)
@click.option("--code", metavar="LABEL@COMPUTER", help="seireact-analyse; default: the newest that setup made.")
@click.option("--dry-run", is_flag=True, help="Check files and settings, say what would be analysed; nothing more.")
@click.option("--follow", "--wait", "wait", is_flag=True, help="Of a PK: stay until it is done, write the pictures.")
def analyse(
    profile: str | None, run: tuple[str, ...], listed: bool, output: Path, pictures: str, **chosen: Any
) -> None:
    """Analyse a run of MD: what reacted, where, how fast, and whether the run is sound; in one pass over its frames.

    FILE is a dump of LAMMPS, plain or compressed; several are chunks of one run, in their order. Nothing else is
    needed, no database either. A PK is a trajectory in the profile: then a WorkChain does the same and its result is
    a node. Memory does not grow with the length of the run. `--list` tells what there is: some analyses are on by
    default, others want to be told elements or a cutoff by --with.

    \b
    Examples:
      aiida-seireact analyse --list
      aiida-seireact analyse production.dump.gz --timestep 2 --workers 2
      aiida-seireact analyse run_0.dump run_1.dump --only thickness --only rdf
      aiida-seireact analyse run.dump --labels labels.npz --with "ptm: {every: 10}"
      aiida-seireact analyse run.dump --with "clusters: {species: [In], cutoff_ang: 3.6}"
      aiida-seireact analyse 1234 --labels 1250 --follow
    """
    if listed:
        list_analyses()
        return
    if not run:
        raise click.UsageError("Name the dumps of a run, or the PK of a trajectory; `--list` tells what is analysed.")
    sections = sections_of(chosen["only"], chosen["added"], chosen["without"])
    if len(run) == 1 and not Path(run[0]).exists() and not run[0].endswith((".dump", ".gz", ".zst", ".npz")):
        if chosen["wait"] and not chosen["dry_run"] and pictures != "none":
            refuse_to_replace(output, chosen["force"])
        _of_node(profile, run[0], sections, output, pictures, chosen)
        return
    job = job_of(run, sections, chosen)
    if chosen["dry_run"]:
        tell(job)
        return
    refuse_to_replace(output, chosen["force"])
    _of_files(job, output, pictures)


def refuse_to_replace(folder: Path, force: bool) -> None:
    """Do nothing where the folder holds no analysis, or it may be replaced.

    :raises click.ClickException: it holds one.
    """
    from aiida_seireact.formats import files

    if not force and any((folder / name).exists() for name in (files.RESULT, files.ANALYSIS)):
        raise click.ClickException(
            f"{folder} holds an analysis already: choose another --output, or --force replaces it."
        )


def sections_of(only: tuple[str, ...], added: tuple[str, ...], without: tuple[str, ...]) -> dict[str, Any]:
    """Return the sections of the job that differ from the defaults.

    :raises click.ClickException: no such analysis, or no YAML.
    """
    from aiida_seireact.programs.analyses import ANALYSES

    given: dict[str, Any] = {}
    for text in added:
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise click.ClickException(f"--with {text!r} is no YAML ({' '.join(str(error).split())}).") from error
        if isinstance(content, str):
            content = {content: {}}
        if not isinstance(content, dict):
            raise click.ClickException(f'--with {text!r} names no analysis: write it like --with "ptm: {{every: 10}}".')
        given.update({name: settings or {} for name, settings in content.items()})
    for name in (*only, *given, *without):
        if name not in ANALYSES:
            raise click.ClickException(f"There is no analysis {name!r}, only {', '.join(ANALYSES)}: see --list.")
    if only:
        given = {name: given.get(name, {} if name in only else None) for name in ANALYSES} | given
    return {**given, **dict.fromkeys(without)}


def job_of(run: tuple[str, ...], sections: Mapping[str, Any], chosen: Mapping[str, Any]) -> AnalyseJob:
    """Return the job, with whole paths so that its folder may be anywhere.

    :raises click.ClickException: settings that don't fit, or a file that is not there.
    """
    from pydantic import ValidationError

    from aiida_seireact.formats.jobs.analyse import AnalyseJob
    from aiida_seireact.formats.jobs.base import readable

    if chosen["labels"] is not None and not Path(chosen["labels"]).is_file():
        raise click.ClickException(f"There is no labels file {chosen['labels']}: `classify` writes labels.npz.")
    content: dict[str, Any] = {
        "trajectory": {
            "files": [str(Path(name).absolute()) for name in run],
            "skip_first": chosen["skip_first"],
            "stride": chosen["stride"],
            "stop_before_truncated": chosen["until_truncated"],
        },
        "workers": chosen["workers"],
        **sections,
    }
    for key, value in (("labels", chosen["labels"]), ("thermo_log", chosen["thermo"])):
        if value is not None:
            content[key] = str(Path(value).absolute())
    if chosen["timestep"] is not None:
        content["timestep_fs"] = chosen["timestep"]
    try:
        return AnalyseJob.model_validate(content)
    except ValidationError as error:
        raise click.ClickException(f"These settings don't fit: {readable(error)}.") from error


def _of_files(job: AnalyseJob, output: Path, pictures: str) -> None:
    from aiida_seireact.formats import files
    from aiida_seireact.formats.atomic import write_json
    from aiida_seireact.programs._program import execute, say
    from aiida_seireact.programs.analyse import PACKAGES
    from aiida_seireact.programs.analyse import run as analyse_run

    output.mkdir(parents=True, exist_ok=True)
    write_json(output / files.JOB, job.model_dump(mode="json", exclude_unset=True))
    status = execute("seireact-analyse", output, PACKAGES, lambda: analyse_run(job, output, say))
    if status:
        raise SystemExit(status)
    outputs = json.loads((output / files.RESULT).read_text())["outputs"]
    import numpy as np

    with np.load(output / files.ANALYSIS) as archive:
        arrays = dict(archive)
    conclude(outputs, arrays, job.timestep_fs, output, pictures)


def _of_node(
    profile: str | None,
    identifier: str,
    sections: Mapping[str, Any],
    output: Path,
    pictures: str,
    chosen: Mapping[str, Any],
) -> None:
    if not identifier.replace("-", "").isalnum():
        raise click.ClickException(f"There is no file {identifier}.")
    for option, word in (("thermo", "--thermo"), ("timestep", "--timestep"), ("until_truncated", "--until-truncated")):
        if chosen[option]:
            raise click.UsageError(f"{word} is for files: the run of a PK knows its own.")
    load(profile)
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.cli.label import find
    from aiida_seireact.data.frames import FramesData
    from aiida_seireact.data.trajectory import TrajectoryData
    from aiida_seireact.workchains.analyse import AnalyseWorkChain

    trajectory = load_node(identifier)
    if not isinstance(trajectory, TrajectoryData | FramesData):
        raise click.ClickException(f"{identifier} is {type(trajectory).__name__}, no trajectory: `produce` makes one.")
    labels = None if chosen["labels"] is None else load_node(chosen["labels"])
    if labels is not None and not isinstance(labels, orm.ArrayData):
        raise click.ClickException(f"{chosen['labels']} is {type(labels).__name__}, no labels of `classify`.")
    choice = {"skip_first": chosen["skip_first"], "stride": chosen["stride"]}
    parameters = {"trajectory": choice, **sections}
    workers = chosen["workers"]
    resources = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
    if workers > 1:
        resources["num_cores_per_mpiproc"] = workers
    try:
        builder = AnalyseWorkChain.get_builder_from_protocol(
            trajectory,
            labels,
            code=find(chosen["code"]),
            overrides={"parameters": parameters},
            options={"resources": resources},
        )
    except (ValueError, NotExistent) as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    if workers > 1:
        builder.workers = orm.Int(workers)
    checked(builder)
    if chosen["dry_run"]:
        who = f"{builder.code.full_label}, {workers} process(es)"
        click.echo(f"{trajectory.__class__.__name__} <{trajectory.pk}> by {who}:")
        click.echo(yaml.safe_dump(builder.parameters.get_dict(), sort_keys=False, default_flow_style=None).rstrip())
        click.echo("Nothing was submitted (--dry-run).")
        return
    node = submit(builder, "status")
    if not chosen["wait"]:
        tell_trouble()
        return
    done = follow(node, lambda process: str(process.process_state.value))
    if not done.is_finished_ok:
        raise click.ClickException(f"{done.exit_message or 'It was killed.'}  aiida-seireact status {done.pk}")
    found = done.outputs.analysis_arrays
    arrays = {name: found.get_array(name) for name in found.get_arraynames()}
    timestep = trajectory.base.attributes.get("timestep_fs", None)
    conclude(done.outputs.analysis.get_dict(), arrays, timestep, output, pictures)

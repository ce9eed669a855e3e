"""``aiida-seireact produce`` and ``extend``: long MD of a trained model, segment by segment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, load_process, profile_option
from aiida_seireact.cli._submission import checked, follow, list_protocols, scheduler_options, submit, tell_trouble
from aiida_seireact.cli.verdicts import give_verdict, judged

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import ProcessNode

    from aiida_seireact.data.potential import PotentialData

FS_PER_NS = 1e6
GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of jobs: walltime, ranks, queue."""
    for option in reversed(
        (
            click.option("--walltime", type=click.FloatRange(min=0, min_open=True), metavar="HOURS",
                         help="Of each job; LAMMPS ends by itself a little before, and the next job goes on."),
            click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines of a job."),
            click.option("--ranks", type=click.IntRange(1), default=1, show_default=True,
                         help="MPI ranks on each; several need a LAMMPS of its own."),
            click.option("--queue", metavar="NAME", help="Queue, or partition, of the scheduler."),
            click.option("--account", metavar="NAME", help="Account that the scheduler charges."),
            click.option("--dry-run", is_flag=True, help="Say what would run, and check it; submit nothing."),
            click.option("--wait", is_flag=True, help="Stay until it is done, and say how it went."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("produce", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("structure", metavar="FILE|PK")
@click.argument("potential", metavar="MODEL_PK")
@click.option("--protocol", metavar="NAME", help="fast, careful or long; `--protocols` tells. Default: fast.")
@click.option("--protocols", is_flag=True, is_eager=True, callback=lambda *args: _list(*args), expose_value=False,
              help="List the protocols and leave.")  # fmt: skip
@click.option("--verdict", metavar="PK", help="The verdict on the model (`aiida-seireact validate`); default: the "
              "newest one on it in the profile.")  # fmt: skip
@click.option("--unjudged", is_flag=True, help="Run a model on which there is no verdict, to look at it; the short "
              "protocols allow that anyway.")  # fmt: skip
@click.option("--accept-rejected", is_flag=True, help="Run a model that was rejected; that you did is in the graph.")
@click.option("--ns", type=click.FloatRange(min=0, min_open=True), help="Length of the run, ns; default: that of the "
              "protocol.")  # fmt: skip
@click.option("--segment-ns", type=click.FloatRange(min=0, min_open=True), help="Length of a segment, a job each.")
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), metavar="K", help="Temperature, K.")
@click.option("--pressure", type=float, metavar="GPA", help="Pressure, GPa.")
@click.option("--code", metavar="LABEL@COMPUTER", help="seireact-lmp, or a LAMMPS of its own; default: the newest "
              "seireact-lmp that setup made.")  # fmt: skip
@click.option("--companion", metavar="LABEL@COMPUTER", help="With a LAMMPS of its own: seireact-lmp on its computer; "
              "default: the newest there.")  # fmt: skip
@click.option("--gpus", type=click.IntRange(0), default=0, help="GPUs of each node, for a LAMMPS of its own; a rank "
              "each.")  # fmt: skip
@click.option("--kokkos", is_flag=True, help="That LAMMPS has Kokkos: `-k on g N -sf kk` is added.")
@click.option("--gpu-memory", type=click.FloatRange(min=0, min_open=True), metavar="GB", help="Memory of one GPU: a "
              "cell that will not fit is refused, and how many would do is told.")  # fmt: skip
@click.option("--overrides", type=GIVEN, metavar="FILE.yaml", help="Other values than those of the protocol, nested as "
              "in it: `parameters: {md: {dump_every: 500}}`.")  # fmt: skip
@job_options
def produce(
    profile: str | None,
    structure: str,
    potential: str,
    protocol: str | None,
    verdict: str | None,
    unjudged: bool,
    accept_rejected: bool,
    ns: float | None,
    segment_ns: float | None,
    temperature: float | None,
    pressure: float | None,
    code: str | None,
    companion: str | None,
    gpus: int,
    kokkos: bool,
    gpu_memory: float | None,
    overrides: Path | None,
    dry_run: bool,
    wait: bool,
    **jobs: Any,
) -> None:
    """Run MD of STRUCTURE with a compiled model, over as many jobs as it takes, and lose no step.

    STRUCTURE is a file that ASE reads, or a frame of the profile; MODEL_PK a compiled model (`seireact.compile`). A job
    ends at its segment's end or shortly before its walltime, and the next one goes on from its restart file; one that
    is killed goes on from its last good restart file. A model that its scorecard rejected is refused, and by the
    protocol long also one that nobody has judged.

    \b
    Examples:
      aiida-seireact produce cell.extxyz 1234 --dry-run             what would run?
      aiida-seireact produce cell.extxyz 1234 --ns 0.01 --wait
      aiida-seireact produce 1200 1234 --protocol long --ns 35 --segment-ns 0.5 --walltime 24 --queue gpu
      aiida-seireact watch 1300                                     is it still healthy, what will it cost?
      aiida-seireact extend 1300 --ns 50
    """
    from aiida_seireact.cli.demo_overrides import read_overrides

    options = scheduler_options(**jobs)
    devices = {"gpus_per_node": gpus, "kokkos": kokkos, "gpu_memory_gb": gpu_memory}
    values = read_overrides(overrides)
    load(profile)
    changes = {"temperature_k": temperature, "pressure_gpa": pressure}
    md = {name: value for name, value in changes.items() if value is not None}
    codes = (code, companion)
    builder = build(structure, potential, protocol, values, md, ns, segment_ns, codes, options)
    give_verdict(builder, verdict, unjudged=unjudged, accept_rejected=accept_rejected)
    give_devices(builder, devices)
    tell_and_submit(builder, dry_run=dry_run, wait=wait)


@click.command("extend", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.argument("run", metavar="PK|UUID")
@click.option("--ns", type=click.FloatRange(min=0, min_open=True), help="Length of the whole run then, ns.")
@click.option("--steps", type=click.IntRange(1), help="The same in steps.")
@click.option("--unjudged", is_flag=True, help="Go on, however long, with a model on which there is no verdict.")
@click.option("--accept-rejected", is_flag=True, help="Go on with a model that was rejected.")
@job_options
def extend(
    profile: str | None,
    run: str,
    ns: float | None,
    steps: int | None,
    unjudged: bool,
    accept_rejected: bool,
    dry_run: bool,
    wait: bool,
    **jobs: Any,
) -> None:
    """Go on with RUN, a ProduceWorkChain that has ended, with all but its length as it was.

    It may have come to its end, been stopped on request, or failed on the way: what is sound of it is kept, and the new
    run holds old and new steps as one trajectory. A run that its stop rule or its monitor has ended is refused. Without
    --ns and --steps the run is brought to the end that it was asked for.

    \b
    Examples:
      aiida-seireact extend 1300 --ns 50 --walltime 24
      aiida-seireact extend 1300                    stopped on request: on to its end
    """
    from aiida_seireact.formats.jobs.lmp import SegmentSettings
    from aiida_seireact.workchains.produce import ProduceWorkChain

    if ns is not None and steps is not None:
        raise click.UsageError("--ns and --steps say the same: give one of them.")
    load(profile)
    node = load_process(run)
    if node.process_label != ProduceWorkChain.__name__:
        raise click.ClickException(
            f"<{node.pk}> is a {node.process_label}; give the ProduceWorkChain under it, which "
            f"`verdi process status {node.pk}` shows."
        )
    if not node.is_terminated:
        raise click.ClickException(
            f"Run <{node.pk}> has not ended: `aiida-seireact watch {node.pk}` shows how far it is."
        )
    md = SegmentSettings.model_validate(node.inputs.parameters.get_dict()).md
    wanted = steps or (md.steps if ns is None else round(ns * FS_PER_NS / md.timestep_fs))
    try:
        builder = ProduceWorkChain.get_builder_to_extend(node, wanted, scheduler_options(**jobs))
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if "verdict" not in node.inputs:
        give_verdict(builder, None, unjudged=unjudged, accept_rejected=accept_rejected)
    tell_and_submit(builder, dry_run=dry_run, wait=wait)


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from aiida_seireact.workchains.produce import ProduceWorkChain

        list_protocols(context, ProduceWorkChain)


def tell_and_submit(builder: ProcessBuilder, *, dry_run: bool, wait: bool) -> None:
    """Say what would run, and submit it unless it is a dry run.

    :raises click.ClickException: what does not fit; or it was waited for, and failed.
    """
    tell_plan(checked(builder))
    if dry_run:
        click.echo("Nothing was submitted (--dry-run).")
        return
    node = submit(builder)
    if not wait:
        tell_trouble()
    elif not follow(node, _pace).is_finished_ok:
        raise click.ClickException(node.exit_message or f"{node.process_label} <{node.pk}> did not finish.")


def _pace(node: ProcessNode) -> str:
    from aiida_seireact.cli.production import sentence
    from aiida_seireact.cli.progress import progress_of

    return "; ".join(map(sentence, progress_of(node).productions))


def build(
    structure: str,
    potential: str,
    protocol: str | None,
    values: dict[str, Any],
    md: dict[str, Any],
    ns: float | None,
    segment_ns: float | None,
    codes: tuple[str | None, str | None],
    options: dict[str, Any],
) -> ProcessBuilder:
    """Return the builder of a run.

    :param codes: of what runs MD, and its companion.

    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.cli.label import find, read_frames
    from aiida_seireact.workchains.produce import ProduceWorkChain
    from aiida_seireact.workchains.protocol import merge

    try:
        timestep = merge(ProduceWorkChain.get_protocol_inputs(protocol, values)["parameters"], {"md": md})["md"]
        changes: dict[str, Any] = {"md": dict(md)}
        if ns is not None:
            changes["md"]["steps"] = max(1, round(ns * FS_PER_NS / timestep["timestep_fs"]))
        if segment_ns is not None:
            changes["segment_steps"] = max(1, round(segment_ns * FS_PER_NS / timestep["timestep_fs"]))
        return ProduceWorkChain.get_builder_from_protocol(
            read_frames(structure),
            model_of(potential),
            find(codes[0]),
            protocol,
            merge(values, {"parameters": changes}),
            options,
            find(codes[1]),
        )
    except (ValueError, NotExistent) as error:
        raise click.ClickException(" ".join(str(error).split())) from None


def model_of(name: str) -> PotentialData:
    """Return a model of the profile.

    :raises click.ClickException: it is something else.
    """
    from aiida_seireact.data.potential import PotentialData

    node = load_node(name)
    if not isinstance(node, PotentialData):
        raise click.ClickException(f"Node {node.pk} is a {type(node).__name__}; a model is a PotentialData.")
    return node


def give_devices(builder: ProcessBuilder, devices: dict[str, Any]) -> None:
    """Tell a LAMMPS of its own what it computes on.

    :raises click.ClickException: it is seireact-lmp.
    """
    from aiida import orm

    from aiida_seireact.calculations.native_lammps import is_embedded

    given = {name: value for name, value in devices.items() if value}
    if is_embedded(builder.code) and given:
        raise click.ClickException(
            f"{builder.code.full_label} is seireact-lmp, which takes one GPU if the model was compiled for it: "
            f"{', '.join(given)} are of a LAMMPS of its own, give its --code."
        )
    if given:
        builder.devices = orm.Dict(given)


def tell_plan(builder: ProcessBuilder) -> None:
    """Say what would run."""
    from aiida_seireact.formats.jobs.lmp import SegmentSettings

    settings = SegmentSettings.model_validate(builder.parameters.get_dict())
    md = settings.md
    done = builder.previous.restart.step if builder.previous.get("restart") else 0
    left = md.steps - done
    segments = 1 if settings.segment_steps is None else -(-left // settings.segment_steps)
    where = f", on from step {done:,}" if done else ""
    what = f"{left:,} steps of {md.timestep_fs:g} fs, {left * md.timestep_fs / FS_PER_NS:g} ns{where}"
    target = f"{md.ensemble.upper()} at {md.temperature_k:g} K"
    target += f" and {md.pressure_gpa:g} GPa" if md.ensemble == "npt" else ""
    click.echo(f"{what}, {target}, by {builder.code.full_label}")
    start = "after a safe start" if builder.get("start") else "at once"
    jobs = "one job" if segments == 1 else f"{segments:,} jobs or more"
    frames = left // md.dump_every
    click.echo(f"{jobs}, {start}; {frames:,} frames; a kill costs {kill_cost(settings)}")
    click.echo(judged(builder))


def kill_cost(settings: Any) -> str:
    """Return what is lost at most when a job is killed, in words."""
    every = settings.md.restart_every
    if every is None:
        return "its segment, since md.restart_every is not set"
    return f"{every:,} steps at most"

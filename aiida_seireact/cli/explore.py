"""``aiida-seireact explore``: learning on the fly under several conditions side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli._profile import load, load_node, profile_option
from aiida_seireact.cli._submission import checked, follow, list_protocols, scheduler_options, submit, tell_trouble

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import ProcessNode

    from aiida_seireact.cli.conditions import ConditionNow
    from aiida_seireact.data.frames import FramesData

GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)
# A leg pauses so far before its walltime: it has to write its process and its state.
SHARE_OF_WALLTIME = 0.85
# Conditions told one by one in a line of progress.
FEW = 4


@click.command("explore", context_settings={"help_option_names": ["-h", "--help"]})
@profile_option
@click.option("--system", "systems", multiple=True, required=True, metavar="NAME=FILE|PK", help="A cell, by the "
              "name that conditions know: a file for ASE, or a frame of the profile. Several times.")  # fmt: skip
@click.option("--labelled", required=True, metavar="PK", help="The first labelled frames, of which every condition "
              "learns before its first leg; `aiida-seireact sample` draws, `label` labels them.")  # fmt: skip
@click.option("--condition", "chosen", multiple=True, metavar="NAME", help="Only this condition of the protocol; "
              "several times. Default: all whose cell is given.")  # fmt: skip
@click.option("--protocol", metavar="NAME", help="fast or paper; `--protocols` tells. Default: fast.")
@click.option("--protocols", is_flag=True, is_eager=True, callback=lambda *args: _list(*args), expose_value=False,
              help="List the protocols and leave.")  # fmt: skip
@click.option("--overrides", type=GIVEN, metavar="FILE.yaml", help="Other values than those of the protocol, nested as "
              "in it; a condition of your own is one more name under `conditions`, null takes one out.")  # fmt: skip
@click.option("--ladder", is_flag=True, help="Begin each temperature only after the one below it was stable; "
              "what `after` in --overrides says stays.")  # fmt: skip
@click.option("--max-failed", type=click.IntRange(0), metavar="N", help="How many conditions may fail.")
@click.option("--code", metavar="LABEL@COMPUTER", help="seireact-flare; default: the newest that setup made.")
@click.option("--label-code", metavar="LABEL@COMPUTER", help="Program of the labelling engine; default: the newest.")
@click.option("--label-hours", type=click.FloatRange(min=0), metavar="H", help="CPU-hours of one label, for the "
              "estimate.")  # fmt: skip
@click.option("--walltime", type=click.FloatRange(min=0, min_open=True), metavar="HOURS",
              help="Of each job; a leg pauses before, and the next job goes on; what `seconds_max` in --overrides "
              "says stays.")  # fmt: skip
@click.option("--queue", metavar="NAME", help="Queue, or partition, of the scheduler.")
@click.option("--account", metavar="NAME", help="Account that the scheduler charges.")
@click.option("--dry-run", is_flag=True, help="Say what would run and what it may cost, and check it; submit nothing.")
@click.option("--follow", "stay", is_flag=True, help="Stay until it is done, and say how each condition went.")
def explore(
    profile: str | None,
    systems: tuple[str, ...],
    labelled: str,
    chosen: tuple[str, ...],
    protocol: str | None,
    overrides: Path | None,
    ladder: bool,
    max_failed: int | None,
    code: str | None,
    label_code: str | None,
    label_hours: float | None,
    walltime: float | None,
    queue: str | None,
    account: str | None,
    dry_run: bool,
    stay: bool,
) -> None:
    """Learn on the fly: MD with a Gaussian process that asks for a label where it is unsure, under many conditions.

    Each condition is a campaign of its own: a leg of MD, labels for what it asked, the next leg. All run side by side,
    or as a ladder; their frames are pooled for the network. How well each has learned is told at the end: converged,
    needs more, or hopeless, with the numbers it rests on.

    \b
    Examples:
      aiida-seireact explore --protocols
      aiida-seireact explore --system Li6PS5Cl=cell.cif --labelled 1234 --dry-run
      aiida-seireact explore --system Li6PS5Cl=cell.cif --labelled 1234 --condition Li6PS5Cl_300 --follow
      aiida-seireact explore --protocol paper --system Li=10 --system Li6PS5Cl=11 --system interface=12 \\
          --labelled 1234 --ladder --walltime 24 --queue gpu --label-code vasp@cluster
    \b
    Afterwards:
      aiida-seireact status PK       how far is each condition?
      aiida-seireact report PK       calls, canary, calibration as figures
    """
    from aiida_seireact.cli.demo_overrides import read_overrides

    values = read_overrides(overrides)
    options = scheduler_options(walltime=walltime, nodes=1, ranks=1, queue=queue, account=account)
    load(profile)
    if max_failed is not None:
        values["limits"] = {**(values.get("limits") or {}), "max_failed": max_failed}
    cells = dict(map(cell_of, systems))
    builder = build(
        cells,
        labelled,
        protocol,
        values,
        chosen,
        ladder=ladder,
        walltime=walltime,
        codes=(code, label_code),
        jobs=options,
    )
    tell_plan(checked(builder), label_hours)
    if dry_run:
        click.echo("Nothing was submitted (--dry-run).")
        return
    node = submit(builder, look="status")
    if not stay:
        tell_trouble()
        return
    conclude(follow(node, _conditions))


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from aiida_seireact.workchains.explore import ExploreWorkChain

        list_protocols(context, ExploreWorkChain)


def _conditions(node: ProcessNode) -> str:
    from aiida_seireact.cli.progress import progress_of

    progress = progress_of(node)
    return so_far(progress.conditions, progress.n_labels)


def so_far(conditions: Sequence[ConditionNow], n_labels: int) -> str:
    """Return how far the conditions are in a line: each by itself, or, of many, how many are in which state."""
    from aiida_seireact.cli.status import condition_text

    if len(conditions) <= FEW:
        return "; ".join(map(condition_text, conditions))
    states = Counter(condition.state for condition in conditions)
    told = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    n_calls, n_legs = (sum(getattr(condition, name) for condition in conditions) for name in ("n_calls", "n_legs"))
    return f"{len(conditions)} conditions begun: {told}; {n_legs} legs, {n_calls} calls, {n_labels} frames labelled"


def cell_of(given: str) -> tuple[str, FramesData]:
    """Return name and cell of an option ``NAME=FILE|PK``; atoms of a file are of the type of that name.

    :raises click.ClickException: it has no name, or is no cell.
    """
    from aiida_seireact.cli.label import read_frames
    from aiida_seireact.data.frames import FramesData

    name, _, place = given.partition("=")
    if not (name and place):
        raise click.ClickException(f"--system {given!r} has no name: say NAME=FILE or NAME=PK.")
    frames = read_frames(place)
    if frames.is_stored or len(frames) != 1 or frames.frames.config_type[0]:
        return name, frames
    atoms = frames.to_ase(0)
    atoms.info["config_type"] = name
    return name, FramesData.from_ase([atoms])


def labelled_frames(name: str) -> FramesData:
    """Return the first labelled frames.

    :raises click.ClickException: it is something else.
    """
    from aiida_seireact.data.frames import FramesData

    node = load_node(name)
    if not isinstance(node, FramesData):
        raise click.ClickException(
            f"Node {node.pk} is a {type(node).__name__}; --labelled takes labelled frames, as `aiida-seireact label` "
            "gives them."
        )
    return node


def build(
    systems: dict[str, FramesData],
    labelled: str,
    protocol: str | None,
    values: dict[str, Any],
    chosen: tuple[str, ...],
    *,
    ladder: bool,
    walltime: float | None,
    codes: tuple[str | None, str | None],
    jobs: dict[str, Any],
) -> ProcessBuilder:
    """Return the builder of an exploration.

    :param values: overrides of the protocol.
    :param chosen: conditions; none: all whose cell is given.
    :param codes: seireact-flare, and what labels.
    :raises click.ClickException: the first thing that does not fit.
    """
    from aiida.common.exceptions import NotExistent

    from aiida_seireact.cli.label import find
    from aiida_seireact.workchains.codes import find_code
    from aiida_seireact.workchains.explore import ExploreWorkChain
    from aiida_seireact.workchains.label import find_code_of
    from aiida_seireact.workchains.protocol import merge

    try:
        inputs = ExploreWorkChain.get_protocol_inputs(protocol, values)
        conditions = choose(inputs["conditions"], systems, chosen)
        changes: dict[str, Any] = {name: None for name in inputs["conditions"] if name not in conditions}
        if ladder:
            from aiida_seireact.cli.explore_plan import climbing

            changes |= {name: one for name, one in climbing(conditions).items() if "after" not in own(values, name)}
        if walltime is not None:
            pause = {"leg": {"seconds_max": round(SHARE_OF_WALLTIME * 3600 * walltime, 1)}}
            legs = {name: own(values, name).get("leg") or {} for name in conditions}
            changes = merge(changes, {name: pause for name, leg in legs.items() if "seconds_max" not in leg})
        values = merge(values, {"conditions": changes})
        return ExploreWorkChain.get_builder_from_protocol(
            systems,
            labelled_frames(labelled),
            {
                "flare": find(codes[0]) or find_code("flare"),
                "label": find(codes[1]) or find_code_of(inputs["engine"]),
            },
            protocol,
            values,
            jobs,
        )
    except (ValueError, NotExistent) as error:
        raise click.ClickException(" ".join(str(error).split())) from None


def own(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what overrides say of a condition; they win over the options."""
    return (values.get("conditions") or {}).get(name) or {}


def choose(conditions: dict[str, Any], systems: dict[str, FramesData], chosen: tuple[str, ...]) -> dict[str, Any]:
    """Return the conditions to explore; say which are left out for want of their cell.

    :raises click.ClickException: a condition that is not there, or whose cell is not given; none is left.
    """
    there = {name: given for name, given in conditions.items() if given is not None}
    if unknown := [name for name in chosen if name not in there]:
        raise click.ClickException(f"There is no condition {unknown[0]!r}; there is {', '.join(there)}.")
    wanted = {name: given for name, given in there.items() if name in chosen or not chosen}
    without = {name: given["system"] for name, given in wanted.items() if given.get("system") not in systems}
    known = ", ".join(sorted({str(given.get("system")) for given in there.values()}))
    if without and (chosen or len(without) == len(wanted)):
        name, system = next(iter(without.items()))
        raise click.ClickException(
            f"Condition {name!r} is of the cell {system!r}: give it, --system {system}=FILE. Cells are {known}."
        )
    if without:
        cells = ", ".join(sorted(set(without.values())))
        click.echo(f"Left out: {len(without)} conditions of {cells}, since no such cell is given.")
    return {name: given for name, given in wanted.items() if name not in without}


def tell_plan(builder: ProcessBuilder, label_hours: float | None) -> None:
    """Say what would run, and what it may cost."""
    from aiida_seireact.cli.explore_plan import plan_lines
    from aiida_seireact.formats.jobs.explore import ConditionSettings, LimitSettings

    conditions = {name: ConditionSettings.model_validate(node.get_dict()) for name, node in builder.conditions.items()}
    used = {one.system for one in conditions.values()}
    n_atoms = {name: int(cell.frames.n_atoms[0]) for name, cell in builder.systems.items() if name in used}
    click.echo(
        f"{len(conditions)} conditions, from {len(builder.labelled)} labelled frames on; MD by "
        f"{builder.codes['flare'].full_label}, labels by {builder.codes['label'].full_label} ({builder.engine.value})"
    )
    for line in plan_lines(conditions, n_atoms, label_hours):
        click.echo(line)
    allowed = LimitSettings.model_validate(builder.limits.get_dict()).max_failed
    click.echo(f"{allowed or 'None'} of them may fail; the frames of a failed one are never used")


def conclude(node: Any) -> None:
    """Say how each condition went, and how well it has learned.

    :raises click.ClickException: it failed.
    """
    if "campaigns" in node.outputs:
        told = node.outputs.campaigns.get_dict()
        for name, one in told["conditions"].items():
            verdict = f" [{one['convergence']['verdict']}]" if one["convergence"] else ""
            click.echo(f"{name}{verdict}: {one['ended_by']}; {one['n_labels']} labels in {one['n_legs']} legs")
            for sentence in (one["convergence"] or {}).get("sentences", ()):
                click.echo(f"  {sentence}")
        click.echo(f"Together: {told['convergence']['verdict']}. {' '.join(told['convergence']['sentences'])}")
    if "frames" in node.outputs:
        click.echo(f"{len(node.outputs.frames)} frames: FramesData <{node.outputs.frames.pk}>")
    if not node.is_finished_ok:
        raise click.ClickException(
            node.exit_message or f"{node.process_label} <{node.pk}> was {node.process_state.value}."
        )

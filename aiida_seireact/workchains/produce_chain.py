"""The segments of a run as one: what it goes on from, what they give together, and how it is extended later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec

from aiida_seireact.calculations.functions.production import join_segments, keep_ledger
from aiida_seireact.calculations.functions.validate import judge
from aiida_seireact.data.restart import RestartData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.halt import SOUND
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.formats.verdict import PRODUCTION, VerdictError, read_verdict

# So long a run is a look at a model, and needs no verdict.
LOOK_PS = 100.0
# Links of one process cost as their square (stack/aiida.md).
AT_ONCE = 100
OPTIONAL = ("ledger", "seams")
JUDGE = f"{judge.__module__}.{judge.__name__}"
# Of a run, what its extension has again.
KEPT = (
    *("code", "companion", "devices", "potential", "verdict", "accept_rejected"),
    *("monitors", "max_iterations", "clean_workdir", "handler_overrides"),
)


def define_previous(spec: ProcessSpec) -> None:
    """Define the optional ports of a run to go on with."""
    spec.input_namespace(
        "previous",
        required=False,
        help="The outputs of a run to go on with, in place of `structure`: `md.steps` then counts its steps too.",
    )
    spec.input("previous.trajectory", valid_type=TrajectoryData, required=False, help="Its `trajectory`.")
    spec.input("previous.restart", valid_type=RestartData, required=False, help="Its `restart`.")
    spec.input("previous.ledger", valid_type=orm.Dict, required=False, help="Its `ledger`: costs are added to it.")
    spec.input("previous.seams", valid_type=orm.Dict, required=False, help="Its `seams`, if it had several segments.")


def define_verdict(spec: ProcessSpec) -> None:
    """Define the optional ports of the verdict on the model."""
    spec.input(
        "verdict",
        valid_type=orm.Dict,
        required=False,
        help="What `seireact.validate` found of this model (`seireact-verdict/1`); a rejected one is refused.",
    )
    spec.input(
        "unjudged",
        valid_type=bool,
        is_metadata=True,
        default=False,
        help="Run a model without a verdict: to look at it, to learn from what it does, to judge it.",
    )
    spec.input(
        "accept_rejected", valid_type=orm.Bool, required=False, help="Run a model that was rejected all the same."
    )


def is_a_look(parameters: orm.Dict) -> bool:
    """Tell whether a run is so short that it only looks at a model."""
    md = SegmentSettings.model_validate(parameters.get_dict()).md
    return md.steps * md.timestep_fs / 1000 <= LOOK_PS


def validate_verdict(inputs: Mapping[str, Any]) -> str | None:
    """Refuse a model that nobody has judged or that was rejected, and a verdict on another one, or of nobody.

    What is not stored yet has no creator to be asked for: it is read, and its numbers are held against its targets.
    """
    if "potential" not in inputs:
        return None
    if "verdict" not in inputs:
        if inputs.get("unjudged", False):
            return None
        return (
            "Nobody has judged this model: validate it (`aiida-seireact validate`, `seireact.validate`) and give the "
            "`verdict`, or set `unjudged` to run it all the same, for example to look at it."
        )
    if message := _of_nobody(inputs["verdict"]):
        return message
    try:
        verdict = read_verdict(inputs["verdict"].get_dict(), inputs["potential"].card["model_hash"])
    except VerdictError as error:
        return str(error)
    if verdict.decision == PRODUCTION or ("accept_rejected" in inputs and inputs["accept_rejected"].value):
        return None
    by = f" by the scorecard {verdict.scorecard}" if verdict.scorecard else ""
    why = f": {verdict.failed[0].message.rstrip('.')}" if verdict.failed else ""
    return f"This model was rejected{by}{why}. Train it further, or set `accept_rejected` if you know why it may run."


def _of_nobody(verdict: orm.Dict) -> str | None:
    """Refuse a node that no validation has made."""
    creator = verdict.creator if verdict.is_stored else None
    if not verdict.is_stored or (creator is not None and creator.process_type == JUDGE):
        return None
    return f"Node <{verdict.pk}> was written by hand: give the `verdict` of a validation (`aiida-seireact validate`)."


def with_restart_of_previous(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs as the job of the first segment gets them."""
    restart = (inputs.get("previous") or {}).get("restart")
    return {**inputs, **({} if restart is None else {"restart": restart})}


def validate_previous(inputs: Mapping[str, Any]) -> str | None:
    """Refuse half a run to go on with, and one whose parts don't belong together."""
    previous = inputs.get("previous")
    if not previous:
        return None
    missing = [name for name in ("trajectory", "restart") if name not in previous]
    if missing:
        return f"previous.{missing[0]} is missing: give the outputs of a `seireact.produce` that has ended."
    ended, begins = previous["trajectory"].base.attributes.get("last_step"), previous["restart"].step
    if ended != begins:
        return f"previous.trajectory ends at step {ended}, previous.restart is of step {begins}: take both of one run."
    if complaint := _other_output(previous["trajectory"].base.attributes, inputs.get("parameters")):
        return complaint
    if inputs.get("start"):
        return "A safe start prepares a structure, and this run goes on from a restart: leave `start` out."
    return None


def _other_output(before: Any, parameters: orm.Dict | None) -> str | None:
    """Return what a continuation writes otherwise than the run did, so that the two could not be joined."""
    if parameters is None:
        return None
    md = SegmentSettings.model_validate(parameters.get_dict()).md
    told = {
        "timestep_fs": (before.get("timestep_fs", md.timestep_fs), md.timestep_fs),
        "dump_every": (before.get("dump_every", md.dump_every), md.dump_every),
        "dumps": (sorted(before.get("dumps", {})), sorted(md.dumps)),
        "computes": (sorted(before.get("computed", {})), sorted(md.computes)),
    }
    for name, (then, now) in told.items():
        if then != now:
            return f"The run to go on with has md.{name} {then}, you ask for {now}: the two would not be one run."
    return None


def whole_run(
    parameters: orm.Dict, segments: Sequence[orm.CalcJobNode], previous: Mapping[str, orm.Data]
) -> dict[str, orm.Data]:
    """Return `trajectory`, `ledger`, and where there are, `restart` and `seams` of all segments and what was before."""
    trajectories = [node.outputs.trajectory for node in segments]
    before = [previous["trajectory"]] if "trajectory" in previous else []
    found: dict[str, orm.Data] = {"ledger": _ledger(parameters, segments, previous.get("ledger"))}
    if len(before) + len(trajectories) == 1:
        found["trajectory"] = trajectories[0]
    else:
        known = [previous["seams"]] if "seams" in previous else []
        found["trajectory"], found["seams"] = _joined(parameters, [*before, *trajectories], known)
    if "restart" in segments[-1].outputs:
        found["restart"] = segments[-1].outputs.restart
    return found


def _joined(
    parameters: orm.Dict, trajectories: Sequence[TrajectoryData], seams: Sequence[orm.Dict]
) -> tuple[TrajectoryData, orm.Dict]:
    """Join up to `AT_ONCE` trajectories by one call, more as a tree."""
    parts, known = list(trajectories), list(seams)
    while True:
        groups = [parts[index : index + AT_ONCE] for index in range(0, len(parts), AT_ONCE)]
        whole = len(groups) == 1
        found = []
        for number, group in enumerate(groups):
            nodes: dict[str, orm.Data] = {f"segment_{index:03d}": node for index, node in enumerate(group)}
            nodes |= {f"seams_{index:03d}": node for index, node in enumerate(known)} if whole else {}
            label = "join" if whole else f"join_{number:03d}"
            found.append(join_segments(parameters, **nodes, metadata={"call_link_label": label}))
        parts = [outputs["trajectory"] for outputs in found]
        known += [outputs["seams"] for outputs in found]
        if whole:
            return parts[0], known[-1]


def _ledger(parameters: orm.Dict, segments: Sequence[orm.CalcJobNode], previous: orm.Dict | None) -> orm.Dict:
    ledger = previous
    for begin in range(0, len(segments), AT_ONCE):
        nodes = {f"segment_{index:03d}": node for index, node in enumerate(segments[begin : begin + AT_ONCE])}
        costs = {name: node.outputs.performance for name, node in nodes.items()}
        if ledger is not None:
            costs["previous"] = ledger
        ledger = keep_ledger(parameters, **costs, metadata={"call_link_label": "ledger"})
    return ledger


def builder_to_extend(
    process: Any, run: orm.WorkChainNode, steps: int, options: Mapping[str, Any] | None
) -> ProcessBuilder:
    """Return the builder of `ProduceWorkChain.get_builder_to_extend`."""
    lacking = [name for name in ("trajectory", "restart") if name not in run.outputs]
    if lacking:
        raise ValueError(f"{run.process_label} <{run.pk}> has no {lacking[0]} to go on from: submit it again.")
    done = run.outputs.restart.step
    if steps <= done:
        raise ValueError(f"Run <{run.pk}> has {done} steps already: ask for more than that, you asked for {steps}.")
    stopped = run.outputs.trajectory.base.attributes.get("stopped_by")
    if stopped and stopped["reason"] not in SOUND:
        raise ValueError(f"Run <{run.pk}> was stopped, so there is nothing sound to go on from: {stopped['message']}")
    builder = process.get_builder()
    for name in KEPT:
        if name in run.inputs:
            setattr(builder, name, run.inputs[name])
    parameters = run.inputs.parameters.get_dict()
    md = SegmentSettings.model_validate(parameters).md
    changes: dict[str, Any] = {"steps": steps}
    if md.temperature_end_k not in (None, md.temperature_k) and steps != md.steps:
        # A ramp spans the run: over more steps, the temperature that is asked for would jump back at the seam.
        if done < md.steps:
            raise ValueError(
                f"Run <{run.pk}> heats or cools until step {md.steps} and is at {done}: go on to {md.steps} first."
            )
        changes |= {"temperature_k": md.temperature_end_k, "temperature_end_k": None}
    builder.parameters = orm.Dict({**parameters, "md": {**parameters["md"], **changes}})
    builder.unjudged = "verdict" not in run.inputs and is_a_look(builder.parameters)
    for name in ("trajectory", "restart", *OPTIONAL):
        if name in run.outputs:
            setattr(builder.previous, name, run.outputs[name])
    builder.options = dict(options or {})
    return builder

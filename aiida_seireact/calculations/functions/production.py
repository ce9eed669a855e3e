"""The bookkeeping of a run of several segments: one trajectory, what its seams look like, and the ledger."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.compute_tables import joined_tables
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.science.segments import in_order_of_steps, joined_columns, judged, ledger_of, seams_of

VERSION = 2


@calcfunction
def join_segments(parameters: orm.Dict, **segments: orm.Data) -> dict[str, Any]:
    """Return the segments of a run as one `trajectory`, every step once, and the `seams` between them, judged.

    :param parameters: of the run: ``md.steps`` tells whether it is done.
    :param segments: trajectories, and the seams that are known of those that were joined before.
    :raises ValueError: a step is missing or was run twice, or segments wrote other things.
    """
    known = [seam for node in segments.values() if isinstance(node, orm.Dict) for seam in node["seams"]]
    trajectories = [node for node in segments.values() if isinstance(node, TrajectoryData)]
    runs = in_order_of_steps([_described(node) for node in trajectories])
    manifest = [chunk for run in runs for chunk in run["facts"]["manifest"]]
    last = runs[-1]["facts"]
    steps = SegmentSettings.model_validate(parameters.get_dict()).md.steps
    facts = {
        **{name: last[name] for name in ("n_atoms", "species", "timestep_fs", "dump_every", "last_step", "stopped_by")},
        "first_step": runs[0]["facts"]["first_step"],
        "steps": sum(run["facts"]["steps"] for run in runs),
        "steps_asked": steps - runs[0]["facts"]["first_step"],
        "done": last["last_step"] == steps,
    }
    names = list(last.get("dumps", {}))
    if names:
        facts["dumps"] = {name: [one for run in runs for one in run["facts"]["dumps"][name]] for name in names}
    computed = {name: joined_tables([run["computed"][name] for run in runs]) for name in runs[-1]["computed"]}
    thermo = joined_columns([run["thermo"] for run in runs])
    trajectory = TrajectoryData(thermo, manifest=manifest, facts=facts, computed=computed)
    seams = sorted([*known, *seams_of(runs)], key=lambda seam: seam["step"])
    return {"trajectory": trajectory, "seams": orm.Dict({"seams": seams, **judged(seams)})}


@calcfunction
def keep_ledger(parameters: orm.Dict, **performances: orm.Dict) -> orm.Dict:
    """Return what a run has cost so far, segment by segment, and what the rest will cost.

    :param parameters: of the run.
    :param performances: by call link of the segment; and ``previous``, the ledger of the run that is extended.
    """
    md = SegmentSettings.model_validate(parameters.get_dict()).md
    previous = performances.pop("previous", None)
    rows = [] if previous is None else list(previous["segments"])
    rows += [performances[name].get_dict() for name in sorted(performances)]
    return orm.Dict(ledger_of(rows, steps_asked=md.steps, timestep_fs=md.timestep_fs))


def _described(node: TrajectoryData) -> dict[str, Any]:
    return {"facts": node.base.attributes.all, "thermo": node.thermo, "computed": node.computed}

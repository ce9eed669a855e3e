"""Where the trajectories of runs are, and what each run was: its settings, its model, what coats its cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiida import orm

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.query.graph import Graph, Made, without_parts
from aiida_seireact.query.tree import Process, trees_of

MD_JOB = "aiida.calculations:seireact.lammps"
JOIN = "join_segments"
LOOKERS = ("aiida.calculations:seireact.classify", "aiida.calculations:seireact.analyse")
GIVEN = "given"
"""Stage of a run that was made elsewhere."""
PARTS_OF_RUN = ("iteration_", "segment_", "join")
"""How the call labels begin of what a run is put together from."""
BARE = "bare"
FACTS = (
    "n_atoms", "species", "timestep_fs", "dump_every", "first_step", "last_step", "steps", "steps_asked", "done",
    "stopped_by", "content_hash",
)  # fmt: skip


def runs_in(graph: Graph) -> list[Made]:
    """Return the trajectories of whole runs: segments that were joined are not told of by themselves.

    Those that were given to a classification or an analysis, which was begun for itself, come last.
    """
    made = without_parts(graph.made(TrajectoryData, by=(MD_JOB, JOIN), told=FACTS), (JOIN,), graph)
    return made + _given_runs(graph, made)


def _given_runs(graph: Graph, made: Sequence[Made]) -> list[Made]:
    """Return runs made elsewhere that processes below the tops looked at."""
    lookers = {
        run_uuid: [one for one in processes if one.counts and one.member.process_type in LOOKERS]
        for _, run_uuid, processes in graph.trees
    }
    given = graph.given([one for mine in lookers.values() for one in mine], TrajectoryData, "trajectory", FACTS)
    here = {(one.run_uuid, one.pk) for one in made}
    wanted = {
        (run, run_uuid, run_of.pk): run_of
        for run, run_uuid, _ in graph.trees
        for looker in lookers[run_uuid]
        for run_of in given.get(looker.pk, [])
        if (run_uuid, run_of.pk) not in here
    }
    makers = _makers({pk for _, _, pk in wanted})
    return [
        Made(pk, one.uuid, one.link, run, run_uuid, replace(makers[pk], stage=GIVEN), one.told)
        for (run, run_uuid, pk), one in wanted.items()
        if pk in makers and makers[pk].counts
    ]


def _makers(trajectories: set[int]) -> dict[int, Process]:
    """Return by PK of a trajectory the process that made it, seen by itself."""
    if not trajectories:
        return {}
    query = orm.QueryBuilder()
    query.append(TrajectoryData, filters={"id": {"in": sorted(trajectories)}}, project="id", tag="run")
    query.append(orm.ProcessNode, with_outgoing="run", edge_filters={"type": "create"}, project="*")
    found = dict(query.all())
    heads = [tree[0] for tree in trees_of(list(found.values()))] if found else []
    return dict(zip(found, heads, strict=True))


def name_of_run(made: Made) -> str:
    """Return what a run, or what was found of it, is called among those of its top process: its path, in short."""
    labels = [label for label in made.process.path.split("/") if not label.startswith(PARTS_OF_RUN)]
    return "/".join(labels) or made.process.member.name


def stop_message(stopped_by: Any) -> str:
    """Return the sentence of the rule that ended a run, empty if none did."""
    if not stopped_by:
        return ""
    return str(stopped_by.get("message", stopped_by)) if isinstance(stopped_by, Mapping) else str(stopped_by)


def computers_of(processes: Sequence[Process]) -> dict[int, str]:
    """Return by PK of a job the label of its computer."""
    pks = sorted({process.pk for process in processes})
    if not pks:
        return {}
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": pks}}, project="id", tag="job")
    query.append(orm.Computer, with_node="job", project="label")
    return dict(query.all())


def settings_of_runs(graph: Graph, found: Sequence[Made]) -> dict[int, dict[str, Any]]:
    """Return by PK of a trajectory what its jobs were given: ``md``, ``model_hash``, ``system``, ``n_segments``."""
    makers = [run.process for run in found]
    parameters = graph.given(makers, orm.Dict, "parameters", ("md",))
    joined = {run.process.pk for run in found if run.process.member.name == JOIN}
    segments = _segments(joined)
    jobs = [run.process.pk for run in found if run.process.pk not in joined]
    jobs += [job for rows in segments.values() for job in rows]
    models, systems = _inputs(jobs, PotentialData, "model_hash"), _inputs(jobs, FramesData, "config_types")
    told: dict[int, dict[str, Any]] = {}
    for run in found:
        mine = segments.get(run.process.pk, [run.process.pk])
        hashes = {models[job] for job in mine if job in models}
        types: dict[str, Any] = next((systems[job] or {} for job in mine if job in systems), {})
        given = parameters.get(run.process.pk, [])
        told[run.pk] = {
            "md": (given[0].told["md"] if given else None) or {},
            # A run that changed its model on the way is of none.
            "model_hash": hashes.pop() if len(hashes) == 1 else "",
            "system": ", ".join(types),
            "n_segments": len(mine),
        }
    return told


def _segments(joiners: set[int]) -> dict[int, list[int]]:
    """Return by PK of a joining process the jobs of its segments, in the order they were made.

    Many segments are joined as a tree, and a run that is extended is joined again.
    """
    found: dict[int, list[int]] = {}
    if not joiners:
        return found
    query = orm.QueryBuilder()
    query.append(orm.ProcessNode, filters={"id": {"in": sorted(joiners)}}, project="id", tag="join")
    query.append(TrajectoryData, with_outgoing="join", tag="segment")
    query.append(
        orm.ProcessNode,
        with_outgoing="segment",
        edge_filters={"type": "create"},
        project=["id", "attributes.process_label"],
        tag="maker",
    )
    rows = query.order_by({"maker": ["ctime", "uuid"]}).all()
    below = _segments({maker for _, maker, name in rows if name == JOIN})
    for join, maker, name in rows:
        found.setdefault(join, []).extend(below.get(maker, []) if name == JOIN else [maker])
    return found


def _inputs(jobs: Sequence[int], kind: type[orm.Data], attribute: str) -> dict[int, Any]:
    if not jobs:
        return {}
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": sorted(jobs)}}, project="id", tag="job")
    query.append(
        kind, with_outgoing="job", edge_filters={"label": {"in": ["potential", "structure"]}},
        project=f"attributes.{attribute}",
    )  # fmt: skip
    return dict(query.all())


def coatings_of(trajectories: Sequence[str]) -> dict[str, str]:
    """Return the coating of the cell each trajectory began with, by UUID; those of no recipe of ours are not there.

    A coating is a phase that lies between two others more than once, as the recipe of the cell says.
    """
    if not trajectories:
        return {}
    query = orm.QueryBuilder()
    query.append(orm.Data, filters={"uuid": {"in": list(trajectories)}}, project="uuid", tag="run")
    is_build = [{"attributes.process_label": "build_cell"}, {"process_type": "aiida.calculations:seireact.build"}]
    query.append(orm.ProcessNode, with_descendants="run", filters={"or": is_build}, tag="build")
    query.append(orm.Dict, with_outgoing="build", edge_filters={"label": "recipe"}, project="attributes.slabs")
    return {uuid: coating_in(slabs) for uuid, slabs in query.distinct().all() if slabs}


def coating_in(slabs: Sequence[Mapping[str, Any]]) -> str:
    """Return what coats the boundaries of a periodic stack, ``bare`` if nothing does.

    A coating is a phase that lies more than once in the stack, each time between two unlike other phases. So neither
    grains of one phase, nor an electrode below and above, which is one across the cell's boundary, coat anything.

    :param slabs: of a recipe, from below, each with its ``phase``.
    """
    phases = [str(slab["phase"]) for slab in slabs]
    # Slabs of one phase on each other, across the cell's boundary too, are one: at 0 the slab before is the last.
    ring = [phase for place, phase in enumerate(phases) if phase != phases[place - 1]]
    between = [ring[place - 1] != ring[(place + 1) % len(ring)] for place in range(len(ring))]
    counts = Counter(ring)
    fits = {phase: all(fit for one, fit in zip(ring, between, strict=True) if one == phase) for phase in counts}
    return " + ".join(sorted(phase for phase, count in counts.items() if count > 1 and fits[phase])) or BARE

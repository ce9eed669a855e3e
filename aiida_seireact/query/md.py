"""MD runs of trained models: what each was, its thermo trace, how fast it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from aiida import orm

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.query.arrays import arrays_of
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph, Made, without_parts
from aiida_seireact.query.sources import What
from aiida_seireact.query.tree import Process, trees_of
from aiida_seireact.science.segments import SECONDS_PER_DAY

MD_JOB = "aiida.calculations:seireact.lammps"
JOIN = "join_segments"
LOOKERS = ("aiida.calculations:seireact.classify", "aiida.calculations:seireact.analyse")
GIVEN = "given"
"""Stage of a run that was made elsewhere."""
BAR_IN_GPA = 1e-4

FACTS = (
    "n_atoms", "species", "timestep_fs", "dump_every", "first_step", "last_step", "steps", "steps_asked", "done",
    "stopped_by", "content_hash",
)  # fmt: skip
RUN_COLUMNS = {
    "name": "str",
    "system": "str",
    "species": "str",
    "n_atoms": "int",
    "ensemble": "str",
    "temperature_k": "float",
    "temperature_end_k": "float",
    "pressure_gpa": "float",
    "timestep_fs": "float",
    "velocity_seed": "float",
    "first_step": "int",
    "last_step": "int",
    "steps": "int",
    "steps_asked": "float",
    "time_ps": "float",
    "done": "bool",
    "stopped_by": "str",
    "stop_message": "str",
    "n_segments": "int",
    "dump_every_steps": "float",
    "model_hash": "str",
    "content_hash": "str",
}
THERMO = {
    "temp": ("temperature_k", 1.0, False),
    "pe": ("potential_energy_ev_per_atom", 1.0, True),
    "ke": ("kinetic_energy_ev_per_atom", 1.0, True),
    "etotal": ("total_energy_ev_per_atom", 1.0, True),
    "econserve": ("conserved_energy_ev_per_atom", 1.0, True),
    "press": ("pressure_gpa", BAR_IN_GPA, False),
    "vol": ("volume_ang3_per_atom", 1.0, True),
}
"""Thermo columns by LAMMPS keyword: our name, what turns them into that unit, and whether they are shared by atoms."""
TRACE_COLUMNS = {"name": "str", "step": "int", "time_ps": "float", **{name: "float" for name, _, _ in THERMO.values()}}
SPEED_COLUMNS = {
    "name": "str",
    "n_atoms": "int",
    "steps": "int",
    "ps": "float",
    "md_seconds": "float",
    "seconds": "float",
    "ranks": "int",
    "threads": "int",
    "gpus": "int",
    "atom_steps_per_s": "float",
    "ns_per_day": "float",
    "computer": "str",
    "from_cache": "bool",
    "model_hash": "str",
}


def runs(what: What) -> pd.DataFrame:
    """Return a row for each MD run of a trained model, however many segments it has.

    ``node_uuid`` is that of its trajectory. ``part`` is ``first`` for the run of the first model of a study that
    learned from it, ``closed`` for that after closing the loop, else empty; ``path`` tells runs of a
    validation, say, apart.
    ``time_ps`` is what was run; ``stopped_by`` names the rule that ended it early, ``stop_message`` says why.
    ``system`` is the config type of the cell it began with, empty where it began with a large cell or a restart.
    A run that was made elsewhere and given to a classification or an analysis has the ``stage`` ``given``.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    found = runs_in(graph)
    given = settings_of_runs(graph, found)
    blocks = []
    for run in found:
        facts, md = run.told, given[run.pk]["md"]
        stopped = facts["stopped_by"] if isinstance(facts["stopped_by"], Mapping) else {}
        steps, timestep = int(facts["steps"] or 0), float(facts["timestep_fs"] or np.nan)
        blocks.append(
            {
                **run.columns(),
                "name": name_of_run(run),
                "system": given[run.pk]["system"],
                "species": "-".join(facts["species"] or ()),
                "n_atoms": facts["n_atoms"],
                "ensemble": md.get("ensemble"),
                "temperature_k": md.get("temperature_k"),
                "temperature_end_k": md.get("temperature_end_k"),
                "pressure_gpa": md.get("pressure_gpa") if md.get("ensemble") == "npt" else None,
                "timestep_fs": timestep,
                "velocity_seed": md.get("velocity_seed"),
                "first_step": facts["first_step"] or 0,
                "last_step": steps if facts["last_step"] is None else facts["last_step"],
                "steps": steps,
                "steps_asked": facts["steps_asked"],
                "time_ps": steps * timestep / 1000,
                "done": bool(facts["done"]),
                "stopped_by": stopped.get("reason") or stopped.get("rule") or ("a rule" if facts["stopped_by"] else ""),
                "stop_message": stop_message(facts["stopped_by"]),
                "n_segments": given[run.pk]["n_segments"],
                "dump_every_steps": facts["dump_every"],
                "model_hash": given[run.pk]["model_hash"],
                "content_hash": facts["content_hash"],
            }
        )
    return table(RUN_COLUMNS, blocks)


def traces(what: What) -> pd.DataFrame:
    """Return a row for each line of the thermo table of each MD run, in order of time.

    Energies and volume are shared by the atoms; a column that a run does not have is NaN.

    :raises QueryError: not a process.
    """
    found = runs_in(Graph(what))
    arrays = arrays_of((run.pk for run in found), [f"thermo_{name}" for name in ("step", *THERMO)])
    blocks = []
    for run in found:
        held = arrays[run.pk]
        if "thermo_step" not in held:
            continue
        steps, n_atoms = held["thermo_step"], float(run.told["n_atoms"])
        columns = {
            name: held[f"thermo_{keyword}"] * factor / (n_atoms if is_shared else 1.0)
            for keyword, (name, factor, is_shared) in THERMO.items()
            if f"thermo_{keyword}" in held
        }
        times = steps * float(run.told["timestep_fs"]) / 1000
        blocks.append(
            {**run.columns(), "name": name_of_run(run), "step": steps.astype(np.int64), "time_ps": times, **columns}
        )
    return table(TRACE_COLUMNS, blocks)


def speeds(what: What) -> pd.DataFrame:
    """Return a row for each MD job: what it has run in how many seconds, on how many ranks, threads and GPUs.

    Seconds are those that the program has measured: ``md_seconds`` in MD alone, ``seconds`` in all; ``node_uuid`` is
    that of the output ``performance``. A job that came from the cache tells what the first one measured.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    told = ("steps", "ps", "md_seconds", "seconds", "ranks", "threads", "gpus")
    found = graph.made(orm.Dict, by=(MD_JOB,), links=("performance",), told=told)
    atoms = {
        run.process.pk: run.told["n_atoms"]
        for run in graph.made(TrajectoryData, by=(MD_JOB,), links=("trajectory",), told=("n_atoms",))
    }
    models = graph.given([one.process for one in found], PotentialData, "potential", ("model_hash",))
    computers = computers_of([one.process for one in found])
    blocks = []
    for one in found:
        facts, n_atoms = one.told, int(atoms.get(one.process.pk) or 0)
        steps, md_seconds = facts["steps"] or 0, facts["md_seconds"] or 0
        blocks.append(
            {
                **one.columns(),
                **facts,
                "name": name_of_run(one),
                "n_atoms": n_atoms,
                "steps": steps,
                **{name: facts[name] or 0 for name in ("ranks", "threads", "gpus")},
                "atom_steps_per_s": n_atoms * steps / md_seconds if md_seconds else None,
                "ns_per_day": (facts["ps"] or 0) / 1000 * SECONDS_PER_DAY / md_seconds if md_seconds else None,
                "computer": computers.get(one.process.pk),
                "from_cache": one.process.member.from_cache,
                "model_hash": next((given.told["model_hash"] for given in models.get(one.process.pk, [])), None),
            }
        )
    return table(SPEED_COLUMNS, blocks)


# ------------------------------------------------------------------------------------ what others ask of runs
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
    labels = [
        label for label in made.process.path.split("/") if not label.startswith(("iteration_", "segment_", "join"))
    ]
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

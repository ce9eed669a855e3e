"""MD runs of trained models: what each was, its thermo trace, how fast it was."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from aiida import orm

from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.query.arrays import arrays_of
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.sources import What
from aiida_seireact.query.trajectories import (
    MD_JOB,
    coatings_of,
    computers_of,
    name_of_run,
    runs_in,
    settings_of_runs,
    stop_message,
)
from aiida_seireact.science.segments import SECONDS_PER_DAY

BAR_IN_GPA = 1e-4

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
    "coating": "str",
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
    ``coating`` is the phase at the boundaries of the cell, ``bare`` if there is none, empty where no recipe tells it.
    A run that was made elsewhere and given to a classification or an analysis has the ``stage`` ``given``.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    found = runs_in(graph)
    given, coatings = settings_of_runs(graph, found), coatings_of([run.uuid for run in found])
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
                "coating": coatings.get(run.uuid),
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

"""Every process and what it cost: the ledger of a run, and what failed on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from aiida import orm

from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.sources import QueryError, What
from aiida_seireact.query.trajectories import computers_of
from aiida_seireact.query.tree import Process
from aiida_seireact.query.versions import results_of

PROCESS_COLUMNS = {
    "pk": "int",
    "process": "str",
    "process_type": "str",
    "call_label": "str",
    "caller_uuid": "str",
    "depth": "int",
    "is_job": "bool",
    "state": "str",
    "exit_status": "float",
    "exit_message": "str",
    "is_sealed": "bool",
    "from_cache": "bool",
    "started": "object",
    "ended": "object",
    "seconds": "float",
    "computer": "str",
}
COST_COLUMNS = {
    "pk": "int",
    "process": "str",
    "kind": "str",
    "state": "str",
    "from_cache": "bool",
    "computer": "str",
    "cores": "int",
    "gpus": "int",
    "wall_hours": "float",
    "core_hours": "float",
    "gpu_hours": "float",
    "basis": "str",
}
KINDS = {
    "seireact.ase": "label",
    "vasp.vasp": "label",
    "quantumespresso.pw": "label",
    "cp2k": "label",
    "seireact.flare": "learn",
    "seireact.allegro": "train",
    "seireact.compile": "train",
    "seireact.lammps": "MD",
    "seireact.start": "MD",
}
"""What a job was for, by its entry point; any other is ``analyse``."""
SCHEDULER, PROGRAM, NODE, TORN, CACHE = "scheduler", "program", "node", "node, result torn", "cache"
"""Where wall seconds are from: sacct or the last look at the queue; the program's own clock; from the making of the
node to its end, with the time in the queue, also where its result file is torn; nothing was run."""

_GPUS = re.compile(r"--(?P<what>gres=gpu|gpus(?:-per-node|-per-task)?)(?:[:=][A-Za-z][\w.-]*)?[:= ](?P<count>\d+)")


@dataclass(frozen=True)
class _Job:
    options: Mapping[str, Any]
    last_info: Mapping[str, Any]
    detailed: Mapping[str, Any]


def processes(what: What) -> pd.DataFrame:
    """Return a row for each process, failed and running ones too; times are those of its node.

    ``seconds`` run from the making of the node to its end, or to now. The column of the node is its own UUID.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    computers = computers_of(_jobs_in(graph))
    blocks = []
    for run, run_uuid, members in graph.trees:
        uuids = {one.pk: one.member.uuid for one in members}
        for one in members:
            member = one.member
            blocks.append(
                {
                    **_source(run, run_uuid, one),
                    "pk": one.pk,
                    "process": member.name,
                    "process_type": member.process_type,
                    "call_label": member.call_label,
                    "caller_uuid": uuids.get(member.caller or 0),
                    "depth": one.depth,
                    "is_job": member.is_job,
                    "state": member.state,
                    "exit_status": member.exit_status,
                    "exit_message": member.reason if one.is_failed else "",
                    "is_sealed": one.is_sealed,
                    "from_cache": member.from_cache,
                    "started": member.ctime,
                    "ended": member.mtime if one.is_sealed else None,
                    "seconds": one.seconds,
                    "computer": computers.get(one.pk),
                }
            )
    return table(PROCESS_COLUMNS, blocks)


def costs(what: What, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Return a row for each job, failed ones too: what it took of a computer.

    ``kind`` is ``label``, ``learn``, ``train``, ``MD`` or ``analyse``. Cores and GPUs are those sacct
    has counted, or MD has told of itself, or its resources asked for. ``basis`` tells where its wall hours are from:
    the ``scheduler``'s accounting, the
    ``program``'s own clock, or the times of its ``node``, waiting in the queue included; of a program whose result
    file can't be read it is ``node, result torn``. What came from the ``cache`` took nothing.

    :param by: columns to sum over, ``stage`` or ``["run", "kind"]`` say; the rest is then ``n_jobs``, ``n_failed``,
        ``n_from_cache`` and the hours.
    :raises QueryError: not a process, or no such column.
    """
    graph = Graph(what)
    jobs = _jobs_in(graph)
    known, results, told, computers = _jobs(jobs), results_of(jobs), _performances(jobs), computers_of(jobs)
    blocks = []
    for run, run_uuid, members in graph.trees:
        for one in members:
            if not one.member.is_job:
                continue
            job, result = known[one.pk], results.get(one.pk, {})
            cores, gpus = _size(job, result or {}, told.get(one.pk, {}))
            seconds, basis = _seconds(one, job, result)
            hours = seconds / 3600
            blocks.append(
                {
                    **_source(run, run_uuid, one),
                    "pk": one.pk,
                    "process": one.member.name,
                    "kind": kind_of(one.member.process_type),
                    "state": one.member.state,
                    "from_cache": one.member.from_cache,
                    "computer": computers.get(one.pk),
                    "cores": cores,
                    "gpus": gpus,
                    "wall_hours": hours,
                    "core_hours": hours * cores,
                    "gpu_hours": hours * gpus,
                    "basis": basis,
                }
            )
    found = table(COST_COLUMNS, blocks)
    return found if by is None else summed(found, [by] if isinstance(by, str) else list(by))


def summed(jobs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the hours of jobs, a row for each value of some columns, in the order they come first.

    :param jobs: what `costs` returns.
    :raises QueryError: no such column.
    """
    if missing := [name for name in by if name not in jobs.columns]:
        raise QueryError(f"Costs have no column {missing[0]!r}: sum over some of {', '.join(jobs.columns)}.")
    is_failed, is_cached = jobs["state"].isin(["failed", "killed"]), jobs["from_cache"].astype(bool)
    counted = jobs.assign(n_jobs=1, n_failed=is_failed.astype(int), n_from_cache=is_cached.astype(int))
    numbers = ["n_jobs", "n_failed", "n_from_cache", "wall_hours", "core_hours", "gpu_hours"]
    # What is grouped by is a column of the answer already.
    numbers = [name for name in numbers if name not in by]
    return counted.groupby(list(by), sort=False, as_index=False)[numbers].sum()


def kind_of(process_type: str) -> str:
    """Return what a job was for, by its process type."""
    return KINDS.get(process_type.rpartition(":")[2], "analyse")


def _jobs_in(graph: Graph) -> list[Process]:
    return [one for _, _, members in graph.trees for one in members if one.member.is_job]


def _source(run: str, run_uuid: str, one: Process) -> dict[str, Any]:
    return {
        "run": run,
        "run_uuid": run_uuid,
        "stage": one.stage,
        "part": one.part,
        "path": one.path,
        "node_uuid": one.member.uuid,
        "process_uuid": one.member.uuid,
    }


# ------------------------------------------------------------------------------------ what a job took
OPTIONS = ("resources", "custom_scheduler_commands", "last_job_info", "detailed_job_info")


def _jobs(jobs: Sequence[Process]) -> dict[int, _Job]:
    if not jobs:
        return {}
    query = orm.QueryBuilder().append(
        orm.CalcJobNode,
        filters={"id": {"in": [one.pk for one in jobs]}},
        project=["id", *(f"attributes.{name}" for name in OPTIONS)],
    )
    return {
        pk: _Job({"resources": resources or {}, "commands": commands or ""}, last or {}, detailed or {})
        for pk, resources, commands, last, detailed in query.all()
    }


def _performances(jobs: Sequence[Process]) -> dict[int, Mapping[str, Any]]:
    """Return by PK of an MD job what it told of its ranks, threads and GPUs."""
    if not jobs:
        return {}
    query = orm.QueryBuilder().append(
        orm.CalcJobNode, filters={"id": {"in": [one.pk for one in jobs]}}, project="id", tag="job"
    )
    query.append(
        orm.Dict,
        with_incoming="job",
        edge_filters={"type": "create", "label": "performance"},
        project=["attributes.ranks", "attributes.threads", "attributes.gpus"],
    )
    return {pk: {"ranks": ranks, "threads": threads, "gpus": gpus} for pk, ranks, threads, gpus in query.all()}


def _size(job: _Job, result: Mapping[str, Any], performance: Mapping[str, Any]) -> tuple[int, int]:
    """Return cores and GPUs."""
    accounted = _sacct(job.detailed)
    if "AllocCPUS" in accounted:
        gpus = re.search(r"gres/gpu(?::[\w.-]+)?=(\d+)", accounted.get("AllocTRES", ""))
        return int(accounted["AllocCPUS"]), int(gpus[1]) if gpus else 0
    resources = job.options["resources"]
    nodes = int(resources.get("num_machines") or 1)
    ranks = int(resources.get("num_mpiprocs_per_machine") or 0) * nodes or int(
        resources.get("tot_num_mpiprocs") or nodes
    )
    cores = ranks * int(resources.get("num_cores_per_mpiproc") or 1)
    if resources.get("num_cores_per_machine"):
        cores = max(cores, nodes * int(resources["num_cores_per_machine"]))
    if performance.get("ranks"):
        cores = int(performance["ranks"]) * int(performance.get("threads") or 1)
    if performance.get("gpus") is not None:
        return cores, int(performance["gpus"])
    found = _GPUS.search(str(job.options["commands"]))
    if found:
        per = {"gpus": 1, "gpus-per-task": ranks}.get(found["what"], nodes)
        return cores, int(found["count"]) * per
    outputs = result.get("outputs") or {}
    return cores, int(bool(outputs.get("gpu")))


def _seconds(one: Process, job: _Job, result: Mapping[str, Any] | None) -> tuple[float, str]:
    """Return wall seconds and where they are from.

    :param result: None where it is torn.
    """
    if one.member.from_cache:
        return 0.0, CACHE
    if (elapsed := _sacct_seconds(job.detailed)) is not None:
        return elapsed, SCHEDULER
    if result is not None and isinstance(result.get("seconds"), int | float):
        return float(result["seconds"]), PROGRAM
    if seen := job.last_info.get("wallclock_time_seconds"):
        return float(seen), SCHEDULER
    return one.seconds, TORN if result is None else NODE


def _sacct_seconds(detailed: Mapping[str, Any]) -> float | None:
    """Return the elapsed time that sacct told, None where there is none."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", _sacct(detailed).get("Elapsed", ""))
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _sacct(detailed: Mapping[str, Any]) -> dict[str, str]:
    """Return the row of a whole job that ``sacct --parsable`` wrote, the first one; empty if there is none."""
    lines = str(detailed.get("stdout") or "").splitlines()
    if len(lines) < 2:
        return {}
    row = zip(lines[0].split("|"), lines[1].split("|"), strict=False)
    return {name: value.strip() for name, value in row if value.strip()}

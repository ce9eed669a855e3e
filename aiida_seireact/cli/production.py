"""How far long MD runs are: segments from the graph, the running one from the end of its log, costs by the ledger."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm
from pydantic import ValidationError

from aiida_seireact.calculations.native_lammps import devices_of, is_embedded, n_ranks_of
from aiida_seireact.cli.render.words import duration
from aiida_seireact.formats.halt import SOUND
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.formats.run_tail import RunTail
from aiida_seireact.query.family import Member
from aiida_seireact.science.segments import FS_PER_NS, ledger_of

CHAIN = "ProduceWorkChain"
# Exit status of a chain that somebody, or a full disk, has ended.
ENDED_EARLY = 433
MD_JOB = "aiida.calculations:seireact.lammps"
# Of the outputs of a job, which give a row of the ledger.
COSTS = ("ranks", "threads", "gpus")


@dataclass(frozen=True)
class Run:
    """A long run: its process, its settings and its jobs, the last one last.

    :param chain: the WorkChain, or the job itself where it was submitted alone.
    """

    chain: Member
    node: orm.ProcessNode
    jobs: tuple[Member, ...]
    settings: SegmentSettings

    @property
    def running(self) -> orm.CalcJobNode | None:
        """The job that has not ended, None if there is none."""
        return orm.load_node(self.jobs[-1].pk) if self.jobs and not self.jobs[-1].is_terminated else None


@dataclass(frozen=True)
class Production:
    """How far a run is, and what it costs.

    Hours and paces are None where they are not known; ``core_hours`` are those of the segments so far.
    """

    pk: int
    name: str
    state: str
    segment: int
    """The one that runs, or ran last, counted from 1; 0 before the first."""
    n_segments: int | None
    """How many are planned, None where that hangs on the walltime."""
    step: int
    steps: int
    ns: float
    ns_asked: float
    ns_per_day: float | None
    hours_left: float | None
    core_hours: float
    gpu_hours: float
    core_hours_left: float | None
    gpu_hours_left: float | None
    stopped_by: str
    """Why it ended before its end; empty if it did not."""


def runs_of(members: Sequence[Member]) -> list[Run]:
    """Return the long runs of a family; one that holds only a job of MD is a run too."""
    chains = [member for member in members if member.name == CHAIN]
    if not chains and members[0].process_type == MD_JOB:
        chains = [members[0]]
    found = []
    for chain in chains:
        node = orm.load_node(chain.pk)
        parameters = node.base.links.get_incoming(node_class=orm.Dict, link_label_filter="parameters").first()
        if parameters is None:
            continue  # made by hand, or by a version that had none
        jobs = [chain] if chain.is_job else [m for m in members if m.caller == chain.pk and m.process_type == MD_JOB]
        try:
            settings = SegmentSettings.model_validate(parameters.node.get_dict())
        except ValidationError:
            continue  # of a version with other settings
        found.append(Run(chain, node, tuple(sorted(jobs, key=lambda job: job.pk)), settings))
    return found


def production_of(run: Run, tail: RunTail | None = None, pace: float | None = None) -> Production:
    """Return how far a run is.

    :param tail: of its running job, where it could be looked at.
    :param pace: seconds a step, as seen by who watches; None: since the job began, its preparation included.
    """
    md, segment_steps = run.settings.md, run.settings.segment_steps
    ledger, stopped = ledger_so_far(run, tail, pace), stopped_by(run)
    paced = [row["ns_per_day"] for row in ledger["segments"] if row["ns_per_day"]]
    rest = ledger["rest"]
    number = re.search(r"segment_(\d+)", run.jobs[-1].call_label) if run.jobs else None
    begun = begins_at(run.node) or 0
    return Production(
        pk=run.chain.pk,
        name=run.chain.call_label or run.chain.name,
        state=run.chain.state,
        segment=int(number[1]) if number else len(run.jobs),
        n_segments=None if segment_steps is None else math.ceil((md.steps - begun) / segment_steps),
        step=ledger["steps"],
        steps=md.steps,
        ns=ledger["ns"],
        ns_asked=md.steps * md.timestep_fs / FS_PER_NS,
        ns_per_day=paced[-1] if paced else None,
        hours_left=None if stopped else rest["hours"],
        core_hours=ledger["core_hours"],
        gpu_hours=ledger["gpu_hours"],
        core_hours_left=None if stopped else rest["core_hours"],
        gpu_hours_left=None if stopped else rest["gpu_hours"],
        stopped_by=stopped,
    )


def ledger_so_far(run: Run, tail: RunTail | None = None, pace: float | None = None) -> dict[str, Any]:
    """Return the ledger of a run that has ended, or that of its segments so far and what runs now."""
    if "ledger" in run.node.outputs:
        return dict(run.node.outputs.ledger.get_dict())
    rows = _rows_before(run.node)
    rows += outputs_of(run.jobs, "performance", "attributes")
    running = run.running
    if running is not None and tail is not None:
        rows += _row_now(running, run.settings, tail, pace, rows)
    return ledger_of(rows, steps_asked=run.settings.md.steps, timestep_fs=run.settings.md.timestep_fs)


def begins_at(node: orm.ProcessNode) -> int | None:
    """Return the step that a run or a job goes on from, None if it begins with a structure."""
    for label in ("previous__restart", "restart"):
        link = node.base.links.get_incoming(link_label_filter=label).first()
        if link is not None:
            return int(link.node.base.attributes.get("step"))
    return None


def stopped_by(run: Run) -> str:
    """Return why a run ended before its end; empty if it did not, or has not ended."""
    if "trajectory" not in run.node.outputs:
        return ""
    stopped = run.node.outputs.trajectory.base.attributes.get("stopped_by", None)
    return "" if stopped is None else str(stopped["message"])


def can_go_on(run: Run) -> bool:
    """Whether a run has ended before its end, where what there is, is sound."""
    if not run.chain.is_terminated or run.chain.is_job or not {"trajectory", "restart"} <= set(run.node.outputs):
        return False
    stopped = run.node.outputs.trajectory.base.attributes.get("stopped_by", None)
    sound = stopped is None or stopped["reason"] in SOUND
    return sound and run.node.outputs.restart.step < run.settings.md.steps


def outputs_of(jobs: Sequence[Member], label: str, project: str) -> list[Any]:
    """Return a projection of the output ``label`` of the jobs that have one, in their order, by one query."""
    ended = [job.pk for job in jobs if job.is_terminated]
    if not ended:
        return []
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={"id": {"in": ended}}, project="id", tag="job")
    edge = {"type": "create", "label": label}
    query.append(orm.Data, with_incoming="job", edge_filters=edge, project=project)
    return [value for _, value in sorted(query.all(), key=lambda row: row[0])]


def _rows_before(node: orm.ProcessNode) -> list[dict[str, Any]]:
    link = node.base.links.get_incoming(node_class=orm.Dict, link_label_filter="previous__ledger").first()
    return [] if link is None else list(link.node["segments"])


def _row_now(
    job: orm.CalcJobNode,
    settings: SegmentSettings,
    tail: RunTail,
    pace: float | None,
    rows: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return a row of the ledger of what a running job has done, nothing before its first step."""
    steps = tail.last_step - tail.first_step
    if steps <= 0 or tail.written is None or tail.begun is None:
        return []
    seconds = max(tail.written - tail.begun, 0.0)
    # Cores and GPUs are those of the segment before, else those that were asked for.
    costs = {name: rows[-1][name] for name in COSTS} if rows else _asked_for(job)
    return [
        {
            "steps": steps,
            "ps": steps * settings.md.timestep_fs * 1e-3,
            "md_seconds": seconds if pace is None else pace * steps,
            "seconds": seconds,
            "last_step": tail.last_step,
            **costs,
        }
    ]


def _asked_for(job: orm.CalcJobNode) -> dict[str, int]:
    resources = job.get_option("resources") or {}
    ranks = n_ranks_of({"resources": resources})
    gpus = int(job.inputs.potential.card.get("device") == "cuda") if "potential" in job.inputs else 0
    if "code" in job.inputs and not is_embedded(job.inputs.code):
        gpus = devices_of(job.inputs).gpus_per_node * int(resources.get("num_machines") or 1)
    return {"ranks": ranks, "threads": int(resources.get("num_cores_per_mpiproc") or 1), "gpus": gpus}


def sentence(production: Production) -> str:
    """Return a run in one line: ns, pace, time left, cost."""
    parts = [f"{production.ns:.3g} of {production.ns_asked:.3g} ns"]
    if production.ns_per_day is not None:
        parts.append(f"{production.ns_per_day:.3g} ns/day")
    if production.state in ("running", "paused", "waiting") and production.hours_left is not None:
        parts.append(f"{hours(production.hours_left)} left")
    parts.append(f"{production.core_hours:.3g} core-hours")
    if production.gpu_hours:
        parts.append(f"{production.gpu_hours:.3g} GPU-hours")
    return ", ".join(parts)


def hours(value: float) -> str:
    """Return hours as a person says them: 42 s, 8 h 40 min, 12.5 days."""
    return f"{value / 24:.1f} days" if value >= 48 else duration(3600 * value)


def seconds_a_step(before: RunTail, after: RunTail) -> float | None:
    """Return the pace between two looks at a job, None if they are too near or of different tries."""
    if before.written is None or after.written is None or after.first_step != before.first_step:
        return None
    steps, seconds = after.last_step - before.last_step, after.written - before.written
    # The clock of files has whole seconds.
    return seconds / steps if steps > 0 and seconds >= 10 else None

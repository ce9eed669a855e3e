"""How far a process of ours is, read from the graph: stages, what runs now, why it waits or failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aiida.common import timezone
from aiida.orm import CalcJobNode, Dict, ProcessNode, QueryBuilder, load_node

from aiida_seireact.cli.conditions import ConditionNow, conditions_now
from aiida_seireact.cli.looking import productions_now
from aiida_seireact.cli.production import CHAIN, ENDED_EARLY, Production
from aiida_seireact.data.frames import FramesData
from aiida_seireact.query.family import (
    LABELLING,
    STAGES,
    TOP_PROCESS,
    TRAINING,
    Member,
    family_of,
    stage_name,
    stages_of,
)

LABEL_STAGES = ("label", "explore", "augment", "close_loop")
"""Stages whose labels are learned from; relaxations and reference runs label too, but teach nothing."""


@dataclass(frozen=True)
class Stage:
    """One stage of a workflow: the direct children that belong to it, and all below them."""

    name: str
    state: str
    n_processes: int
    n_done: int
    n_from_cache: int
    seconds: float | None
    message: str


@dataclass(frozen=True)
class JobNow:
    """A job that is not finished."""

    pk: int
    process: str
    stage: str
    state: str
    seconds: float
    last_line: str
    """The last line of progress of its program; empty where its folder is on another machine."""


@dataclass(frozen=True)
class Progress:
    """All that is known of a process at one moment."""

    pk: int
    uuid: str
    process: str
    state: str
    exit_status: int | None
    message: str
    seconds: float
    stages: tuple[Stage, ...]
    conditions: tuple[ConditionNow, ...]
    """On-the-fly learning, condition by condition."""
    productions: tuple[Production, ...]
    """Long runs of MD."""
    jobs: tuple[JobNow, ...]
    n_processes: int
    n_failed: int
    n_from_cache: int
    n_labels: int
    """Frames labelled so far, those of running jobs on this machine included."""
    errors: dict[str, Any] | None
    """Errors of the last trained model on its held-out frames."""
    causes: tuple[str, ...]
    """Why it failed: from the top down to the process where it began."""
    advice: tuple[str, ...]

    @property
    def is_terminated(self) -> bool:
        """Whether the process has ended."""
        return self.state in ("done", "failed", "killed")


def progress_of(node: ProcessNode) -> Progress:
    """Return how far a process is, from the database and the progress lines of jobs on this machine."""
    members = family_of(node)
    top, children = members[0], members[1:]
    now = timezone.now()
    stage_of = _stages_of_members(top, children)
    jobs = tuple(
        _job_now(member, stage_of.get(member.pk, ""), now)
        for member in members
        if member.is_job and not member.is_terminated
    )
    labelling = [
        member
        for member in members
        if member.process_type == LABELLING and (top.name != TOP_PROCESS or stage_of.get(member.pk) in LABEL_STAGES)
    ]
    labelled_now = (re.search(r"(\d+) labelled", job.last_line) for job in jobs if job.pk in {m.pk for m in labelling})
    return Progress(
        pk=top.pk,
        uuid=top.uuid,
        process=top.name,
        state=top.state,
        exit_status=top.exit_status,
        message=top.reason,
        seconds=_seconds([top], now),
        stages=_stages(top, children, stage_of, stages_of(node), now),
        conditions=conditions_now(members),
        productions=productions_now(members),
        jobs=jobs,
        n_processes=len(members),
        n_failed=sum(member.is_failed for member in members),
        n_from_cache=sum(member.from_cache for member in members),
        n_labels=_n_labelled([m.pk for m in labelling if m.is_ok])
        + sum(int(found[1]) for found in labelled_now if found),
        errors=_errors([member for member in members if member.process_type == TRAINING and member.is_ok]),
        causes=_causes(top, children),
        advice=tuple(_advice(top, members)),
    )


def _stages_of_members(top: Member, children: Iterable[Member]) -> dict[int, str]:
    """Return the stage of every child by PK; grandchildren belong to the stage of their caller."""
    stages: dict[int, str] = {}
    for member in children:
        own = stage_name(member.call_label, member.name)
        stages[member.pk] = own if member.caller == top.pk else stages.get(member.caller or 0, own)
    return stages


def _stages(
    top: Member, children: Sequence[Member], stage_of: dict[int, str], to_come: Sequence[str], now: datetime
) -> tuple[Stage, ...]:
    begun = list(dict.fromkeys(stage_of[child.pk] for child in children if child.caller == top.pk))
    known = [name for name in STAGES if name in to_come or name in begun] if to_come else []
    found = []
    for name in [*known, *(name for name in begun if name not in known)]:
        below = [child for child in children if stage_of[child.pk] == name]
        direct = [child for child in below if child.caller == top.pk]
        failed = [child for child in direct if child.is_failed]
        found.append(
            Stage(
                name=name,
                state=_stage_state(direct, below),
                n_processes=len(below),
                n_done=sum(child.is_ok for child in below),
                n_from_cache=sum(child.from_cache for child in below),
                seconds=_seconds(below, now) if below else None,
                message=failed[-1].reason if failed else "",
            )
        )
    return tuple(found)


def _stage_state(direct: Sequence[Member], below: Sequence[Member]) -> str:
    """Return the state of a stage: what failed and was tried again by its caller is no failure of it."""
    if not direct:
        return "waiting"
    if any(child.is_failed for child in direct):
        return "failed"
    if all(child.is_ok for child in direct):
        return "done"
    active = [child for child in below if not child.is_terminated]
    return "paused" if any(child.paused for child in active) else "running"


def _seconds(members: Sequence[Member], now: datetime) -> float:
    end = max(m.mtime for m in members) if all(m.is_terminated for m in members) else now
    return round((end - min(m.ctime for m in members)).total_seconds(), 1)


def _job_now(member: Member, stage: str, now: datetime) -> JobNow:
    node: CalcJobNode = load_node(member.pk)
    if member.paused:
        state = "paused"
    else:
        scheduler = node.get_scheduler_state()
        state = scheduler.value if scheduler else member.process_status or member.state
    return JobNow(member.pk, member.name, stage, state, _seconds([member], now), last_line(node))


def last_line(job: CalcJobNode) -> str:
    """Return the last line of progress a job on this machine wrote; empty if there is none to read here."""
    folder = job.get_remote_workdir()
    if folder is None or job.computer is None or job.computer.transport_type != "core.local":
        return ""
    try:
        with (Path(folder) / str(job.get_option("scheduler_stderr"))).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, 2) - 4096))
            lines = stream.read().decode("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


def _n_labelled(jobs: Sequence[int]) -> int:
    if not jobs:
        return 0
    query = QueryBuilder().append(CalcJobNode, filters={"id": {"in": list(jobs)}}, tag="job")
    query.append(
        FramesData,
        with_incoming="job",
        edge_filters={"type": "create"},
        filters={"attributes.is_labelled": True},
        project="attributes.n_frames",
    )
    return sum(query.all(flat=True))


def _errors(trainings: Sequence[Member]) -> dict[str, Any] | None:
    if not trainings:
        return None
    query = QueryBuilder().append(CalcJobNode, filters={"id": trainings[-1].pk}, tag="job")
    query.append(
        Dict,
        with_incoming="job",
        edge_filters={"type": "create", "label": "metrics"},
        project="attributes.all",
    )
    found = query.first(flat=True)
    return dict(found) if found else None


def _causes(top: Member, children: Sequence[Member]) -> tuple[str, ...]:
    """Follow the failure down: at each process to its last failed child."""
    causes = []
    current: Member | None = top if top.is_failed else None
    while current is not None:
        status = f" [{current.exit_status}]" if current.exit_status is not None else ""
        causes.append(f"{current.name} <{current.pk}> {current.state}{status}: {current.reason or 'no reason given'}")
        below = [child for child in children if child.caller == current.pk and child.is_failed]
        current = below[-1] if below else None
    return tuple(causes)


def _advice(top: Member, members: Sequence[Member]) -> Iterable[str]:
    for member in members:
        if member.paused and not member.is_terminated:
            reason = f" ({member.process_status})" if member.process_status else ""
            yield f"{member.name} <{member.pk}> is paused{reason}: `verdi process play {member.pk}` goes on."
    if top.state == "killed":
        yield "It was killed. Submit it again: what had finished comes from the cache."
    elif top.exit_status == ENDED_EARLY and top.name == CHAIN:
        yield f"`aiida-seireact extend {top.pk}` goes on from there."
    elif top.is_failed:
        yield f"`verdi process report {top.pk}` tells the story."
        job = next((m for m in reversed(members) if m.is_failed and m.is_job), None)
        if job is not None:
            yield f"`verdi calcjob outputcat {job.pk} _scheduler-stderr.txt` shows what the program wrote."
        yield "Mend the reason and submit it again: what had finished comes from the cache."

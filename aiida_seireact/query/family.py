"""A process of ours and all it called, as members of one family with the stages they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida.orm import CalcJobNode, ProcessNode, QueryBuilder, WorkflowNode
from aiida.orm.nodes.caching import NodeCaching

STAGES = (
    "structures",
    "sample",
    "label",
    "explore",
    "dataset",
    "train",
    "validate",
    "augment",
    "references",
    "produce",
    "classify",
    "analyse",
    "close_loop",
    "summary",
)
OPTIONAL_STAGES = {name: name for name in ("validate", "augment", "close_loop")} | {"explore": "conditions"}
"""Stages a study may be asked to leave out, with the input namespace that asks for them."""
IN_PLACE_OF = {"sample": "start_dataset", "label": "start_dataset"}
"""Stages a study does not go through, with the input that is given in their place."""
# Children whose call link does not begin with the name of their stage.
OTHER_LABELS = {
    "reference": "references",
    "reference_energies": "reference energies",
    "reuse": "label",
    "cut_batches": "label",
    "join_shards": "label",
    "join_failures": "label",
    "batch": "label",
    "compile": "compile",
    "seeds": "seeds",
    "cell": "cells",
    "campaign": "campaigns",
    "ladder": "campaigns",
    "leg": "legs",
    "note": "legs",
}
TOP_PROCESS = "ReactWorkChain"
LABELLING = "aiida.calculations:seireact.ase"
TRAINING = "aiida.calculations:seireact.allegro"
LEARNING = "aiida.calculations:seireact.flare"

COLUMNS = (
    "id",
    "uuid",
    "ctime",
    "mtime",
    "node_type",
    "process_type",
    "attributes.process_label",
    "attributes.process_state",
    "attributes.process_status",
    "attributes.exit_status",
    "attributes.exit_message",
    "attributes.exception",
    "attributes.paused",
    "attributes.sealed",
    f"extras.{NodeCaching.CACHED_FROM_KEY}",
    f"attributes.{CalcJobNode.SCHEDULER_LAST_CHECK_TIME_KEY}",
)


@dataclass(frozen=True)
class Member:
    """One process of a family: the top or something it called."""

    pk: int
    uuid: str
    ctime: datetime
    mtime: datetime
    node_type: str
    process_type: str
    name: str
    process_state: str
    process_status: str
    exit_status: int | None
    exit_message: str
    exception: str
    paused: bool
    is_sealed: bool
    from_cache: bool
    caller: int | None
    call_label: str

    @property
    def is_terminated(self) -> bool:
        """Whether it has ended, well or not."""
        return self.process_state in ("finished", "excepted", "killed")

    @property
    def is_ok(self) -> bool:
        """Whether it ended well."""
        return self.process_state == "finished" and self.exit_status == 0

    @property
    def is_failed(self) -> bool:
        """Whether it ended, but not well."""
        return self.is_terminated and not self.is_ok

    @property
    def is_job(self) -> bool:
        """Whether it runs a program."""
        return "calcjob" in self.node_type

    @property
    def state(self) -> str:
        """``done``, ``failed``, ``killed``, ``paused``, ``running`` or ``waiting``."""
        if self.is_ok:
            return "done"
        if self.process_state == "killed":
            return "killed"
        if self.is_terminated:
            return "failed"
        if self.paused:
            return "paused"
        return "waiting" if self.process_state in ("created", "") else "running"

    @property
    def reason(self) -> str:
        """What it says of its end, or of what it waits for."""
        if self.process_state == "excepted":
            return (self.exception.strip().splitlines() or ["it raised an exception"])[-1]
        return self.exit_message or self.process_status


def family_of(node: ProcessNode) -> list[Member]:
    """Return a process and all it called, level by level, each level in order of creation."""
    return families_of([node])[0]


def families_of(nodes: Sequence[ProcessNode]) -> list[list[Member]]:
    """Return the family of each of several processes, by one query for each level of them all."""
    backend = nodes[0].backend
    pks = sorted({node.pk for node in nodes})
    query = QueryBuilder(backend=backend).append(ProcessNode, filters={"id": {"in": pks}}, project=list(COLUMNS))
    heads = {member.pk: member for member in (_member(row, None, "") for row in query.all())}
    called: dict[int, list[Member]] = {}
    callers = pks
    while callers:
        query = QueryBuilder(backend=backend)
        query.append(WorkflowNode, filters={"id": {"in": callers}}, project="id", tag="caller")
        query.append(
            ProcessNode,
            with_incoming="caller",
            edge_filters={"type": {"in": ["call_calc", "call_work"]}},
            edge_project="label",
            project=list(COLUMNS),
            tag="called",
        )
        rows = query.order_by({"called": ["ctime", "uuid"]}).all()
        level = [_member(row[1 : 1 + len(COLUMNS)], row[0], row[-1]) for row in rows]
        for member in level:
            called.setdefault(member.caller or 0, []).append(member)
        callers = [
            member.pk
            for member in level
            if not member.node_type.startswith("process.calculation") and member.pk not in heads
        ]
    return [_below(heads[node.pk], called) for node in nodes]


def _below(head: Member, called: Mapping[int, Sequence[Member]]) -> list[Member]:
    members, level = [head], [head]
    while level:
        # Not by PK: an archive that is imported elsewhere gives others, in another order.
        below = (one for member in level for one in called.get(member.pk, []))
        level = sorted(below, key=lambda member: (member.ctime, member.uuid))
        members += level
    return members


def _member(row: Sequence[Any], caller: int | None, call_label: str) -> Member:
    (
        pk,
        uuid,
        ctime,
        mtime,
        node_type,
        process_type,
        name,
        state,
        status,
        code,
        message,
        exception,
        paused,
        is_sealed,
        mark,
        looked_at,
    ) = row
    return Member(
        pk=pk,
        uuid=uuid,
        ctime=ctime,
        mtime=mtime,
        node_type=node_type,
        process_type=process_type or "",
        name=name or "",
        process_state=state or "",
        process_status=status or "",
        exit_status=code,
        exit_message=message or "",
        exception=exception or "",
        paused=bool(paused),
        is_sealed=bool(is_sealed),
        from_cache=mark is not None or _was_seen_before(ctime, looked_at),
        caller=caller,
        call_label=call_label,
    )


def came_from_cache(node: ProcessNode) -> bool:
    """Return whether a process is a copy of one that ran before."""
    looked_at = node.base.attributes.get(CalcJobNode.SCHEDULER_LAST_CHECK_TIME_KEY, None)
    return node.base.caching.is_created_from_cache or _was_seen_before(node.ctime, looked_at)


def _was_seen_before(ctime: datetime, looked_at: str | None) -> bool:
    """Return whether a job was last seen in a queue before its node was made: then it is another one's copy.

    `verdi archive import` (aiida-core 2.9) takes away the mark of what came from the cache, and leaves the times.
    """
    return looked_at is not None and datetime.fromisoformat(looked_at) < ctime


def stage_name(label: str, process: str) -> str:
    """Return the stage a child belongs to, by its call link; the process's own name where it has no label."""
    if label in ("", "CALL"):
        return process
    for prefix in sorted((*STAGES, *OTHER_LABELS), key=len, reverse=True):
        if label == prefix or label.startswith(f"{prefix}_"):
            return OTHER_LABELS.get(prefix, prefix)
    return label


def stages_of(top: ProcessNode) -> tuple[str, ...]:
    """Return the stages a study goes through by its inputs; of any other process, whose children tell them, none."""
    if top.process_label != TOP_PROCESS:
        return ()
    inputs = {label.split("__")[0] for label in top.base.links.get_incoming().all_link_labels()}
    asked = (name for name in STAGES if OPTIONAL_STAGES.get(name, "codes") in {*inputs, "codes"})
    return tuple(name for name in asked if IN_PLACE_OF.get(name) not in inputs)

"""What failed under a process and what was done about it: handlers, retries, detours, stop rules, verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from aiida import orm

from aiida_seireact.cli.render.words import counted
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.verdict import PRODUCTION, Verdict
from aiida_seireact.query import failures
from aiida_seireact.query.failures import FRAME, PROCESS
from aiida_seireact.query.trajectories import PARTS_OF_RUN, stop_message
from aiida_seireact.query.tree import Process

VERDICT_SCHEMA = "seireact-verdict"
MOST_REASONS = 4
_PREFIX = re.compile(r"^\[\d+\|[^]]*\]:\s*")
"""What AiiDA writes before each line of a workchain's report."""
_MENTION = re.compile(r"<(\d+)>")
DETOUR = re.compile(r"\bdetour\b")


@dataclass(frozen=True)
class Trouble:
    """One thing that went wrong.

    :param done: what was done about it, a sentence each; empty if nothing.
    :param is_open: it was not mended: what is below it on the page rests on less than was asked for.
    :param uuid: node that tells it.
    """

    what: str
    stage: str
    why: str
    done: tuple[str, ...]
    outcome: str
    uuid: str
    is_open: bool = True


def troubles_of(top: orm.ProcessNode, processes: Sequence[Process]) -> list[Trouble]:
    """Return all that went wrong under a process, in the order it happened; frames without a label last.

    :param processes: it and all below it.
    """
    logs = _reports([process.pk for process in processes])
    told = failures(top)
    found = [
        *_failed(told[told["kind"] == PROCESS], processes, logs),
        *_run_again(processes, logs),
        *_detours(processes, logs),
        *_stopped(processes),
        *_rejected(processes),
    ]
    return [trouble for _, trouble in sorted(found, key=lambda pair: pair[0])] + _lost(told[told["kind"] == FRAME])


Dated = tuple[tuple[float, str], Trouble]
"""A trouble after what orders it: the time of its node, and the UUID, which an archive keeps, other than the PK."""


def _when(process: Process) -> tuple[float, str]:
    return process.end.timestamp(), process.member.uuid


def _failed(rows: pd.DataFrame, processes: Sequence[Process], logs: dict[int, list[str]]) -> Iterator[Dated]:
    """Yield the processes that failed, but for those that fell over a failure below them."""
    by_pk = {process.pk: process for process in processes}
    fell = {process.member.caller for process in processes if process.is_failed}
    for row in rows.itertuples():
        process = by_pk[int(row.pk)]
        if process.pk in fell or not process.is_sealed:
            continue
        status = f", exit status {process.member.exit_status}" if process.member.exit_status else ""
        trouble = Trouble(
            f"{row.process} <{row.pk}>{status}",
            str(row.stage) or "the whole",
            str(row.reason) or f"it was {process.member.process_state}",
            tuple(_said_of(process, logs)),
            str(row.what_was_done) or "the whole process ended with it",
            str(row.node_uuid),
            not (row.done_by_uuid and "ended well" in str(row.what_was_done)),
        )
        yield _when(process), trouble


def _run_again(processes: Sequence[Process], logs: dict[int, list[str]]) -> Iterator[Dated]:
    """Yield processes that ended well by their status, lacked an output, and were run again."""
    for process in processes:
        again = [line for line in _said_of(process, logs) if "is run again" in line]
        if again and not process.is_failed:
            why = again[0].partition(": ")[2]
            trouble = Trouble(
                f"{process.member.name} <{process.pk}>", process.stage, why, tuple(again), "it was run in its place",
                process.member.uuid, is_open=False,
            )  # fmt: skip
            yield _when(process), trouble


def _said_of(process: Process, logs: dict[int, list[str]]) -> list[str]:
    """Return what its caller has said of a process, but for that it began."""
    lines = logs.get(process.member.caller or 0, [])
    mine = [line for line in lines if str(process.pk) in _MENTION.findall(line)]
    return [line for line in dict.fromkeys(mine) if not line.startswith(("launching", "launched"))]


def _lost(rows: pd.DataFrame) -> list[Trouble]:
    """Return the frames without a label, those of one stage and reason together."""
    return [
        Trouble(
            f"{counted(len(mine), 'frame')} without a label", str(stage), str(reason) or "no reason given",
            tuple(dict.fromkeys(mine["what_was_done"])), "the rest was used", str(mine["node_uuid"].iloc[0]),
        )
        for (stage, reason), mine in rows.groupby(["stage", "reason"], sort=False)
    ]  # fmt: skip


def _detours(processes: Sequence[Process], logs: dict[int, list[str]]) -> Iterator[Dated]:
    for process in processes:
        for line in logs.get(process.pk, []):
            if DETOUR.search(line):
                yield (
                    _when(process),
                    Trouble(
                        f"{process.member.name} <{process.pk}>",
                        process.stage,
                        "no label where it asked for one",
                        (line,),
                        "exploration went on by another way" if process.counts else process.verdict,
                        process.member.uuid,
                        not process.counts,
                    ),
                )


def _stopped(processes: Sequence[Process]) -> Iterator[Dated]:
    """Yield the runs that a stop rule ended, each once though its segments are joined later."""
    made = _outputs(processes, TrajectoryData, ("stopped_by", "steps", "steps_asked"), "stopped_by")
    by_pk = {process.pk: process for process in processes}
    seen: set[tuple[int, str]] = set()
    for creator, node, (stopped_by, steps, asked) in made:
        message = stop_message(stopped_by)
        key = (_run_of(creator, by_pk), message)
        if key in seen:
            continue
        seen.add(key)
        users = dict.fromkeys(user.stage or user.member.name for user in _users(node, processes))
        trouble = Trouble(
            f"{creator.member.name} <{creator.pk}>",
            creator.stage,
            f"the stop rule ended the run: {message}",
            (f"what ran is used: {', '.join(users)}",) if users else (),
            f"{steps} of {asked} steps" if asked else f"{steps} steps",
            node.uuid,
        )
        yield _when(creator), trouble


def _run_of(process: Process, by_pk: Mapping[int, Process]) -> int:
    """Return the PK of what is the whole run of a segment, of a join of these, or of a job that was tried again."""
    caller = by_pk.get(process.member.caller or 0)
    while process.member.call_label.startswith(PARTS_OF_RUN) and caller is not None:
        process, caller = caller, by_pk.get(caller.member.caller or 0)
    return process.pk


def _rejected(processes: Sequence[Process]) -> Iterator[Dated]:
    judged = [
        (creator, node, Verdict.model_validate(node.get_dict()))
        for creator, node, (_, schema) in _outputs(processes, orm.Dict, ("decision", "schema"), "decision")
        if str(schema).startswith(VERDICT_SCHEMA)
    ]
    for place, (creator, node, verdict) in enumerate(judged):
        if verdict.decision == PRODUCTION:
            continue
        reasons = [line.message.rstrip(".") for line in verdict.failed]
        more = f"; and {len(reasons) - MOST_REASONS} more" if len(reasons) > MOST_REASONS else ""
        later = [other for _, _, other in judged[place + 1 :] if other.model_hash != verdict.model_hash]
        done = [f"learned on; the next model was {_decided(later[0])}"] if later else []
        users = [f"<{user.pk}>" for user in _users(node, processes) if _accepts(user)]
        if users:
            done.append(f"run all the same, as was asked (accept_rejected): {', '.join(users)}")
        trouble = Trouble(
            f"verdict on model {verdict.model_hash[:12]}",
            creator.stage,
            f"{len(reasons)} of {counted(len(verdict.lines), 'number')} miss the target: "
            + "; ".join(reasons[:MOST_REASONS])
            + more,
            tuple(done),
            "rejected",
            node.uuid,
            not (later and later[-1].decision == PRODUCTION),
        )
        yield _when(creator), trouble


def _decided(verdict: Verdict) -> str:
    return "good enough" if verdict.decision == PRODUCTION else "rejected too"


def _accepts(process: Process) -> bool:
    node = orm.load_node(process.pk)
    accept = node.inputs.accept_rejected if "accept_rejected" in node.inputs else None
    return accept is not None and bool(accept.value)


def _reports(pks: list[int]) -> dict[int, list[str]]:
    """Return what each process said on its way, without what AiiDA writes before each line."""
    query = orm.QueryBuilder().append(orm.ProcessNode, filters={"id": {"in": pks}}, project="id", tag="process")
    query.append(orm.Log, with_node="process", project="message", tag="log").order_by({"log": ["time", "uuid"]})
    found: dict[int, list[str]] = {}
    for pk, message in query.all():
        found.setdefault(pk, []).append(_PREFIX.sub("", message.strip()))
    return found


def _outputs(
    processes: Sequence[Process], kind: type[orm.Data], told: tuple[str, ...], known: str
) -> Iterator[tuple[Process, orm.Data, list[Any]]]:
    """Yield what processes that ended well made, where an attribute is known: creator, node, attributes."""
    creators = {process.pk: process for process in processes if process.counts}
    if not creators:
        return
    query = orm.QueryBuilder().append(orm.ProcessNode, filters={"id": {"in": [*creators]}}, project="id", tag="creator")
    query.append(
        kind,
        with_incoming="creator",
        edge_filters={"type": "create"},
        filters={"attributes": {"has_key": known}},
        project=["*", *(f"attributes.{name}" for name in told)],
        tag="data",
    )
    for pk, node, *values in query.order_by({"data": ["ctime", "uuid"]}).all():
        if values[told.index(known)]:
            yield creators[pk], node, values


def _users(node: orm.Data, processes: Sequence[Process]) -> list[Process]:
    """Return the processes of the family that were given a node, in their order."""
    given = {link.node.pk for link in node.base.links.get_outgoing().all()}
    return [process for process in processes if process.pk in given]

"""What failed, and what was done about it: processes that did not end well, frames without a label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
from aiida import orm

from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.labelling import ASE, COLLECT
from aiida_seireact.query.sources import What
from aiida_seireact.query.tree import Process

PROCESS, FRAME = "process", "frame"
UNLABELLED = ("", "CALL")
"""Call labels of what was called without one; AiiDA writes the second."""
_ITERATION, _TRY = re.compile(r"iteration_(\d+)"), re.compile(r"_try_\d+$")
FAILURE_COLUMNS = {
    "kind": "str", "pk": "int", "process": "str", "call_label": "str", "state": "str", "exit_status": "float",
    "reason": "str", "what_was_done": "str", "done_by_uuid": "str", "index": "float", "structure_id": "str",
}  # fmt: skip


def failures(what: What) -> pd.DataFrame:
    """Return a row for each process that ended and not well, and for each frame that got no label.

    ``kind`` is ``process`` or ``frame``. ``what_was_done`` says how it went on: the process that was run in its place
    (``done_by_uuid``), that its caller went on without it, or that its caller failed too. Of a process that fell over a
    failure below it the one below is told as well.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    blocks: list[dict[str, Any]] = []
    for run, run_uuid, processes in graph.trees:
        by_pk = {one.pk: one for one in processes}
        siblings: dict[int | None, list[Process]] = {}
        for one in processes:
            siblings.setdefault(one.member.caller, []).append(one)
        for one in processes:
            if not (one.is_failed or (one.member.is_failed and not one.is_sealed)):
                continue
            done, by = _what_was_done(one, by_pk.get(one.member.caller or 0), siblings[one.member.caller])
            blocks.append(
                {
                    **{
                        "run": run,
                        "run_uuid": run_uuid,
                        "stage": one.stage,
                        "part": one.part,
                        "path": one.path,
                    },
                    "node_uuid": one.member.uuid,
                    "process_uuid": one.member.uuid,
                    "kind": PROCESS,
                    "pk": one.pk,
                    "process": one.member.name,
                    "call_label": one.member.call_label,
                    "state": one.member.state,
                    "exit_status": one.member.exit_status,
                    "reason": one.member.reason,
                    "what_was_done": done,
                    "done_by_uuid": None if by is None else by.member.uuid,
                }
            )
    for made in graph.made(orm.Dict, by=(ASE, *COLLECT), links=("failures",), told=("failures",)):
        for failure in made.told["failures"] or []:
            member = made.process.member
            blocks.append(
                {
                    **made.columns(),
                    **{"kind": FRAME, "pk": made.process.pk, "process": member.name, "call_label": member.call_label},
                    "state": member.state,
                    "exit_status": member.exit_status,
                    "reason": failure.get("reason"),
                    "what_was_done": "it was left out",
                    "index": failure.get("index"),
                    "structure_id": failure.get("structure_id"),
                }
            )
    return table(FAILURE_COLUMNS, blocks)


def _what_was_done(failed: Process, caller: Process | None, siblings: Sequence[Process]) -> tuple[str, Process | None]:
    """Return how it went on after a failure, and the process that was run in its place."""
    if caller is None:
        return "", None
    later = [
        one
        for one in siblings
        if (one.member.ctime, one.member.uuid) > (failed.member.ctime, failed.member.uuid)
        and one.member.name == failed.member.name
        and _is_further_try(failed.member.call_label, one.member.call_label)
    ]
    if later:
        state = later[0].member.state
        ends = {"done": "which ended well", "failed": "which failed too"}.get(state, f"which is {state}")
        return f"{later[0].member.call_label} was run in its place, {ends}", later[0]
    if caller.counts:
        return f"{caller.member.name} went on without it and ended well", None
    if caller.member.is_terminated:
        return f"{caller.member.name} failed too", None
    return f"{caller.member.name} goes on", None


def _is_further_try(failed: str, later: str) -> bool:
    """Whether the call label of a later sibling is that of a further try of the one that failed.

    Without a label of its own nothing tells a further try from the next piece of work. ``iteration_02`` follows
    ``iteration_01``: a `BaseRestartWorkChain` numbers the tries of its one process so.
    """
    if failed in UNLABELLED:
        return False
    tries = _ITERATION.fullmatch(failed), _ITERATION.fullmatch(later)
    if tries[0] and tries[1]:
        return int(tries[1][1]) > int(tries[0][1])
    return _TRY.sub("", later) == _TRY.sub("", failed)

"""How far a process is, stage by stage: what is done, what failed and why, what was never reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from aiida_seireact.query.family import stages_of
from aiida_seireact.query.frame import table
from aiida_seireact.query.graph import Graph
from aiida_seireact.query.sources import What
from aiida_seireact.query.tree import Process, seconds_by_stage

STAGE_COLUMNS = {
    "state": "str", "reason": "str", "n_processes": "int", "n_failed": "int", "n_from_cache": "int",
    "wall_seconds": "float",
}  # fmt: skip
DONE, FAILED, RUNNING, NOT_BEGUN, NOT_REACHED = "done", "failed", "running", "not begun", "not reached"


def stages(what: What) -> pd.DataFrame:
    """Return a row for each stage of each process asked for, also of those that were not reached.

    ``state`` is ``done``, ``failed``, ``running``, ``not begun`` or, of a process that is over, ``not reached``;
    ``reason`` says why it is not done. ``n_processes`` counts all below, ``wall_seconds`` the time in which something
    of the stage was under way; stages run side by side. ``node_uuid`` is that of the process that tells the state.

    :raises QueryError: not a process.
    """
    graph = Graph(what)
    blocks: list[dict[str, Any]] = []
    for top, (run, run_uuid, processes) in zip(graph.tops, graph.trees, strict=True):
        head, below = processes[0], processes[1:]
        seconds = seconds_by_stage(processes)
        for stage in dict.fromkeys([*stages_of(top), *(name for name in seconds if name != "total")]):
            mine = [one for one in below if one.stage == stage]
            teller, state, reason = _state(head, [one for one in mine if one.depth == 1])
            blocks.append(
                {
                    **{"run": run, "run_uuid": run_uuid, "stage": stage, "path": teller.path},
                    "node_uuid": teller.member.uuid,
                    "process_uuid": teller.member.uuid,
                    "state": state,
                    "reason": reason,
                    "n_processes": len(mine),
                    "n_failed": sum(one.is_failed for one in mine),
                    "n_from_cache": sum(one.member.from_cache for one in mine),
                    "wall_seconds": seconds.get(stage),
                }
            )
    return table(STAGE_COLUMNS, blocks)


def _state(head: Process, children: Sequence[Process]) -> tuple[Process, str, str]:
    """Return the process that tells how a stage is, its state and why it is not done."""
    if not children:
        if head.member.is_terminated:
            return head, NOT_REACHED, head.member.reason
        return head, NOT_BEGUN, f"{head.member.name} is {head.member.state}"
    if running := [one for one in children if not one.member.is_terminated]:
        return running[-1], RUNNING, running[-1].member.process_status
    if failed := [one for one in children if not one.counts]:
        return failed[-1], FAILED, failed[-1].member.reason or f"it is {failed[-1].verdict}"
    return children[-1], DONE, ""

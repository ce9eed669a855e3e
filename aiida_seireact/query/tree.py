"""Every process under a top process: tree, stages, wall times, versions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiida import orm
from aiida.common import timezone

from aiida_seireact.query.family import STAGES, Member, families_of, stage_name

FIRST, CLOSED, LAST = "first", "closed", ""
"""Parts of a study: its first model, where another one learned from its run; the closed loop; all else."""
AUGMENT = "augment"
OF_FIRST = ("dataset", "train", "validate")
RUN_OF_FIRST = ["round_01", "run_production"]


@dataclass(frozen=True)
class Process:
    """One process of the graph. Times are those of its node: made, and last changed, which is when it was sealed."""

    member: Member
    depth: int
    stage: str
    path: str = ""
    """Call labels from the top process down to it, apart by slashes; empty of the top process."""
    part: str = ""
    """``first``, ``closed`` or empty, see `part_of`."""

    @property
    def is_sealed(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.member.is_sealed

    @property
    def counts(self) -> bool:
        """Whether numbers may be taken from it: sealed, and ended well."""
        return self.member.is_sealed and self.member.is_ok

    @property
    def pk(self) -> int:
        """PK of its node."""
        return self.member.pk

    @property
    def end(self) -> datetime:
        """When it ended, or now. What a crash left ended but unsealed goes on no longer."""
        return self.member.mtime if self.is_sealed or self.member.is_terminated else timezone.now()

    @property
    def seconds(self) -> float:
        """Wall seconds from its making to its end, or to now."""
        return (self.end - self.member.ctime).total_seconds()

    @property
    def is_failed(self) -> bool:
        """Ended, and not well. What a crash left unsealed is debris, not a failure."""
        return self.is_sealed and not self.member.is_ok

    @property
    def verdict(self) -> str:
        """A word or two for a table: its state, with the exit status of one that failed."""
        if self.member.is_terminated and not self.is_sealed:
            return f"{self.member.state}, not sealed"
        status = self.member.exit_status
        return f"{self.member.state} [{status}]" if self.is_failed and status is not None else self.member.state


def processes_under(top: orm.ProcessNode) -> list[Process]:
    """Return ``top`` and all it called, level by level in the order of calling."""
    return trees_of([top])[0]


def trees_of(tops: Sequence[orm.ProcessNode]) -> list[list[Process]]:
    """Return the processes under each of several top processes."""
    return [_tree(family) for family in families_of(tops)]


def _tree(family: Sequence[Member]) -> list[Process]:
    has_first = any(member.call_label == AUGMENT for member in family if member.caller == family[0].pk)
    found: dict[int, Process] = {}
    for member in family:
        caller = found.get(member.caller or 0)
        if caller is None:
            found[member.pk] = Process(member, 0, "")
            continue
        stage = caller.stage or stage_name(member.call_label, member.name)
        path = "/".join(filter(None, (caller.path, member.call_label or member.name)))
        found[member.pk] = Process(member, caller.depth + 1, stage, path, part_of(path, has_first=has_first))
    return list(found.values())


def part_of(path: str, *, has_first: bool) -> str:
    """Return the part of a study that a process works for: that of the first model, the closed loop, or the last model.

    :param path: call labels from the study down.
    :param has_first: there is a model that learned from the run of the first one.
    """
    labels = path.split("/")
    if labels[0] == "close_loop":
        return CLOSED
    if labels[0].endswith(f"_{FIRST}") or (has_first and (labels[0] in OF_FIRST or labels[1:3] == RUN_OF_FIRST)):
        return FIRST
    return LAST


def in_call_order(processes: Sequence[Process]) -> list[Process]:
    """Return the processes as a tree read from above: each below its caller, after its elder siblings."""
    children: dict[int | None, list[Process]] = {}
    for process in processes:
        children.setdefault(process.member.caller, []).append(process)
    ordered: list[Process] = []
    waiting = list(children.get(None, []))
    while waiting:
        process = waiting.pop(0)
        ordered.append(process)
        waiting[:0] = sorted(children.get(process.pk, []), key=lambda child: (child.member.ctime, child.member.uuid))
    return ordered


def seconds_by_stage(processes: Iterable[Process]) -> dict[str, float]:
    """Return for each stage the wall seconds during which something of it was under way, and their ``total``.

    Stages run side by side, so the total, which is that of the top process, is not their sum.
    """
    seconds: dict[str, float] = {}
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for process in processes:
        if process.depth == 0:
            seconds["total"] = round(process.seconds, 1)
        elif process.depth == 1:
            spans.setdefault(process.stage, []).append((process.member.ctime, process.end))
    order = {stage: number for number, stage in enumerate(STAGES)}
    for stage in sorted(spans, key=lambda stage: order.get(stage, len(order))):
        seconds[stage] = round(_covered(spans[stage]), 1)
    return seconds


def _covered(spans: list[tuple[datetime, datetime]]) -> float:
    """Return the seconds covered by at least one span."""
    total, reached = 0.0, None
    for start, end in sorted(spans):
        if reached is None or start > reached:
            total += (end - start).total_seconds()
            reached = end
        elif end > reached:
            total += (end - reached).total_seconds()
            reached = end
    return total

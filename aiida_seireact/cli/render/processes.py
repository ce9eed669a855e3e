"""Every process under a top process as the report tells it: tree, stages, wall times, versions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiida import orm
from aiida.common import timezone

from aiida_seireact.cli.family import STAGES, Member, family_of, stage_name
from aiida_seireact.formats import files


@dataclass(frozen=True)
class Process:
    """One process of the graph. Times are those of its node: made, and last changed, which is when it was sealed."""

    member: Member
    depth: int
    stage: str
    is_sealed: bool

    @property
    def pk(self) -> int:
        """PK of its node."""
        return self.member.pk

    @property
    def end(self) -> datetime:
        """When it ended, or now."""
        return self.member.mtime if self.is_sealed else timezone.now()

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
    family = family_of(top)
    query = orm.QueryBuilder(backend=top.backend)
    query.append(
        orm.ProcessNode,
        filters={"id": {"in": [member.pk for member in family]}, "attributes.sealed": True},
        project="id",
    )
    sealed = set(query.all(flat=True))
    found: dict[int, Process] = {}
    for member in family:
        caller = found.get(member.caller or 0)
        if caller is None:
            depth, stage = 0, ""
        else:
            depth, stage = caller.depth + 1, caller.stage or stage_name(member.call_label, member.name)
        found[member.pk] = Process(member, depth, stage, member.pk in sealed)
    return list(found.values())


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
        waiting[:0] = sorted(children.get(process.pk, []), key=lambda child: child.pk)
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


def versions_of(processes: Iterable[Process]) -> dict[str, Any]:
    """Return the versions of AiiDA and this plugin, and those each program reported in the results of its jobs.

    A package with unlike versions in two jobs of one program is told with both.
    """
    engine: dict[str, set[str]] = {}
    programs: dict[str, dict[str, set[str]]] = {}
    for process in processes:
        node = orm.load_node(process.pk)
        for package, version in (node.base.attributes.get("version", None) or {}).items():
            name = {"core": "aiida-core", "plugin": "aiida-seireact"}.get(package, package)
            engine.setdefault(name, set()).add(version)
        result = result_of(node)
        if result:
            packages = programs.setdefault(str(result.get("program", process.member.name)), {})
            for package, version in result.get("versions", {}).items():
                packages.setdefault(package, set()).add(str(version))
    versions: dict[str, Any] = {name: ", ".join(sorted(found)) for name, found in sorted(engine.items())}
    for program, packages in sorted(programs.items()):
        versions[program] = {package: ", ".join(sorted(found)) for package, found in sorted(packages.items())}
    return versions


def result_of(node: orm.Node) -> dict[str, Any] | None:
    """Return the retrieved result file of a job, or None if there is none to read."""
    if not isinstance(node, orm.CalcJobNode) or "retrieved" not in node.outputs:
        return None
    try:
        content = json.loads(node.outputs.retrieved.base.repository.get_object_content(files.RESULT))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


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

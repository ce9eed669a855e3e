"""What a finished process would do if it were submitted again: what comes from the cache, and what runs and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any, Literal

from aiida.orm import CalculationNode, Data, ProcessNode, QueryBuilder

from aiida_seireact.cli.cache_answer import Answer, answer_of
from aiida_seireact.query.family import Member, family_of

Fate = Literal["cache", "run", "after", "spared", "workflow"]
"""``cache``: answered. ``run``: not answered. ``after``: takes what one that runs makes anew, so that only the run
tells. ``spared``: a repetition of a failed one that is answered at once. ``workflow``: steps that cost nothing."""


@dataclass(frozen=True)
class Item:
    """One process of the finished run, and what would become of it."""

    member: Member
    fate: Fate
    reason: str = ""
    source: str = ""
    """UUID of the node that answers."""

    @property
    def text(self) -> str:
        """Return it in half a line."""
        label = f"{self.member.call_label}: " if self.member.call_label not in ("", "CALL") else ""
        return f"{label}{self.member.name} <{self.member.pk}>"


@dataclass(frozen=True)
class Plan:
    """A replay that is not run: all processes, callers before those they called, siblings as they were called."""

    items: tuple[Item, ...]
    refusals: tuple[str, ...] = ()
    """Why it could not be submitted at all."""

    def of(self, *fates: Fate) -> list[Item]:
        """Return the items of these fates."""
        return [item for item in self.items if item.fate in fates]

    @property
    def counts(self) -> Counter[str]:
        """How many calculations of each fate there are."""
        return Counter(item.fate for item in self.items if item.fate != "workflow")

    def under(self, pk: int | None) -> list[Item]:
        """Return what a process called, in the order of calling."""
        return self._called.get(pk, [])

    @cached_property
    def _called(self) -> dict[int | None, list[Item]]:
        called: dict[int | None, list[Item]] = {}
        for item in self.items:
            called.setdefault(item.member.caller, []).append(item)
        return called

    def as_plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        told = [
            {
                "pk": item.member.pk,
                "uuid": item.member.uuid,
                "process": item.member.name,
                "call_label": item.member.call_label,
                "caller": item.member.caller,
                "fate": item.fate,
                "reason": item.reason,
                "source": item.source,
            }
            for item in self.items
        ]
        return {"counts": dict(self.counts), "refusals": list(self.refusals), "processes": told}

    def below(self, pk: int) -> Iterator[Item]:
        """Yield all below a process."""
        for item in self.under(pk):
            yield item
            yield from self.below(item.member.pk)


def plan_of(top: ProcessNode) -> Plan:
    """Return what would come from the cache if ``top`` were submitted again, and what would run."""
    members = family_of(top)
    calculations = {member.pk: member for member in members if member.node_type.startswith("process.calculation")}
    nodes = _nodes(calculations)
    makers = _makers(calculations)
    spared = _Spared()
    fates: dict[int, Item] = {}
    hashes: dict[int, str | None] = {}
    refusals: dict[str, None] = {}
    for member in _makers_first(calculations, makers):
        answer = answer_of(nodes[member.pk], hashes)
        if answer.refusal:
            refusals[answer.refusal] = None
        fates[member.pk] = _item(member, answer, [fates[pk] for pk in makers.get(member.pk, ()) if pk in fates], spared)
    items = [fates.get(member.pk) or Item(member, "workflow") for member in members]
    return Plan(tuple(items), tuple(refusals))


class _Spared:
    """Failed calculations whose repetition answers: then the repetition itself is not called."""

    def __init__(self) -> None:
        self.seen: set[tuple[int | None, str]] = set()

    def asks(self, member: Member, answer: Answer) -> bool:
        """Whether a calculation is the repetition of a failed one with the same hash under the same caller."""
        key = (member.caller, answer.hash)
        if not answer.source or key in self.seen:
            return bool(answer.source)
        if member.is_failed:
            self.seen.add(key)
        return False


def _item(member: Member, answer: Answer, makers: Sequence[Item], spared: _Spared) -> Item:
    if spared.asks(member, answer):
        return Item(member, "spared", "the first try is answered by what this one made")
    if not answer.source:
        return Item(member, "run", answer.reason)
    anew = [maker for maker in makers if maker.fate in ("run", "after")]
    if anew:
        names = ", ".join(f"{maker.member.name} <{maker.member.pk}>" for maker in anew[:3])
        more = f" and {len(anew) - 3} more" if len(anew) > 3 else ""
        return Item(member, "after", f"takes what {names}{more} makes anew; answered if that is the same")
    return Item(member, "cache", source=answer.source)


def _makers_first(calculations: Mapping[int, Member], makers: Mapping[int, set[int]]) -> Iterator[Member]:
    """Yield calculations, those that make an input before those that take it, else as they were begun.

    PKs tell nothing of that: an archive that is imported gives them anew, in any order.
    """
    sorter: TopologicalSorter[int] = TopologicalSorter()
    in_time = sorted(calculations.values(), key=lambda member: (member.ctime, member.uuid))
    for member in in_time:
        sorter.add(member.pk)
    for member in in_time:
        sorter.add(member.pk, *(maker for maker in makers.get(member.pk, ()) if maker in calculations))
    yield from (calculations[pk] for pk in sorter.static_order())


def _nodes(calculations: Collection[int]) -> dict[int, CalculationNode]:
    if not calculations:
        return {}
    query = QueryBuilder().append(CalculationNode, filters={"id": {"in": [*calculations]}})
    return {int(node.pk): node for node in query.all(flat=True)}


def _makers(calculations: Collection[int]) -> dict[int, set[int]]:
    """Return for each calculation those that made its inputs."""
    if not calculations:
        return {}
    query = QueryBuilder()
    query.append(CalculationNode, filters={"id": {"in": list(calculations)}}, project="id", tag="taker")
    query.append(Data, with_outgoing="taker", tag="data")
    query.append(CalculationNode, with_outgoing="data", project="id")
    found: dict[int, set[int]] = {}
    for taker, maker in query.distinct().all():
        found.setdefault(taker, set()).add(maker)
    return found

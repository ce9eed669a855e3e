"""What the processes under a top process have made and were given, by a few queries however many there are.

Only sealed processes that ended with exit status 0 are looked at: a process that was killed leaves nodes behind, and no
number may stand on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aiida import orm

from aiida_seireact.query.sources import What, name_of, tops_of
from aiida_seireact.query.tree import Process, processes_under

FIRST, CLOSED = "first", "closed"
"""Parts of a study: its first model, where a second one learned from its run, and the closed loop."""


@dataclass(frozen=True)
class Made:
    """A data node, with the process that made it.

    :param link: label of the link from that process.
    :param told: attributes that were asked for, by name; None where the node has none such.
    """

    pk: int
    uuid: str
    link: str
    run: str
    run_uuid: str
    process: Process
    told: dict[str, Any] = field(default_factory=dict)

    def columns(self) -> dict[str, Any]:
        """Return what every row of every table tells of its source."""
        return {
            "run": self.run,
            "run_uuid": self.run_uuid,
            "stage": self.process.stage,
            "part": part_of(self.process.path),
            "path": self.process.path,
            "node_uuid": self.uuid,
            "process_uuid": self.process.member.uuid,
        }


@dataclass(frozen=True)
class Given:
    """A data node that a process was given."""

    pk: int
    uuid: str
    link: str
    told: dict[str, Any]


def part_of(path: str) -> str:
    """Return the part of a study a process works for, by its call labels: ``first``, ``closed``, or empty for the last.

    What augmentation runs by the model before it is the run of the first model.
    """
    labels = path.split("/")
    if labels[0] == "close_loop":
        return CLOSED
    if labels[0].endswith(f"_{FIRST}") or (labels[0] == "augment" and "production" in labels):
        return FIRST
    return ""


class Graph:
    """The processes under one or many top processes."""

    def __init__(self, what: What) -> None:
        """:raises QueryError: not processes."""
        self.tops = tops_of(what)

    @cached_property
    def trees(self) -> list[tuple[str, str, list[Process]]]:
        """Name and UUID of each top process, and all processes under it."""
        return [(name_of(top), top.uuid, processes_under(top)) for top in self.tops]

    def made(
        self,
        kind: type[orm.Data] | tuple[type[orm.Data], ...],
        *,
        by: Iterable[str] = (),
        links: Iterable[str] = (),
        told: Sequence[str] = (),
        filters: dict[str, Any] | None = None,
    ) -> list[Made]:
        """Return the nodes made below the tops, of each top in the order they were made.

        :param by: process labels or process types of those that made them; any if empty.
        :param links: labels of their links; any if empty.
        :param told: attributes to read.
        """
        wanted = set(by)
        found = []
        for run, run_uuid, processes in self.trees:
            creators = {
                one.pk: one
                for one in processes
                if one.counts and (not wanted or {one.member.name, one.member.process_type} & wanted)
            }
            for pk, row in _outputs(list(creators), kind, tuple(links), told, filters):
                node, uuid, link, *values = row
                attributes = dict(zip(told, values, strict=True))
                found.append(Made(node, uuid, link, run, run_uuid, creators[pk], attributes))
        return found

    def given(
        self, processes: Iterable[Process], kind: type[orm.Data], link: str, told: Sequence[str] = ()
    ) -> dict[int, list[Given]]:
        """Return by PK of a process what it was given under a link label; ``%`` in it stands for anything."""
        pks = sorted({process.pk for process in processes})
        found: dict[int, list[Given]] = {}
        if not pks:
            return found
        query = orm.QueryBuilder().append(orm.ProcessNode, filters={"id": {"in": pks}}, project="id", tag="process")
        query.append(
            kind,
            with_outgoing="process",
            edge_filters={"type": {"in": ["input_calc", "input_work"]}, "label": _like(link)},
            edge_project="label",
            project=["id", "uuid", *(f"attributes.{name}" for name in told)],
            tag="data",
        )
        for process, pk, uuid, *values, label in query.order_by({"data": "id"}).all():
            found.setdefault(process, []).append(Given(pk, uuid, label, dict(zip(told, values, strict=True))))
        return found


def without_parts(made: Sequence[Made], joiners: Iterable[str], graph: Graph) -> list[Made]:
    """Return nodes but for those that a process of one of these labels has joined to another of the same tree."""
    names = set(joiners)
    joined: dict[str, set[int]] = {}
    for _, run_uuid, processes in graph.trees:
        mine = [one for one in processes if one.counts and one.member.name in names]
        joined[run_uuid] = {given.pk for rows in graph.given(mine, orm.Data, "%").values() for given in rows}
    return [one for one in made if one.pk not in joined[one.run_uuid]]


def _outputs(
    creators: list[int],
    kind: type[orm.Data] | tuple[type[orm.Data], ...],
    links: tuple[str, ...],
    told: Sequence[str],
    filters: dict[str, Any] | None,
) -> Iterator[tuple[int, list[Any]]]:
    """Yield the PK of the creator with PK, UUID, link label and attributes of each output."""
    if not creators:
        return
    query = orm.QueryBuilder().append(orm.ProcessNode, filters={"id": {"in": creators}}, project="id", tag="creator")
    edges: dict[str, Any] = {"type": "create"}
    if links:
        edges["label"] = (
            {"or": [_like(link) for link in links]} if any("%" in link for link in links) else {"in": [*links]}
        )
    query.append(
        kind,
        with_incoming="creator",
        edge_filters=edges,
        edge_project="label",
        filters=filters or {},
        project=["id", "uuid", *(f"attributes.{name}" for name in told)],
        tag="data",
    )
    for creator, pk, uuid, *values, label in query.order_by({"data": "id"}).all():
        yield creator, [pk, uuid, label, *values]


def _like(link: str) -> dict[str, Any]:
    # An underscore of a link label is one, not any sign.
    return {"like": link.replace("_", "\\_")} if "%" in link else {"==": link}

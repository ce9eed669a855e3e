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
from aiida_seireact.query.tree import Process, trees_of


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
            "part": self.process.part,
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


class Graph:
    """The processes under one or many top processes."""

    def __init__(self, what: What) -> None:
        """:param what: another `Graph` is not walked again.

        :raises QueryError: not processes.
        """
        self.tops: list[orm.ProcessNode] = what.tops if isinstance(what, Graph) else tops_of(what)
        if isinstance(what, Graph):
            self.trees = what.trees

    @cached_property
    def trees(self) -> list[tuple[str, str, list[Process]]]:
        """Name and UUID of each top process, and all processes under it."""
        trees = trees_of(self.tops)
        return [(name_of(top), top.uuid, tree) for top, tree in zip(self.tops, trees, strict=True)]

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
        creators: dict[int, list[tuple[int, Process]]] = {}
        for number, (_, _, processes) in enumerate(self.trees):
            for one in processes:
                if one.counts and (not wanted or {one.member.name, one.member.process_type} & wanted):
                    creators.setdefault(one.pk, []).append((number, one))
        found: list[tuple[int, Made]] = []
        for creator, (pk, uuid, link, *values) in _outputs(list(creators), kind, tuple(links), told, filters):
            for number, process in creators[creator]:
                run, run_uuid, _ = self.trees[number]
                attributes = dict(zip(told, values, strict=True))
                found.append((number, Made(pk, uuid, link, run, run_uuid, process, attributes)))
        return [made for _, made in sorted(found, key=lambda item: item[0])]

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
        for process, pk, uuid, *values, label in query.order_by({"data": ["ctime", "uuid"]}).all():
            found.setdefault(process, []).append(Given(pk, uuid, label, dict(zip(told, values, strict=True))))
        return found


def walked(what: What) -> Graph:
    """Return the processes under some tops, to ask several tables of them: the graph is walked once then.

    What happens in the graph later is not seen. :raises QueryError: not processes.
    """
    graph = Graph(what)
    _ = graph.trees
    return graph


def without_parts(made: Sequence[Made], joiners: Iterable[str], graph: Graph) -> list[Made]:
    """Return nodes but for those that a process of one of these labels has joined to another of the same tree."""
    names = set(joiners)
    joins = {
        run_uuid: [one for one in processes if one.counts and one.member.name in names]
        for _, run_uuid, processes in graph.trees
    }
    given = graph.given([one for mine in joins.values() for one in mine], orm.Data, "%")
    joined = {run_uuid: {part.pk for one in mine for part in given.get(one.pk, [])} for run_uuid, mine in joins.items()}
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
    for creator, pk, uuid, *values, label in query.order_by({"data": ["ctime", "uuid"]}).all():
        yield creator, [pk, uuid, label, *values]


def _like(link: str) -> dict[str, Any]:
    # An underscore of a link label is one, not any sign.
    return {"like": link.replace("_", "\\_")} if "%" in link else {"==": link}

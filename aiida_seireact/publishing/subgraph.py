"""The nodes that a bundle is about: those that go into an AiiDA archive of its top processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aiida import orm
from aiida.common.links import LinkType
from aiida.tools.graph.graph_traversers import get_nodes_export

from aiida_seireact.publishing.bundle import BundleError

BATCH = 10_000
"""Nodes of one query: what it gives is held in memory until it is through."""
NodeT = TypeVar("NodeT", bound=orm.Node)


@dataclass(frozen=True)
class SubGraph:
    """Processes, and the PKs of all nodes that go into their archive."""

    tops: tuple[orm.ProcessNode, ...]
    pks: tuple[int, ...]

    @classmethod
    def of(cls, tops: Sequence[orm.ProcessNode]) -> SubGraph:
        """Collect the nodes as `verdi archive create` does: all that stands behind the processes, and their results.

        :raises BundleError: a process among them has not ended: an archive holds finished ones only.
        """
        for top in tops:
            if not top.is_sealed:
                raise BundleError(_still(top))
        found = get_nodes_export(starting_pks=[int(top.pk) for top in tops])["nodes"]
        graph = cls(tuple(tops), tuple(sorted(found)))
        filters = {"or": [{"attributes": {"!has_key": "sealed"}}, {"attributes.sealed": False}]}
        for node in graph.nodes(orm.ProcessNode, filters):
            raise BundleError(_still(node, among=True))
        return graph

    def nodes(self, kind: type[NodeT], filters: dict[str, Any] | None = None) -> Iterator[NodeT]:
        """Yield the nodes of a kind, by PK."""
        for batch in self.batches():
            query = orm.QueryBuilder().append(kind, filters={"id": {"in": batch}, **(filters or {})}, tag="node")
            yield from query.order_by({"node": "id"}).all(flat=True)

    def rows(self, *columns: str) -> Iterator[list[Any]]:
        """Yield columns of the node table, by PK."""
        for batch in self.batches():
            query = orm.QueryBuilder().append(
                orm.Node, filters={"id": {"in": batch}}, project=[*columns], tag="node", subclassing=True
            )
            yield from query.order_by({"node": "id"}).all()

    def beside(self, kind: type[orm.Comment] | type[orm.Log], *columns: str) -> Iterator[list[Any]]:
        """Yield PK, UUID, type and process label of a node with columns of each comment, or line of its log."""
        for batch in self.batches():
            query = orm.QueryBuilder().append(
                orm.Node, filters={"id": {"in": batch}}, tag="node", subclassing=True,
                project=["id", "uuid", "node_type", "attributes.process_label"],
            )  # fmt: skip
            yield from (
                query.append(kind, with_node="node", project=[*columns], tag="beside")
                .order_by([{"node": "id"}, {"beside": "id"}])
                .all()
            )

    def batches(self) -> Iterator[list[int]]:
        """Yield the PKs, some thousands at a time."""
        for start in range(0, len(self.pks), BATCH):
            yield list(self.pks[start : start + BATCH])

    def returned(self, kind: type[NodeT]) -> list[NodeT]:
        """Return the results of a kind of the top processes that ended well; each once, by PK."""
        links = (LinkType.RETURN, LinkType.CREATE)
        found = {
            int(link.node.pk): link.node
            for top in self.tops
            if top.is_finished_ok
            for link in top.base.links.get_outgoing(link_type=links).all()
            if isinstance(link.node, kind)
        }
        return [found[pk] for pk in sorted(found)]

    def well_made(self, kind: type[NodeT]) -> list[NodeT]:
        """Return the data of a kind that no process made, or one that ended well; by PK."""
        made = [(node, node.creator) for node in self.nodes(kind)]
        return [node for node, creator in made if creator is None or creator.is_finished_ok]


def _still(node: orm.ProcessNode, *, among: bool = False) -> str:
    name = f"{node.process_label or node.node_type} <{node.pk}>"
    where = ", which belongs to what you publish," if among else ""
    state = node.process_state.value if node.process_state else "created"
    if node.is_terminated:
        return (
            f"{name}{where} has ended ({state}) but is not sealed, as a crash leaves it: run `aiida-seireact doctor "
            "--mend`, then publish again."
        )
    return (
        f"{name}{where} has not ended ({state}), and an archive holds ended processes only: wait for it "
        f"(`aiida-seireact status {node.pk}`), kill it (`verdi process kill {node.pk}`), or, if a crash left it, run "
        "`aiida-seireact doctor --mend`."
    )

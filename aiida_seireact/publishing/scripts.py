"""Shell texts that go along in an archive: what a person wrote for codes and computers, and may have forgotten."""

from __future__ import annotations

from aiida import orm

from aiida_seireact.publishing.subgraph import SubGraph

TEXTS = ("prepend_text", "append_text")


def with_scripts(graph: SubGraph) -> list[str]:
    """Return the codes and computers of a sub-graph that have shell texts of their own, in words, sorted."""
    found = set()
    for batch in graph.batches():
        codes = orm.QueryBuilder().append(
            orm.AbstractCode,
            filters={"id": {"in": batch}},
            project=["label", *(f"attributes.{name}" for name in TEXTS)],
        )
        found |= {f"code {label}" for label, *texts in codes.all() if any(text and text.strip() for text in texts)}
        computers = orm.QueryBuilder().append(orm.Node, filters={"id": {"in": batch}}, tag="node")
        computers.append(orm.Computer, with_node="node", project=["label", "metadata"])
        found |= {
            f"computer {label}"
            for label, metadata in computers.distinct().all()
            if any((metadata.get(name) or "").strip() for name in TEXTS)
        }
    return sorted(found)

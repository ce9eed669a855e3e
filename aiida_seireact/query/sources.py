"""Which processes a query is about: nodes, PKs, UUIDs, groups, or any number of these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent

if TYPE_CHECKING:
    from aiida_seireact.query.graph import Graph

What: TypeAlias = "orm.Node | orm.Group | int | str | Graph | Iterable[What]"
"""A process, its PK or UUID, a group of processes or its label, or several of these; or what `walked` returned."""


class QueryError(ValueError):
    """A question that can't be answered; the message says why and what can be asked instead."""


def tops_of(what: What) -> list[orm.ProcessNode]:
    """Return the processes that are asked about, each once, in the order given.

    :raises QueryError: nothing is given, a node that is no process, or something that is not in this profile.
    """
    found: dict[int, orm.ProcessNode] = {}
    for node in _nodes(what):
        if not isinstance(node, orm.ProcessNode):
            raise QueryError(
                f"Node {node.pk} is a {type(node).__name__}, not a process: give the process that made it"
                + (f", <{node.creator.pk}>." if isinstance(node, orm.Data) and node.creator else ".")
            )
        if node.pk is None:
            raise QueryError("A process that is not stored has no results yet.")
        found.setdefault(node.pk, node)
    if not found:
        raise QueryError("No process is given: give a node, a PK, a UUID, a group, or a list of these.")
    return list(found.values())


def name_of(top: orm.ProcessNode) -> str:
    """Return what a run is called in tables: the label of its process, or the beginning of its UUID.

    Never its PK: a table made of an archive that was imported elsewhere is the same, byte for byte.
    """
    return str(top.label or top.uuid[:8])


def _nodes(what: What) -> Iterable[orm.Node]:
    if isinstance(what, orm.Node):
        return [what]
    if isinstance(what, orm.Group):
        held = [node for node in what.nodes if isinstance(node, orm.ProcessNode)]
        if not held:
            raise QueryError(f"The group {what.label!r} holds no process: add some, as `verdi group add-nodes` does.")
        return held
    if isinstance(what, int | str) and not isinstance(what, bool):
        return _loaded(what)
    if isinstance(what, Iterable):
        return [node for one in what for node in _nodes(one)]
    raise QueryError(f"{what!r} is no process: give a node, a PK, a UUID, a group, or a list of these.")


def _loaded(identifier: int | str) -> Iterable[orm.Node]:
    try:
        return [orm.load_node(identifier)]
    except MultipleObjectsError as error:
        raise QueryError(f"Several nodes have a UUID that begins with {identifier!r}: give more of it.") from error
    except NotExistent:
        pass
    if isinstance(identifier, str):
        try:
            return _nodes(orm.load_group(identifier))
        except NotExistent:
            pass
    kind = "PK" if isinstance(identifier, int) else "PK, UUID or group label"
    raise QueryError(f"There is no node with the {kind} {identifier!r} in this profile.")

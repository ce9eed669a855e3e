"""The process of the demo: its inputs, the label that finds it again, and its end in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from aiida.orm import ProcessNode


def build(labeller: str, protocol: str) -> Any:
    """Return the process builder of the demo; its label names the content of all inputs, and so finds the run again.

    :raises click.ClickException: no such protocol.
    """
    from aiida import orm

    from aiida_seireact.workchains.react import ReactWorkChain

    try:
        builder: Any = ReactWorkChain.get_builder_from_protocol(protocol=protocol)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    for holder, name in _labelling_inputs(builder):
        settings = holder[name].get_dict()
        if settings["calculator"].get("name") != labeller:
            # Keyword arguments are those of the protocol's own labeller: another has none of them.
            holder[name] = orm.Dict({**settings, "calculator": {"name": labeller}})
    digest = content_hash(builder._inputs(prune=True))
    builder.metadata.label = f"demo · {labeller} · {protocol} · {digest[:10]}"
    return builder


def _labelling_inputs(builder: Any) -> Iterator[tuple[Any, str]]:
    for name in ("label", "relax", "reference_labeller_md"):
        yield builder, name
    for name in list(builder.labeller_md):
        yield builder.labeller_md, name


def content_hash(inputs: Mapping[str, Any]) -> str:
    """Return a hash of the content of all input nodes, by port; what is no node does not count."""
    from aiida import orm
    from aiida.common.hashing import make_hash

    found: dict[str, str] = {}

    def walk(prefix: str, port: Any) -> None:
        if isinstance(port, orm.Data):
            # `compute_hash` insists on stored nodes; these are what it hashes.
            found[prefix] = make_hash(port.base.caching.get_objects_to_hash())
        elif isinstance(port, Mapping):
            for name, value in port.items():
                walk(f"{prefix}.{name}", value)

    walk("", inputs)
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def find(label: str) -> ProcessNode | None:
    """Return the newest process with this label, or None."""
    from aiida import orm

    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={"label": label}, tag="node")
    node: ProcessNode | None = query.order_by({"node": {"id": "desc"}}).limit(1).first(flat=True)
    return node


def why(node: ProcessNode) -> str:
    """Return why a process ended without success."""
    if node.exit_message:
        return f"exit status {node.exit_status}: {node.exit_message}"
    return f"it was {node.process_state.value}" if node.process_state else "it was lost"

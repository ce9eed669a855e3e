"""The process of the demo: its inputs, the label that finds it again, and its end in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from aiida_seireact.cli.demo_overrides import refuse_misplaced, sentence_of, with_labeller

if TYPE_CHECKING:
    from aiida.orm import ProcessNode


@dataclass(frozen=True)
class Choice:
    """What a person chose to run."""

    protocol: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Values in place of those of the protocol, nested as there."""
    labeller: str | None = None
    """Calculator in place of that of protocol and overrides."""


def build(choice: Choice) -> Any:
    """Return the process builder of the demo; its label names the content of all inputs, and so finds the run again.

    :raises click.ClickException: no such protocol, or a value that is refused.
    """
    from aiida_seireact.workchains.protocol import merge
    from aiida_seireact.workchains.react import ReactWorkChain

    try:
        values = ReactWorkChain.get_protocol_inputs(choice.protocol)
        refuse_misplaced(choice.overrides, values)
        calculator = merge(values, choice.overrides)["calculator"]
        # A demo shows what becomes of a model of two minutes, whatever its verdict is, and the report says which it is.
        overrides = {"accept_rejected": True, **choice.overrides}
        builder: Any = ReactWorkChain.get_builder_from_protocol(
            protocol=choice.protocol, overrides=with_labeller(overrides, choice.labeller, calculator)
        )
        inputs = builder._inputs(prune=True)
        refusal = ReactWorkChain.spec().inputs.validate(inputs)
    except (KeyError, TypeError, ValueError) as error:
        raise click.ClickException(sentence_of(error)) from None
    if refusal is not None:
        raise click.ClickException(str(refusal.message))
    name = builder.label["calculator"]["name"]
    builder.metadata.label = f"demo · {name} · {choice.protocol} · {content_hash(inputs)[:10]}"
    return builder


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

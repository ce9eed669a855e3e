"""Which labels are in the profile already: those that the same engine, code and settings made of the same structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common.hashing import make_hash
from aiida.manage.caching import get_use_cache
from aiida.plugins import WorkflowFactory

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.label_engine import POTENTIAL, LabelEngine

HASH = "extras._aiida_hash"
MAX_SHARDS = 100  # links of one process


def find_shards(frames: FramesData, inputs: Mapping[str, Any]) -> list[list[FramesData]]:
    """Return shards that hold labels of some of the frames, the newest first, in parcels for one process each.

    :param inputs: ``engine``, ``code`` and ``parameters`` of a `LabelWorkChain`.
    """
    wanted = set(frames.frames.structure_ids)
    formulas = set(frames.base.attributes.get("formulas"))
    chosen: list[FramesData] = []
    potentials = _potentials(inputs)
    for shard in _shards(inputs):
        if not wanted:
            break
        if not formulas & set(shard.base.attributes.get("formulas")) or not _made_with(shard, potentials):
            continue
        found = wanted & set(shard.frames.structure_ids)
        if found:
            chosen.append(shard)
            wanted -= found
    return [chosen[start : start + MAX_SHARDS] for start in range(0, len(chosen), MAX_SHARDS)]


def known_level(inputs: Mapping[str, Any]) -> str | None:
    """Return the hash of the level of theory of the newest labels of this engine, code and these settings.

    :param inputs: ``engine``, ``code`` and ``parameters`` of a `LabelWorkChain`.
    """
    potentials = _potentials(inputs)
    shards = (shard for shard in _shards(inputs) if _made_with(shard, potentials))
    return next((str(shard.base.attributes.get("settings_hash")) for shard in shards), None)


def find_twin(process_type: str, inputs: Mapping[str, Any]) -> orm.WorkChainNode | None:
    """Return the first process that came to a good end with the same inputs, if AiiDA's cache will answer its jobs.

    What it did is done again then: each of its processes is answered by its clone, as a replay must be.
    """
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={"process_type": process_type, "attributes.exit_status": 0, "attributes.sealed": True},
        tag="twin",
        project="*",
    )
    for label, node in (("parameters", inputs["parameters"]), ("engine", inputs["engine"]), ("code", inputs["code"])):
        query.append(
            type(node),
            filters={HASH: _hash(node)},
            with_outgoing="twin",
            edge_filters={"label": label},
            tag=label,
        )
    query.append(
        FramesData,
        filters={"attributes.content_hash": inputs["frames"].content_hash},
        with_outgoing="twin",
        edge_filters={"label": "frames"},
    )
    query.order_by({"twin": {"id": "asc"}})
    for twin in query.all(flat=True):
        jobs = {node.process_type for node in twin.called_descendants if isinstance(node, orm.CalcJobNode)}
        if all(get_use_cache(identifier=job) for job in jobs):
            return twin
    return None


def shards_of(twin: orm.WorkChainNode, call_prefix: str) -> list[list[FramesData]]:
    """Return the shards that each call ``<call_prefix>…`` of a process took labels from, in its order."""
    calls = twin.base.links.get_outgoing(link_label_filter=f"{call_prefix}%").all()
    return [
        [
            link.node
            for link in sorted(
                call.node.base.links.get_incoming(node_class=FramesData).all(), key=lambda link: link.link_label
            )
            if link.link_label.startswith("shard_")
        ]
        for call in sorted(calls, key=lambda link: link.link_label)
    ]


def _potentials(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the hash of each pseudopotential that an engine would take now, by its link; a family may change."""
    engine = WorkflowFactory(inputs["engine"].value)
    if not issubclass(engine, LabelEngine):
        return {}
    settings = engine.SETTINGS.model_validate(inputs["parameters"].get_dict())
    return {f"{POTENTIAL}{element}": _hash(node) for element, node in engine.potentials(settings).items()}


def _made_with(shard: FramesData, potentials: Mapping[str, str]) -> bool:
    """Return whether the labels of a shard were made with these pseudopotentials."""
    if not potentials:
        return True
    links = shard.creator.base.links.get_incoming(link_label_filter=f"{POTENTIAL}%").all()
    return {link.link_label: _hash(link.node) for link in links} == dict(potentials)


def _hash(node: orm.Data) -> str:
    """Return the hash of the content of a node; one not stored has none yet."""
    return node.base.caching.get_hash() or make_hash(node.base.caching.get_objects_to_hash())


def _shards(inputs: Mapping[str, Any]) -> list[FramesData]:
    """Return all labelled frames of this engine, code and these settings, the newest first."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={
            "process_type": f"aiida.workflows:{inputs['engine'].value}",
            "attributes.exit_status": 0,
            "attributes.sealed": True,
        },
        tag="engine",
    )
    for label in ("parameters", "code"):
        node = inputs[label]
        query.append(
            type(node),
            filters={HASH: _hash(node)},
            with_outgoing="engine",
            edge_filters={"label": label},
        )
    query.append(FramesData, with_incoming="engine", edge_filters={"label": "frames"}, tag="shard", project="*")
    query.order_by({"shard": {"id": "desc"}})
    return list({shard.pk: shard for shard in query.all(flat=True)}.values())

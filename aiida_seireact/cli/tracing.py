"""Walk from a node back to the labelling calculations under it, along the links."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from aiida.common.links import LinkType
from aiida.orm import (
    AbstractCode,
    CalcFunctionNode,
    CalcJobNode,
    CalculationNode,
    Data,
    Dict,
    Node,
    ProcessNode,
    WorkflowNode,
)

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.query.family import LABELLING, came_from_cache

UP = (LinkType.CREATE, LinkType.INPUT_CALC)


class TraceError(ValueError):
    """The question does not fit the node; the message says which would."""


@dataclass
class Step:
    """One node on the way back, with what lies under it.

    :param pk: 0 of the number that was asked for, which is no node.
    """

    pk: int
    uuid: str
    link: str
    name: str
    text: str
    is_process: bool
    is_label: bool = False
    again: bool = False
    """Whether it is spread out elsewhere in the tree already."""
    under: list[Step] = field(default_factory=list)


@dataclass(frozen=True)
class Labelling:
    """A calculation that made labels."""

    pk: int
    uuid: str
    process: str
    code: str
    versions: dict[str, str]
    settings: dict[str, Any]
    n_frames: int
    from_cache: bool


@dataclass(frozen=True)
class Trace:
    """The way back from one node."""

    root: Step
    labellings: tuple[Labelling, ...]


def trace(node: Node) -> Trace:
    """Return the tree of our nodes above ``node`` and the labelling calculations it ends in."""
    walk = _Walk()
    if isinstance(node, WorkflowNode):
        root = _step(node)
        outputs = {entry.node.pk: entry for entry in node.base.links.get_outgoing(link_type=LinkType.RETURN).all()}
        for entry in outputs.values():
            if is_ours(entry.node):
                root.under.append(_climb(entry.node, entry.link_label, walk))
    else:
        root = _climb(node, "", walk)
    return walk.trace(root)


def trace_number(name: str, text: str, nodes: Iterable[Node]) -> Trace:
    """Return the tree above a number of a report.

    :param nodes: those that hold it.
    """
    walk = _Walk()
    root = Step(0, "", "", name, text, is_process=False)
    root.under = [_climb(node, "", walk) for node in nodes]
    return walk.trace(root)


@dataclass
class _Walk:
    """What was met on the way: nodes spread out, whether a node leads to frames, labelling calculations."""

    seen: set[int] = field(default_factory=set)
    leads: dict[int, bool] = field(default_factory=dict)
    labellings: dict[int, Labelling] = field(default_factory=dict)

    def trace(self, root: Step) -> Trace:
        return Trace(root, tuple(self.labellings[pk] for pk in sorted(self.labellings)))


def _step(node: Node, link: str = "") -> Step:
    return Step(pk_of(node), node.uuid, link, name_of(node), describe(node), isinstance(node, ProcessNode))


def _climb(node: Node, link: str, walk: _Walk) -> Step:
    step = _step(node, link)
    if step.pk in walk.seen:
        step.again = True
        return step
    walk.seen.add(step.pk)
    if makes_labels(node):
        walk.labellings[step.pk] = labelling_of(node)
        step.is_label = True
        return step
    if jobs := labelling_jobs(node):
        counts = Counter(pk_of(job) for job in jobs.values())
        walk.labellings |= {pk_of(job): labelling_of(job, counts[pk_of(job)]) for job in jobs.values()}
        step.is_label = True
        step.text += f", labels of {len(counts)} jobs"
        return step
    for entry in node.base.links.get_incoming(link_type=UP).all():
        if isinstance(node, Data) or leads_to_frames(entry.node, walk.leads):
            step.under.append(_climb(entry.node, entry.link_label, walk))
    return step


def leads_to_frames(node: Node, known: dict[int, bool]) -> bool:
    """Whether a node is ours, or was computed of one of ours (metrics, plans, what a campaign noted), however far.

    :param known: what is known of nodes already, by PK; more is added.
    """
    pk = pk_of(node)
    if pk not in known:
        known[pk] = is_ours(node)
        creator = node.creator if isinstance(node, Data) and not isinstance(node, AbstractCode) else None
        if not known[pk] and creator is not None:
            above = creator.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all_nodes()
            known[pk] = any(leads_to_frames(one, known) for one in above)
    return known[pk]


def makes_labels(node: Node) -> TypeGuard[CalcJobNode]:
    """Whether a node is a calculation that computes labels, whatever its engine."""
    if not isinstance(node, CalcJobNode):
        return False
    return node.process_type == LABELLING or any(
        isinstance(out, FramesData) and out.is_labelled for out in _created(node)
    )


def labelling_jobs(node: Node) -> dict[int, CalcJobNode]:
    """Return, by its index in the batch, the job that computed each labelled frame, of engines over plug-ins.

    These join what their jobs left by a calcfunction. What came of frame 17 is its input ``frame_017``, or the one
    that ``links`` in its output ``failures`` names; frames without a label are told there too.
    """
    if not isinstance(node, CalcFunctionNode):
        return {}
    made = {entry.link_label: entry.node for entry in node.base.links.get_outgoing(link_type=LinkType.CREATE).all()}
    if not isinstance(made.get("frames"), FramesData) or not isinstance(made.get("failures"), Dict):
        return {}
    told = made["failures"].get_dict()
    lost = {failure["index"] for failure in told["failures"]}
    inputs = {
        entry.link_label: entry.node for entry in node.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all()
    }
    jobs = {}
    for index in sorted(set(range(len(made["frames"]) + len(lost))) - lost):
        source = inputs.get(told.get("links", {}).get(str(index), f"frame_{index:03d}"))
        if source is not None and isinstance(source.creator, CalcJobNode):
            jobs[index] = source.creator
    return jobs


def labelling_of_frame(shard: FramesData, position: int) -> Labelling | None:
    """Return the job that computed the label of a frame of a shard, None where its creator is no labelling."""
    creator = shard.creator
    if creator is None:
        return None
    if makes_labels(creator):
        return labelling_of(creator)
    jobs = list(labelling_jobs(creator).values())
    if len(jobs) != len(shard):
        return None
    return labelling_of(jobs[position], sum(job.pk == jobs[position].pk for job in jobs))


def _created(node: CalculationNode) -> Iterator[Node]:
    for entry in node.base.links.get_outgoing(link_type=LinkType.CREATE).all():
        yield entry.node


def labelling_of(job: CalcJobNode, n_frames: int | None = None) -> Labelling:
    """Return what a reader wants to know of a labelling calculation.

    :param n_frames: that it labelled; None: those it gives itself.
    """
    inputs = job.base.links.get_incoming(link_type=LinkType.INPUT_CALC).all()
    code = next((entry.node for entry in inputs if isinstance(entry.node, AbstractCode)), None)
    settings: dict[str, Any] = next(
        (
            entry.node.get_dict()
            for entry in inputs
            if entry.link_label == "parameters" and isinstance(entry.node, Dict)
        ),
        {},
    )
    return Labelling(
        pk=pk_of(job),
        uuid=job.uuid,
        process=job.process_label or job.node_type,
        code="" if code is None else code.full_label,
        versions=_versions(job),
        settings=settings,
        n_frames=sum(len(out) for out in _created(job) if isinstance(out, FramesData) and out.is_labelled)
        if n_frames is None
        else n_frames,
        from_cache=came_from_cache(job),
    )


def _versions(job: CalcJobNode) -> dict[str, str]:
    """Return the versions the program itself wrote down."""
    retrieved = next((entry.node for entry in job.base.links.get_outgoing(link_label_filter="retrieved").all()), None)
    if retrieved is None or files.RESULT not in retrieved.base.repository.list_object_names():
        return {}
    try:
        return dict(json.loads(retrieved.base.repository.get_object_content(files.RESULT, mode="r"))["versions"])
    except (json.JSONDecodeError, KeyError):
        return {}


def is_ours(node: Node) -> bool:
    """Whether a node is of one of our types: frames, dataset, potential, trajectory, phases."""
    return node.node_type.startswith("data.seireact.")


def pk_of(node: Node) -> int:
    """PK of a stored node."""
    if node.pk is None:
        raise TraceError("This node is not stored, so it has no history yet.")
    return node.pk


def name_of(node: Node) -> str:
    """Return what a node is: the name of a process, else its type."""
    return (node.process_label or node.node_type) if isinstance(node, ProcessNode) else type(node).__name__


def describe(node: Node) -> str:
    """Return a node in half a line."""
    text = f"{name_of(node)} <{node.pk}>"
    if isinstance(node, FramesData):
        types = ", ".join(node.base.attributes.get("config_types"))
        text += f": {len(node)} {'labelled ' if node.is_labelled else ''}frames ({types})"
    elif isinstance(node, DatasetData):
        parts = ", ".join(f"{node.base.attributes.get(f'n_{name}')} {name}" for name in ("train", "val", "test"))
        text += f": {len(node)} frames ({parts}), {node.content_hash[:12]}"
    elif isinstance(node, PotentialData):
        text += f": {node.kind} of {'-'.join(node.species)}, {node.model_hash[:12]}"
    elif isinstance(node, TrajectoryData):
        attributes = node.base.attributes
        text += f": {attributes.get('steps')} steps of {attributes.get('n_atoms')} atoms"
    elif isinstance(node, ProcessNode):
        state = node.process_state.value if node.process_state else "not run"
        status = f" [{node.exit_status}]" if node.exit_status is not None else ""
        text += f": {state}{status}" + (", from the cache" if came_from_cache(node) else "")
    return text

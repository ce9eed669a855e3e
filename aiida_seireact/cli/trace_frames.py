"""Where one frame comes from: who labelled it, and of which frame it is a child."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiida.orm import Node, ProcessNode, QueryBuilder, load_node

from aiida_seireact.cli.tracing import (
    UP,
    Labelling,
    TraceError,
    labelling_jobs,
    labelling_of_frame,
    makes_labels,
    pk_of,
)
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.query.family import family_of

FULL_LENGTH = 64
FEWEST_LETTERS = 6  # of the beginning of a frame id: fewer would fit too many


@dataclass(frozen=True)
class FrameOrigin:
    """Where one frame comes from.

    :param pk: of the node in which it was asked for, and ``index`` its place there.
    """

    pk: int
    index: int
    frame_id: str
    structure_id: str
    config_type: str
    group: str
    split: str
    """Its part in the dataset it was asked of; empty for a shard."""
    md_step: int | None
    parent_id: str
    shard_pk: int
    shard_uuid: str
    index_in_shard: int
    labelling: Labelling | None
    parent_shard_pk: int | None
    parent_index: int | None


def frame_origin(node: Node, index: int) -> FrameOrigin:
    """Return where frame ``index`` comes from; of a dataset, in its canonical order (sorted by frame id).

    The labelling is the creator of the first shard that holds the frame: later shards only pass it on.

    :raises TraceError: not a shard or dataset, or no such frame.
    """
    if not isinstance(node, FramesData | DatasetData):
        raise TraceError(
            f"Node {node.pk} is a {type(node).__name__} and has no frames: give a FramesData or DatasetData "
            f"with --frame; `aiida-seireact trace {node.pk}` shows those above it."
        )
    if not -len(node) <= index < len(node):
        raise TraceError(f"Node {node.pk} has frames 0 to {len(node) - 1}, not {index}.")
    above = list(shards_above(node))
    split = ""
    if isinstance(node, DatasetData):
        frame_id = node.frame_ids()[index]
        split = str(node.column("split")[index])
    else:
        frame_id = node.frames.frame_ids[index]
    holders = [shard for shard in above if frame_id in shard.frames.frame_ids]
    if not holders:
        raise TraceError(f"No shard above node {node.pk} holds frame {frame_id[:12]}: the archive is not whole.")
    # The first to hold it is the one with no other holder above it; ties can't be, since ids hold the labels.
    shard = min(holders, key=lambda holder: (not _by_labelling(holder), holder.ctime))
    position = shard.frames.frame_ids.index(frame_id)
    frames = shard.frames
    parent_id = str(frames.parent_id[position])
    parent = _holder_of(parent_id, shards_above(shard)) if parent_id else None
    step = int(frames.md_step[position])
    labelling = labelling_of_frame(shard, position)
    return FrameOrigin(
        pk=pk_of(node),
        index=index,
        frame_id=frame_id,
        structure_id=frames.structure_ids[position],
        config_type=str(frames.config_type[position]),
        group=str(frames.group[position]),
        split=split,
        md_step=step if step >= 0 else None,
        parent_id=parent_id,
        shard_pk=pk_of(shard),
        shard_uuid=shard.uuid,
        index_in_shard=position,
        labelling=labelling,
        parent_shard_pk=parent[0] if parent else None,
        parent_index=parent[1] if parent else None,
    )


def _by_labelling(shard: FramesData) -> bool:
    return shard.creator is not None and (makes_labels(shard.creator) or bool(labelling_jobs(shard.creator)))


def shards_above(node: Node) -> Iterator[FramesData]:
    """Yield ``node`` if it is a shard, and every shard it came from, nearest first."""
    seen = {node.pk}
    level: list[Node] = [node]
    while level:
        yield from (item for item in level if isinstance(item, FramesData))
        above: list[Node] = []
        for item in level:
            for entry in item.base.links.get_incoming(link_type=UP).all():
                if entry.node.pk not in seen:
                    seen.add(entry.node.pk)
                    above.append(entry.node)
        level = above


def _holder_of(frame_id: str, shards: Iterable[FramesData]) -> tuple[int, int] | None:
    """Return PK and index of the nearest frame with this frame id, else of the nearest with this structure."""
    above = list(shards)
    for kind in ("frame_ids", "structure_ids"):
        for shard in above:
            ids: list[str] = getattr(shard.frames, kind)
            if frame_id in ids:
                return pk_of(shard), ids.index(frame_id)
    return None


def frame_with_id(prefix: str, below: ProcessNode | None = None) -> tuple[Node, int]:
    """Return a node that holds a frame, and its place there: the newest dataset, else the oldest shard.

    :param prefix: a frame id or its beginning, at least `FEWEST_LETTERS` of 64 hexadecimal digits.
    :param below: look only at what this process and those it called gave out.
    :raises TraceError: no frame, or several; which.
    """
    if len(prefix) < FEWEST_LETTERS:
        raise TraceError(f"{prefix!r} is too short for the beginning of a frame id: give at least {FEWEST_LETTERS}.")
    found: dict[str, tuple[Node, int]] = {}
    for node in _with_frames(below):
        ids = node.frame_ids() if isinstance(node, DatasetData) else node.frames.frame_ids
        for index, frame_id in enumerate(ids):
            if frame_id.startswith(prefix.lower()):
                found.setdefault(frame_id, (node, index))
        if len(prefix) == FULL_LENGTH and found:
            break
    if len(found) > 1:
        some = ", ".join(sorted(found)[:3])
        raise TraceError(f"{len(found)} frames begin with {prefix!r}: {some}{', …' if len(found) > 3 else ''}.")
    for holder in found.values():
        return holder
    place = f"under {below.process_label} <{below.pk}>" if below is not None else "in this profile"
    raise TraceError(f"No frame {place} has an id that begins with {prefix!r}.")


def _with_frames(below: ProcessNode | None) -> Iterator[DatasetData | FramesData]:
    """Yield the datasets, the newest first, and then the shards, the oldest first."""
    for kind, order in ((DatasetData, "desc"), (FramesData, "asc")):
        query = QueryBuilder()
        if below is not None:
            query.append(ProcessNode, filters={"id": {"in": [member.pk for member in family_of(below)]}}, tag="made")
        query.append(kind, project="id", tag="node", **({} if below is None else {"with_incoming": "made"}))
        for pk in query.distinct().order_by({"node": {"id": order}}).all(flat=True):
            yield load_node(pk)

"""Which frames of which shard are in a dataset, and for what: the rows of its manifest, without the frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.formats.frames import Frames, FramesError

SPLITS = ("train", "val", "test")
FIELDS = ("row", "frame_id", "split", "group", "config_type")

Rows = NDArray[np.void]
"""Structured array with the fields :data:`FIELDS`, a record a frame."""


@dataclass(frozen=True, eq=False)
class ShardRows:
    """The frames of one shard that are in a dataset.

    :param shard_hash: content hash of the shard.
    :param species: element symbols of these frames, by atomic number.
    :param rows: ``(n,)`` records of row in the shard, frame id, split, group and config type, by row.
    """

    shard_hash: str
    species: tuple[str, ...]
    rows: Rows

    @classmethod
    def of(cls, frames: Frames, split: ArrayLike) -> ShardRows:
        """Return the manifest rows of a shard.

        :param split: ``(n_frames,)`` of ``train``, ``val``, ``test`` or ``''`` for frames that are left out.
        :raises FramesError: frames without labels, or another number of splits.
        """
        if not frames.is_labelled:
            raise FramesError("A dataset holds labelled frames only: these have no energy and forces. Label them.")
        assigned = np.asarray(split, dtype="<U5")
        if assigned.shape != (len(frames),):
            raise FramesError(
                f"The split of a shard of {len(frames)} frames has shape {assigned.shape}: give one each."
            )
        inside = assigned != "" if len(assigned) else np.zeros(0, dtype=bool)
        kept = np.flatnonzero(inside)
        numbers = np.unique(frames.numbers[np.repeat(inside, frames.n_atoms)])
        rows = records(
            row=kept,
            frame_id=np.array(frames.frame_ids, dtype="<U64")[kept],
            split=assigned[kept],
            group=frames.group[kept],
            config_type=frames.config_type[kept],
        )
        return cls(frames.content_hash, tuple(chemical_symbols[number] for number in numbers), rows)

    def __len__(self) -> int:
        return len(self.rows)


def records(*, row: ArrayLike, frame_id: ArrayLike, split: ArrayLike, group: ArrayLike, config_type: ArrayLike) -> Rows:
    """Return one array of records from columns ``(n,)``, its text as long as the longest and no longer."""
    columns: dict[str, NDArray[Any]] = {
        "row": np.asarray(row, dtype=np.int64),
        # Ids and splits are ASCII: a byte a letter instead of four.
        "frame_id": np.asarray(frame_id).astype("S64"),
        "split": np.asarray(split).astype("S5"),
        "group": _as_short_as_can_be(group),
        "config_type": _as_short_as_can_be(config_type),
    }
    found = np.empty(len(columns["row"]), dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        found[name] = column
    return found


def _as_short_as_can_be(text: ArrayLike) -> NDArray[np.str_]:
    """Return text as numpy stores it by itself: a selection of a longer column must not differ from the column."""
    return np.array(np.asarray(text).tolist() or [""], dtype=np.str_)[: np.asarray(text).size]


def text_of(rows: Rows, name: str) -> NDArray[np.str_]:
    """Return a field of text, ``(n,)``, as unicode."""
    return rows[name].astype(np.str_)


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the records of all parts sorted by frame id, the canonical order, with the number of each one's part.

    The result has the further field ``part``.
    """
    empty = records(row=[], frame_id=[], split=[], group=[], config_type=[])
    parts = [*parts, empty]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in FIELDS}
    columns["part"] = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.argsort(columns["frame_id"], kind="stable")
    found = np.empty(len(order), dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        found[name] = column[order]
    return found


def in_order(species: Iterable[str]) -> list[str]:
    """Return element symbols by atomic number."""
    return sorted(species, key=lambda symbol: atomic_numbers[symbol])


def united(parts: Sequence[ShardRows]) -> list[ShardRows]:
    """Return the parts by content hash of their shard, one a shard, without those that hold no frame."""
    of_shard: dict[str, list[ShardRows]] = {}
    for part in parts:
        if len(part):
            of_shard.setdefault(part.shard_hash, []).append(part)
    return [_one_part(of_shard[name]) for name in sorted(of_shard)]


def _one_part(parts: Sequence[ShardRows]) -> ShardRows:
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([part.rows[name] for part in parts]) for name in FIELDS}
    order = np.argsort(columns["row"], kind="stable")
    species = {symbol for part in parts for symbol in part.species}
    return ShardRows(
        parts[0].shard_hash,
        tuple(in_order(species)),
        records(**{name: column[order] for name, column in columns.items()}),
    )


def dataset_hash(frame_ids: NDArray[np.str_], split: NDArray[np.str_]) -> str:
    """Return the hash of the sorted frame ids with their split.

    :param frame_ids: ``(n,)``
    :param split: ``(n,)``
    """
    lines = sorted(f"{frame_id}\t{name}" for frame_id, name in zip(frame_ids.tolist(), split.tolist(), strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def complaint(rows: Rows) -> str | None:
    """Return why these frames, sorted by frame id, are no dataset; None if they are one."""
    twice = rows["frame_id"][1:] == rows["frame_id"][:-1]
    if twice.any():
        frame_id = text_of(rows, "frame_id")[int(np.argmax(twice))]
        return f"A frame is in this dataset twice ({frame_id[:12]}): keep the first of each frame id."
    split, group = text_of(rows, "split"), text_of(rows, "group")
    unknown = set(split.tolist()) - set(SPLITS)
    if unknown:
        return f"Unknown split {sorted(unknown)}: use train, val or test."
    for name in ("train", "val"):
        if name not in split:
            return f"This dataset has no frame in {name!r}: give more frames or another fraction."
    owners: dict[str, str] = {}
    for name, part in zip(group.tolist(), split.tolist(), strict=True):
        if owners.setdefault(name, part) != part and name:
            return f"Group {name!r} is split between {owners[name]} and {part}: errors would be too good."
    return None

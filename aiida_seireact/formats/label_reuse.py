"""Labels that are there already: found by the content of a structure, and put to frames in the order these have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aiida_seireact.formats.frames import Frames, FramesError


def known_and_missing(frames: Frames, shards: Sequence[Frames]) -> tuple[Frames | None, Frames | None]:
    """Return the frames that a shard has a label of, labelled, and the others bare, each structure once.

    A label belongs to a structure whatever it was labelled for, so type, group and origin stay those of ``frames``.

    :param shards: labelled, of one level of theory; the first that has a label gives it.
    :returns: None in place of no frame.
    :raises FramesError: shards that are not labelled, or of two levels of theory.
    """
    known = labels_in_order(frames, shards) if shards else None
    have = set(known.structure_ids) if known is not None else set()
    first = {structure_id: index for index, structure_id in reversed(list(enumerate(frames.structure_ids)))}
    missing = sorted(index for structure_id, index in first.items() if structure_id not in have)
    return known, frames.select(missing).without_labels() if missing else None


def labels_in_order(frames: Frames, shards: Sequence[Frames]) -> Frames | None:
    """Return those of ``frames`` that a shard has a label of, in the order they have, with it.

    :param shards: labelled, of one level of theory; the first that has a label gives it.
    :returns: None where there is no label for any of them.
    :raises FramesError: shards that are not labelled, or of two levels of theory.
    """
    labels = Frames.concatenate(shards)
    if labels.energy is None or labels.forces is None:
        raise FramesError("These shards hold no labels, so there is nothing to take from them: label them first.")
    owner = {structure_id: row for row, structure_id in reversed(list(enumerate(labels.structure_ids)))}
    chosen = [index for index, structure_id in enumerate(frames.structure_ids) if structure_id in owner]
    if not chosen:
        return None
    found = labels.select([owner[frames.structure_ids[index]] for index in chosen])
    columns: dict[str, Any] = {name: getattr(found, name) for name in ("energy", "forces", "stress", "energy_e0")}
    return replace(frames.select(chosen), **columns, settings_hash=labels.settings_hash)


def failures_in_order(frames: Frames, failures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the failures with the indices that their structures have in ``frames``; one for each of them.

    :param failures: each with ``structure_id`` and ``reason``; their indices count in some batch.
    """
    by_structure = {failure["structure_id"]: failure for failure in failures}
    ids = np.array(frames.structure_ids)
    hit = np.flatnonzero(np.isin(ids, list(by_structure)))
    return [{**by_structure[str(ids[index])], "index": int(index)} for index in hit]

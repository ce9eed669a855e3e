"""Labels taken over, joined and told of inside the graph; each takes well under a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.label_reuse import failures_in_order, known_and_missing, labels_in_order
from aiida_seireact.formats.labels import AcceptanceSettings, Label, join_labels


def collected(
    frames: Frames,
    labels: Sequence[Label | str],
    settings_hash: str,
    acceptance: AcceptanceSettings,
    **told: Any,
) -> dict[str, orm.Data]:
    """Return the outputs of a calcfunction that joins what jobs left: ``frames``, if a label is taken, and
    ``failures``.

    :param labels: one for each frame; a string is the reason why there is none.
    :param told: what ``failures`` tells beside them, at least ``reports``.
    """
    taken, failures = join_labels(frames, labels, settings_hash, acceptance)
    outputs: dict[str, orm.Data] = {"failures": orm.Dict({"failures": failures, **told})}
    if taken is not None:
        outputs["frames"] = FramesData(taken)
    return outputs


@calcfunction
def reuse_labels(frames: FramesData, **shards: FramesData) -> dict[str, FramesData]:
    """Return ``known``, the frames that a shard has a label of, and ``missing``, the others, each structure once.

    Either is left out where it would be empty. Without shards it only drops what is given twice.

    :raises FramesError: shards of two levels of theory.
    """
    known, missing = known_and_missing(frames.frames, [shards[name].frames for name in sorted(shards)])
    parts = {"known": known, "missing": missing}
    return {name: FramesData(part) for name, part in parts.items() if part is not None}


@calcfunction
def join_shards(frames: FramesData, **shards: FramesData) -> FramesData:
    """Return the frames that have a label in one of the shards, in the order they were given.

    :raises FramesError: shards of two levels of theory.
    :raises ValueError: no shard has a label of any.
    """
    labelled = labels_in_order(frames.frames, [shards[name].frames for name in sorted(shards)])
    if labelled is None:
        raise ValueError("None of the shards has a label of these frames: were they made from others?")
    return FramesData(labelled)


@calcfunction
def join_failures(frames: FramesData, **reports: orm.Dict) -> orm.Dict:
    """Join failures and reports of batches; indices then count in ``frames``."""
    told = [reports[name].get_dict() for name in sorted(reports)]
    failures: list[dict[str, Any]] = [failure for report in told for failure in report["failures"]]
    return orm.Dict(
        {
            "failures": failures_in_order(frames.frames, failures),
            "reports": [line for report in told for line in report.get("reports", [])],
        }
    )

"""What a campaign makes of its children: which frames have no label, and the arrays of its legs as one."""

from __future__ import annotations

from collections.abc import Mapping

from aiida import orm

from aiida_seireact.calculations.functions.campaign_course import account_labels, join_asked
from aiida_seireact.calculations.functions.campaigns import join_arrays, join_stretches
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.label import LabelWorkChain

# Legs whose arrays one process joins, two nodes of each.
STRETCH = 50


def report_of(label: orm.WorkChainNode, call_link_label: str) -> orm.Dict | None:
    """Return which frames have no label, and why; None if the process left no word of them.

    Batches that failed cost only their frames; a label that could be had is used.
    """
    if label.is_finished_ok:
        return label.outputs.failures
    job = failed_job(label)
    if label.exit_status != LabelWorkChain.exit_codes.ERROR_BATCH_FAILED.status or job is None:
        return None
    return account_labels(
        label.inputs.frames,
        label.outputs.failures,
        job.outputs.retrieved,
        metadata={"call_link_label": call_link_label},
        **({"frames": label.outputs.frames} if "frames" in label.outputs else {}),
    )


def asked_by(pieces: Mapping[int, orm.WorkChainNode]) -> FramesData:
    """Return the frames that a leg, cut into pieces by pauses, asked for.

    :param pieces: by number, in order.
    """
    asked = {f"leg_{number:03d}": piece.outputs.asked for number, piece in pieces.items() if "asked" in piece.outputs}
    if len(asked) == 1:
        return next(iter(asked.values()))
    joined: FramesData = join_asked(metadata={"call_link_label": f"join_asked_{max(pieces):03d}"}, **asked)
    return joined


def join_legs(legs: Mapping[int, orm.WorkChainNode]) -> orm.ArrayData:
    """Return the arrays of the legs as one; those of a long campaign are joined stretch by stretch.

    :param legs: by number, in order.
    """
    numbers, stretches = list(legs), {}
    for begin in range(0, len(numbers), STRETCH):
        name = f"{begin // STRETCH:03d}"
        stretches[f"stretch_{name}"] = join_arrays(
            metadata={"call_link_label": f"join_arrays_{name}"},
            **{
                f"{kind}_{number:03d}": legs[number].outputs[kind]
                for number in numbers[begin : begin + STRETCH]
                for kind in ("trace", "canary")
            },
        )
    if len(stretches) == 1:
        return stretches["stretch_000"]
    return join_stretches(metadata={"call_link_label": "join_stretches"}, **stretches)


def failed_job(process: orm.WorkChainNode) -> orm.CalcJobNode | None:
    """Return the last job below a process that failed and left files."""
    jobs = [
        node
        for node in process.called_descendants
        if isinstance(node, orm.CalcJobNode) and not node.is_finished_ok and "retrieved" in node.outputs
    ]
    return max(jobs, key=lambda job: job.pk, default=None)

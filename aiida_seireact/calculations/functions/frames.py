"""Cutting, joining and choosing frames inside the graph; each takes well under a second."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames


@calcfunction
def take_frames(frames: FramesData, start: orm.Int, stop: orm.Int) -> FramesData:
    """Return the frames ``start`` to ``stop`` (excluded) of a shard."""
    return FramesData(frames.frames.select(range(start.value, min(stop.value, len(frames)))))


@calcfunction
def take_type(frames: FramesData, config_type: orm.Str) -> FramesData:
    """Return the frames of one type.

    :raises FramesError: there is none.
    """
    columns = frames.frames
    return FramesData(columns.select((columns.config_type == config_type.value).nonzero()[0]))


@calcfunction
def merge_frames(**shards: FramesData) -> FramesData:
    """Join shards in the order of their link labels into one.

    :raises FramesError: labelled with unlike settings.
    """
    return FramesData(Frames.concatenate([shards[name].frames for name in sorted(shards)]))


@calcfunction
def merge_failures(batch_size: orm.Int, **reports: orm.Dict) -> orm.Dict:
    """Join the failures of consecutive batches; indices then count over all frames."""
    failures = []
    for number, name in enumerate(sorted(reports)):
        for failure in reports[name].get_dict()["failures"]:
            failures.append({**failure, "index": failure["index"] + number * batch_size.value})
    return orm.Dict({"failures": failures})

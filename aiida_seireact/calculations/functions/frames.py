"""Cutting and joining frames inside the graph; each takes well under a second."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames

MAX_BATCHES = 100  # link creation is quadratic in the number of inputs of one process


@calcfunction
def cut_batches(frames: FramesData, batch_size: orm.Int) -> dict[str, FramesData]:
    """Cut a shard into ``batch_000``, ``batch_001``, … of at most ``batch_size`` frames, in order."""
    return _cut(frames.frames, batch_size.value)


@calcfunction
def cut_boughs(frames: FramesData, batch_size: orm.Int) -> dict[str, FramesData]:
    """Cut a shard into at most ``MAX_BATCHES`` parts, each of as many frames as a tree of such parts can collect.

    All parts but the last hold ``batch_size`` times a power of ``MAX_BATCHES`` frames.
    """
    columns, size = frames.frames, batch_size.value
    while size * MAX_BATCHES < len(columns):
        size *= MAX_BATCHES
    return _cut(columns, size)


@calcfunction
def cut_structures(frames: FramesData) -> dict[str, orm.StructureData]:
    """Return the frames as ``frame_000``, ``frame_001``, … for an engine of one structure a calculation.

    A ``StructureData`` costs 35 ms and 20 kB, so only such engines make them.
    """
    return {f"frame_{index:03d}": orm.StructureData(ase=atoms) for index, atoms in enumerate(frames.iter_ase())}


@calcfunction
def split_by_type(frames: FramesData) -> dict[str, FramesData]:
    """Return one shard for each config type."""
    columns = frames.frames
    return {
        str(config_type): FramesData(columns.select((columns.config_type == config_type).nonzero()[0]))
        for config_type in sorted(set(columns.config_type.tolist()))
    }


@calcfunction
def merge_frames(**shards: FramesData) -> FramesData:
    """Join shards in the order of their link labels into one.

    :raises FramesError: labelled with unlike settings.
    """
    return FramesData(Frames.concatenate([shards[name].frames for name in sorted(shards)]))


@calcfunction
def gather_failures(**reports: orm.Dict) -> orm.Dict:
    """Join the failures of several jobs, each with the name of its job."""
    failures = [
        {"job": name, **failure} for name in sorted(reports) for failure in reports[name].get_dict()["failures"]
    ]
    return orm.Dict({"failures": failures})


def _cut(columns: Frames, size: int) -> dict[str, FramesData]:
    return {
        f"batch_{number:03d}": FramesData(columns.select(range(start, min(start + size, len(columns)))))
        for number, start in enumerate(range(0, len(columns), size))
    }

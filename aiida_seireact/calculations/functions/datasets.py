"""What is done to datasets and shards, each a process: filter, drop doubles, thin out, split again, merge, subtract.

A shard gives a shard; a dataset gives a dataset of the same shards with another manifest, no frame is written again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from numpy.typing import NDArray

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.curating import Verdicts, curate
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.curate import CurateSettings
from aiida_seireact.formats.jobs.datasets import FilterSettings, ThinSettings, UniqueSettings
from aiida_seireact.formats.jobs.study import SplitSettings
from aiida_seireact.formats.labels import difference_of_levels
from aiida_seireact.formats.manifest_rows import ShardRows
from aiida_seireact.formats.scratch import Scratch
from aiida_seireact.science.selection import split_by_group

# What takes about a second: a daemon worker does nothing else meanwhile.
MOST_ATOMS = {"descriptors": 25_000, "smallest distances": 400_000, "frames": 3_000_000}


@calcfunction
def filter_frames(frames: FramesData | DatasetData, parameters: orm.Dict) -> dict[str, Any]:
    """Return the frames within all limits (``kept``) and why each other one left, and who is unusual (``report``).

    Frames far from the others of their config type, in energy or force, are flagged in the report and stay: they are
    what active learning looks for.

    :param parameters: fields of `formats.jobs.datasets.FilterSettings`.
    :raises ValueError: no frame is left.
    """
    return _curated(frames, CurateSettings(filter=FilterSettings.model_validate(parameters.get_dict())))


@calcfunction
def drop_doubles(frames: FramesData | DatasetData, parameters: orm.Dict) -> dict[str, Any]:
    """Return each structure once (``kept``), and which frame each other one repeats (``report``).

    The first by frame id is kept; in a dataset a test frame before one of validation before one of training, so that
    nothing that is tested was learned.

    :param parameters: fields of `formats.jobs.datasets.UniqueSettings`.
    :raises ValueError: too many atoms to compare by descriptors.
    """
    return _curated(frames, CurateSettings(unique=UniqueSettings.model_validate(parameters.get_dict())))


@calcfunction
def thin_out(frames: FramesData | DatasetData, parameters: orm.Dict) -> dict[str, Any]:
    """Return ``count`` frames of each config type that are as unlike each other as can be (``kept``, ``report``).

    :param parameters: fields of `formats.jobs.datasets.ThinSettings`.
    :raises ValueError: too many atoms to compare by descriptors.
    """
    return _curated(frames, CurateSettings(thin=ThinSettings.model_validate(parameters.get_dict())))


@calcfunction
def keep_frames(frames: FramesData | DatasetData, verdicts: orm.ArrayData) -> FramesData | DatasetData:
    """Return the frames that `seireact.curate` has kept.

    :param verdicts: of `seireact.curate` for these frames.
    :raises ValueError: verdicts on other frames, or a dataset that has nothing left to train on.
    """
    ids, kept = verdicts.get_array("frame_id"), verdicts.get_array("rule") == ""
    if isinstance(frames, DatasetData):
        order = np.argsort(ids)
        ids, kept = ids[order], kept[order]
    known = frames.frame_ids() if isinstance(frames, DatasetData) else frames.frames.frame_ids
    if ids.astype(np.str_).tolist() != known:
        raise ValueError("These verdicts are on other frames: give those that were curated.")
    return kept_of(frames, kept)


@calcfunction
def split_again(dataset: DatasetData, parameters: orm.Dict) -> DatasetData:
    """Divide a dataset anew, by whole groups and each config type by itself; only the manifest is read.

    :param parameters: fields of `formats.jobs.study.SplitSettings`.
    :raises ValueError: a config type with too few groups to be in every split.
    """
    settings = SplitSettings.model_validate(parameters.get_dict())
    split = split_by_group(
        dataset.column("group").tolist(),
        dataset.column("config_type").tolist(),
        dataset.frame_ids(),
        fractions=settings.fractions,
        seed=settings.seed,
    )
    return dataset.with_split(split)


@calcfunction
def merge_datasets(**datasets: DatasetData) -> DatasetData:
    """Join datasets of one level of theory; every frame keeps its part. Only the manifests are read.

    :raises ValueError: two levels of theory, or a frame or a group that is in two parts.
    """
    parts: list[ShardRows] = []
    seen: dict[bytes, bytes] = {}
    levels = sorted({dataset.settings_hash for dataset in datasets.values()})
    if len(levels) > 1:
        raise ValueError(
            f"These datasets were labelled with different settings ({', '.join(name[:12] for name in levels)}): "
            "a dataset has one level of theory."
        )
    for name in sorted(datasets):
        for part in datasets[name].parts():
            ids, split = part.rows["frame_id"].tolist(), part.rows["split"].tolist()
            for frame_id, mine in zip(ids, split, strict=True):
                if seen.get(frame_id, mine) != mine:
                    raise ValueError(
                        f"Frame {frame_id.decode()[:12]} is in {seen[frame_id].decode()} of one dataset and in "
                        f"{mine.decode()} of {name!r}: split one of them again first."
                    )
            is_new = np.array([frame_id not in seen for frame_id in ids])
            seen.update(zip(ids, split, strict=True))
            parts.append(ShardRows(part.shard_hash, part.species, part.rows[is_new]))
    return DatasetData(parts=parts, settings_hash=levels[0])


@calcfunction
def subtract_levels(low: FramesData, high: FramesData) -> dict[str, Any]:
    """Return a delta set: the structures both levels labelled with labels high − low (``frames``, ``report``).

    :raises FramesError: unlabelled frames, one level given twice, or no structure in common.
    """
    frames, left_out = difference_of_levels(low.frames, high.frames)
    levels = {"low": low.frames.settings_hash, "high": high.frames.settings_hash}
    return {"frames": FramesData(frames), "report": orm.Dict({**left_out, "levels": levels})}


# ---------------------------------------------------------------- what they share
def columns_of(frames: FramesData | DatasetData) -> Frames:
    """Return the columns of a shard, or those of a dataset sorted by frame id."""
    return frames.frames() if isinstance(frames, DatasetData) else frames.frames


def kept_of(frames: FramesData | DatasetData, kept: NDArray[np.bool_]) -> FramesData | DatasetData:
    """Return the frames of a mask ``(n_frames,)``, of a dataset in the order of frame ids."""
    if isinstance(frames, DatasetData):
        return frames.with_split(np.where(kept, frames.column("split"), ""))
    return FramesData(frames.frames.select(np.flatnonzero(kept)))


def verdicts_on(frames: FramesData | DatasetData, settings: CurateSettings) -> Verdicts:
    """Return what becomes of each frame, all of them in memory.

    :raises ValueError: see :func:`aiida_seireact.formats.curating.curate`.
    """
    columns = columns_of(frames)
    split = frames.column("split") if isinstance(frames, DatasetData) else np.full(len(columns), "")
    with Scratch() as scratch:
        return curate(lambda: [(columns, split)], settings, scratch, lambda line: None)


def too_much(n_atoms: int, settings: CurateSettings) -> str:
    """Return why a calcfunction must not do this, an empty string if it may.

    :param n_atoms: over all frames.
    """
    by_distances = settings.filter is not None and settings.filter.min_distance_ang is not None
    what = "descriptors" if settings.needs_descriptors else "smallest distances" if by_distances else "frames"
    if n_atoms <= MOST_ATOMS[what]:
        return ""
    return (
        f"The {what} of {n_atoms} atoms take too long here, at most {MOST_ATOMS[what]} are looked at: "
        "seireact.curate does the same as a job."
    )


def atoms_in(frames: FramesData | DatasetData) -> int:
    """Return the number of atoms of all frames; of a dataset those of its shards, which are not read."""
    nodes = frames.shards() if isinstance(frames, DatasetData) else [frames]
    return sum(int(node.base.attributes.get("n_atoms")) for node in nodes)


def _curated(frames: FramesData | DatasetData, settings: CurateSettings) -> dict[str, Any]:
    if refusal := too_much(atoms_in(frames), settings):
        raise ValueError(refusal)
    verdicts = verdicts_on(frames, settings)
    report = verdicts.report()
    return {"kept": kept_of(frames, verdicts.kept), "report": orm.Dict(report)}

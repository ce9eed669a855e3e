"""From labelled shards to a dataset, and what training needs beside it."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames, one_level
from aiida_seireact.formats.jobs.study import DatasetSettings
from aiida_seireact.science.reference_energies import fit_reference_energies
from aiida_seireact.science.selection import split_by_group, unique_by_id, within_force_limit

COLUMNS = ("frame_id", "split", "group", "config_type")


@calcfunction
def make_dataset(parameters: orm.Dict, **shards: FramesData) -> DatasetData:
    """Filter, drop doubles, and split labelled shards into training, validation and test, by whole groups.

    Every config type is divided by itself, so each part holds each type.

    :param parameters: fields of `formats.jobs.study.DatasetSettings`.
    :raises ValueError: a config type with too few groups to be in every split.
    """
    settings = DatasetSettings.model_validate(parameters.get_dict())
    parts = [shards[name].frames for name in sorted(shards)]
    split = _split_of_new(parts, settings, known={}, old=None)
    return DatasetData(parts, split)


@calcfunction
def grow_dataset(dataset: DatasetData, parameters: orm.Dict, **shards: FramesData) -> DatasetData:
    """Add labelled shards to a dataset; frames that were there keep their part, so no test frame is ever learned.

    A group that is known goes where it is; new ones go to the part that lacks most of its share. Only the manifest of
    the dataset is read, not its frames.

    :param parameters: fields of `formats.jobs.study.DatasetSettings`; the force limit is for the new frames.
    :raises ValueError: a new config type with too few groups to be in every split.
    """
    settings = DatasetSettings.model_validate(parameters.get_dict())
    parts = [shards[name].frames for name in sorted(shards)]
    one_level(parts, dataset.settings_hash)
    for frames, split in zip(parts, _split_of_new(parts, settings, known=dataset.split_of(), old=dataset), strict=True):
        dataset = dataset.extended(frames, split)
    return dataset


@calcfunction
def training_frames(dataset: DatasetData) -> FramesData:
    """Return the training frames of a dataset as one shard, by frame id: for a learner that takes no dataset.

    :raises FramesError: none is for training.
    """
    return FramesData(dataset.frames("train"))


def _split_of_new(
    parts: list[Frames], settings: DatasetSettings, *, known: dict[str, str], old: DatasetData | None
) -> list[NDArray[np.str_]]:
    """Return the split of each frame of each shard, empty for doubles and frames beyond the force limit."""
    one_level(parts)
    if not parts[0].is_labelled:
        raise ValueError("A dataset is made of labelled frames; these carry no labels.")
    ids = [frame_id for part in parts for frame_id in part.frame_ids]
    first = np.zeros(len(ids), dtype=bool)
    first[unique_by_id(ids)] = True
    first &= np.array([frame_id not in known for frame_id in ids])
    calm = [
        within_force_limit(np.asarray(part.forces), part.offsets, settings.force_limit_ev_per_ang) for part in parts
    ]
    kept = np.flatnonzero(first & np.concatenate(calm))
    groups = np.concatenate([part.group for part in parts])[kept].tolist()
    types = np.concatenate([part.config_type for part in parts])[kept].tolist()
    before: dict[str, list[str]] = {name: [] if old is None else old.column(name).tolist() for name in COLUMNS}
    split = np.full(len(ids), "", dtype="<U5")
    divided = split_by_group(
        [*before["group"], *groups],
        [*before["config_type"], *types],
        [*before["frame_id"], *(ids[index] for index in kept)],
        fractions=settings.fractions,
        seed=settings.seed,
        kept=dict(zip(before["group"], before["split"], strict=True)),
    )
    split[kept] = divided[len(before["group"]) :]
    return np.split(split, np.cumsum([len(part) for part in parts])[:-1])


@calcfunction
def reference_energies_from_fit(dataset: DatasetData) -> orm.Dict:
    """Fit the energy of each species to the training frames (`science.reference_energies`)."""
    frames = dataset.frames("train")
    species = dataset.species
    counts = np.array(
        [
            [np.count_nonzero(frames.numbers[first:last] == atomic_numbers[symbol]) for symbol in species]
            for first, last in zip(frames.offsets[:-1], frames.offsets[1:], strict=True)
        ]
    )
    energies, residual = fit_reference_energies(counts, np.asarray(frames.energy))
    return orm.Dict(
        {
            "energies_ev": {symbol: round(float(value), 8) for symbol, value in zip(species, energies, strict=True)},
            "source": f"least-squares fit to {len(frames)} training frames",
            "residual_ev_per_atom": round(residual, 8),
        }
    )

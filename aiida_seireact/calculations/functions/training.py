"""From labelled shards to a dataset, and what training needs beside it."""

from __future__ import annotations

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import atomic_numbers

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.reference_energies import fit_reference_energies
from aiida_seireact.science.selection import split_by_group, unique_by_id, within_force_limit


@calcfunction
def make_dataset(parameters: orm.Dict, **shards: FramesData) -> DatasetData:
    """Filter, drop doubles, and split labelled shards into training, validation and test, by whole groups.

    :param parameters: ``force_limit_ev_per_ang``, ``fractions`` (train, val, test), ``seed``.
    :raises ValueError: a config type with too few groups to be in every split.
    """
    settings = parameters.get_dict()
    parts = [shards[name].frames for name in sorted(shards)]
    frames = Frames.concatenate(parts)
    if frames.forces is None:
        raise ValueError("A dataset is made of labelled frames; these carry no labels.")
    first = np.zeros(len(frames), dtype=bool)
    first[unique_by_id(frames.frame_ids)] = True
    kept = np.flatnonzero(first & within_force_limit(frames.forces, frames.offsets, settings["force_limit_ev_per_ang"]))
    split = np.full(len(frames), "", dtype="<U5")
    split[kept] = split_by_group(
        frames.group[kept].tolist(),
        frames.config_type[kept].tolist(),
        [frames.frame_ids[index] for index in kept],
        fractions=tuple(settings["fractions"]),
        seed=settings["seed"],
    )
    bounds = np.cumsum([len(part) for part in parts])[:-1]
    return DatasetData(parts, np.split(split, bounds))


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

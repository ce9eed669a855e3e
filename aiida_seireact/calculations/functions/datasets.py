"""What is done to datasets and shards, each a process: filter, drop doubles, thin out, split again, merge, subtract.

A shard gives a shard; a dataset gives a dataset of the same shards with another manifest, no frame is written again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.datasets import FilterSettings, ThinSettings, UniqueSettings
from aiida_seireact.formats.jobs.select import DifferenceSettings
from aiida_seireact.formats.jobs.study import SplitSettings
from aiida_seireact.formats.labels import difference_of_levels
from aiida_seireact.formats.manifest_rows import SPLITS, ShardRows
from aiida_seireact.science import curation
from aiida_seireact.science.descriptors import DescriptorSpec, mean_descriptors
from aiida_seireact.science.selection import equally_weighted, split_by_group, uncertain_and_different

# About 40 µs an atom: 20 s. A daemon worker does nothing else meanwhile, so workflows give far less.
MOST_ATOMS = 500_000


@dataclass(frozen=True)
class Reason:
    """Why a frame leaves.

    :param rule: the setting or rule it does not fulfil.
    :param because_of: frame id of the frame that it repeats, if it does.
    """

    rule: str
    because_of: str = ""


STAYS = Reason("")


@calcfunction
def filter_frames(frames: FramesData | DatasetData, parameters: orm.Dict) -> dict[str, Any]:
    """Return the frames within all limits (``kept``) and why each other one left, and who is unusual (``report``).

    Frames far from the others of their config type, in energy or force, are flagged in the report and stay: they are
    what active learning looks for.

    :param parameters: fields of `formats.jobs.datasets.FilterSettings`.
    :raises ValueError: no frame is left.
    """
    settings = FilterSettings.model_validate(parameters.get_dict())
    columns = columns_of(frames)
    reasons = _reasons_to_leave(columns, settings)
    report = {**_dropped(columns, reasons), "flagged": _flagged(columns, settings.flag_beyond)}
    return {"kept": _kept(frames, columns, reasons), "report": orm.Dict(report)}


@calcfunction
def drop_doubles(frames: FramesData | DatasetData, parameters: orm.Dict) -> dict[str, Any]:
    """Return each structure once (``kept``), and which frame each other one repeats (``report``).

    The first by frame id is kept; in a dataset a test frame before one of validation before one of training, so that
    nothing that is tested was learned.

    :param parameters: fields of `formats.jobs.datasets.UniqueSettings`.
    :raises ValueError: too many atoms to compare by descriptors.
    """
    settings = UniqueSettings.model_validate(parameters.get_dict())
    columns = columns_of(frames)
    order = np.argsort(columns.frame_ids, kind="stable")
    if isinstance(frames, DatasetData):
        rank = {name: number for number, name in enumerate(reversed(SPLITS))}
        order = order[np.argsort([rank[name] for name in frames.column("split")[order]], kind="stable")]
    reasons = [STAYS] * len(columns)
    first: dict[str, int] = {}
    for index in order.tolist():
        other = first.setdefault(columns.structure_ids[index], index)
        if other != index:
            reasons[index] = Reason("same structure", columns.frame_ids[other])
    if settings.closest is not None:
        left = [index for index in order.tolist() if reasons[index] is STAYS]
        features = _features(columns.select(left), settings.difference)
        kinds = np.array(curation.formulas(columns.numbers, columns.offsets))[left]
        for place, other in enumerate(curation.near_doubles(features, kinds.tolist(), settings.closest).tolist()):
            if other >= 0:
                reasons[left[place]] = Reason("nearly the same", columns.frame_ids[left[other]])
    return {"kept": _kept(frames, columns, reasons), "report": orm.Dict(_dropped(columns, reasons))}


@calcfunction
def thin_out(frames: FramesData | DatasetData, parameters: orm.Dict) -> dict[str, Any]:
    """Return ``count`` frames of each config type that are as unlike each other as can be (``kept``, ``report``).

    :param parameters: fields of `formats.jobs.datasets.ThinSettings`.
    :raises ValueError: too many atoms to compare by descriptors.
    """
    settings = ThinSettings.model_validate(parameters.get_dict())
    columns = columns_of(frames)
    may_leave = np.ones(len(columns), dtype=bool)
    if isinstance(frames, DatasetData):
        may_leave = np.isin(frames.column("split"), settings.splits)
    reasons = [STAYS] * len(columns)
    rng = np.random.default_rng(settings.seed)
    for name in sorted(set(columns.config_type.tolist())):
        mine = np.flatnonzero(may_leave & (columns.config_type == name))
        mine = mine[np.argsort(np.array(columns.frame_ids)[mine])]
        if len(mine) <= settings.count:
            continue
        scores = np.zeros(len(mine))
        scores[rng.integers(len(mine))] = 1.0
        features = equally_weighted(_features(columns.select(mine), settings.difference))
        # With every frame on the shortlist the score chooses the first one only, the rest is distance.
        chosen = uncertain_and_different(scores, features, settings.count, shortlist=len(mine))
        for place in set(range(len(mine))) - set(chosen):
            reasons[mine[place]] = Reason("others differ more")
    return {"kept": _kept(frames, columns, reasons), "report": orm.Dict(_dropped(columns, reasons))}


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


def _kept(frames: FramesData | DatasetData, columns: Frames, reasons: list[Reason]) -> FramesData | DatasetData:
    kept = np.array([reason is STAYS for reason in reasons])
    if not kept.any():
        told = ", ".join(f"{count} by {rule}" for rule, count in _counted(reasons).items())
        raise ValueError(f"No frame is left of {len(columns)}: {told}. Set a wider limit.")
    if isinstance(frames, DatasetData):
        return frames.with_split(np.where(kept, frames.column("split"), ""))
    return FramesData(columns.select(np.flatnonzero(kept)))


def _dropped(columns: Frames, reasons: list[Reason]) -> dict[str, Any]:
    dropped = [
        {"frame_id": columns.frame_ids[index], "config_type": str(columns.config_type[index]), **asdict(reason)}
        for index, reason in enumerate(reasons)
        if reason is not STAYS
    ]
    return {
        "n_frames": len(columns),
        "n_kept": len(columns) - len(dropped),
        "dropped_by": _counted(reasons),
        "dropped": dropped,
    }


def _counted(reasons: list[Reason]) -> dict[str, int]:
    return dict(sorted(Counter(reason.rule for reason in reasons if reason is not STAYS).items()))


def _reasons_to_leave(columns: Frames, settings: FilterSettings) -> list[Reason]:
    reasons: list[list[str]] = [[] for _ in range(len(columns))]

    def leave(mask: NDArray[np.bool_], reason: str) -> None:
        for index in np.flatnonzero(mask).tolist():
            reasons[index].append(reason)

    if settings.max_force_ev_per_ang is not None:
        if columns.forces is None:
            raise ValueError("These frames carry no labels, so max_force_ev_per_ang can't be looked at: leave it out.")
        limit = settings.max_force_ev_per_ang
        leave(~(curation.largest_forces(columns.forces, columns.offsets) <= limit), "max_force_ev_per_ang")
    if settings.min_distance_ang is not None:
        found = curation.smallest_distances(columns.positions, columns.offsets, columns.cells, columns.pbc)
        leave(found < settings.min_distance_ang, "min_distance_ang")
    if settings.volume_per_atom_ang3 is not None:
        volumes, (low, high) = curation.volumes_per_atom(columns.cells, columns.offsets), settings.volume_per_atom_ang3
        leave((volumes < low) | (volumes > high), "volume_per_atom_ang3")
    if settings.species is not None:
        known = [atomic_numbers[symbol] for symbol in settings.species]
        foreign = ~np.isin(columns.numbers, known)
        leave(np.logical_or.reduceat(foreign, columns.offsets[:-1]), "species")
    if settings.formulas is not None:
        leave(~np.isin(curation.formulas(columns.numbers, columns.offsets), settings.formulas), "formulas")
    if settings.config_types is not None:
        leave(~np.isin(columns.config_type, settings.config_types), "config_types")
    return [Reason(", ".join(several)) if several else STAYS for several in reasons]


def _flagged(columns: Frames, beyond: float) -> list[dict[str, Any]]:
    """Return the frames whose energy or largest force is far from those of their config type."""
    if columns.energy is None or columns.forces is None:
        return []
    kinds = columns.config_type.tolist()
    quantities = {
        "energy_ev_per_atom": curation.energies_beyond_composition(columns.numbers, columns.offsets, columns.energy),
        "largest_force_ev_per_ang": curation.largest_forces(columns.forces, columns.offsets),
    }
    found = []
    for name, values in quantities.items():
        scores = curation.robust_scores(values, kinds)
        found += [
            {
                "frame_id": columns.frame_ids[index],
                "config_type": kinds[index],
                "quantity": name,
                "value": float(values[index]),
                "robust_score": float(scores[index]),
            }
            for index in np.flatnonzero(np.abs(scores) > beyond).tolist()
        ]
    return found


def _features(columns: Frames, settings: DifferenceSettings) -> NDArray[np.float64]:
    """Return the mean descriptors of each frame, ``(n_frames, n_species, n_features)``."""
    if len(columns.numbers) > MOST_ATOMS:
        raise ValueError(
            f"Descriptors of {len(columns.numbers)} atoms take too long here, at most {MOST_ATOMS} are compared at "
            "once: give one config type at a time (split_by_type)."
        )
    spec = DescriptorSpec(species=tuple(columns.species), centre=columns.species[0], **settings.model_dump())
    return np.array(
        [
            mean_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec)
            for atoms in columns.without_labels().iter_atoms()
        ]
    )

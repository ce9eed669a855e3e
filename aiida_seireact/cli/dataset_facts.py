"""What a dataset or a shard holds, in numbers, and what changed between two datasets; all from the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida.common.links import LinkType
from aiida.orm import CalcJobNode, CalculationNode, Dict, Node
from numpy.typing import NDArray

from aiida_seireact.cli.trace_frames import shards_above
from aiida_seireact.cli.tracing import makes_labels
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.manifest_rows import SPLITS
from aiida_seireact.science.curation import formulas, largest_forces, volumes_per_atom

FloatArray = NDArray[np.float64]
Range = tuple[float, float]


class DatasetError(ValueError):
    """A node that is no set of frames; the message says which would be."""


@dataclass(frozen=True, eq=False)
class Table:
    """A row a frame, sorted by frame id.

    :param split: empty for frames of a shard; :param energies: eV/atom, :param forces: largest, eV/Å, and
        :param temperatures: K; NaN where there is none or it is not known.
    """

    frames: Frames
    split: NDArray[np.str_]
    formulas: NDArray[np.str_]
    volumes: FloatArray
    energies: FloatArray
    forces: FloatArray
    temperatures: FloatArray

    @property
    def classes(self) -> list[str]:
        """Config types, sorted."""
        return sorted(set(self.frames.config_type.tolist()))

    @property
    def splits(self) -> list[str]:
        """Parts that hold frames, in their order; one without a name for a shard."""
        return [name for name in (*SPLITS, "") if (self.split == name).any()]


@dataclass(frozen=True)
class ClassFacts:
    """One config type of a dataset; ranges are least and most, None where there is nothing to tell."""

    name: str
    by_split: dict[str, int]
    n_groups: int
    atoms: Range
    volume_ang3_per_atom: Range
    energy_ev_per_atom: Range | None
    largest_force_ev_per_ang: float | None
    temperature_k: Range | None


@dataclass(frozen=True)
class Facts:
    """What a person asks of a dataset first."""

    pk: int | None
    kind: str
    content_hash: str
    n_frames: int
    n_atoms: int
    by_split: dict[str, int]
    n_shards: int
    species: list[str]
    formulas: dict[str, int]
    settings_hash: str
    levels: list[str]
    has_stress: bool
    classes: list[ClassFacts]


@dataclass(frozen=True)
class Difference:
    """What changed from one dataset to another; counts by config type, and by ``from > to`` for frames that moved."""

    added: dict[str, int]
    removed: dict[str, int]
    moved: dict[str, int]
    relabelled: int
    unchanged: int
    same_level: bool


def table_of(node: Node) -> Table:
    """Return the frames of a dataset or shard with what is told of each.

    :raises DatasetError: neither a dataset nor a shard.
    """
    if isinstance(node, DatasetData):
        frames, split = node.frames(), node.column("split")
    elif isinstance(node, FramesData):
        order = np.argsort(node.frames.frame_ids)
        frames, split = node.frames.select(order), np.full(len(node), "", dtype="<U5")
    else:
        raise DatasetError(f"Node {node.pk} is a {type(node).__name__}: give a DatasetData or a FramesData.")
    nothing = np.full(len(frames), np.nan)
    return Table(
        frames=frames,
        split=split,
        formulas=np.array(formulas(frames.numbers, frames.offsets)),
        volumes=volumes_per_atom(frames.cells, frames.offsets),
        energies=nothing if frames.energy is None else frames.energy / frames.n_atoms,
        forces=nothing if frames.forces is None else largest_forces(frames.forces, frames.offsets),
        temperatures=_temperatures(node, frames),
    )


def facts_of(node: Node, table: Table) -> Facts:
    """Return the numbers of a dataset or shard."""
    frames = table.frames
    return Facts(
        pk=node.pk,
        kind=type(node).__name__,
        content_hash=str(node.base.attributes.get("content_hash")),
        n_frames=len(frames),
        n_atoms=len(frames.numbers),
        by_split={name: int((table.split == name).sum()) for name in table.splits if name},
        n_shards=len(node.base.attributes.get("shard_hashes", [""])),
        species=frames.species,
        formulas=dict(sorted(Counter(table.formulas.tolist()).items())),
        settings_hash=frames.settings_hash,
        levels=levels_of(node),
        has_stress=frames.has_stress,
        classes=[_class_facts(table, name) for name in table.classes],
    )


def _class_facts(table: Table, name: str) -> ClassFacts:
    mine = table.frames.config_type == name
    return ClassFacts(
        name=name,
        by_split={split: int((mine & (table.split == split)).sum()) for split in table.splits},
        n_groups=len(set(table.frames.group[mine].tolist())),
        atoms=(int(table.frames.n_atoms[mine].min()), int(table.frames.n_atoms[mine].max())),
        volume_ang3_per_atom=(float(table.volumes[mine].min()), float(table.volumes[mine].max())),
        energy_ev_per_atom=_range(table.energies[mine]),
        largest_force_ev_per_ang=None if np.isnan(table.forces[mine]).all() else float(np.nanmax(table.forces[mine])),
        temperature_k=_range(table.temperatures[mine]),
    )


def _range(values: FloatArray) -> Range | None:
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if len(known) else None


def difference(old: DatasetData, new: DatasetData) -> Difference:
    """Return what changed from one dataset to another, frame by frame."""
    before, after = old.split_of(), new.split_of()
    types = {
        **dict(zip(old.frame_ids(), old.column("config_type").tolist(), strict=True)),
        **dict(zip(new.frame_ids(), new.column("config_type").tolist(), strict=True)),
    }
    added, removed = set(after) - set(before), set(before) - set(after)
    both = set(before) & set(after)
    moved = Counter(f"{before[name]} > {after[name]}" for name in both if before[name] != after[name])
    relabelled = 0
    if added and removed:
        relabelled = len(_structures(old, removed) & _structures(new, added))
    return Difference(
        added=_by_type(added, types),
        removed=_by_type(removed, types),
        moved=dict(sorted(moved.items())),
        relabelled=relabelled,
        unchanged=len(both) - sum(moved.values()),
        same_level=old.settings_hash == new.settings_hash,
    )


def _by_type(frame_ids: set[str], types: dict[str, str]) -> dict[str, int]:
    return dict(sorted(Counter(types[frame_id] for frame_id in frame_ids).items()))


def _structures(dataset: DatasetData, frame_ids: set[str]) -> set[str]:
    mine = np.flatnonzero(np.isin(dataset.frame_ids(), sorted(frame_ids)))
    return set(dataset.frames().select(mine).structure_ids)


# ---------------------------------------------------------------- what only the graph knows
def levels_of(node: Node) -> list[str]:
    """Return in words by what the frames were labelled: calculator or engine, or the name given at an import."""
    found = set()
    for shard in shards_above(node):
        creator = shard.creator
        if not shard.is_labelled or creator is None:
            continue
        parameters = _parameters(creator)
        if makes_labels(creator):
            name = parameters.get("calculator", {}).get("name")
            found.add(str(name or creator.process_label))
        elif creator.process_label == "import_frames" and parameters.get("level"):
            found.add(f"{parameters['level']['name']} (imported)")
    return sorted(found)


def _parameters(process: CalculationNode) -> dict[str, Any]:
    links = process.base.links.get_incoming(link_type=LinkType.INPUT_CALC, link_label_filter="parameters").all()
    return links[0].node.get_dict() if links and isinstance(links[0].node, Dict) else {}


def _temperatures(node: Node, frames: Frames) -> FloatArray:
    """Return the temperature of the MD that each structure is a frame of, NaN where it is of none that is known."""
    known: dict[str, float] = {}
    for shard in shards_above(node):
        creator = shard.creator
        if not isinstance(creator, CalcJobNode):
            continue
        of_job = temperature_in(_parameters(creator))
        of_run = _temperatures_of_runs(creator)
        if of_job is None and not of_run:
            continue
        columns = shard.frames
        for structure_id, group in zip(columns.structure_ids, columns.group.tolist(), strict=True):
            # seireact.select names a group after the run it is of: augment-<run>/…
            run = group.partition("/")[0].removeprefix("augment-")
            temperature = of_run.get(run, of_job)
            if temperature is not None:
                known.setdefault(structure_id, temperature)
    if not known:
        return np.full(len(frames), np.nan)
    return np.array([known.get(structure_id, np.nan) for structure_id in frames.structure_ids])


def temperature_in(parameters: dict[str, Any]) -> float | None:
    """Return the temperature that settings of an MD ask for; None for a ramp, and where there is no MD."""
    for settings in (parameters, parameters.get("md"), parameters.get("settings")):
        if isinstance(settings, dict) and "temperature_k" in settings and not settings.get("temperature_end_k"):
            return float(settings["temperature_k"])
    return None


def _temperatures_of_runs(job: CalcJobNode) -> dict[str, float]:
    """Return the temperature of each trajectory that a job chose frames from, by the name of the run."""
    found = {}
    for link in job.base.links.get_incoming(link_type=LinkType.INPUT_CALC, node_class=TrajectoryData).all():
        creator = link.node.creator
        temperature = None if creator is None else temperature_in(_parameters(creator))
        if temperature is not None:
            found[link.link_label.partition("__")[2]] = temperature
    return found


def in_words(counts: dict[str, int] | Sequence[str]) -> str:
    """Return counts as ``3 Li, 5 Li2S``, or names one after another; a dash for none."""
    if isinstance(counts, dict):
        return ", ".join(f"{count} {name or 'without a type'}" for name, count in counts.items()) or "–"
    return ", ".join(counts) or "–"

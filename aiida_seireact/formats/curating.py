"""Which frames stay and why the others leave: read block by block, so that sets of any size are curated alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.curate import CurateSettings
from aiida_seireact.formats.jobs.datasets import FilterSettings, ThinSettings, UniqueSettings
from aiida_seireact.formats.jobs.select import DifferenceSettings
from aiida_seireact.formats.manifest_rows import SPLITS, in_order
from aiida_seireact.formats.scratch import Scratch
from aiida_seireact.science import curation
from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, mean_descriptors
from aiida_seireact.science.sketches import Rows

Blocks = Callable[[], Iterable[tuple[Frames, NDArray[np.str_]]]]
"""Gives frames in blocks, always the same, each with the part of a dataset ``(n,)`` of its frames, or ``''``."""

Progress = Callable[[str], None]
SAY_EVERY = 1000


@dataclass(eq=False)
class Verdicts:
    """What became of each frame, in the order in which they were read.

    :param frame_id: ``(n,)``; :param config_type: ``(n,)``.
    :param rule: ``(n,)`` the setting or rule that a frame does not fulfil; empty for those that stay.
    :param because_of: ``(n,)`` frame id of the frame that it repeats, if it does.
    :param flagged: frames that are unusual and stay, where it was looked at.
    """

    frame_id: NDArray[np.bytes_]
    config_type: NDArray[np.str_]
    rule: list[str]
    because_of: list[str]
    flagged: list[dict[str, Any]] | None = None

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether a frame stays, ``(n,)``."""
        return np.array([not rule for rule in self.rule])

    def staying(self) -> NDArray[np.int64]:
        """Return the frames that stay in canonical order, by frame id."""
        left = np.flatnonzero(self.kept)
        return left[np.argsort(self.frame_id[left], kind="stable")]

    def counts(self) -> dict[str, Any]:
        """Return how many frames there were, how many stay, and how many left by which rule."""
        left_by = Counter(rule for rule in self.rule if rule)
        return {
            "n_frames": len(self.rule),
            "n_kept": len(self.rule) - left_by.total(),
            "dropped_by": dict(sorted(left_by.items())),
        }

    def report(self) -> dict[str, Any]:
        """Return the counts, each frame that left and why, and the flagged ones where they were looked for."""
        dropped = [
            {"frame_id": frame_id.decode(), "config_type": config_type, "rule": rule, "because_of": other}
            for frame_id, config_type, rule, other in zip(
                self.frame_id.tolist(), self.config_type.tolist(), self.rule, self.because_of, strict=True
            )
            if rule
        ]
        return {**self.counts(), "dropped": dropped, **({} if self.flagged is None else {"flagged": self.flagged})}

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return a row for every frame, as arrays without pickles."""
        return {
            "frame_id": self.frame_id,
            "config_type": self.config_type,
            "rule": np.array(self.rule, dtype=np.str_),
            "because_of": np.array(self.because_of, dtype="S64"),
        }


@dataclass(frozen=True, eq=False)
class Facts:
    """What is told of each frame without its atoms, in the order of reading; small beside the frames.

    :param structure_id: ``(n,)``; :param split: ``(n,)``.
    :param composition: ``(n,)`` index in ``compositions``, which are counts by element symbol.
    :param numbers: ``(n,)`` each: volume an atom in Å³, and, where they were asked for or labels are there, smallest
        distance in Å, largest force in eV/Å, energy in eV.
    """

    frame_id: NDArray[np.bytes_]
    structure_id: NDArray[np.bytes_]
    config_type: NDArray[np.str_]
    split: NDArray[np.str_]
    composition: NDArray[np.int64]
    compositions: list[dict[str, int]]
    numbers: dict[str, NDArray[np.float64]]

    def formulas(self) -> NDArray[np.str_]:
        """Return the reduced formula of each frame, ``(n,)``."""
        names = [curation.reduced_formula(counts) for counts in self.compositions]
        return np.array(names)[self.composition]

    def counts(self, species: list[str]) -> NDArray[np.int64]:
        """Return how many atoms of each species each frame has, ``(n, n_species)``."""
        table = [[counts.get(symbol, 0) for symbol in species] for counts in self.compositions]
        return np.array(table, dtype=np.int64)[self.composition]

    def species(self, frames: NDArray[np.int64]) -> list[str]:
        """Return the element symbols of these frames, by atomic number."""
        present = np.unique(self.composition[frames]).tolist()
        return in_order({symbol for index in present for symbol in self.compositions[index]})


def curate(blocks: Blocks, settings: CurateSettings, scratch: Scratch, progress: Progress) -> Verdicts:
    """Tell which frames stay, step by step of the settings.

    Nothing depends on the order of the frames, since each step looks at them by frame id.

    :param scratch: takes the descriptors, 13 kB a frame of four species.
    :raises ValueError: no frame is left; limits on labels that are not there; atoms that lie on each other.
    """
    limits = settings.filter
    facts = look(blocks, distances=limits is not None and limits.min_distance_ang is not None, progress=progress)
    n_frames = len(facts.frame_id)
    verdicts = Verdicts(facts.frame_id, facts.config_type, [""] * n_frames, [""] * n_frames)
    if limits is not None:
        _filter(facts, verdicts, limits)
    if settings.unique is not None:
        _drop_doubles(facts, verdicts, settings.unique, blocks, scratch, progress)
    if settings.thin is not None:
        _thin_out(facts, verdicts, settings.thin, blocks, scratch, progress)
    told = verdicts.counts()
    if not told["n_kept"]:
        by = ", ".join(f"{count} by {rule}" for rule, count in told["dropped_by"].items())
        raise ValueError(f"No frame is left of {n_frames}: {by}. Set a wider limit.")
    return verdicts


def look(blocks: Blocks, *, distances: bool, progress: Progress) -> Facts:
    """Go through the frames once and return what is told of each.

    :param distances: whether the smallest distance is looked for.
    :raises FramesError: labelled beside unlabelled frames, or two levels of theory.
    """
    columns: dict[str, list[NDArray[Any]]] = {}
    known: dict[tuple[tuple[str, int], ...], int] = {}
    level: tuple[str, bool] | None = None
    seen = 0
    for frames, split in blocks():
        mine = (frames.settings_hash, frames.is_labelled)
        if level not in (None, mine):
            raise FramesError("These frames are of two levels of theory, or only some carry labels: give files of one.")
        level = mine
        counts, species = curation.compositions(frames.numbers, frames.offsets)
        found: dict[str, NDArray[Any]] = {
            "frame_id": np.array(frames.frame_ids, dtype="S64"),
            "structure_id": np.array(frames.structure_ids, dtype="S64"),
            "config_type": frames.config_type,
            "split": split,
            "composition": _numbered(counts, species, known),
            "volume": curation.volumes_per_atom(frames.cells, frames.offsets),
        }
        if distances:
            found["distance"] = curation.smallest_distances(frames.positions, frames.offsets, frames.cells, frames.pbc)
        if frames.energy is not None and frames.forces is not None:
            found["energy"] = frames.energy
            found["force"] = curation.largest_forces(frames.forces, frames.offsets)
        for name, column in found.items():
            columns.setdefault(name, []).append(column)
        if seen // SAY_EVERY != (seen + len(frames)) // SAY_EVERY:
            progress(f"{seen + len(frames)} frames read")
        seen += len(frames)
    if not seen:
        raise FramesError("These files hold no frame: give at least one.")
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    numbers: dict[str, NDArray[np.float64]] = {
        str(name): whole.pop(name) for name in ("volume", "distance", "energy", "force") if name in whole
    }
    return Facts(**whole, compositions=[dict(counts) for counts in known], numbers=numbers)


def _numbered(
    counts: NDArray[np.int64], species: list[str], known: dict[tuple[tuple[str, int], ...], int]
) -> NDArray[np.int64]:
    """Return the number of the composition of each frame, ``(n,)``; new ones are added to ``known``."""
    different, which = np.unique(counts, axis=0, return_inverse=True)
    names = [
        tuple((symbol, count) for symbol, count in zip(species, row, strict=True) if count)
        for row in different.tolist()
    ]
    places = np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
    return np.asarray(places[which.reshape(-1)])


# ---------------------------------------------------------------- filter
def _filter(facts: Facts, verdicts: Verdicts, settings: FilterSettings) -> None:
    reasons: list[list[str]] = [[] for _ in verdicts.rule]

    def leave(mask: NDArray[np.bool_], reason: str) -> None:
        for index in np.flatnonzero(mask).tolist():
            reasons[index].append(reason)

    if settings.max_force_ev_per_ang is not None:
        if "force" not in facts.numbers:
            raise ValueError("These frames carry no labels, so max_force_ev_per_ang can't be looked at: leave it out.")
        leave(~(facts.numbers["force"] <= settings.max_force_ev_per_ang), "max_force_ev_per_ang")
    if settings.min_distance_ang is not None:
        leave(facts.numbers["distance"] < settings.min_distance_ang, "min_distance_ang")
    if settings.volume_per_atom_ang3 is not None:
        volumes, (low, high) = facts.numbers["volume"], settings.volume_per_atom_ang3
        leave((volumes < low) | (volumes > high), "volume_per_atom_ang3")
    if settings.species is not None:
        unknown = [not set(counts) <= set(settings.species) for counts in facts.compositions]
        leave(np.array(unknown)[facts.composition], "species")
    if settings.formulas is not None:
        leave(~np.isin(facts.formulas(), settings.formulas), "formulas")
    if settings.config_types is not None:
        leave(~np.isin(facts.config_type, settings.config_types), "config_types")
    verdicts.rule[:] = [", ".join(several) for several in reasons]
    verdicts.flagged = list(_flagged(facts, settings.flag_beyond))


def _flagged(facts: Facts, beyond: float) -> Iterator[dict[str, Any]]:
    """Yield the frames whose energy or largest force is far from those of their config type."""
    if "energy" not in facts.numbers:
        return
    kinds = facts.config_type.tolist()
    counts = facts.counts(facts.species(np.arange(len(kinds))))
    quantities = {
        "energy_ev_per_atom": curation.energies_beyond_composition(counts, facts.numbers["energy"]),
        "largest_force_ev_per_ang": facts.numbers["force"],
    }
    for name, values in quantities.items():
        scores = curation.robust_scores(values, kinds)
        for index in np.flatnonzero(np.abs(scores) > beyond).tolist():
            yield {
                "frame_id": facts.frame_id[index].decode(),
                "config_type": kinds[index],
                "quantity": name,
                "value": float(values[index]),
                "robust_score": float(scores[index]),
            }


# ---------------------------------------------------------------- what is like another
def _drop_doubles(
    facts: Facts, verdicts: Verdicts, settings: UniqueSettings, blocks: Blocks, scratch: Scratch, progress: Progress
) -> None:
    order = verdicts.staying()
    rank = {name: number for number, name in enumerate((*reversed(SPLITS), ""))}
    order = order[np.argsort([rank[name] for name in facts.split[order].tolist()], kind="stable")]
    first: dict[bytes, int] = {}

    def leave(index: int, other: int, rule: str) -> None:
        verdicts.rule[index], verdicts.because_of[index] = rule, facts.frame_id[other].decode()

    for index in order.tolist():
        other = first.setdefault(facts.structure_id[index], index)
        if other != index:
            leave(index, other, "same structure")
    if settings.closest is None:
        return
    kinds = facts.formulas()
    left = order[verdicts.kept[order]]
    # One of a kind is compared with nothing.
    several = [kinds[left] == name for name, count in Counter(kinds[left].tolist()).items() if count > 1]
    groups = [left[mask] for mask in several]
    for group, features in _features(facts, groups, settings.difference, blocks, scratch, progress):
        near = curation.near_doubles(features, len(group), settings.closest)
        for place, other in enumerate(near.tolist()):
            if other >= 0:
                leave(int(group[place]), int(group[other]), "nearly the same")


def _thin_out(
    facts: Facts, verdicts: Verdicts, settings: ThinSettings, blocks: Blocks, scratch: Scratch, progress: Progress
) -> None:
    order = verdicts.staying()
    order = order[np.isin(facts.split[order], (*settings.splits, ""))]
    rng = np.random.default_rng(settings.seed)
    groups, starts = [], []
    for name in sorted(set(facts.config_type[order].tolist())):
        mine = order[facts.config_type[order] == name]
        if len(mine) > settings.count:
            groups.append(mine)
            starts.append(int(rng.integers(len(mine))))
    looked_at = _features(facts, groups, settings.difference, blocks, scratch, progress)
    for (group, features), start in zip(looked_at, starts, strict=True):
        chosen = curation.unlike_each_other(features, len(group), settings.count, start)
        for place in set(range(len(group))) - set(chosen):
            verdicts.rule[group[place]] = "others differ more"


def _features(
    facts: Facts,
    groups: list[NDArray[np.int64]],
    settings: DifferenceSettings,
    blocks: Blocks,
    scratch: Scratch,
    progress: Progress,
) -> Iterator[tuple[NDArray[np.int64], Rows]]:
    """Go through the frames again, write the mean descriptors of those in groups, and yield each group with its own."""
    specs = []
    of_frame = np.full(len(facts.frame_id), -1, dtype=np.int64)
    for number, group in enumerate(groups):
        species = facts.species(group)
        specs.append(DescriptorSpec(species=tuple(species), centre=species[0], **settings.model_dump()))
        of_frame[group] = number
    n_frames, done, seen = int((of_frame >= 0).sum()), 0, 0
    places = np.full(len(of_frame), -1, dtype=np.int64)
    for frames, _ in blocks() if groups else ():
        for index in np.flatnonzero(of_frame[seen : seen + len(frames)] >= 0).tolist():
            atoms = slice(int(frames.offsets[index]), int(frames.offsets[index + 1]))
            where = (frames.positions[atoms], frames.numbers[atoms], frames.cells[index], frames.pbc[index])
            try:
                means = mean_descriptors(*where, specs[of_frame[seen + index]])
            except DescriptorError as error:
                raise ValueError(f"Frame {facts.frame_id[seen + index].decode()[:12]}: {error}") from error
            places[seen + index] = scratch.put(means)
            done += 1
            if done % SAY_EVERY == 0 or done == n_frames:
                progress(f"descriptors of {done} of {n_frames} frames")
        seen += len(frames)
    for group, spec in zip(groups, specs, strict=True):
        yield group, scratch.rows(places[group], (len(spec.species), spec.n_features))

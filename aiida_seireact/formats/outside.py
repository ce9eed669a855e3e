"""Frames with labels that others made: what every reader gives, and how it becomes a shard."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from ase import Atoms

from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.imports import ImportSettings
from aiida_seireact.formats.labels import Label, join_labels
from aiida_seireact.science.selection import blocks_by_number

GAP = "it lies in the gap between two time blocks"


@dataclass(frozen=True, eq=False)
class Found:
    """A frame of a run: its structure, its origin in ``info`` where it tells it, and its label or why it has none."""

    atoms: Atoms
    label: Label | str


@dataclass(frozen=True, eq=False)
class Run:
    """Consecutive frames of one file, folder or set.

    :param name: where it is in the source, and :param first: the number of its first frame there, for messages only.
    """

    name: str
    found: Sequence[Found]
    first: int = 0

    @property
    def content_hash(self) -> str:
        """Hash of the structures of the run; names of files are no content."""
        ids = Frames.from_atoms([found.atoms for found in self.found], labels="ignore").structure_ids
        return hashlib.sha256("\n".join(ids).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Imported:
    """What an import gives.

    :param frames: the frames whose labels are taken.
    :param split: for each frame its part of a dataset, where the source tells it.
    :param failures: ``run``, ``frame`` and ``reason`` of each other frame.
    """

    frames: Frames
    split: list[str] | None
    failures: list[dict[str, Any]]


def runs_of(name: str, found: Sequence[Found]) -> list[Run]:
    """Return the frames of a file as runs: where atoms or config type change, another one begins."""

    def kind(item: Found) -> tuple[bytes, str]:
        return item.atoms.numbers.tobytes(), str(item.atoms.info.get("config_type", ""))

    starts = [index for index, item in enumerate(found) if index == 0 or kind(item) != kind(found[index - 1])]
    return [Run(name, found[start:stop], start) for start, stop in pairwise([*starts, len(found)])]


def label_of(atoms: Atoms) -> Label | str:
    """Return the label of the calculator that ASE attached to what it read, or why there is none.

    Where both are told, ``free_energy`` is the energy the forces belong to, and ``energy`` the one extrapolated to zero
    smearing (ASE's convention). A file of frames tells nothing of convergence: that is vouched for by who imports it.
    """
    results = getattr(atoms.calc, "results", {})
    missing = [name for name in ("energy", "forces") if results.get(name) is None]
    if missing:
        return f"it has no {' and no '.join(missing)}: label it first"
    energy, stress = float(results["energy"]), results.get("stress")
    forces_energy = float(results.get("free_energy", energy))
    extrapolated = atoms.info.get("energy_e0", energy if forces_energy != energy else None)
    voigt = None if stress is None else np.asarray(stress, dtype=float)
    return Label(
        energy=forces_energy,
        forces=np.asarray(results["forces"], dtype=float),
        converged=True,
        stress=voigt if voigt is None or voigt.shape == (6,) else voigt.reshape(9)[[0, 4, 8, 5, 2, 1]],
        energy_e0=None if extrapolated is None else float(extrapolated),
    )


def joined_runs(runs: Sequence[Run], settings: ImportSettings, settings_hash: str) -> Imported:
    """Return the frames of all runs whose structures and labels are sound.

    :raises FramesError: not one frame is taken; the message holds the first reason.
    """
    accepted: list[tuple[str, int, Atoms, Label, str]] = []
    failures: list[dict[str, Any]] = []
    for run in runs:
        groups = _groups(run, settings)
        for number, (found, group) in enumerate(zip(run.found, groups, strict=True), start=run.first):
            reason = found.label if isinstance(found.label, str) else _unsound(found.atoms, settings)
            if not reason and group is None:
                reason = GAP
            if reason or isinstance(found.label, str):
                failures.append({"run": run.name, "frame": number, "reason": reason})
            else:
                accepted.append((run.name, number, found.atoms, found.label, group or ""))
    if not accepted:
        raise FramesError(_nothing(failures))
    bare = Frames.from_atoms([atoms for _, _, atoms, _, _ in accepted], labels="ignore")
    bare = replace(
        bare,
        config_type=np.array([name or settings.config_type for name in bare.config_type.tolist()]),
        group=np.array([group for *_, group in accepted]),
    )
    frames, refused = join_labels(bare, [label for *_, label, _ in accepted], settings_hash, settings.acceptance)
    out = {item["index"] for item in refused}
    failures += [
        {"run": accepted[item["index"]][0], "frame": accepted[item["index"]][1], "reason": item["reason"]}
        for item in refused
    ]
    if frames is None:
        raise FramesError(_nothing(failures))
    splits = [
        str(atoms.info.get("split", "")) for index, (_, _, atoms, _, _) in enumerate(accepted) if index not in out
    ]
    return Imported(frames, splits if all(splits) else None, failures)


def _groups(run: Run, settings: ImportSettings) -> list[str | None]:
    """Return the group of each frame, None in a gap; one that a frame tells itself is kept."""
    told = [str(found.atoms.info.get("group", "")) for found in run.found]
    if all(told):
        return list(told)
    name = f"import-{run.content_hash[:12]}"
    numbered: list[str | None] = [name] * len(told)
    if settings.grouping == "frame":
        numbered = [f"{name}/frame-{index}" for index in range(len(told))]
    elif settings.grouping == "blocks":
        blocks = blocks_by_number(len(told), settings.n_blocks, settings.gap_frames).tolist()
        numbered = [f"{name}/block-{block}" if block >= 0 else None for block in blocks]
    return [mine or other for mine, other in zip(told, numbered, strict=True)]


def _unsound(atoms: Atoms, settings: ImportSettings) -> str:
    """Return why a structure is refused, or nothing."""
    try:
        Frames.from_atoms([atoms], labels="ignore").validate(
            species=settings.species, min_distance_ang=settings.min_distance_ang, need_periodic=False
        )
    except FramesError as error:
        # The number of the frame is told beside the reason.
        return str(error).partition(") ")[2] or str(error)
    return ""


def _nothing(failures: Sequence[dict[str, Any]]) -> str:
    if not failures:
        return "The source holds no frame."
    first = failures[0]
    return (
        f"None of {len(failures)} frames is taken; the first is frame {first['frame']} of {first['run']}: "
        f"{first['reason']}."
    )

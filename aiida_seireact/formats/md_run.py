"""A run of MD by any engine, and the labelled frames that it gives: which steps, which groups, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.md import MdSettings
from aiida_seireact.formats.labels import AcceptanceSettings, Label, join_labels
from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.velocities import temperatures_of_path

MIN_DISTANCE_ANG = 0.5


def bare(atoms: Atoms) -> Atoms:
    """Return numbers, positions, cell and periodicity alone."""
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def collision(image: Atoms) -> str:
    """Return why a structure is none any more, an empty string if it is sound."""
    if not np.isfinite(image.positions).all():
        return "its positions are not numbers any more"
    distance, pair = smallest_distance(image.positions, np.asarray(image.cell), image.pbc)
    return f"atoms {pair[0]} and {pair[1]} came {distance:.2f} Å close" if distance < MIN_DISTANCE_ANG else ""


@dataclass(frozen=True, eq=False)
class MdRun:
    """What an engine left of one run.

    :param labels: of step 0, the start, step 1, …, as far as it came; each with the positions it was computed at. A
        string says why a step has none.
    :param version: of the program, as it tells itself.
    :param ended: why it came no further, where it should have.
    :param told: what else is to be known of the run, phrases.
    """

    labels: Sequence[Label | str] = ()
    version: str = ""
    ended: str = ""
    told: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class MdFrames:
    """What one run gives.

    :param frames: labelled; None if not one step is taken.
    :param failures: ``index`` and ``structure_id`` of the start, ``md_step`` and ``reason``, for each step without a
        label; the steps that a run did not come to are told at once.
    :param report: how the run went.
    """

    frames: Frames | None
    failures: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)


def frames_of_run(
    starts: Frames, index: int, run: MdRun, md: MdSettings, acceptance: AcceptanceSettings, settings_hash: str
) -> MdFrames:
    """Return the labelled steps of a run as frames of the start's config type, each time block a group.

    The acceptance is that of single points, step by step: what one step lacks costs no other one.

    :param starts: the frames to begin from, and :param index: the one of this run.
    """
    start, parent = bare(starts.to_atoms(index)), starts.frame_ids[index]
    name = {"index": index, "structure_id": starts.structure_ids[index]}
    failures: list[dict[str, Any]] = []
    images, labels = [], []
    missing = []
    for step, block in md.labelled_steps():
        if block < 0:
            continue
        if step >= len(run.labels):
            missing.append(step)
            continue
        label = run.labels[step]
        image, reason = _image(start, label)
        if image is None or isinstance(label, str):
            failures.append({**name, "md_step": step, "reason": reason})
            continue
        image.info.update(
            config_type=str(starts.config_type[index]), parent_id=parent, group=md.group(parent, block), md_step=step
        )
        images.append(image)
        labels.append(label)
    taken = None
    if images:
        taken, refused = join_labels(Frames.from_atoms(images), labels, settings_hash, acceptance)
        steps = [image.info["md_step"] for image in images]
        failures += [{**name, "md_step": steps[row["index"]], "reason": row["reason"]} for row in refused]
        failures.sort(key=lambda row: row["md_step"])
    if missing:
        words = f"its run ended before MD step {len(run.labels)} of {md.steps}, {len(missing)} frames are missing"
        failures.append({**name, "md_step": missing[0], "reason": f"{words}: {run.ended}"})
    report = {**name, "n_frames": 0 if taken is None else len(taken), "steps": max(len(run.labels) - 1, 0)}
    temperatures = _temperatures(start, run, md)
    if len(temperatures):
        report["mean_temperature_k"] = float(temperatures.mean())
    if run.told:
        report["report"] = "; ".join(run.told)
    return MdFrames(taken, failures, report)


def _image(start: Atoms, label: Label | str) -> tuple[Atoms | None, str]:
    """Return the structure that a label is of, in atoms and cell the start, or None and the reason."""
    if isinstance(label, str):
        return None, label
    if label.positions is None or label.positions.shape != start.positions.shape:
        return None, "its output does not tell where the atoms are"
    image = start.copy()
    image.positions = label.positions
    reason = collision(image)
    return (None, reason) if reason else (image, "")


def _temperatures(start: Atoms, run: MdRun, md: MdSettings) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the temperatures of the steps up to the first that is not known."""
    path = [start.positions]
    for label in run.labels[1:]:
        if isinstance(label, str) or label.positions is None or label.positions.shape != start.positions.shape:
            break
        path.append(label.positions)
    return temperatures_of_path(np.array(path), start.cell.array, start.get_masses(), md.timestep_fs)

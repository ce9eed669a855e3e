"""What the lines of a scorecard are shown: cells with both answers, held-out frames, runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.validate import AskedCell, ValidateJob, cells_by_line
from aiida_seireact.programs._predictions import Predictions
from aiida_seireact.science.metrics import errors_by_type
from aiida_seireact.science.validation.lines import HeldOut, Labels, Pair


def phases_of(job: ValidateJob, folder: Path) -> dict[str, Atoms]:
    if job.phases is None:
        return {}
    frames = Frames.load(folder / job.phases)
    names = frames.config_type.tolist()
    if len(set(names)) < len(names) or "" in names:
        raise InvalidInput(f"{job.phases}: each phase is one frame, and its name is its config type.")
    return {name: _bare(frames.to_atoms(index)) for index, name in enumerate(names)}


def _bare(atoms: Atoms) -> Atoms:
    """Return the cell of a phase without what came with its frame."""
    return Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def require_labels(labelled: Frames | None, held_out: Frames | None, job: ValidateJob) -> None:
    """:raises InvalidInput: frames without labels, of another level of theory, or with unknown species."""
    for name, frames in (("labelled", labelled), ("held_out", held_out)):
        if frames is None:
            continue
        if not frames.is_labelled:
            raise InvalidInput(f"{name}: the frames carry no labels: label them first.")
        if job.species and (unknown := sorted(set(frames.species) - set(job.species))):
            raise InvalidInput(
                f"The model knows {', '.join(job.species)}, but {name} holds {', '.join(unknown)}: leave out the "
                "phases and lines with other elements, or train on them."
            )
    if labelled is not None and held_out is not None and labelled.settings_hash != held_out.settings_hash:
        raise InvalidInput(
            f"The phases were labelled at level {labelled.settings_hash[:12]}, the dataset at "
            f"{held_out.settings_hash[:12]}: label the phases with the settings of the dataset."
        )


def asked_cells(job: ValidateJob, phases: Mapping[str, Atoms]) -> dict[str, list[AskedCell]]:
    """Return by line the cells it asks for: as planned, or worked out here.

    A plan made elsewhere is taken as it is: another machine rounds otherwise, and a structure is named by every bit.

    :raises ScorecardError: a phase is not there.
    """
    if job.asked is not None:
        return job.asked
    return cells_by_line(job.scorecard, phases)


def asked_runs(job: ValidateJob, phases: Mapping[str, Atoms]) -> dict[str, list[str]]:
    """Return by line the names of the runs it looks at.

    :raises InvalidInput: one of them was not given.
    """
    found = {name: [run.name for run in runs] for name, runs in job.scorecard.runs(phases).items()}
    for name, runs in found.items():
        if missing := [run for run in runs if run not in job.runs]:
            raise InvalidInput(f"Line {name} looks at the run {missing[0]}: give it under `runs`.")
    return found


def pairs_of(asked: Mapping[str, Sequence[AskedCell]], labelled: Frames | None) -> dict[str, list[tuple[Pair, str]]]:
    """Return by line the cells it asked for with their labels and structure ids, the prediction still open.

    :raises InvalidInput: a cell that nobody has labelled.
    """
    place = {} if labelled is None else {name: index for index, name in enumerate(labelled.structure_ids)}
    found: dict[str, list[tuple[Pair, str]]] = {}
    for name, cells in asked.items():
        for cell in cells:
            if labelled is None or cell.structure_id not in place:
                raise InvalidInput(
                    f"Line {name} asks for a cell of {cell.subject} that is not in `labelled`: label what the "
                    "scorecard asks for."
                )
            index = place[cell.structure_id]
            reference = _labels(labelled, index)
            atoms = _bare(labelled.to_atoms(index))
            pair = Pair(cell.subject, atoms, labelled.frame_ids[index], reference, reference)
            found.setdefault(name, []).append((pair, cell.structure_id))
    return found


def _labels(frames: Frames, index: int) -> Labels:
    assert frames.energy is not None
    assert frames.forces is not None
    rows = slice(int(frames.offsets[index]), int(frames.offsets[index + 1]))
    return Labels(
        energy=float(frames.energy[index]),
        forces=frames.forces[rows],
        stress=None if frames.stress is None else frames.stress[index],
    )


def compared(frames: Frames, found: Predictions) -> HeldOut:
    reference = {name: getattr(frames, name) for name in ("energy", "forces", "stress")}
    return HeldOut(
        config_type=frames.config_type,
        frame_ids=frames.frame_ids,
        numbers=frames.numbers,
        offsets=frames.offsets,
        reference={name: column for name, column in reference.items() if column is not None},
        predicted=found.columns(frames),
    )


def error_table(held_out: HeldOut) -> dict[str, dict[str, float | None]]:
    """Return the errors on held-out frames by config type, and over all of them; null where there is no number."""
    n_frames = len(held_out.config_type)
    reference = {"stress": np.full((n_frames, 6), np.nan), **held_out.reference}
    table = errors_by_type(held_out.config_type, held_out.offsets, held_out.predicted, reference)
    return {
        name: {key: value if np.isfinite(value) else None for key, value in row.items()} for name, row in table.items()
    }

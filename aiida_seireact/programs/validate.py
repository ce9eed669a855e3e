"""``seireact-validate``: what a potential gives where it is tested, and the numbers of each line of a scorecard."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.dump import DumpError
from aiida_seireact.formats.frames import Frames, FramesError
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.validate import ValidateJob
from aiida_seireact.formats.scorecard import ScorecardError
from aiida_seireact.formats.scores import scores_to_dict
from aiida_seireact.programs._evidence import (
    asked_cells,
    asked_runs,
    compared,
    error_table,
    pairs_of,
    phases_of,
    require_labels,
)
from aiida_seireact.programs._predictions import NO_NUMBER, Predictions, answer, predict
from aiida_seireact.programs._program import Progress, program
from aiida_seireact.programs._runs_seen import read_run
from aiida_seireact.programs.potentials import calculator_of
from aiida_seireact.science.validation.lines import Answer, Asked, Evidence, Labels
from aiida_seireact.science.validation.targets import Measured

STATIC, HELD_OUT = "static", "held_out"
EXAMPLE = """
{"model": "model.nequip.zip", "kind": "allegro-package", "held_out": "test.npz",
 "phases": "phases.npz", "labelled": "labelled.npz",
 "scorecard": {"lines": {
   "forces":   {"test": "errors", "of": "force", "of_rms": true, "target": {"max": 0.3}},
   "products": {"test": "energies", "phases": ["Li2S", "Li3P", "LiCl"], "target": {"max": 5}}}}}
"""


def run(job: ValidateJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Predict what the lines of a scorecard ask for by one potential of any kind, and measure each line.

    Targets are not looked at here: the numbers are. Writes validation.npz (predictions beside references). A frame on
    which the potential fails or gives no number is told under `not_predicted`, and the lines that need it have no
    number either.
    """
    try:
        phases = phases_of(job, folder)
        labelled = None if job.labelled is None else Frames.load(folder / job.labelled)
        held_out = None if job.held_out is None else Frames.load(folder / job.held_out)
        require_labels(labelled, held_out, job)
        pairs = pairs_of(asked_cells(job, phases), labelled)
        names = asked_runs(job, phases)
        alone = {name: cells for name, cells in job.scorecard.alone(phases).items() if cells}
        runs = {name: read_run(name, run_files, folder) for name, run_files in sorted(job.runs.items())}
    except (DumpError, FramesError, ScorecardError) as error:
        raise InvalidInput(str(error)) from error
    shards = {part: frames for part, frames in ((HELD_OUT, held_out), (STATIC, labelled)) if frames is not None}
    found, answers, seconds = _predict(job, folder, list(shards.values()), alone, progress)
    compared_frames = None if held_out is None else compared(held_out, found)
    measured = {}
    for name, line in job.scorecard.lines.items():
        evidence = Evidence(
            phases=phases,
            static=[replace(pair, predicted=found.by_structure[name]) for pair, name in pairs.get(name, [])],
            runs={run_name: runs[run_name] for run_name in names.get(name, [])},
            held_out=compared_frames,
            alone=answers.get(name, []),
        )
        measured[name] = line.measure(evidence)
        progress(f"{name}: {_told(measured[name])}")
    _write(shards, found, folder / files.VALIDATION)
    return {
        "files": {"predictions": files.VALIDATION},
        "scorecard": job.scorecard.name,
        "scorecard_hash": job.scorecard.content_hash,
        "scores": scores_to_dict(measured),
        "errors": None if compared_frames is None else error_table(compared_frames),
        "settings_hash": next((frames.settings_hash for frames in shards.values()), ""),
        "n_held_out": 0 if held_out is None else len(held_out),
        "n_static": 0 if labelled is None else len(labelled),
        "n_alone": sum(map(len, alone.values())),
        "not_predicted": [{"structure_id": name, "reason": reason} for name, reason in sorted(found.lost.items())],
        # What a clock says is no content: the parser leaves it in the folder of the job.
        "timing": {"seconds": round(seconds, 3), "n_atoms": found.n_atoms, "n_structures": len(found.by_structure)},
    }


# ---------------------------------------------------------------- the model
def _predict(
    job: ValidateJob, folder: Path, shards: Sequence[Frames], alone: Mapping[str, Sequence[Asked]], progress: Progress
) -> tuple[Predictions, dict[str, list[Answer]], float]:
    """Return the answers on frames, those on unlabelled cells by line, and the seconds both took, loading not counted.

    :raises ProgramFailed: not one structure has an answer.
    """
    if not shards and not alone:
        return Predictions(), {}, 0.0
    calculator = calculator_of(folder / job.model, job.kind, device=job.device)
    _limit_threads(job.num_threads)
    begin = time.perf_counter()
    found = predict(calculator, shards, progress)
    raised = [reason for reason in found.lost.values() if reason != NO_NUMBER]
    if raised and len(raised) == len(found.by_structure):
        raise ProgramFailed(f"The model gave no answer at all; the first reason: {raised[0]}")
    known: dict[bytes, Labels] = {}  # lines ask for the same dimers
    answers: dict[str, list[Answer]] = {}
    for name, cells in alone.items():
        for cell in cells:
            parts = (cell.atoms.numbers, cell.atoms.positions, cell.atoms.cell.array)
            key = b"".join(part.tobytes() for part in parts)
            if key not in known:
                known[key] = answer(calculator, cell.atoms)[0]
            answers.setdefault(name, []).append(Answer(cell.subject, cell.atoms, known[key]))
    return found, answers, time.perf_counter() - begin


def _limit_threads(number: int) -> None:
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(number)


# ---------------------------------------------------------------- output
def _told(measured: Sequence[Measured]) -> str:
    numbers = [f"{one.subject} {one.value:.4g} {one.unit}".rstrip() for one in measured]
    return ", ".join(numbers[:4]) + (" …" if len(numbers) > 4 else "") if numbers else "nothing measured"


def _write(shards: Mapping[str, Frames], found: Predictions, path: Path) -> None:
    """Write predictions beside references, held-out frames first; without any frame, empty columns."""
    columns: dict[str, list[NDArray[Any]]] = {}
    for part, frames in shards.items():
        predicted = found.columns(frames)
        rows: dict[str, Any] = {
            "part": np.full(len(frames), part),
            "config_type": frames.config_type,
            "frame_ids": np.array(frames.frame_ids),
            "n_atoms": frames.n_atoms,
            "energy_predicted": predicted["energy"],
            "energy_reference": frames.energy,
            "forces_predicted": predicted["forces"],
            "forces_reference": frames.forces,
            "stress_predicted": predicted["stress"],
            "stress_reference": np.full((len(frames), 6), np.nan) if frames.stress is None else frames.stress,
        }
        for name, values in rows.items():
            columns.setdefault(name, []).append(values)
    whole = {name: np.concatenate(parts) for name, parts in columns.items()} or {"n_atoms": np.zeros(0, dtype=np.int64)}
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **whole)


main = program(
    "seireact-validate",
    ValidateJob,
    run,
    packages=("ase", "numpy", "torch", "nequip", "nequip-allegro"),
    example=EXAMPLE,
)

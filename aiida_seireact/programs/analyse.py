"""``seireact-analyse``: what happened along a run, all of it in one pass over its frames."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.arrays_file import PhasesError, save_arrays
from aiida_seireact.formats.dump import DumpError, Snapshot
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.jobs.analyse import AnalyseJob
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.path_store import PathStore
from aiida_seireact.formats.thermo import INPUT_WORDS, ThermoError, read_thermo
from aiida_seireact.programs._program import program
from aiida_seireact.programs.analyses import ANALYSES
from aiida_seireact.programs.analyses._labels import LabelRows
from aiida_seireact.programs.analyses._pass import Pass, go_through
from aiida_seireact.programs.analyses._protocol import Arrays, Run

Progress = Callable[[str], None]
PACKAGES = ("ase", "numpy", "scipy", "ovito")
EXAMPLE = """
{"trajectory": {"files": ["production.dump.gz"]}, "timestep_fs": 2.0, "labels": "labels.npz",
 "rdf": {"pairs": [["Li", "S"], ["P", "S"]]}, "msd": {"species": ["Li"]}, "health": null}
"""


def run(job: AnalyseJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Follow a run: intact PS4 and thickness, phases, distributions, displacements, and all else that was asked for.

    Writes analysis.npz. One frame is held at a time, and of time correlations one block of atoms: memory does not
    grow with the length of the run.
    """
    try:
        return _run(job, folder, progress)
    except (DumpError, FramesError, PhasesError) as error:
        raise InvalidInput(str(error)) from error


def _run(job: AnalyseJob, folder: Path, progress: Progress) -> dict[str, Any]:
    stream = FrameStream(
        [folder / name for name in job.trajectory.files],
        skip_first=job.trajectory.skip_first,
        stride=job.trajectory.stride,
        stop_before_truncated=job.trajectory.stop_before_truncated,
    )
    steps = np.array(stream.steps, dtype=np.int64)
    first = next(iter(stream))
    labels = None if job.labels is None else LabelRows(folder / job.labels)
    if labels is not None:
        labels.require_any(steps)
    asked = asked_of(job)
    with ExitStack() as stack:
        kept = _kept_frames(job, asked, first, steps, labels is not None)
        paths = None
        if len(kept):
            masses = atomic_masses[first.numbers]
            paths = stack.enter_context(
                PathStore(first.positions, masses, len(kept), cell=first.cell, origin=first.origin, folder=folder)
            )
        known = Run(
            steps=steps,
            first=first,
            timestep_fs=job.timestep_fs,
            label_names=None if labels is None else labels.names,
            thermo=None if job.thermo_log is None else _thermo(folder / job.thermo_log),
            paths=paths,
            path_frames=kept,
        )
        kinds = {name: (ANALYSES[name].observer, settings) for name, settings in asked.items()}
        seen = go_through(Pass(stream, known, labels, kinds), job.workers, progress)
        arrays: Arrays = {"steps": steps}
        if job.timestep_fs is not None:
            arrays["times_ps"] = steps * job.timestep_fs * 1e-3
        outputs: dict[str, Any] = {
            "n_frames": len(steps),
            "n_atoms": len(first.numbers),
            "first_step": int(steps[0]),
            "last_step": int(steps[-1]),
        }
        if paths is not None:
            # What lengths of displacements are lengths of, and how far from those of other frames that may be.
            outputs["paths"] = {"cell_of_step": int(steps[0]), "largest_strain": paths.largest_strain()}
        for name, observer in seen.items():
            progress(f"{name}: {ANALYSES[name].gives}")
            arrays.update(observer.arrays())
            outputs.update(_told(observer.summary()))
    save_arrays(folder / files.ANALYSIS, arrays)
    return {"files": {"analysis": files.ANALYSIS}, **outputs}


def _told(summary: Any) -> Any:
    """Return a summary with null for what is not defined: a side without metal, a drift of two rows."""
    if isinstance(summary, dict):
        return {name: _told(value) for name, value in summary.items()}
    if isinstance(summary, list):
        return [_told(value) for value in summary]
    return None if isinstance(summary, float) and not math.isfinite(summary) else summary


def asked_of(job: AnalyseJob) -> dict[str, Any]:
    """Return the settings of each analysis; what needs labels or a thermo table only if there are any, or it was asked
    for by name.
    """
    asked: dict[str, Any] = {}
    for name, analysis in ANALYSES.items():
        settings = getattr(job, name)
        if settings is None:
            continue
        needs = analysis.observer.needs(settings)
        there = (job.labels is not None or not needs.labels) and (job.thermo_log is not None or not needs.thermo)
        if there or name in job.model_fields_set:
            asked[name] = settings
    return asked


def _thermo(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the thermo table, columns by the words of LAMMPS's input.

    :raises InvalidInput: no such file, or one without a table or without steps.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                table = {name: archive[name] for name in archive.files}
        else:
            table = {INPUT_WORDS.get(name, name.lower()): column for name, column in read_thermo(path).items()}
    except ThermoError as error:
        raise InvalidInput(f"thermo_log: {error}") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"thermo_log: {path} can't be read ({error}).") from error
    if "step" not in table:
        raise InvalidInput(f"thermo_log: {path} has no column of steps: put step into thermo_style.")
    return table


def _kept_frames(
    job: AnalyseJob, asked: dict[str, Any], first: Snapshot, steps: NDArray[np.int64], labelled: bool
) -> NDArray[np.int64]:
    """Return the frames whose positions are kept for time correlations; none if no analysis asks for them.

    :raises InvalidInput: the run lacks what an analysis needs.
    """
    keep = False
    for name, settings in asked.items():
        needs = ANALYSES[name].observer.needs(settings)
        keep |= needs.paths
        if needs.labels and not labelled:
            raise InvalidInput(f"{name}: needs labels: give the labels.npz of seireact-classify, or set it to null.")
        if (needs.unwrapped or needs.paths) and not first.unwrapped:
            raise InvalidInput(
                f"{name}: the positions of step {first.step} are wrapped into the cell: dump xu yu zu (or ix iy iz "
                f"beside x y z), or set {name} to null."
            )
        intervals = np.diff(steps)
        if (needs.even or needs.paths) and (intervals != intervals[:1]).any():
            odd = steps[int(np.argmax(intervals != intervals[0]))]
            raise InvalidInput(
                f"{name}: the frames are not evenly spaced (from step {odd} on): choose skip_first and stride so that "
                f"they are, or set {name} to null."
            )
    if not keep:
        return np.zeros(0, dtype=np.int64)
    return np.arange(0, len(steps), -(-len(steps) // job.paths.max_frames))


main = program("seireact-analyse", AnalyseJob, run, packages=PACKAGES, example=EXAMPLE)

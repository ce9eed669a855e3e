"""An MD run as the lines of a scorecard see it: all frames at once, so thin long runs by ``stride``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.validate import RunFiles
from aiida_seireact.formats.thermo import INPUT_WORDS
from aiida_seireact.science.validation.lines import Run

MAX_ROWS = 60_000_000
"""Positions of a run that are held at once, 1.4 GB."""


def read_run(name: str, files: RunFiles, folder: Path) -> Run:
    """Return a run with all its frames.

    :raises InvalidInput: atoms that change on the way, or too many frames for memory.
    :raises DumpError, FramesError: unreadable files.
    """
    thermo = {}
    if files.thermo is not None:
        with np.load(folder / files.thermo, allow_pickle=False) as table:
            # LAMMPS heads its tables with other words than its input takes, which are ours.
            columns = {INPUT_WORDS.get(column, column.lower()): table[column] for column in table.files}
            thermo = {column: np.asarray(values, dtype=float) for column, values in columns.items()}
    if not files.files:
        return _without_frames(name, files, thermo)
    stream = FrameStream(
        [folder / file for file in files.files],
        skip_first=files.skip_first,
        stride=files.stride,
        stop_before_truncated=files.stop_before_truncated,
    )
    frames: list[Snapshot] = []
    for frame in stream:
        if frames and not np.array_equal(frames[0].numbers, frame.numbers):
            raise InvalidInput(f"Run {name}, step {frame.step}: the atoms are not those of the first frame.")
        if len(stream) * len(frame.numbers) > MAX_ROWS:
            raise InvalidInput(
                f"Run {name} has {len(stream):,} frames of {len(frame.numbers):,} atoms, too many to hold at once: "
                f"read every {-(-len(stream) * len(frame.numbers) // MAX_ROWS)}th by `stride`."
            )
        frames.append(frame)
    images = []
    for frame in frames:
        atoms = Atoms(frame.numbers, positions=frame.positions - frame.origin, cell=frame.cell, pbc=frame.pbc)
        atoms.wrap()
        images.append(atoms)
    return Run(
        name=name,
        by=files.by,
        numbers=frames[0].numbers,
        positions=np.array([frame.positions - frame.origin for frame in frames]),
        cells=np.array([frame.cell for frame in frames]),
        pbc=frames[0].pbc,
        steps=np.array(stream.steps, dtype=np.int64),
        timestep_fs=files.timestep_fs,
        temperature_k=files.temperature_k,
        pressure_gpa=files.pressure_gpa,
        unwrapped=all(frame.unwrapped for frame in frames),
        thermo=thermo,
        stopped_by=files.stopped_by,
        # Of the atoms inside the cell, as `seireact-select` names the frames it takes of the same run.
        frame_ids=tuple(Frames.from_atoms(images).frame_ids),
    )


def _without_frames(name: str, files: RunFiles, thermo: dict[str, NDArray[np.float64]]) -> Run:
    return Run(
        name=name,
        by=files.by,
        numbers=np.zeros(0, dtype=np.int64),
        positions=np.zeros((0, 0, 3)),
        cells=np.zeros((0, 3, 3)),
        pbc=np.ones(3, dtype=bool),
        steps=np.zeros(0, dtype=np.int64),
        timestep_fs=files.timestep_fs,
        temperature_k=files.temperature_k,
        pressure_gpa=files.pressure_gpa,
        unwrapped=False,
        thermo=thermo,
        stopped_by=files.stopped_by,
        frame_ids=(),
    )

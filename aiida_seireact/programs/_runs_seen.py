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

SURE = 0.25
"""Part of the cell that an atom may go between two frames for its nearest image to be the one it went to."""
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
    positions, cells = (
        np.array([frame.positions - frame.origin for frame in frames]),
        np.array([f.cell for f in frames]),
    )
    unwrapped = all(frame.unwrapped for frame in frames)
    if not unwrapped and files.by == "labeller":
        positions, unwrapped = followed(positions, cells, frames[0].pbc)
    images = []
    for frame in frames:
        atoms = Atoms(frame.numbers, positions=frame.positions - frame.origin, cell=frame.cell, pbc=frame.pbc)
        atoms.wrap()
        images.append(atoms)
    return Run(
        name=name,
        by=files.by,
        numbers=frames[0].numbers,
        positions=positions,
        cells=cells,
        pbc=frames[0].pbc,
        steps=np.array(stream.steps, dtype=np.int64),
        timestep_fs=files.timestep_fs,
        temperature_k=files.temperature_k,
        pressure_gpa=files.pressure_gpa,
        unwrapped=unwrapped,
        thermo=thermo,
        stopped_by=files.stopped_by,
        # Of the atoms inside the cell, as `seireact-select` names the frames it takes of the same run.
        frame_ids=tuple(Frames.from_atoms(images).frame_ids),
    )


def followed(
    positions: NDArray[np.float64], cells: NDArray[np.float64], pbc: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], bool]:
    """Return the positions with atoms followed across the cell's faces by the nearest image, and whether that is sure.

    It is where no atom goes farther than a quarter of the cell, along any edge, from one frame to the next.

    :param positions: ``(n_frames, n_atoms, 3)`` Å, wrapped or not.
    :param cells: ``(n_frames, 3, 3)`` Å.
    """
    fractions = np.linalg.solve(np.swapaxes(cells, 1, 2), np.swapaxes(positions, 1, 2))
    steps = np.diff(np.swapaxes(fractions, 1, 2), axis=0)
    steps -= np.round(steps) * np.asarray(pbc)
    if steps.size and float(np.abs(steps)[..., np.asarray(pbc, dtype=bool)].max(initial=0.0)) > SURE:
        return positions, False
    path = np.swapaxes(fractions, 1, 2)[:1] + np.concatenate([np.zeros_like(positions[:1]), np.cumsum(steps, axis=0)])
    return np.einsum("tai,tij->taj", path, cells), True


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

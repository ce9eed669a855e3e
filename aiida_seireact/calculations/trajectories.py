"""Bring the frames of a run to the folder of a job, from wherever a live copy lies."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from aiida import orm

from aiida_seireact.calculations.base import Links
from aiida_seireact.calculations.placing import place_copy
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import TrajectoryData


def count_frames(run: TrajectoryData | FramesData, *, skip_first: int = 0, stride: int = 1) -> int | None:
    """Return how many frames a program will read of a run, None if its manifest does not tell.

    :param skip_first: as of :class:`aiida_seireact.formats.jobs.frame_files.FrameFiles`; so is ``stride``.
    """
    if isinstance(run, FramesData):
        steps = run.frames.md_step
        # Frames without a step are all different ones.
        repeated = 0 if (steps < 0).any() else int((steps[1:] == steps[:-1]).sum())
        n_frames = len(steps) - repeated
    else:
        chunks = run.manifest
        if not all("n_frames" in chunk for chunk in chunks):
            return None
        # As LAMMPS goes on from a restart, a chunk begins with the frame that the one before ended with.
        repeated = sum(after["first_step"] == before["last_step"] for before, after in pairwise(chunks))
        n_frames = sum(chunk["n_frames"] for chunk in chunks) - repeated
    return max(0, -(-(n_frames - skip_first) // stride))


def place_run(
    run: TrajectoryData | FramesData, name: str, computer: orm.Computer, folder: Path, links: Links
) -> list[str]:
    """Return the file names under which the job finds the frames of ``run``, in order.

    A chunk that was retrieved is copied from the repository; one that stayed on the computer of this job is linked.

    :param name: start of the file names.
    :raises NotExistent: no copy of a chunk is left.
    :raises ValueError: the only copy is on another computer.
    """
    if isinstance(run, FramesData):
        run.frames.save(folder / f"{name}.npz")
        return [f"{name}.npz"]
    files = []
    for number, chunk in enumerate(run.manifest):
        suffix = ".dump" + "".join(end for end in (".gz", ".zst") if chunk["file"].endswith(end))
        files.append(f"{name}_{number:04d}{suffix}")
        is_placed, elsewhere = place_copy(run.live_copies(chunk["sha256"]), computer, files[-1], links)
        if not is_placed:
            elsewhere = elsewhere or run.live_copy(chunk["sha256"])  # which says that there is none
            raise ValueError(
                f"Chunk {elsewhere.file} of trajectory {run.pk} lies on {elsewhere.node.computer.label}, this job runs "
                f"on {computer.label}: run it there, or retrieve the dump."
            )
    return files

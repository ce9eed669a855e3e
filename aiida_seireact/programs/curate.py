"""``seireact-curate``: which frames of a large set stay: filter, drop doubles and near doubles, thin out."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.curating import curate
from aiida_seireact.formats.frame_blocks import frame_blocks
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.curate import CurateJob
from aiida_seireact.formats.scratch import Scratch
from aiida_seireact.programs._program import Progress, program

EXAMPLE = """
{"frames": {"train": ["train.npz"], "val": ["val.npz"], "test": ["test.npz"]},
 "filter": {"max_force_ev_per_ang": 20.0, "min_distance_ang": 1.2},
 "unique": {"closest": 0.002},
 "thin": {"count": 2000, "seed": 1}}
"""


def run(job: CurateJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Tell which frames of a set stay and why the others leave: filter, drop doubles, thin out.

    Frames are read a block at a time, twice, and their descriptors lie in a file of the working folder (13 kB a frame
    of four species), so neither is held in memory. Writes curation.npz, a row for every frame in the
    order of reading: frame_id, config_type, rule (empty for those that stay) and because_of, the
    frame that it repeats.
    """
    if job.needs_descriptors and importlib.util.find_spec("matscipy") is None:
        raise MissingPackage(
            "matscipy is not installed, comparing frames needs it: pip install 'aiida-seireact[select]'."
        )
    parts = job.frames if isinstance(job.frames, dict) else {"": job.frames}

    def blocks() -> Iterator[tuple[Frames, NDArray[np.str_]]]:
        for split, names in parts.items():
            for name in names:
                for frames in frame_blocks(folder / name):
                    yield frames, np.full(len(frames), split, dtype="<U5")

    with Scratch(folder) as scratch:
        try:
            verdicts = curate(blocks, job, scratch, progress)
        except ValueError as error:
            raise InvalidInput(str(error)) from error
    with write_atomically(folder / files.CURATION) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **verdicts.columns())
    return {
        "files": {"curation": files.CURATION},
        **verdicts.counts(),
        **({} if verdicts.flagged is None else {"flagged": verdicts.flagged}),
    }


main = program("seireact-curate", CurateJob, run, packages=("ase", "matscipy", "numpy", "scipy"), example=EXAMPLE)

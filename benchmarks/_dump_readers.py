"""One reader of dumps on one file, in a process of its own; run by `benchmarks.dump`, in the reader's environment.

Nothing of the package is imported but by our own reader, so that peers may live in another environment.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

# Number of frames, and positions of the last one by id.
Result = tuple[int, "np.ndarray"]


def ours(path: str) -> Result:
    """Read by `read_dump`."""
    from aiida_seireact.formats.dump import read_dump

    n_frames = 0
    for snapshot in read_dump(path):
        n_frames, positions = n_frames + 1, snapshot.positions
    return n_frames, positions


def ase(path: str) -> Result:
    """Read by ASE, which takes all frames at once."""
    from ase.io import read

    frames = read(path, index=":", format="lammps-dump-text")
    return len(frames), frames[-1].positions


def mdanalysis(path: str) -> Result:
    """Read by MDAnalysis, which keeps positions as float32."""
    from MDAnalysis.coordinates.LAMMPS import DumpReader

    reader = DumpReader(path)
    for step in reader:
        positions = step.positions
    return reader.n_frames, positions.copy()


def ovito(path: str) -> Result:
    """Read by OVITO."""
    from ovito.io import import_file

    pipeline = import_file(path, sort_particles=True)
    for frame in range(pipeline.source.num_frames):
        positions = pipeline.compute(frame).particles.positions
    return pipeline.source.num_frames, np.array(positions)


READERS: dict[str, tuple[Callable[[str], Result], str]] = {
    "ours": (ours, "numpy"),
    "ase": (ase, "ase"),
    "mdanalysis": (mdanalysis, "MDAnalysis"),
    "ovito": (ovito, "ovito"),
}


def main(reader: str, warm_up: str, path: str, output: str) -> None:
    """Read ``path``, after ``warm_up`` for imports, and print what that took as JSON."""
    read, package = READERS[reader]
    try:
        read(warm_up)
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": str(error)}))
        return
    start, cpu_start = time.perf_counter(), time.process_time()
    n_frames, positions = read(path)
    told = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu_start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "n_frames": n_frames,
        "version": f"{package} {importlib.metadata.version(package)}",
    }
    np.save(output, positions)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

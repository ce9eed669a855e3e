"""``seireact-classify`` on a million environments, end to end: seconds, peak memory, and how much of it is right.

Run ``python -m benchmarks.million [N] [FOLDER]``; N environments, 1,000,000 by default. The dump is written once to the
folder (default: a temporary one) and read twice, as the program does.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from aiida_seireact.formats.label_chunks import iter_labels
from aiida_seireact.programs._program import versions_of
from benchmarks._interphase import PHASES, REFERENCES, interphase_cell, slab, write_run

LAYERS = {"Li": 12, "Li6PS5Cl": 4, "Li2S": 5, "LiCl": 6, PHASES[-1]: 6}
RATTLE = 0.15


def main(n_environments: int, folder: Path) -> None:
    """Write the run, classify it by the program itself, and print what it cost and what it says."""
    cell = interphase_cell(LAYERS)
    lithium = cell.atoms.numbers == 3
    n_frames = max(2, round(n_environments / int(lithium.sum())))
    dump = folder / "run.dump"
    if not dump.exists():
        write_run(dump, cell.atoms, n_frames, rattle=RATTLE, seed=1)
        for number, name in enumerate(REFERENCES):
            write_run(folder / f"{name}.dump", slab(name, 3, 7), 2, rattle=RATTLE, seed=10 + number)
    job = {
        "trajectory": {"files": ["run.dump"]},
        "references": {name: {"files": [f"{name}.dump"]} for name in REFERENCES},
        "discover": None,
        "most_in_one_file": 500_000,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    start = time.perf_counter()
    program = [str(Path(sys.executable).with_name("seireact-classify")), "job.json"]
    subprocess.run(program, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    outputs = json.loads((folder / "result.json").read_text(encoding="utf-8"))["outputs"]

    truth = cell.phase[lithium]
    first = next(iter_labels(folder))
    names = first.label_names.tolist()
    table = np.zeros((len(PHASES), len(names)), dtype=np.int64)
    for labels in iter_labels(folder):
        for phase in range(len(PHASES)):
            table[phase] += np.bincount(labels.labels[:, truth == phase].ravel(), minlength=len(names))
    print(f"{outputs['n_environments']} environments of {n_frames} frames, {len(cell.atoms)} atoms each")
    print(f"{outputs['n_landmarks']} landmarks, {outputs['n_clusters']} clusters, {outputs['n_features']} features")
    print("label " + " ".join(f"{name:>10}" for name in names))
    for row, phase in enumerate(PHASES):
        print(f"{phase:20} " + " ".join(f"{count:10}" for count in table[row]))
    print("clusters for each z: " + ", ".join(f"{row['z']:g}: {row['n_clusters']}" for row in outputs["sensitivity"]))
    print(f"chunks = {len(outputs['labels']['chunks'])}, content hash {outputs['labels']['content_hash'][:16]}")
    print("versions = " + ", ".join(f"{name} {text}" for name, text in versions_of(["numpy", "numba"]).items()))
    print(f"cpu_seconds = {used.ru_utime + used.ru_stime:.0f}")
    print(f"wall_seconds = {wall:.0f}")
    print(f"peak_gb = {used.ru_maxrss / 1024**2:.2f}")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:
        main(count, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(count, Path(place))

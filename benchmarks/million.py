"""``seireact-classify`` on a million environments, end to end: seconds, peak memory, and how much of it is right.

Run ``python -m benchmarks.million [N] [FOLDER]``; N environments, 1,000,000 by default. The dump is written once to the
folder (default: a temporary one) and read twice, as the program does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.label_chunks import iter_labels
from aiida_seireact.programs._program import versions_of
from aiida_seireact.science.labelling import UNKNOWN
from benchmarks._interphase import PHASES, REFERENCES, Cell, interphase_cell, slab, write_run

LAYERS = {"Li": 12, "Li6PS5Cl": 4, "Li2S": 5, "LiCl": 6, PHASES[-1]: 6}
RATTLE = 0.15
# So that a million are more than one file holds, and that more than one chunk.
CUT = {"most_in_one_file": 500_000, "chunk_environments": 250_000}
ROWS = (*PHASES, f"{PHASES[-1]}, 4 S")


@dataclass(frozen=True, eq=False)
class Measured:
    """A classification of a run of known truth, and what it cost.

    :param table: ``(n_rows, n_names)`` environments by truth (:data:`ROWS`) and label; those near a seam are left out.
    :param names: of the labels.
    :param n_frames: of the run. :param n_atoms: of a frame.
    :param n_labels: environments in the files of labels.
    :param outputs: of the program.
    """

    table: NDArray[np.int64]
    names: list[str]
    n_frames: int
    n_atoms: int
    n_labels: int
    outputs: dict[str, Any]
    cpu_seconds: float
    wall_seconds: float
    peak_gb: float

    def share(self, truth: str, label: str) -> float:
        """Return the part of the environments of a row that has a label."""
        row = self.table[ROWS.index(truth)]
        return float(row[self.names.index(label)] / row.sum())


def measure(n_environments: int, folder: Path, layers: dict[str, int] = LAYERS, **settings: Any) -> Measured:
    """Write a run of about so many environments and classify it by the program itself.

    :param layers: unit cells of each phase along z.
    :param settings: other keys of the job than :data:`CUT`.
    """
    cell = interphase_cell(layers)
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
        **CUT,
        **settings,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    start = time.perf_counter()
    program = [str(Path(sys.executable).with_name("seireact-classify")), "job.json"]
    running = subprocess.Popen(program, cwd=folder, stdout=subprocess.DEVNULL)
    # What this child alone has used, whatever other ones there were.
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if running.returncode:
        raise SystemExit(f"seireact-classify ended with {running.returncode}: see {folder / 'result.json'}.")
    names, table, n_labels = counted(folder, cell)
    return Measured(
        table=table,
        names=names,
        n_frames=n_frames,
        n_atoms=len(cell.atoms),
        n_labels=n_labels,
        outputs=json.loads((folder / "result.json").read_text(encoding="utf-8"))["outputs"],
        cpu_seconds=used.ru_utime + used.ru_stime,
        wall_seconds=wall,
        peak_gb=used.ru_maxrss / 1024**2,
    )


def counted(folder: Path, cell: Cell) -> tuple[list[str], NDArray[np.int64], int]:
    """Return the names of labels, how often truth and label meet, and how many labels there are."""
    lithium = cell.atoms.numbers == 3
    truth, sulfur = cell.phase[lithium], cell.sulfur[lithium]
    of_row = [truth == number for number in range(len(PHASES))]
    four = of_row[-1] & (sulfur == 4)
    of_row = [*of_row[:-1], of_row[-1] & ~four, four]
    names: list[str] = []
    counts, n_labels = 0, 0
    for labels in iter_labels(folder):
        names = labels.label_names.tolist()
        counts = counts + np.array(
            [np.bincount(labels.labels[:, rows].ravel(), minlength=len(names)) for rows in of_row]
        )
        n_labels += labels.labels.size
    return names, np.asarray(counts), n_labels


def main(n_environments: int, folder: Path) -> None:
    """Print what a classification cost and what it says."""
    found = measure(n_environments, folder)
    outputs = found.outputs
    print(f"{outputs['n_environments']} environments of {found.n_frames} frames, {found.n_atoms} atoms each")
    print(f"{outputs['n_landmarks']} landmarks, {outputs['n_clusters']} clusters, {outputs['n_features']} features")
    print(f"{'label':26} " + " ".join(f"{name:>10}" for name in found.names))
    for row, counts in zip(ROWS, found.table, strict=True):
        print(f"{row:26} " + " ".join(f"{count:10}" for count in counts))
    print("clusters for each z: " + ", ".join(f"{row['z']:g}: {row['n_clusters']}" for row in outputs["sensitivity"]))
    print(f"known phases right = {min(found.share(name, name) for name in REFERENCES):.4f}")
    print(f"with a foreign anion unknown = {found.share(PHASES[-1], UNKNOWN):.4f}")
    print(f"with four S labelled Li2S = {found.share(ROWS[-1], 'Li2S'):.4f}")
    print(f"chunks = {len(outputs['labels']['chunks'])}, content hash {outputs['labels']['content_hash'][:16]}")
    print("versions = " + ", ".join(f"{name} {text}" for name, text in versions_of(["numpy", "numba"]).items()))
    print(f"cpu_seconds = {found.cpu_seconds:.0f}")
    print(f"wall_seconds = {found.wall_seconds:.0f}")
    print(f"peak_gb = {found.peak_gb:.2f}")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if len(sys.argv) > 2:
        main(count, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(count, Path(place))

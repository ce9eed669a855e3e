"""Draw the pictures of *Analyse a long run*: a made-up interface whose PS4 break from both sides.

Run ``python docs/images/analysis.py [FOLDER]``; the same bytes come out each time. The run itself is written by
`write_run`, so that the commands of the page have something to analyse.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_seireact.cli.render.figures_analysis import pictures
from aiida_seireact.formats.jobs.analyse import AnalyseJob
from aiida_seireact.programs.analyse import run

HERE = Path(__file__).parent
N_FRAMES, EVERY = 80, 500
DRAWN = ("thickness", "composition")
TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)


def write_run(path: Path) -> None:
    """Write a run of 80 frames: Li metal on both sides of PS4 units with Li, S and Cl between them.

    A PS4 whose turn has come loses its S, which go astray a little more with each frame; Li follows them.
    """
    rng = np.random.default_rng(0)
    cell = np.diag([20.52, 20.52, 75.24])
    metal = bulk("Li", "bcc", a=3.42, cubic=True) * (6, 6, 22)
    metal.set_cell(cell)
    z = metal.positions[:, 2]
    metal = metal[(z < 20.0) | (z > 55.0)]
    places = np.array(
        [[x, y, z] for x in (2.5, 9.4, 16.2) for y in (2.5, 9.4, 16.2) for z in np.arange(25.0, 52.0, 5.2)]
    )
    places += rng.normal(scale=0.2, size=places.shape)
    atoms = metal.copy()
    for place in places:
        bonds = 2.05 * TETRAHEDRON
        atoms += Atoms("PS4", np.vstack([place, place + bonds]))
        atoms += Atoms("LiLiSCl", place + np.array([[3.4, 0, 1.2], [0, 3.4, -1.2], [3.4, 3.4, 0], [3.4, 3.4, 2.6]]))
    start = len(metal)
    sulfur = start + 9 * np.arange(len(places))[:, None] + np.arange(1, 5)
    depth = np.abs(places[:, 2] - 38.0)
    # From both ends inwards; the upper side is a little slower.
    turn = np.argsort(np.argsort(-(depth + np.where(places[:, 2] > 38, -1.5, 0.0))))
    strayed = np.zeros((len(places), 4, 3))
    bounds = "".join(f"0.0 {length:.6f}\n" for length in np.diag(cell))
    with path.open("w") as stream:
        for frame in range(N_FRAMES):
            # The reaction is fast at first.
            broken = turn < len(places) * (1 - np.exp(-frame / 25.0)) * 1.02
            outwards = np.sign(places[:, 2] - 38.0)[:, None, None] * np.array([0.1, 0.1, 1.0])
            strayed[broken] += (
                0.12 * TETRAHEDRON + 0.05 * outwards[broken] + rng.normal(scale=0.05, size=(int(broken.sum()), 4, 3))
            )
            now = atoms.positions + rng.normal(scale=0.1, size=atoms.positions.shape)
            now[sulfur] += strayed
            rows = "".join(
                f"{number} {symbol} {x:.4f} {y:.4f} {z:.4f}\n"
                for number, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, now.tolist(), strict=True), start=1)
            )
            stream.write(
                f"ITEM: TIMESTEP\n{frame * EVERY}\nITEM: NUMBER OF ATOMS\n{len(atoms)}\n"
                f"ITEM: BOX BOUNDS pp pp pp\n{bounds}ITEM: ATOMS id element xu yu zu\n{rows}"
            )


def draw(folder: Path) -> None:
    """Write the pictures into ``folder`` as SVG whose text stays text."""
    with tempfile.TemporaryDirectory() as name:
        write_run(Path(name) / "run.dump")
        job = {"trajectory": {"files": ["run.dump"]}, "timestep_fs": 2.0, "health": None, "rdf": None, "msd": None}
        run(AnalyseJob.model_validate(job), Path(name), lambda line: None)
        with np.load(Path(name) / "analysis.npz") as archive:
            drawn = pictures(dict(archive), 2.0)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "seireact"}):
        for name in DRAWN:
            drawn[name].savefig(folder / f"analysis_{name}.svg", facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)

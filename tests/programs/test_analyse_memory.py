"""seireact-analyse holds one frame, however long the run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.programs.peak import peak_kib

N_ATOMS, SIDE, SPACING_ANG = 8_000, 20, 2.6
FRAMES = 30
JOB = {
    "timestep_fs": 2.0,
    "thickness": None,  # of this mixture no PS4 is intact
    "health": {"hole_every": 1000},
    "composition": {},
    "clusters": {"species": ["P"], "cutoff_ang": 3.0},
    "rdf": {"pairs": [["P", "S"]], "r_max_ang": 4.0, "last_fraction": 1.0},
    "msd": {},
    "diffusion": {"species": ["Li"], "n_blocks": 3},
    "windows": {"by": "slab", "length_ps": 2.0, "n_lags": 10, "species": ["Li"]},
    "jumps": {"within_ps": 2.0},
    "onsager": {"temperature_k": 300, "n_blocks": 3},
}


def write_run(path: Path, n_frames: int) -> None:
    """Write a mixture at the density of an interphase; eight frames of a random walk, there and back again."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[:N_ATOMS]
    symbols = rng.choice(["Li", "P", "S", "Cl"], size=N_ATOMS, p=[0.6, 0.06, 0.26, 0.08]).tolist()
    places = SPACING_ANG * grid + rng.normal(scale=0.15, size=grid.shape)
    bodies = []
    for _ in range(8):
        places += rng.normal(scale=0.1, size=places.shape)
        rows = zip(symbols, places.tolist(), strict=True)
        bodies.append("".join(f"{n} {one} {x:.6f} {y:.6f} {z:.6f}\n" for n, (one, (x, y, z)) in enumerate(rows, 1)))
    bodies += bodies[-2:0:-1]
    bounds = f"0.0 {SIDE * SPACING_ANG}\n" * 3
    with path.open("w") as stream:
        for frame in range(n_frames):
            stream.write(
                f"ITEM: TIMESTEP\n{50 * frame}\nITEM: NUMBER OF ATOMS\n{N_ATOMS}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
                f"ITEM: ATOMS id element xu yu zu\n{bodies[frame % len(bodies)]}"
            )


def peak_mb(folder: Path, n_frames: int) -> float:
    """Analyse a run of so many frames in a process of its own; return the most memory that it took."""
    folder.mkdir()
    write_run(folder / "run.dump", n_frames)
    (folder / "job.json").write_text(json.dumps({"trajectory": {"files": ["run.dump"]}, **JOB}))
    peak = peak_kib("analyse", folder)
    assert json.loads((folder / "result.json").read_text())["outputs"]["n_frames"] == n_frames
    return peak / 1024


def test_memory_does_not_grow_with_the_length_of_the_run(tmp_path: Path) -> None:
    """Kept frames would be 52 MB of positions beside the 230 MB that the program takes."""
    short = peak_mb(tmp_path / "short", FRAMES)
    long = peak_mb(tmp_path / "long", 10 * FRAMES)
    print(f"{short:.0f} MB with {FRAMES} frames, {long:.0f} MB with {10 * FRAMES}")
    assert long <= 1.1 * short

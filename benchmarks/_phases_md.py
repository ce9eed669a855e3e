"""MD of the phases by a trained potential (CHGNet), and of one cell in which four of them touch.

`python -m benchmarks._phases_md FOLDER` runs it, about a quarter of an hour on one core, and writes a trajectory for
each run and the decimated record of all, which lies in the repository as `benchmarks/recorded/phases_md.npz`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np
from ase import Atoms, units
from ase.build import bulk, cut
from ase.io import read
from ase.io.trajectory import Trajectory
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import FIRE
from numpy.typing import NDArray

from benchmarks._phases import DISORDERED, bcc_li, disordered, li2s, li3p, li6ps5cl, licl

TEMPERATURE_K, TIMESTEP_FS, FRICTION_PER_FS = 300, 2.0, 0.02
INTERFACE = "interface"
# What the slabs share along x and y: each is stretched or pressed to it by 4 % at most.
WIDTHS_ANG, GAP_ANG = (14.44, 12.32), 2.2
RECORD = Path(__file__).parent / "recorded" / "phases_md.npz"


@dataclass(frozen=True)
class Run:
    """One run: how its cell is made, and when its frames are taken (step by step of the start and every)."""

    make: Callable[[np.random.Generator], Atoms]
    steps: int
    first: int
    every: int
    seed: int


def interface() -> Atoms:
    """Return slabs of Li, LiCl, Li2S and Li3P on each other, 15 to 20 Å each, 744 atoms; tags number the slabs."""
    slabs = (
        cut(bulk("Li", "bcc", a=3.42, cubic=True), (3, 3, 0), (2, -2, 2), (2, -2, -4)),
        cut(licl(1), (2, -2, 0), (1, 1, -2), (2, 2, 2)),
        cut(li2s(1), (1, 1, -2), (-1.5, 1.5, 0), (2, 2, 2)),
        cut(li3p((1, 1, 1)), (2, 4, 0), (3, 0, 0), (0, 0, 2)),
    )
    height, parts = 0.0, []
    for number, part in enumerate(slabs):
        # The third vector is along z but for rounding.
        part.set_cell([*WIDTHS_ANG, part.cell.lengths()[2], 90, 90, 90], scale_atoms=True)
        part.positions[:, 2] += height - part.positions[:, 2].min()
        height = float(part.positions[:, 2].max()) + GAP_ANG
        part.set_tags(number)
        parts.append(part)
    atoms = parts[0]
    for part in parts[1:]:
        atoms += part
    atoms.set_cell([*WIDTHS_ANG, height, 90, 90, 90])
    atoms.pbc = True
    return atoms


def _argyrodite(rng: np.random.Generator) -> Atoms:
    atoms = li6ps5cl(1, rng)
    return atoms.repeat((1, 1, 2))


RUNS = {
    **{
        f"{phase} reference": Run(make, 180, 60, 10, 11)
        for phase, make in {
            "Li": lambda rng: bcc_li(4),
            "Li6PS5Cl": _argyrodite,
            "Li2S": lambda rng: li2s(2),
            "Li3P": lambda rng: li3p((3, 3, 2)),
            "LiCl": lambda rng: licl(1).repeat((3, 3, 2)),
        }.items()
    },
    "Li6PS5Cl": Run(_argyrodite, 150, 60, 10, 21),
    f"{DISORDERED} 1": Run(lambda rng: disordered(2, rng), 120, 60, 10, 22),
    f"{DISORDERED} 2": Run(lambda rng: disordered(2, rng), 120, 60, 10, 23),
    INTERFACE: Run(lambda rng: interface(), 80, 40, 8, 24),
}


def simulate(run: Run, path: Path) -> float:
    """Run MD at 300 K and write its frames; return CPU seconds."""
    from chgnet.model.dynamics import CHGNetCalculator

    start = time.process_time()
    rng = np.random.default_rng(run.seed)
    atoms = run.make(rng)
    atoms.calc = CHGNetCalculator(use_device="cpu")
    if path.stem == INTERFACE:
        FIRE(atoms, logfile=None).run(steps=10)
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * TEMPERATURE_K, rng=rng)
    md = Langevin(
        atoms,
        TIMESTEP_FS * units.fs,
        temperature_K=TEMPERATURE_K,
        friction=FRICTION_PER_FS / units.fs,
        rng=rng,
    )
    with Trajectory(path, "w") as trajectory:
        md.attach(lambda: trajectory.write(atoms) if md.nsteps >= run.first else None, interval=run.every)
        md.run(run.steps)
    return time.process_time() - start


def record(folder: Path, path: Path) -> None:
    """Write positions (float32), numbers, cells and tags of all runs in one file."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name in RUNS:
        frames = read(folder / f"{name}.traj", ":")
        arrays[f"{name}/numbers"] = frames[0].numbers.astype(np.uint8)
        arrays[f"{name}/tags"] = frames[0].get_tags().astype(np.uint8)
        arrays[f"{name}/cell"] = frames[0].cell.array
        arrays[f"{name}/positions"] = np.stack([atoms.positions for atoms in frames]).astype(np.float32)
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Run what FOLDER does not hold yet, and record all."""
    import torch

    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for name, run in RUNS.items():
        path = folder / f"{name}.traj"
        if not path.exists():
            unfinished = path.with_suffix(".part") / path.name
            unfinished.parent.mkdir(exist_ok=True)
            seconds = simulate(run, unfinished)
            unfinished.rename(path)
            unfinished.parent.rmdir()
            atoms = read(path)
            click.echo(f"{name}: {len(atoms)} atoms, {run.steps} steps, {seconds:.0f} CPU-s")
    record(folder, RECORD)


if __name__ == "__main__":
    main()

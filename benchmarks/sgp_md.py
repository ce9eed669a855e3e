"""MD by a sparse Gaussian process: FLARE's own calculator beside ours, the same process, the same steps, one thread.

Labels are those of Lennard-Jones: only speed and equality matter here.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import atomic_numbers
from ase.md.verlet import VelocityVerlet
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.flare import GpSettings
from aiida_seireact.programs._flare_gp import FLARE_ORDER, FlareGP
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator
from aiida_seireact.science.structures import argyrodite
from aiida_seireact.science.velocities import drawn_momenta

# Of arXiv:2506.10944.
PAPER = GpSettings(n_max=9, l_max=3, cutoff_ang=6.0)
PACKAGES = ("mir-flare", "torch", "matscipy", "ase", "numpy")
WARM_UP = 2


def lithium() -> Atoms:
    """Return 54 atoms of bcc Li."""
    return bulk("Li", "bcc", a=3.44, cubic=True) * (3, 3, 3)


def conductor() -> Atoms:
    """Return 52 atoms of Li6PS5Cl."""
    return argyrodite(seed=0)


SYSTEMS = {"Li": (lithium, ("Li",), 2.6), "Li6PS5Cl": (conductor, ("Li", "P", "S", "Cl"), 1.7)}


def labelled(start: Atoms, frames: int, sigma: float) -> list[Atoms]:
    """Return rattled and strained copies with energy, forces and stress."""
    images = []
    for seed in range(frames):
        atoms = start.copy()
        atoms.set_cell(atoms.cell.array * (1 + 0.01 * (seed % 5 - 2)), scale_atoms=True)
        atoms.rattle(0.08, seed=seed)
        atoms.calc = LennardJones(sigma=sigma, epsilon=0.05, rc=5.0, smooth=True)
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces(), "stress": atoms.get_stress()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        images.append(atoms)
    return images


def chosen(images: list[Atoms], sparse: int) -> list[list[int]]:
    """Return the environments to learn of each frame, ``sparse`` in all."""
    rng = np.random.default_rng(0)
    shares = np.diff(np.linspace(0, sparse, len(images) + 1).astype(int))
    return [
        sorted(rng.choice(len(atoms), share, replace=False).tolist())
        for atoms, share in zip(images, shares, strict=True)
    ]


def ours(images: list[Atoms], environments: list[list[int]], species: tuple[str, ...]) -> SparseGP:
    """Return the process as it travels, its numbers."""
    process = FlareGP(PAPER, species, dict.fromkeys(species, 0.0))
    for number, (atoms, taken) in enumerate(zip(images, environments, strict=True)):
        process.learn(atoms, str(number), taken)
    return process.export("")


def flares(images: list[Atoms], environments: list[list[int]], species: tuple[str, ...]) -> tuple[Calculator, Any]:
    """Return FLARE's own calculator, and what it does not keep alive itself."""
    from flare.bffs.sgp._C_flare import B2, NormalizedDotProduct
    from flare.bffs.sgp.calculator import SGP_Calculator
    from flare.bffs.sgp.sparse_gp import SGP_Wrapper

    kernels = [NormalizedDotProduct(PAPER.sigma, PAPER.power)]
    form = [len(species), PAPER.n_max, PAPER.l_max]
    descriptors = [B2("chebyshev", "quadratic", [0.0, PAPER.cutoff_ang], [], form)]
    wrapper = SGP_Wrapper(
        kernels,
        descriptors,
        PAPER.cutoff_ang,
        PAPER.noise_energy_ev,
        PAPER.noise_force_ev_per_ang,
        PAPER.noise_stress_ev_per_ang3,
        {atomic_numbers[symbol]: index for index, symbol in enumerate(species)},
        variance_type="local",
        single_atom_energies=dict.fromkeys(range(len(species)), 0.0),
    )
    for atoms, taken in zip(images, environments, strict=True):
        wrapper.update_db(
            atoms,
            atoms.get_forces(),
            custom_range=taken,
            energy=atoms.get_potential_energy(),
            stress=-atoms.get_stress()[list(FLARE_ORDER)],
        )
    return SGP_Calculator(wrapper), (kernels, descriptors)


def run(calculator: Calculator, start: Atoms, steps: int) -> tuple[float, Atoms, list[NDArray[np.float64]]]:
    """Run MD from 300 K; return CPU seconds a step, the last structure, and the uncertainties of each step."""
    atoms = start.copy()
    atoms.calc = calculator
    atoms.set_momenta(drawn_momenta(atoms.get_masses(), 300.0, np.random.default_rng(0)))
    dynamics = VelocityVerlet(atoms, 1 * units.fs)
    deviations: list[NDArray[np.float64]] = []
    begin = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            begin = time.process_time()
        dynamics.run(1)
        deviations.append(np.asarray(calculator.results["stds"]).reshape(len(atoms), -1)[:, 0])
    return (time.process_time() - begin) / steps, atoms, deviations


def compare(name: str, frames: int, sparse: int, steps: int, peer_steps: int) -> float:
    """Print sizes, seconds and equality of one system; return FLARE's CPU seconds a step over ours."""
    make, species, sigma = SYSTEMS[name]
    images = labelled(make(), frames, sigma)
    environments = chosen(images, sparse)
    gp = ours(images, environments, species)
    theirs, alive = flares(images, environments, species)
    start = make()
    # The same steps by both, for equality; then more by ours, for its time.
    peer_seconds, peer_atoms, peer_stds = run(theirs, start, peer_steps)
    _, atoms, stds = run(SparseGPCalculator(gp), start, peer_steps)
    seconds = run(SparseGPCalculator(gp), start, steps)[0]
    assert alive
    stress, peer_stress = atoms.get_stress(), peer_atoms.calc.results["stress"]
    force, peer_force = atoms.get_forces(), peer_atoms.calc.results["forces"]
    scale = np.abs(peer_force).max()
    differences = {
        "positions": (np.abs(atoms.positions - peer_atoms.positions).max(), 1e-8),
        "energy": (abs(atoms.get_potential_energy() / peer_atoms.calc.results["energy"] - 1), 1e-8),
        "forces": (np.abs(force - peer_force).max() / scale, 1e-8),
        "stress": (np.abs(stress - peer_stress).max() / np.abs(peer_stress).max(), 1e-8),
        "standard deviations": (np.abs(np.array(stds) - np.array(peer_stds)).max(), 1e-6),
    }
    same = all(value < limit for value, limit in differences.values())
    click.echo(f"{name}: {len(start)} atoms, {gp.n_sparse} sparse environments, {gp.n_features} features")
    click.echo(f"  ours  {seconds:8.4f} CPU-s a step, {steps} steps")
    click.echo(f"  FLARE {peer_seconds:8.4f} CPU-s a step, {peer_steps} steps")
    told = ", ".join(f"{what} {value:.1e}" for what, (value, _) in differences.items())
    click.echo(f"  same after {peer_steps + WARM_UP} steps: {same} (largest differences: {told})")
    ratio = peer_seconds / seconds
    click.echo(f"  FLARE / ours = {ratio:.1f}")
    return ratio


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--frames", default=8, show_default=True, help="Frames learned of each system.")
@click.option("--sparse", default=416, show_default=True, help="Environments learned of each system.")
@click.option("--steps", default=100, show_default=True, help="MD steps by ours.")
@click.option("--peer-steps", default=10, show_default=True, help="MD steps by FLARE, and by ours to compare with.")
@click.option("--system", "systems", type=click.Choice(list(SYSTEMS)), multiple=True, default=tuple(SYSTEMS))
def main(frames: int, sparse: int, steps: int, peer_steps: int, systems: tuple[str, ...]) -> None:
    """Compare speed and equality; the last line is `ratio = <CPU of FLARE / ours>`, of Li6PS5Cl where it is run."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    click.echo(f"{os.environ['OMP_NUM_THREADS']} thread of {os.cpu_count()}, {frames} frames; {versions}")
    ratios = [compare(name, frames, sparse, steps, peer_steps) for name in SYSTEMS if name in systems]
    click.echo(f"ratio = {ratios[-1]:.1f}")


if __name__ == "__main__":
    main()

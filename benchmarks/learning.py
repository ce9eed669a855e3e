"""Active learning against random selection at equal numbers of labels, on a pool with a rare class.

The pool is Li metal and Li6PS5Cl, and as the rare class Li3P, all strained and rattled, labelled by CHGNet. Each
repetition draws pool, frames to test with and first frames anew, so the spread over them is that of the answer. The
learner is the sparse Gaussian process of FLARE; frames are chosen by what `seireact-select` chooses by: the largest
uncertainty of an atom, and of the most uncertain frames those unlike each other.
"""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.flare import GpSettings
from aiida_seireact.formats.jobs.label import CalculatorSettings
from aiida_seireact.programs._flare_gp import FlareGP
from aiida_seireact.programs._leg_learn import unknown_environments
from aiida_seireact.programs.calculators import load_labeller
from aiida_seireact.science.descriptors import DescriptorSpec, mean_descriptors
from aiida_seireact.science.reference_energies import fit_reference_energies
from aiida_seireact.science.sampling.draws import Draw, distorted
from aiida_seireact.science.selection import equally_weighted, uncertain_and_different
from aiida_seireact.science.sparse_gp import SparseGP, SparseGPCalculator, standard_deviations
from aiida_seireact.science.structures import argyrodite, crystal

SPECIES = ("Cl", "Li", "P", "S")
RARE = "Li3P"
SETTINGS = GpSettings()
LEARN_THRESHOLD = 0.03
SPEC = DescriptorSpec(species=SPECIES, centre=SPECIES[0], cutoff_ang=5.0, n_max=4, l_max=2)
PACKAGES = ("chgnet", "mir-flare", "torch", "ase", "numpy")
ARMS = ("random", "active")


def li() -> Atoms:
    """Return 16 atoms of bcc Li."""
    return crystal("Li").repeat((2, 2, 2))


def conductor() -> Atoms:
    """Return 26 atoms of Li6PS5Cl."""
    return argyrodite(seed=0, half_cell=True)


CLASSES: dict[str, Callable[[], Atoms]] = {"Li": li, "Li6PS5Cl": conductor, RARE: lambda: crystal(RARE)}


@dataclass(frozen=True)
class Set:
    """Labelled frames, the class of each, and what they are compared by, ``(n_frames, n_features)``."""

    images: list[Atoms]
    classes: NDArray[np.str_]
    features: NDArray[np.float64]


def drawn(counts: dict[str, int], seed: int) -> Set:
    """Return labelled frames, ``counts`` of each class, in random order."""
    calculator = load_labeller(CalculatorSettings(name="chgnet")).calculator
    rng = np.random.default_rng(seed)
    images, classes = [], []
    for name, count in counts.items():
        draw = Draw(count=count, volume_ratio=(0.9, 1.15), rattle_ang=(0.02, 0.15))
        for index in range(count):
            atoms = distorted(CLASSES[name](), draw, index, rng)
            atoms.calc = calculator
            labels = {
                "energy": atoms.get_potential_energy(),
                "forces": atoms.get_forces(),
                "stress": atoms.get_stress(),
            }
            atoms.calc = SinglePointCalculator(atoms, **{key: np.float64(value) for key, value in labels.items()})
            images.append(atoms)
            classes.append(name)
    order = rng.permutation(len(images))
    images = [images[index] for index in order]
    parts = [mean_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, SPEC) for atoms in images]
    return Set(images, np.array(classes)[order], equally_weighted(parts))


class Learner:
    """A process that learns frames of the pool by their index."""

    def __init__(self, pool: Set, energies_ev: dict[str, float]) -> None:
        self.pool = pool
        self.process = FlareGP(SETTINGS, SPECIES, energies_ev)
        self.known: list[int] = []

    def learn(self, indices: list[int]) -> SparseGP:
        """Learn these frames, as a leg does, and return the process."""
        for index in indices:
            atoms = self.pool.images[index]
            stds = self.process.standard_deviations(atoms)
            self.process.learn(atoms, str(index), unknown_environments(stds, LEARN_THRESHOLD))
        self.known += indices
        self.process.optimise()
        return self.process.export("")

    def rest(self) -> NDArray[np.int64]:
        """Return the frames of the pool that are not known."""
        return np.setdiff1d(np.arange(len(self.pool.images)), self.known)


def most_uncertain(learner: Learner, gp: SparseGP, count: int) -> list[int]:
    """Return the next frames of the pool by the selection of the project."""
    rest = learner.rest()
    scores = [standard_deviations(gp, learner.pool.images[index]).max() for index in rest]
    features = learner.pool.features
    return [int(rest[k]) for k in uncertain_and_different(scores, features[rest], count, taken=features[learner.known])]


def errors(gp: SparseGP, test: Set, shares: dict[str, float]) -> tuple[float, float]:
    """Return the rms error of the force components, eV/Å: overall, classes weighted by their share; of the rare one."""
    calculator = SparseGPCalculator(gp)
    squares: dict[str, list[NDArray[np.float64]]] = {name: [] for name in shares}
    for atoms, name in zip(test.images, test.classes.tolist(), strict=True):
        calculator.calculate(atoms)
        squares[name].append((calculator.results["forces"] - atoms.get_forces()) ** 2)
    means = {name: float(np.mean(np.concatenate(parts))) for name, parts in squares.items()}
    return float(np.sqrt(sum(shares[name] * means[name] for name in shares))), float(np.sqrt(means[RARE]))


@dataclass(frozen=True)
class Curve:
    """``(n_rounds, 2)`` errors overall and of the rare class; rare frames chosen; environments learned."""

    errors: NDArray[np.float64]
    n_rare: int
    n_sparse: int


def run(arm: str, task: Task, shares: dict[str, float], seed: int, plan: list[int]) -> Curve:
    """Learn round by round, ``plan`` frames each; the first round is random in both arms, and the same."""
    pool = task.pool
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pool.images)).tolist()
    learner = Learner(pool, task.energies_ev)
    gp: SparseGP | None = None
    found = []
    for count in plan:
        chosen = [index for index in order if index not in learner.known][:count]
        if gp is not None and arm == "active":
            chosen = most_uncertain(learner, gp, count)
        gp = learner.learn(chosen)
        found.append(errors(gp, task.test, shares))
    assert gp is not None
    return Curve(np.array(found), int((pool.classes[learner.known] == RARE).sum()), gp.n_sparse)


@dataclass(frozen=True)
class Task:
    """What one repetition learns from and is tested with; energies of free atoms, eV, fitted to its pool."""

    pool: Set
    test: Set
    energies_ev: dict[str, float]


def task_of(counts: dict[str, int], n_test: int, seed: int) -> Task:
    """Return pool and frames to test with, both of this seed alone."""
    pool, test = drawn(counts, seed=2 * seed + 1), drawn(dict.fromkeys(CLASSES, n_test), seed=2 * seed + 2)
    symbols = [atoms.get_chemical_symbols() for atoms in pool.images]
    composition = np.array([[names.count(symbol) for symbol in SPECIES] for names in symbols], dtype=np.int64)
    energies = np.array([atoms.get_potential_energy() for atoms in pool.images])
    fitted = fit_reference_energies(composition, energies)[0]
    return Task(pool, test, dict(zip(SPECIES, fitted.tolist(), strict=True)))


def told(values: NDArray[np.float64], digits: int = 3) -> str:
    """Return mean ± standard error."""
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1) / np.sqrt(len(values)):.{digits}f}"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--seeds", default=5, show_default=True, help="Repetitions, each with pool, test and first frames of its own."
)
@click.option("--common", default=96, show_default=True, help="Frames of each of the two common classes in the pool.")
@click.option("--rare", default=8, show_default=True, help="Frames of the rare class in the pool.")
@click.option("--test", "n_test", default=20, show_default=True, help="Frames of each class to test with.")
@click.option("--rounds", default=5, show_default=True, help="Rounds after the first.")
@click.option("--per-round", default=4, show_default=True, help="Frames labelled in a round.")
@click.option("--quick", is_flag=True, help="Small numbers, to see that it runs.")
def main(seeds: int, common: int, rare: int, n_test: int, rounds: int, per_round: int, quick: bool) -> None:
    """Compare; the last lines are `rare ratio = …` and `ratio = …`: force error of random over active choice."""
    if quick:
        seeds, common, rare, n_test, rounds, per_round = 2, 10, 1, 2, 1, 2
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    counts = {name: rare if name == RARE else common for name in CLASSES}
    shares = {name: count / sum(counts.values()) for name, count in counts.items()}
    click.echo(f"{os.environ['OMP_NUM_THREADS']} thread of {os.cpu_count()}; {versions}")
    begin = time.process_time()
    tasks = [task_of(counts, n_test, seed) for seed in range(seeds)]
    sizes = ", ".join(f"{count} {name} of {len(CLASSES[name]())} atoms" for name, count in counts.items())
    click.echo(
        f"pool: {sizes}: {RARE} is {100 * shares[RARE]:.1f} % of it; test: {n_test} of each; drawn anew each time"
    )
    click.echo(f"labels by CHGNet: {time.process_time() - begin:.0f} CPU-s")
    # The first round is as large as the others.
    plan = [per_round] * (rounds + 1)
    begin = time.process_time()
    curves = {arm: [run(arm, task, shares, seed, plan) for seed, task in enumerate(tasks)] for arm in ARMS}
    click.echo(f"learning: {time.process_time() - begin:.0f} CPU-s, {seeds} seeds; mean ± standard error over them")
    found = {arm: np.array([curve.errors for curve in curves[arm]]) for arm in ARMS}
    click.echo("labels   overall, eV/Å: random    active            rare, eV/Å: random    active")
    for number, labels in enumerate(np.cumsum(plan)):
        columns = [told(found[arm][:, number, which]) for which in (0, 1) for arm in ARMS]
        click.echo(f"{labels:6d}   {'   '.join(columns)}")
    for arm in ARMS:
        n_rare, n_sparse = (np.mean([getattr(curve, key) for curve in curves[arm]]) for key in ("n_rare", "n_sparse"))
        click.echo(f"{arm}: {n_rare:.1f} frames of {RARE} among {sum(plan)}, {n_sparse:.0f} environments")
    for which, name in ((1, "rare ratio"), (0, "ratio")):
        ratios = found["random"][:, -1, which] / found["active"][:, -1, which]
        click.echo(f"{name} of each seed: {told(ratios, 2)}")
    for which, name in ((1, "rare ratio"), (0, "ratio")):
        random, active = (found[arm][:, -1, which].mean() for arm in ARMS)
        click.echo(f"{name} = {random / active:.2f}")


if __name__ == "__main__":
    main()

"""The classifier on real MD: recorded frames of CHGNet at 300 K; references are runs of their own.

What is classified: one cell in which slabs of Li, LiCl, Li2S and Li3P touch, a bulk of Li6PS5Cl, and the disordered
Li2S0.72P0.14Cl0.14, which has no reference. The truth is the slab an atom started in; at its borders that is a name
for a place, not for an environment, so figures are given by the distance to the next border. No ratio: see
`benchmarks.phases`. The record is made by `benchmarks._phases_md`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.density_peaks import density_peaks
from aiida_seireact.science.descriptors import describe
from aiida_seireact.science.labelling import (
    UNKNOWN,
    Reduction,
    Reference,
    Stage,
    build_classifier,
    fit_reduction,
    label_landmarks,
    reference,
    same_neighbours_expectation,
)
from benchmarks._phases import DISORDERED, KNOWN, SHARE_CL, SHARE_P, SPEC
from benchmarks._phases_md import INTERFACE, RECORD

SLABS = ("Li", "LiCl", "Li2S", "Li3P")


@dataclass(frozen=True, eq=False)
class Recorded:
    """Li environments of some runs.

    :param truth: ``(n,)`` phase the atom started in.
    :param border: ``(n,)`` distance to the next border between slabs at the start, Å; infinite in a bulk.
    :param sulfur: ``(n,)`` S among the four anions of the site in the disordered phase, else −1.
    """

    truth: NDArray[np.str_]
    border: NDArray[np.float64]
    sulfur: NDArray[np.int64]
    descriptors: NDArray[np.float32]

    def without(self, absent: NDArray[np.bool_]) -> Recorded:
        """Take environments away."""
        there = ~absent
        return Recorded(self.truth[there], self.border[there], self.sulfur[there], self.descriptors[there])


def read_run(path: Path, name: str, phase: str) -> Recorded:
    """Describe the frames of a recorded run."""
    with np.load(path) as archive:
        numbers, cell, tags = (archive[f"{name}/{what}"] for what in ("numbers", "cell", "tags"))
        frames = archive[f"{name}/positions"].astype(np.float64)
    lithium = numbers == 3
    truth, border = np.full(lithium.sum(), phase, dtype="<U20"), np.full(lithium.sum(), np.inf)
    sulfur = np.full(lithium.sum(), -1)
    if name == INTERFACE:
        truth, border = np.array(SLABS)[tags[lithium]], _to_border(frames[0], tags, cell)[lithium]
    if phase == DISORDERED:
        sulfur = _sulfur(frames.mean(axis=0), numbers, cell)
    parts = [describe(positions, numbers, cell, [True] * 3, SPEC)[0] for positions in frames]
    many = len(frames)
    return Recorded(np.tile(truth, many), np.tile(border, many), np.tile(sulfur, many), np.concatenate(parts))


def strained_reference(path: Path, phase: str, reduction: Reduction, strain: float) -> Reference:
    """Return the reference of a crystal; with a strain each frame counts once more, deformed at random.

    :param strain: standard deviation of each component of the (symmetric) strain.
    """
    rng = np.random.default_rng(0)
    with np.load(path) as archive:
        numbers, cell, frames = (archive[f"{phase} reference/{what}"] for what in ("numbers", "cell", "positions"))
    values, atoms = [], []
    for positions in frames.astype(np.float64):
        random = rng.normal(scale=strain, size=(3, 3))
        for deformed in (np.eye(3), np.eye(3) + (random + random.T) / 2)[: 2 if strain else 1]:
            found, centres = describe(positions @ deformed, numbers, cell @ deformed, [True] * 3, SPEC)
            values.append(found)
            atoms.append(centres)
    return reference(phase, reduction.apply(np.concatenate(values)), atoms=np.concatenate(atoms))


def _to_border(
    positions: NDArray[np.float64], tags: NDArray[np.uint8], cell: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of each atom to the nearest atom of another slab along z."""
    z, height = positions[:, 2], cell[2, 2]
    apart = np.abs(z[:, None] - z[None])
    apart = np.minimum(apart, height - apart)
    apart[tags[:, None] == tags[None]] = np.inf
    return np.asarray(apart.min(axis=1))


def _sulfur(positions: NDArray[np.float64], numbers: NDArray[np.uint8], cell: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count S among the four anions nearest to the mean place of each Li."""
    from ase import Atoms
    from ase.neighborlist import neighbor_list

    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True)
    i, j, d = neighbor_list("ijd", atoms, 4.0)
    found = []
    for index in np.flatnonzero(numbers == 3):
        rows = np.flatnonzero((i == index) & (numbers[j] != 3))
        near = j[rows[np.argsort(d[rows])[:4]]]
        found.append(int((numbers[near] == 16).sum()))
    return np.array(found)


def _joined(parts: list[Recorded]) -> Recorded:
    names = ("truth", "border", "sulfur", "descriptors")
    return Recorded(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def data(path: Path) -> Recorded:
    """Return what is classified."""
    runs = {INTERFACE: "", "Li6PS5Cl": "Li6PS5Cl", f"{DISORDERED} 1": DISORDERED, f"{DISORDERED} 2": DISORDERED}
    with np.load(path) as archive:
        there = {name.split("/")[0] for name in archive.files}
    return _joined([read_run(path, name, phase) for name, phase in runs.items() if name in there])


def table(recorded: Recorded, labels: NDArray[np.str_], names: tuple[str, ...]) -> str:
    """Return the confusion of each phase, inside its slab and near its border."""
    columns = (*names[1:], UNKNOWN)
    lines = ["".join([f"{'truth, Å to the border':<34}", *(f"{name:>10}" for name in columns)])]
    for phase in dict.fromkeys(recorded.truth.tolist()):
        of_phase = recorded.truth == phase
        for told, low, high in (("bulk", 1e9, np.inf), ("> 6", 6, 1e9), ("4 to 6", 4, 6), ("< 4", 0, 4)):
            chosen = of_phase & (recorded.border > low if low else recorded.border >= 0) & (recorded.border <= high)
            if chosen.any():
                counts = (f"{int((labels[chosen] == name).sum()):10d}" for name in columns)
                lines.append("".join([f"{phase + ', ' + told:<34}", *counts]))
    four = recorded.sulfur == 4
    if four.any():
        new = recorded.truth == DISORDERED
        expected = same_neighbours_expectation(1 - SHARE_P - SHARE_CL)
        lines.append(
            f"{DISORDERED}: foreign unknown {np.mean(labels[new & ~four] == UNKNOWN):.4f}, four S labelled Li2S "
            f"{np.mean(labels[four] == 'Li2S'):.4f}; share Li2S {np.mean(labels[new] == 'Li2S'):.4f}, counted "
            f"{np.mean(four[new]):.4f}, x_S^4 {expected:.4f}"
        )
    return "\n".join(lines)


def classify(recorded: Recorded, record: Path, *, z: float, strain: float) -> NDArray[np.str_]:
    """Return the label of each environment."""
    reduction = fit_reduction(recorded.descriptors)
    points = reduction.apply(recorded.descriptors)
    references = [strained_reference(record, phase, reduction, strain) for phase in KNOWN]
    peaks = density_peaks(points, z=z)
    made = build_classifier(reduction, points, peaks, references, maxk=100, alpha=1e-6)
    return np.array(made.names)[label_landmarks(made).labels]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--record", type=click.Path(exists=True, path_type=Path), default=RECORD, help="Recorded frames.")
@click.option("--z", default=3.0, show_default=True)
@click.option("--strain", type=float, multiple=True, default=(0.0, 0.02), show_default=True, help="Of the references.")
def main(record: Path, z: float, strain: tuple[float, ...]) -> None:
    """Classify the recorded frames by references at rest and strained ones, and print how the labels lie."""
    recorded = data(record)
    reduction = fit_reduction(recorded.descriptors)
    points = reduction.apply(recorded.descriptors)
    peaks = density_peaks(points, z=z)
    for size in strain:
        references = [strained_reference(record, phase, reduction, size) for phase in KNOWN]
        classifier = build_classifier(reduction, points, peaks, references, maxk=100, alpha=1e-6)
        got = label_landmarks(classifier)
        click.echo(
            f"{len(points)} Li, Z {z}, references strained by {size}: {peaks.n_clusters} clusters, "
            f"{(classifier.cluster_labels == 0).sum()} unknown; second pass "
            f"{(got.stage == Stage.NON_CORE).sum()} points"
        )
        click.echo("gates " + ", ".join(f"{item.name} {item.gate:.0f}" for item in references))
        click.echo(table(recorded, np.array(classifier.names)[got.labels], classifier.names) + "\n")


if __name__ == "__main__":
    main()

"""Does the classifier name what is known, and nothing else? Measured where the truth is known.

The data hold thermal crystals of Li, Li6PS5Cl, Li2S, Li3P and LiCl, a disordered antifluorite Li2S0.72P0.14Cl0.14 that
has no reference, and amorphous material. References are made with other seeds; one of them is of a phase that is not in
the data (fcc Li), and in a second set of data LiCl and Li3P are absent too while their references are given. One Z for
all. Labels are right or wrong: there is no peer to be faster than, so no ratio is printed (speed is the matter of
`benchmarks.density_peaks` and `benchmarks.descriptors`).
"""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from aiida_seireact.science.density_peaks import density_peaks
from aiida_seireact.science.labelling import (
    UNKNOWN,
    Assignment,
    Classifier,
    Reduction,
    Stage,
    adopt,
    assign,
    build_classifier,
    fit_reduction,
    follow,
    label_landmarks,
    reference,
    relabel,
    same_neighbours_expectation,
)
from aiida_seireact.science.labelling.reduction import NORMALISATIONS
from benchmarks._phases import ABSENT, AMORPHOUS, DISORDERED, KNOWN, SHARE_CL, SHARE_P, SIZES, SPEC, environments

NEW = "adopted"
ALL = (*KNOWN, DISORDERED, AMORPHOUS)


@dataclass(frozen=True)
class Settings:
    """What is asked of the classifier; the defaults are those of the program, chosen here."""

    z: float = 3.0
    maxk: int = 100
    alpha: float = 1e-6
    normalisation: str = "none"
    keep_variance: float | None = None
    landmarks: int | None = None


@dataclass(frozen=True, eq=False)
class World:
    """Data with their truth, and references of their own."""

    truth: NDArray[np.str_]
    sulfur: NDArray[np.int64]
    descriptors: NDArray[np.float32]
    references: dict[str, NDArray[np.float32]]


def make_world(size: str, rattle: float, seed: int, phases: Sequence[str] = ALL) -> World:
    """Make data of some phases and references of all known ones and an absent one."""
    parts = [environments(phase, size=SIZES[size], rattle=rattle, seed=seed) for phase in phases]
    return World(
        truth=np.repeat([part.phase for part in parts], [len(part.descriptors) for part in parts]),
        sulfur=np.concatenate([part.sulfur for part in parts]),
        descriptors=np.concatenate([part.descriptors for part in parts]),
        references={
            phase: environments(phase, size=SIZES[size], rattle=rattle, seed=seed + 1000).descriptors
            for phase in (*KNOWN, ABSENT)
        },
    )


def without(world: World, absent: Sequence[str]) -> World:
    """Take phases from the data; the references stay."""
    kept = ~np.isin(world.truth, absent)
    return replace(world, truth=world.truth[kept], sulfur=world.sulfur[kept], descriptors=world.descriptors[kept])


@dataclass(frozen=True, eq=False)
class Classified:
    """A world, its classifier and its labels."""

    world: World
    classifier: Classifier
    assignment: Assignment

    @property
    def labels(self) -> NDArray[np.str_]:
        """Name of each environment."""
        return np.array(self.classifier.names)[self.assignment.labels]

    def relabelled(self, classifier: Classifier) -> Classified:
        """Return the same points with other names."""
        return replace(self, classifier=classifier, assignment=follow(self.assignment, self.classifier, classifier))


def classify(world: World, settings: Settings) -> Classified:
    """Cluster, name and label."""
    n_points = len(world.descriptors)
    drawn = np.arange(n_points)
    if settings.landmarks is not None and settings.landmarks < n_points:
        drawn = np.sort(np.random.default_rng(0).choice(n_points, settings.landmarks, replace=False))
    reduction: Reduction = fit_reduction(
        world.descriptors[drawn], settings.keep_variance, normalisation=settings.normalisation
    )
    points = reduction.apply(world.descriptors)
    peaks = density_peaks(points[drawn], z=settings.z, maxk=settings.maxk, alpha=settings.alpha)
    references = [reference(name, reduction.apply(values)) for name, values in world.references.items()]
    classifier = build_classifier(reduction, points[drawn], peaks, references, maxk=settings.maxk, alpha=settings.alpha)
    labelled = label_landmarks(classifier) if len(drawn) == n_points else assign(points, classifier)
    return Classified(world, classifier, labelled)


@dataclass(frozen=True)
class Scores:
    """The numbers the classifier is accepted by; shares of environments."""

    accuracy: float  # of the five known phases
    rand: float  # adjusted Rand index of the same
    foreign_unknown: float  # of the disordered phase, those with a foreign anion
    four_sulfur_li2s: float  # of the disordered phase, those with four S
    li2s_share: float  # of the disordered phase
    counted_share: float  # with four S, as generated
    amorphous_unknown: float
    amorphous_no_gate: float  # without the gate for single points
    absent: int  # environments with the name of the absent phase
    left_out: int  # environments named LiCl or Li3P where these are absent
    left_out_accuracy: float  # of the known phases that are there
    adopted: float  # of the disordered unknown ones, after adopt
    known_changed: int  # environments of known label whose label changed by adopt
    amorphous_follows: float  # carry the adopted name
    amorphous_follows_no_gate: float
    second_pass: int  # environments named outside the core of an unknown cluster
    n_clusters: int
    n_unknown: int  # clusters without a name


def new_phase(classified: Classified) -> list[int]:
    """Return the unknown clusters whose core is mostly of the disordered phase: what a cluster is, its core tells."""
    classifier, truth = classified.classifier, classified.world.truth
    clusters, core = classified.assignment.clusters, classified.assignment.core
    unknown = np.flatnonzero(classifier.cluster_labels == 0).tolist()
    return [number for number in unknown if np.mean(truth[core & (clusters == number)] == DISORDERED) > 0.5]


def measure(world: World, settings: Settings) -> tuple[Scores, Classified]:
    """Classify a world, and again without two of its phases, and count."""
    found = classify(world, settings)
    labels, truth = found.labels, world.truth
    known = np.isin(truth, KNOWN)
    is_new, is_amorphous = truth == DISORDERED, truth == AMORPHOUS
    four = world.sulfur == 4
    free = replace(found.classifier.gates, point=None)
    ungated = found.relabelled(relabel(found.classifier, gates=free)).labels
    with_new = adopt(found.classifier, new_phase(found), NEW)
    after = found.relabelled(with_new).labels
    after_ungated = found.relabelled(relabel(with_new, gates=free)).labels
    fewer = classify(without(world, ("LiCl", "Li3P")), settings)
    there = np.isin(fewer.world.truth, KNOWN)
    was_unknown = is_new & (labels == UNKNOWN)
    scores = Scores(
        accuracy=float(np.mean(labels[known] == truth[known])),
        rand=float(adjusted_rand_score(truth[known], labels[known])),
        foreign_unknown=float(np.mean(labels[is_new & ~four] == UNKNOWN)),
        four_sulfur_li2s=float(np.mean(labels[is_new & four] == "Li2S")),
        li2s_share=float(np.mean(labels[is_new] == "Li2S")),
        counted_share=float(np.mean(four[is_new])),
        amorphous_unknown=float(np.mean(labels[is_amorphous] == UNKNOWN)),
        amorphous_no_gate=float(np.mean(ungated[is_amorphous] == UNKNOWN)),
        absent=int((labels == ABSENT).sum() + (fewer.labels == ABSENT).sum()),
        left_out=int(np.isin(fewer.labels, ("LiCl", "Li3P")).sum()),
        left_out_accuracy=float(np.mean(fewer.labels[there] == fewer.world.truth[there])),
        adopted=float(np.mean(after[was_unknown] == NEW)),
        known_changed=int((after != labels)[labels != UNKNOWN].sum()),
        amorphous_follows=float(np.mean(after[is_amorphous] == NEW)),
        amorphous_follows_no_gate=float(np.mean(after_ungated[is_amorphous] == NEW)),
        second_pass=int((found.assignment.stage == Stage.NON_CORE).sum()),
        n_clusters=found.classifier.n_clusters,
        n_unknown=int((found.classifier.cluster_labels == 0).sum()),
    )
    return scores, found


def confusion(found: Classified) -> str:
    """Return the table of truth by label."""
    names = (*found.classifier.names[1:], UNKNOWN)
    width = max(map(len, (*ALL, *names))) + 1
    lines = ["".join([" " * width, *(f"{name:>{width}}" for name in names)])]
    for phase in dict.fromkeys(found.world.truth.tolist()):
        labels = found.labels[found.world.truth == phase]
        lines.append("".join([f"{phase:<{width}}", *(f"{int((labels == name).sum()):{width}d}" for name in names)]))
    return "\n".join(lines)


def told(scores: Scores) -> str:
    """Return the scores as lines."""
    expected = same_neighbours_expectation(1 - SHARE_P - SHARE_CL)
    return "\n".join(
        (
            f"  five phases: accuracy {scores.accuracy:.4f}, adjusted Rand {scores.rand:.4f}",
            f"  {DISORDERED}: with a foreign anion unknown {scores.foreign_unknown:.4f}, with four S labelled Li2S "
            f"{scores.four_sulfur_li2s:.4f}",
            f"  share labelled Li2S {scores.li2s_share:.4f}, counted {scores.counted_share:.4f}, x_S^4 {expected:.4f}",
            f"  amorphous unknown {scores.amorphous_unknown:.4f}, without the gate for points "
            f"{scores.amorphous_no_gate:.4f}",
            f"  absent: {scores.absent} points {ABSENT}; LiCl and Li3P taken out: {scores.left_out} points, accuracy "
            f"of the others {scores.left_out_accuracy:.4f}",
            f"  after adopt: {scores.adopted:.4f} of its unknown renamed, {scores.known_changed} known labels changed",
            f"  amorphous that follows: {scores.amorphous_follows:.4f}, without the gate for points "
            f"{scores.amorphous_follows_no_gate:.4f}",
            f"  {scores.n_clusters} clusters, {scores.n_unknown} unknown; the second pass named {scores.second_pass} "
            "points",
        )
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--size", type=click.Choice(tuple(SIZES)), default="full", show_default=True)
@click.option("--rattles", type=float, multiple=True, default=(0.10, 0.15, 0.20), show_default=True, help="Å.")
@click.option("--seed", "seeds", type=int, multiple=True, default=(7, 8, 9), show_default=True, help="Of the data.")
@click.option("--z", default=Settings.z, show_default=True)
@click.option("--maxk", default=Settings.maxk, show_default=True, help="Neighbours known to the density estimate.")
@click.option(
    "--normalisation",
    type=click.Choice(NORMALISATIONS),
    default=Settings.normalisation,
    show_default=True,
    help="Of the features before clustering.",
)
@click.option("--keep-variance", type=float, help="Reduce to principal components; default: not.")
@click.option("--landmarks", type=int, help="Environments clustered; default: all.")
def main(
    size: str,
    rattles: tuple[float, ...],
    seeds: tuple[int, ...],
    z: float,
    maxk: int,
    normalisation: str,
    keep_variance: float | None,
    landmarks: int | None,
) -> None:
    """Print confusion matrices and scores for each rattle and seed."""
    settings = Settings(z=z, maxk=maxk, normalisation=normalisation, keep_variance=keep_variance, landmarks=landmarks)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("aiida-seireact", "ase", "numpy"))
    click.echo(f"{versions}; 1 thread")
    click.echo(f"{SPEC}")
    click.echo(f"{SIZES[size]}")
    click.echo(f"{settings}")
    for rattle in rattles:
        for seed in seeds:
            start = time.process_time()
            world = make_world(size, rattle, seed)
            scores, found = measure(world, settings)
            click.echo(
                f"\nrattle {rattle:.2f} Å, seed {seed}, references seed {seed + 1000}: {len(world.truth)} Li, "
                f"{time.process_time() - start:.0f} CPU-s"
            )
            click.echo(confusion(found))
            click.echo(told(scores))


if __name__ == "__main__":
    main()

"""Labels of environments: reduction, references with their own length scale, and clusters named after them.

A cluster takes the name of a reference phase only if the phase's references fall into its core *and* lie as near to
it as they lie to each other. Without that second condition a phase that is absent gets its name on some cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.density_peaks import DensityPeaks, distinct_rows

FloatArray = NDArray[np.float64]
UNKNOWN = "unknown"
FEWEST_REFERENCES = 20


class LabellingError(ValueError):
    """References or points that can't be used; the message says which and why."""


# ------------------------------------------------------------------------------------------------ reduction


@dataclass(frozen=True, eq=False)
class Reduction:
    """A linear map of descriptors: subtract the mean and, unless raw, project on principal components.

    :param mean: ``(n_features,)``
    :param vectors: ``(n_features, n_kept)`` orthonormal columns, or None to keep the features as they are.
    :param kept_variance: share of the variance that is kept, 1 when raw.
    """

    mean: FloatArray
    vectors: FloatArray | None
    kept_variance: float

    def apply(self, descriptors: ArrayLike) -> NDArray[np.float32]:
        """Return reduced points ``(n, n_kept)``."""
        points = np.asarray(descriptors)
        if points.ndim != 2 or points.shape[1] != len(self.mean):
            raise LabellingError(
                f"The descriptors have shape {points.shape}, the classifier expects {len(self.mean)} features: "
                "both must come from the same spec."
            )
        centred = points.astype(np.float64) - self.mean
        return (centred if self.vectors is None else centred @ self.vectors).astype(np.float32)


def fit_reduction(descriptors: ArrayLike, keep_variance: float | None = None) -> Reduction:
    """Find the mean and the leading principal components that keep a share of the variance.

    :param keep_variance: smallest share kept, in (0, 1]; None keeps the features as they are (no projection).
    :raises LabellingError: the share is out of range, or all points are equal.
    """
    points = np.asarray(descriptors, dtype=np.float64)
    mean = points.mean(axis=0)
    if keep_variance is None:
        return Reduction(mean=mean, vectors=None, kept_variance=1.0)
    if not 0 < keep_variance <= 1:
        raise LabellingError(f"keep_variance is {keep_variance}, but a share lies above 0 and at most at 1.")
    centred = points - mean
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    if values[0] == 0.0:
        raise LabellingError("All descriptors are equal: there is nothing to tell apart.")
    shares = np.cumsum(values) / values.sum()
    kept = min(int(np.searchsorted(shares, keep_variance - 1e-12)) + 1, len(values))
    return Reduction(mean=mean, vectors=vectors[:, :kept].copy(), kept_variance=float(shares[kept - 1]))


# ------------------------------------------------------------------------------------------------ distances


def nearest(points: ArrayLike, targets: ArrayLike, *, chunk: int = 1024) -> tuple[FloatArray, NDArray[np.int64]]:
    """Find the nearest target of each point.

    :param points: ``(n, d)``; :param targets: ``(m, d)`` reduced points.
    :returns: distances ``(n,)`` in float64, indices ``(n,)``.
    """
    some, others = np.asarray(points, dtype=np.float32), np.asarray(targets, dtype=np.float32)
    origin = others.mean(axis=0)
    others_c = others - origin
    halves = 0.5 * np.einsum("ij,ij->i", others_c, others_c)
    indices = np.empty(len(some), dtype=np.int64)
    for start in range(0, len(some), chunk):
        block = some[start : start + chunk] - origin
        indices[start : start + chunk] = np.argmin(halves - block @ others_c.T, axis=1)
    # The product orders candidates; the distance itself is taken without its cancellation.
    distances = np.empty(len(some))
    for start in range(0, len(some), chunk):
        rows = slice(start, start + chunk)
        difference = some[rows].astype(np.float64) - others[indices[rows]]
        distances[rows] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return distances, indices


def _nearest_other(points: NDArray[np.float32]) -> FloatArray:
    """Distance of each point to the nearest other one of its set."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    squares = np.einsum("ij,ij->i", centred, centred)
    found = np.empty(len(points))
    for start in range(0, len(points), 1024):
        rows = np.arange(start, min(start + 1024, len(points)))
        order = squares - 2.0 * centred[rows] @ centred.T
        order[np.arange(len(rows)), rows] = np.inf
        difference = centred[rows] - centred[np.argmin(order, axis=1)]
        found[rows] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return found


# ------------------------------------------------------------------------------------------------ references


@dataclass(frozen=True, eq=False)
class Reference:
    """Environments of one known phase and the length within which it recognises others.

    :param name: name of the phase, which becomes the label.
    :param points: ``(n, d)`` reduced points.
    :param gate: 99th percentile of the distance of a reference to the nearest other of its phase.
    """

    name: str
    points: NDArray[np.float32]
    gate: float


def reference(name: str, points: ArrayLike, *, most: int = 1000, seed: int = 0, quantile: float = 0.99) -> Reference:
    """Make a reference phase of reduced points; exact duplicates count once.

    :param most: points kept, drawn at random. The gate is that of the points kept, so it fits their spacing.
    :raises LabellingError: a name in use for "unknown", NaN, or too few distinct points.
    """
    places = np.asarray(points, dtype=np.float32)
    if name == UNKNOWN or not name:
        raise LabellingError(f"A reference phase can't be named {name!r}.")
    if not np.isfinite(places).all():
        raise LabellingError(f"The references of {name} hold NaN or infinity: drop the frame they come from.")
    places = places[distinct_rows(places)[0]] if len(places) else places
    if len(places) < FEWEST_REFERENCES:
        raise LabellingError(
            f"The reference phase {name} has {len(places)} distinct environments, at least {FEWEST_REFERENCES} are "
            "needed: give frames of an MD run, not the crystal at rest."
        )
    if len(places) > most:
        places = places[np.sort(np.random.default_rng(seed).choice(len(places), most, replace=False))]
    return Reference(name=name, points=places, gate=float(np.quantile(_nearest_other(places), quantile)))


@dataclass(frozen=True)
class Gates:
    """The conditions under which a name is given.

    :param accept: a reference counts if it is nearer to a core point than this many gates.
    :param majority: share of a cluster's core that must lie so near to the phase's references.
    :param point: a point keeps its label within this many gates of the phase; None for no such condition.
    """

    accept: float = 1.5
    majority: float = 0.5
    point: float | None = 2.0


# ------------------------------------------------------------------------------------------------ the classifier


@dataclass(frozen=True, eq=False)
class Classifier:
    """Clustered landmarks with names: enough to relabel and to label new points without clustering again.

    :param reduction: from descriptors to reduced points.
    :param landmarks: ``(n, d)`` reduced points that were clustered.
    :param clusters: ``(n,)``; :param core: ``(n,)``; :param log_density: ``(n,)``; :param log_density_error: ``(n,)``
    :param saddle: ``(n_clusters,)`` log density of each cluster's highest saddle, −inf for none.
    :param intrinsic_dimension: of the landmarks.
    :param z: significance at which peaks were merged.
    :param references: known phases.
    :param gates: conditions for a name.
    :param cluster_labels: ``(n_clusters,)`` index into :attr:`names`.
    :param accepted: ``(n_clusters, n_references)`` references accepted in each cluster's core.
    """

    reduction: Reduction
    landmarks: NDArray[np.float32]
    clusters: NDArray[np.int64]
    core: NDArray[np.bool_]
    log_density: FloatArray
    log_density_error: FloatArray
    saddle: FloatArray
    intrinsic_dimension: float
    z: float
    references: tuple[Reference, ...]
    gates: Gates
    cluster_labels: NDArray[np.int64]
    accepted: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """Label names: index 0 is unknown, then the references in their order."""
        return (UNKNOWN, *(item.name for item in self.references))

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.saddle)


@dataclass(frozen=True, eq=False)
class Assignment:
    """Labels of points.

    :param labels: ``(n,)`` index into the classifier's names.
    :param clusters: ``(n,)`` cluster of the nearest landmark.
    :param core: ``(n,)`` whether that landmark is in its cluster's core.
    :param ratio: ``(n,)`` distance to the references in units of their gate: of the cluster's phase, or of the
        phase for which it is smallest where the cluster has none; NaN without references.
    """

    labels: NDArray[np.int8]
    clusters: NDArray[np.int64]
    core: NDArray[np.bool_]
    ratio: NDArray[np.float32]


def build_classifier(
    reduction: Reduction,
    landmarks: ArrayLike,
    peaks: DensityPeaks,
    references: Sequence[Reference],
    gates: Gates | None = None,
) -> Classifier:
    """Name the clusters of ``peaks`` over ``landmarks`` after the references.

    :raises LabellingError: two references of one name.
    """
    points = np.asarray(landmarks, dtype=np.float32)
    unnamed = Classifier(
        reduction=reduction,
        landmarks=points,
        clusters=peaks.clusters,
        core=peaks.core,
        log_density=peaks.log_density,
        log_density_error=peaks.log_density_error,
        saddle=peaks.saddle,
        intrinsic_dimension=peaks.intrinsic_dimension,
        z=peaks.z,
        references=(),
        gates=gates or Gates(),
        cluster_labels=np.zeros(peaks.n_clusters, dtype=np.int64),
        accepted=np.zeros((peaks.n_clusters, 0), dtype=np.int64),
    )
    return add_references(unnamed, references)


def add_references(classifier: Classifier, references: Sequence[Reference]) -> Classifier:
    """Return the classifier with more known phases and its clusters named anew. Nothing is clustered again.

    1. A reference is accepted in a cluster if its nearest landmark is in the cluster's core and at most
       ``accept`` gates away.
    2. The cluster takes the name of the phase with most accepted references,
    3. provided that ``majority`` of the cluster's core lies within ``accept`` gates of that phase.
    Else it is unknown.

    :raises LabellingError: a name that is there already.
    """
    everything = (*classifier.references, *references)
    names = [item.name for item in everything]
    for name in names:
        if names.count(name) > 1:
            raise LabellingError(f"There are two reference phases named {name}: give each phase one name.")
    accept = classifier.gates.accept
    accepted = np.zeros((classifier.n_clusters, len(everything)), dtype=np.int64)
    accepted[:, : len(classifier.references)] = classifier.accepted
    for column in range(len(classifier.references), len(everything)):
        item = everything[column]
        distances, landmark = nearest(item.points, classifier.landmarks)
        good = (distances <= accept * item.gate) & classifier.core[landmark]
        accepted[:, column] = np.bincount(classifier.clusters[landmark[good]], minlength=classifier.n_clusters)
    labels = np.zeros(classifier.n_clusters, dtype=np.int64)
    for cluster in np.flatnonzero(accepted.sum(axis=1)):
        column = int(np.argmax(accepted[cluster]))
        core = classifier.landmarks[classifier.core & (classifier.clusters == cluster)]
        distances, _ = nearest(core, everything[column].points)
        if np.mean(distances <= accept * everything[column].gate) >= classifier.gates.majority:
            labels[cluster] = column + 1
    return replace(classifier, references=everything, accepted=accepted, cluster_labels=labels)


def reference_from_clusters(classifier: Classifier, clusters: Sequence[int], name: str, **options: Any) -> Reference:
    """Make a reference phase of the cores of (unknown) clusters, to name what they turned out to be.

    :param options: passed to :func:`reference`.
    :raises LabellingError: no such cluster.
    """
    wrong = [number for number in clusters if not 0 <= number < classifier.n_clusters]
    if wrong or not clusters:
        raise LabellingError(f"There is no cluster {wrong}: clusters are 0 to {classifier.n_clusters - 1}.")
    chosen = classifier.core & np.isin(classifier.clusters, np.asarray(clusters))
    return reference(name, classifier.landmarks[chosen], **options)


def assign(points: ArrayLike, classifier: Classifier, *, landmark: ArrayLike | None = None) -> Assignment:
    """Label reduced points by their nearest landmark, without clustering again.

    A point takes the name of the landmark's cluster, and loses it when it lies farther than ``gates.point`` gates
    from the references of that phase.

    :param points: ``(n, d)`` reduced.
    :param landmark: ``(n,)`` index of the nearest landmark where it is known (points that are landmarks).
    :raises LabellingError: NaN, or another number of features.
    """
    places = np.asarray(points, dtype=np.float32)
    if places.ndim != 2 or places.shape[1] != classifier.landmarks.shape[1]:
        raise LabellingError(
            f"The points have shape {places.shape}, the landmarks {classifier.landmarks.shape[1]} features: "
            "reduce them by the classifier's own reduction."
        )
    if not np.isfinite(places).all():
        raise LabellingError("The points hold NaN or infinity: drop the frame they come from.")
    found = nearest(places, classifier.landmarks)[1] if landmark is None else landmark
    at = np.asarray(found, dtype=np.int64)
    clusters = classifier.clusters[at]
    phases = classifier.cluster_labels[clusters]
    ratio = np.full(len(places), np.nan)
    for rows, ratios in _ratios(places, phases, classifier.references):
        ratio[rows] = ratios
    labels = phases.copy()
    if classifier.gates.point is not None:
        labels[(phases > 0) & (ratio > classifier.gates.point)] = 0
    return Assignment(
        labels=labels.astype(np.int8),
        clusters=clusters,
        core=classifier.core[at],
        ratio=ratio.astype(np.float32),
    )


def _ratios(
    points: NDArray[np.float32], phases: NDArray[np.int64], references: Sequence[Reference]
) -> Iterator[tuple[NDArray[np.int64], FloatArray]]:
    """Give rows and their distance over gate: to their own phase, or to the relatively nearest where unknown."""
    for number, item in enumerate(references, start=1):
        rows = np.flatnonzero(phases == number)
        if len(rows):
            yield rows, nearest(points[rows], item.points)[0] / item.gate
    rows = np.flatnonzero(phases == 0)
    if len(rows) and references:
        yield rows, np.min([nearest(points[rows], item.points)[0] / item.gate for item in references], axis=0)


def same_neighbours_expectation(share: float, n_neighbours: int = 4) -> float:
    """Return the probability that all neighbours of a site are of one kind in a random mixture, ``share ** n``.

    In an antifluorite Li2(S, P, Cl) a Li has four anions, so at random x_S⁴ of the Li look like those of Li2S:
    0.72⁴ = 0.27 in Li2S0.72P0.14Cl0.14. Print it beside any fraction of Li2S.

    :param share: of the kind among the sites, 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"A share lies between 0 and 1, {share} does not.")
    return float(share**n_neighbours)

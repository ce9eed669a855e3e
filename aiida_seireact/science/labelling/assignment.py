"""Labels of points by their nearest landmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.labelling.classifier import Classifier
from aiida_seireact.science.labelling.errors import LabellingError
from aiida_seireact.science.labelling.naming import Stage
from aiida_seireact.science.labelling.references import Reference
from aiida_seireact.science.nearest import nearest


@dataclass(frozen=True, eq=False)
class Assignment:
    """Labels of points.

    :param labels: ``(n,)`` index into the classifier's names.
    :param clusters: ``(n,)`` cluster of the nearest landmark.
    :param core: ``(n,)`` whether that landmark is in its cluster's core.
    :param ratio: ``(n,)`` distance to the references in units of their gate: of the phase whose name the landmark has,
        or of the phase for which it is smallest where it has none; NaN without references.
    :param stage: ``(n,)`` int8, how the point came to its label, see :class:`Stage`; 0 where it has none.
    :param landmark: ``(n,)`` int32, the nearest landmark.
    :param distance: ``(n,)`` distance to it.
    """

    labels: NDArray[np.int8]
    clusters: NDArray[np.int64]
    core: NDArray[np.bool_]
    ratio: NDArray[np.float32]
    stage: NDArray[np.int8]
    landmark: NDArray[np.int32]
    distance: NDArray[np.float32]


def assign(points: ArrayLike, classifier: Classifier, *, landmark: ArrayLike | None = None) -> Assignment:
    """Label reduced points by their nearest landmark, without clustering again.

    A point takes the name of its landmark, and loses it when it lies farther than ``gates.point`` gates (of a landmark
    named in the second pass: ``gates.second_pass`` gates) from the references of that phase, unless the landmark is
    connected with them (``gates.reach``) and the point within ``gates.accept`` gates of the landmark.

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
    if landmark is None:
        distance, found = nearest(places, classifier.landmarks)
    else:
        found = np.asarray(landmark)
        distance = np.linalg.norm(places.astype(np.float64) - classifier.landmarks[found], axis=1)
    at = found.astype(np.int32)
    ratio = np.full(len(places), np.nan)
    for rows, ratios in _ratios(places, classifier.naming.landmark_labels[at], classifier.references):
        ratio[rows] = ratios
    return _gated(at, distance, ratio, classifier)


def label_landmarks(classifier: Classifier) -> Assignment:
    """Label the landmarks themselves; equal to :func:`assign` of them, but nothing has to be searched."""
    n_landmarks = len(classifier.landmarks)
    return _gated(
        np.arange(n_landmarks, dtype=np.int32), np.zeros(n_landmarks), landmark_ratios(classifier), classifier
    )


def follow(before: Assignment, old: Classifier, new: Classifier) -> Assignment:
    """Label points anew after :func:`relabel` or :func:`adopt`, without their descriptors.

    Where the landmark's name is what it was, so is the point's distance to that phase. Where it is another, the
    point's distance is not known, and that of its landmark stands for it; of points that are landmarks it is the same.

    :param before: labels by ``old``.
    :param new: made from ``old``: the same clustering.
    :raises LabellingError: another clustering.
    """
    if new.peaks is not old.peaks and not np.array_equal(new.landmarks, old.landmarks):
        raise LabellingError("The labels belong to another clustering: label the run anew.")
    kept = [_same(item, old.references) for item in new.references]
    # The number each label of the old classifier has in the new one; -1 where it's gone.
    number = np.full(len(old.names), -1)
    number[0] = 0
    for place, was in enumerate(kept, start=1):
        if was is not None:
            number[was + 1] = place
    at = before.landmark
    by_landmark = landmark_ratios(new)[at]
    unchanged = number[old.naming.landmark_labels[at]] == new.naming.landmark_labels[at]
    ratio = np.where(unchanged, before.ratio, by_landmark)
    unknown = unchanged & (new.naming.landmark_labels[at] == 0)
    # What is nearest to the unknown is known exactly only among the phases of before.
    lost = sum(was is not None for was in kept) < len(old.references)
    ratio[unknown] = by_landmark[unknown] if lost else np.fmin(ratio[unknown], by_landmark[unknown])
    # Nor how far a point is from its landmark, in another phase's measure: the landmark stands for it there too.
    return _gated(at, np.where(unchanged, before.distance, 0.0), ratio, new)


def _same(item: Reference, others: Sequence[Reference]) -> int | None:
    """Index of the same phase with the same references among others."""
    for number, other in enumerate(others):
        if other is item or (other.name == item.name and np.array_equal(other.points, item.points)):
            return number
    return None


def landmark_ratios(classifier: Classifier) -> NDArray[np.float64]:
    """Return of each landmark what :class:`Assignment` calls ratio, ``(n_landmarks,)``."""
    if not classifier.references:
        return np.full(len(classifier.landmarks), np.nan)
    placed = zip(classifier.references, classifier.placements, strict=True)
    ratios = np.stack([where.landmark_distance / item.gate for item, where in placed])
    labels = classifier.naming.landmark_labels
    own = np.take_along_axis(ratios, np.maximum(labels - 1, 0)[None], axis=0)[0]
    return np.where(labels > 0, own, ratios.min(axis=0))


def _gated(
    at: NDArray[np.int32], distance: NDArray[np.float64], ratio: NDArray[np.float64], classifier: Classifier
) -> Assignment:
    naming, gates = classifier.naming, classifier.gates
    labels, stage = naming.landmark_labels[at], naming.landmark_stage[at]
    far = np.zeros(len(at), dtype=bool)
    if gates.point is not None:
        length = np.array([0.0, *(item.gate for item in classifier.references)])[labels]
        far = (ratio > gates.point) & ~(naming.reached[at] & (distance <= gates.accept * length))
    if gates.second_pass is not None:
        far |= (stage == Stage.NON_CORE) & (ratio > gates.second_pass)
    far &= labels > 0
    labels[far], stage[far] = 0, Stage.UNKNOWN
    return Assignment(
        labels=labels.astype(np.int8),
        clusters=classifier.clusters[at],
        core=classifier.core[at],
        ratio=ratio.astype(np.float32),
        stage=stage,
        landmark=at,
        distance=distance.astype(np.float32),
    )


def _ratios(
    points: NDArray[np.float32], phases: NDArray[np.int64], references: Sequence[Reference]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Give rows and their distance over gate: to their own phase, or to the relatively nearest where unknown."""
    for number, item in enumerate(references, start=1):
        rows = np.flatnonzero(phases == number)
        if len(rows):
            yield rows, nearest(points[rows], item.points)[0] / item.gate
    rows = np.flatnonzero(phases == 0)
    if len(rows) and references:
        yield rows, np.min([nearest(points[rows], item.points)[0] / item.gate for item in references], axis=0)

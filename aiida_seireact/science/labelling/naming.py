"""From references to names of clusters, and of landmarks in the non-core regions of what stays unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.density_peaks import DensityPeaks
from aiida_seireact.science.labelling.gates import Gates
from aiida_seireact.science.labelling.references import Reference
from aiida_seireact.science.nearest import nearest

FEWEST_ACCEPTED = 3


class Stage(IntEnum):
    """How a point came to its label."""

    UNKNOWN = 0
    CORE = 1  # in the core of a cluster with a name
    JOINED = 2  # in a cluster with a name, outside its core
    NON_CORE = 3  # outside the core of a cluster without a name, where references lie


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the references of one phase lie among the landmarks.

    :param landmark: ``(n_points,)`` nearest landmark of each point of the reference.
    :param distance: ``(n_points,)`` distance to it.
    :param landmark_distance: ``(n_landmarks,)`` distance of each landmark to the nearest point of the reference.
    """

    landmark: NDArray[np.int64]
    distance: NDArray[np.float64]
    landmark_distance: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Naming:
    """Names as indices, 0 for unknown, then the references in their order.

    :param accepted: ``(n_clusters, n_references)`` references accepted in each cluster's core.
    :param cluster_labels: ``(n_clusters,)``
    :param landmark_labels: ``(n_landmarks,)`` before the gate for single points.
    :param landmark_stage: ``(n_landmarks,)`` int8, see :class:`Stage`.
    :param reached: ``(n_landmarks,)`` core landmarks that a chain connects with the references of their phase.
    """

    accepted: NDArray[np.int64]
    cluster_labels: NDArray[np.int64]
    landmark_labels: NDArray[np.int64]
    landmark_stage: NDArray[np.int8]
    reached: NDArray[np.bool_]


def place(reference: Reference, landmarks: NDArray[np.float32]) -> Placement:
    """Find the distances that every naming needs; the only costly part of a new name."""
    distance, landmark = nearest(reference.points, landmarks)
    return Placement(landmark, distance, nearest(landmarks, reference.points)[0])


def name_clusters(
    landmarks: NDArray[np.float32],
    peaks: DensityPeaks,
    references: Sequence[Reference],
    placements: Sequence[Placement],
    gates: Gates,
) -> Naming:
    """Give clusters the names of phases.

    1. A reference is accepted in a cluster if its nearest landmark is in the cluster's core and at most
       ``accept`` gates away.
    2. The cluster takes the name of the phase with most accepted references, three at least; one with less than
       ``support`` of them (a splinter) only a name that a cluster with more has,
    3. provided that ``majority`` of the cluster's core is of that phase: within ``accept`` gates of it or
       connected with it (:func:`_connected`; such points keep the name too), and that as large a share of its
       accepted references lies within one gate: among themselves 99 of 100 do. Else it is unknown.
    4. Clusters a phase was made of (adopted) take its name.
    5. Second pass (Ding et al., arXiv:2506.10944): see :func:`_second_pass`.
    """
    accepted = np.zeros((peaks.n_clusters, len(references)), dtype=np.int64)
    for column, (item, placed) in enumerate(zip(references, placements, strict=True)):
        good = (placed.distance <= gates.accept * item.gate) & peaks.core[placed.landmark]
        accepted[:, column] = np.bincount(peaks.clusters[placed.landmark[good]], minlength=peaks.n_clusters)
    labels = np.zeros(peaks.n_clusters, dtype=np.int64)
    candidates, connected = {}, {}
    for cluster in np.flatnonzero((accepted >= FEWEST_ACCEPTED).any(axis=1)).tolist():
        column = int(np.argmax(accepted[cluster]))
        core = np.flatnonzero(peaks.core & (peaks.clusters == cluster))
        distance = placements[column].landmark_distance[core]
        of_phase = core[_connected(landmarks[core], distance, references[column].gate, gates)]
        close = np.isin(placements[column].landmark, core) & (placements[column].distance <= references[column].gate)
        enough_close = close.sum() >= gates.majority * accepted[cluster, column]
        if enough_close and len(of_phase) >= gates.majority * len(core):
            candidates[cluster], connected[cluster] = column, of_phase
    enough = {at for at, column in candidates.items() if accepted[at, column] >= _fewest(references[column], gates)}
    whole = {candidates[cluster] for cluster in enough}
    for cluster, column in candidates.items():
        if cluster in enough or column in whole:
            labels[cluster] = column + 1
    adopted = np.zeros(peaks.n_clusters, dtype=bool)
    for number, item in enumerate(references, start=1):
        labels[list(item.adopted)] = number
        adopted[list(item.adopted)] = True
    landmark_labels = labels[peaks.clusters]
    stage = np.where(peaks.core, Stage.CORE, Stage.JOINED).astype(np.int8)
    stage[landmark_labels == 0] = Stage.UNKNOWN
    if references and gates.second_pass is not None:
        searched = ~peaks.core & (
            ((labels == 0) | adopted)[peaks.clusters] | _lost(landmark_labels, references, placements, gates)
        )
        for number, rows in _second_pass(peaks, references, placements, gates, searched):
            landmark_labels[rows], stage[rows] = number, Stage.NON_CORE
    reached = peaks.core & adopted[peaks.clusters]
    if gates.reach is not None:
        for cluster, of_phase in connected.items():
            if labels[cluster] and not adopted[cluster]:
                reached[of_phase] = True
    return Naming(accepted, labels, landmark_labels, stage, reached)


def _connected(
    points: NDArray[np.float32], distance: NDArray[np.float64], gate: float, gates: Gates
) -> NDArray[np.bool_]:
    """Return the points of a core within ``accept`` gates of a phase, and those a chain of such links leads to.

    Strain moves a crystal as a whole, and foreign atoms beyond the first neighbours do so site by site: what was moved
    lies off the references, but the points between are there. A chain ends ``reach`` gates from the references, so that
    it can't lead to another phase.

    :param distance: of each point to the references of the phase.
    :param gate: of the phase.
    """
    link = gates.accept * gate
    found = distance <= link
    if gates.reach is None:
        return found
    last, inside = np.flatnonzero(found), distance <= gates.reach * gate
    while len(last):
        rest = np.flatnonzero(inside & ~found)
        if not len(rest):
            break
        last = rest[nearest(points[rest], points[last])[0] <= link]
        found[last] = True
    return found


def _lost(
    labels: NDArray[np.int64], references: Sequence[Reference], placements: Sequence[Placement], gates: Gates
) -> NDArray[np.bool_]:
    """Return the landmarks that are too far from the phase of their cluster to keep its name (``gates.point``)."""
    lost = np.zeros(len(labels), dtype=bool)
    if gates.point is not None:
        for number, (item, placed) in enumerate(zip(references, placements, strict=True), start=1):
            lost |= (labels == number) & (placed.landmark_distance > gates.point * item.gate)
    return lost


def _second_pass(
    peaks: DensityPeaks,
    references: Sequence[Reference],
    placements: Sequence[Placement],
    gates: Gates,
    searched: NDArray[np.bool_],
) -> list[tuple[int, NDArray[np.int64]]]:
    """Look for references outside the cores of clusters: where is no name, or one that the point gate takes away.

    A phase too small, too sparse, or too much at borders, for a peak of its own lies there. A landmark takes the name
    of the relatively nearest given phase, if that is within ``second_pass`` gates and ``support`` of its references
    lie as near to landmarks of that cluster that would take its name. Adopted clusters are searched too, so that
    adopting does not take names away.

    :returns: number of the phase (from 1) and the landmarks that take its name.
    """
    given = [column for column, item in enumerate(references) if not item.adopted]
    if not given:
        return []
    ratios = np.stack([placements[column].landmark_distance / references[column].gate for column in given])
    best = np.argmin(ratios, axis=0)
    found = []
    for row, column in enumerate(given):
        placed = placements[column]
        gate = references[column].gate * (gates.second_pass or 0.0)
        candidates = searched & (best == row) & (placed.landmark_distance <= gate)
        here = candidates[placed.landmark] & (placed.distance <= gate)
        counts = np.bincount(peaks.clusters[placed.landmark[here]], minlength=peaks.n_clusters)
        enough = counts >= _fewest(references[column], gates)
        found.append((column + 1, np.flatnonzero(candidates & enough[peaks.clusters])))
    return found


def _fewest(reference: Reference, gates: Gates) -> float:
    """Return how many references must be found in a cluster for its name."""
    return max(FEWEST_ACCEPTED, gates.support * len(reference.points))

"""Clustered landmarks with names: all that is needed to name them anew and to label other points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.density_peaks import DensityPeaks
from aiida_seireact.science.labelling.errors import UNKNOWN, LabellingError
from aiida_seireact.science.labelling.gates import Gates
from aiida_seireact.science.labelling.naming import Naming, Placement, name_clusters, place
from aiida_seireact.science.labelling.reduction import Reduction
from aiida_seireact.science.labelling.references import Reference


@dataclass(frozen=True, eq=False)
class Classifier:
    """A clustering, the known phases, and what follows from both.

    :param reduction: from descriptors to reduced points.
    :param landmarks: ``(n_landmarks, d)`` reduced points that were clustered.
    :param peaks: their clustering: clusters, core (the rest is halo), log density and error, saddles, intrinsic
        dimension, z.
    :param maxk: neighbours known to the density estimate.
    :param alpha: quantile of the test that ends a neighbourhood.
    :param references: known phases.
    :param placements: where each reference lies among the landmarks, in the order of ``references``.
    :param gates: conditions for a name.
    :param naming: names of clusters and landmarks.
    """

    reduction: Reduction
    landmarks: NDArray[np.float32]
    peaks: DensityPeaks
    maxk: int
    alpha: float
    references: tuple[Reference, ...]
    placements: tuple[Placement, ...]
    gates: Gates
    naming: Naming

    @property
    def names(self) -> tuple[str, ...]:
        """Label names: index 0 is unknown, then the references in their order."""
        return (UNKNOWN, *(item.name for item in self.references))

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return self.peaks.n_clusters

    @property
    def clusters(self) -> NDArray[np.int64]:
        """Cluster of each landmark, ``(n_landmarks,)``."""
        return self.peaks.clusters

    @property
    def core(self) -> NDArray[np.bool_]:
        """Whether a landmark is denser than its cluster's highest saddle, ``(n_landmarks,)``."""
        return self.peaks.core

    @property
    def cluster_labels(self) -> NDArray[np.int64]:
        """Index into :attr:`names` of each cluster, ``(n_clusters,)``; 0 is unknown."""
        return self.naming.cluster_labels

    @property
    def accepted(self) -> NDArray[np.int64]:
        """References accepted in each cluster's core, ``(n_clusters, n_references)``."""
        return self.naming.accepted


def build_classifier(
    reduction: Reduction,
    landmarks: ArrayLike,
    peaks: DensityPeaks,
    references: Sequence[Reference] = (),
    gates: Gates | None = None,
    *,
    maxk: int,
    alpha: float,
) -> Classifier:
    """Name the clusters of ``peaks`` over ``landmarks`` after the references.

    :param maxk, alpha: those ``peaks`` was made with.
    :raises LabellingError: two references of one name.
    """
    points = np.asarray(landmarks, dtype=np.float32)
    if len(points) != len(peaks.clusters):
        raise LabellingError(f"{len(points)} landmarks were given with clusters of {len(peaks.clusters)} points.")
    phases = tuple(references)
    require_different_names(phases)
    placements = tuple(place(item, points) for item in phases)
    conditions = gates or Gates()
    return Classifier(
        reduction=reduction,
        landmarks=points,
        peaks=peaks,
        maxk=maxk,
        alpha=alpha,
        references=phases,
        placements=placements,
        gates=conditions,
        naming=name_clusters(points, peaks, phases, placements, conditions),
    )


def require_different_names(references: Sequence[Reference]) -> None:
    """Refuse two phases of one name.

    :raises LabellingError: there are two.
    """
    names = [item.name for item in references]
    for name in names:
        if names.count(name) > 1:
            raise LabellingError(f"There are two reference phases named {name}: give each phase one name.")

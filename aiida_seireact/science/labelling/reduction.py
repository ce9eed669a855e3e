"""The linear map from descriptors to the points that are clustered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.labelling.errors import LabellingError

FloatArray = NDArray[np.float64]
NORMALISATIONS = ("none", "standard", "row")


@dataclass(frozen=True, eq=False)
class Reduction:
    """A linear map of descriptors: subtract the mean and, unless raw, project on principal components.

    :param mean: ``(n_features,)``
    :param vectors: ``(n_features, n_kept)`` orthonormal columns, or None to keep the features as they are.
    :param kept_variance: share of the variance that is kept, 1 when raw.
    :param normalisation: what is done before: ``none``; ``row``: each descriptor is brought to unit length;
        ``standard``: each feature to unit variance.
    :param scale: ``(n_features,)`` standard deviations by which features are divided, None unless ``standard``.
    """

    mean: FloatArray
    vectors: FloatArray | None
    kept_variance: float
    normalisation: str = "none"
    scale: FloatArray | None = None

    def apply(self, descriptors: ArrayLike) -> NDArray[np.float32]:
        """Return reduced points ``(n, n_kept)``."""
        points = np.asarray(descriptors)
        if points.ndim != 2 or points.shape[1] != len(self.mean):
            raise LabellingError(
                f"The descriptors have shape {points.shape}, the classifier expects {len(self.mean)} features: "
                "both must come from the same spec."
            )
        centred = _unit_rows(points, self.normalisation) - self.mean
        if self.scale is not None:
            centred /= self.scale
        return (centred if self.vectors is None else centred @ self.vectors).astype(np.float32)


def fit_reduction(
    descriptors: ArrayLike, keep_variance: float | None = None, *, normalisation: str = "none"
) -> Reduction:
    """Find the mean and the leading principal components that keep a share of the variance.

    :param keep_variance: smallest share kept, in (0, 1]; None keeps the features as they are (no projection).
    :param normalisation: see :class:`Reduction`. A feature that is the same everywhere is not scaled.
    :raises LabellingError: the share is out of range, no such normalisation, or all points are equal.
    """
    if normalisation not in NORMALISATIONS:
        raise LabellingError(f"The normalisation {normalisation!r} is none of {', '.join(NORMALISATIONS)}.")
    points = _unit_rows(np.asarray(descriptors), normalisation)
    mean, scale = points.mean(axis=0), None
    if normalisation == "standard":
        scale = points.std(axis=0)
        # Rounding gives a constant feature a deviation of its own, which would blow noise up to a signal.
        scale[scale <= 1e-6 * np.abs(points).max(axis=0)] = 1.0
    raw = Reduction(mean=mean, vectors=None, kept_variance=1.0, normalisation=normalisation, scale=scale)
    if keep_variance is None:
        return raw
    if not 0 < keep_variance <= 1:
        raise LabellingError(f"keep_variance is {keep_variance}, but a share lies above 0 and at most at 1.")
    centred = points - mean
    if scale is not None:
        centred /= scale
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    if values[0] == 0.0:
        raise LabellingError("All descriptors are equal: there is nothing to tell apart.")
    shares = np.cumsum(values) / values.sum()
    kept = min(int(np.searchsorted(shares, keep_variance - 1e-12)) + 1, len(values))
    return replace(raw, vectors=vectors[:, :kept].copy(), kept_variance=float(shares[kept - 1]))


def _unit_rows(points: NDArray[Any], normalisation: str) -> FloatArray:
    """Return the points in float64, each of unit length where that is asked for (one of zeros stays)."""
    rows = points.astype(np.float64)
    if normalisation == "row":
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        rows /= np.where(lengths > 0, lengths, 1.0)
    return rows

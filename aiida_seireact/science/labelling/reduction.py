"""The linear map from descriptors to the points that are clustered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.labelling.errors import LabellingError

FloatArray = NDArray[np.float64]


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

"""What a clustering by density peaks is, and the errors it can end in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.packages import MissingPackageError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class DensityPeaksError(ValueError):
    """Points that can't be clustered, or a clustering that means nothing; the message says what to do."""


class MissingDadapyError(MissingPackageError):
    """The engine ``dadapy`` is asked for, but DADApy is not installed."""


@dataclass(frozen=True, eq=False)
class DensityPeaks:
    """Result of :func:`density_peaks`; arrays over the points given, in their order.

    :param clusters: ``(n_points,)`` cluster of each point.
    :param core: ``(n_points,)`` denser than the highest saddle between the point's cluster and any other.
    :param log_density: ``(n_points,)`` natural logarithm, per volume in the intrinsic dimension.
    :param log_density_error: ``(n_points,)`` its standard error.
    :param kstar: ``(n_points,)`` neighbours within which the density is constant.
    :param centres: ``(n_clusters,)`` the point at each peak.
    :param saddle: ``(n_clusters,)`` log density of the cluster's highest saddle, −inf for a cluster without one.
    :param borders: ``(n_borders, 2)`` clusters that touch, the lower number first, in ascending order.
    :param border_log_density: ``(n_borders,)`` log density at the saddle between them.
    :param border_log_density_error: ``(n_borders,)`` its standard error.
    :param intrinsic_dimension: by the two-nearest-neighbours estimator.
    :param n_distinct: points left when exact duplicates are counted once.
    :param n_plain: distinct points with the plain estimate ``k* / volume`` instead of PAk's, see
        :func:`density_peaks`.
    :param z: significance at which peaks were merged.
    :param engine: ``native`` or ``dadapy``.
    :param neighbour_search: ``exact`` or ``ivf``.
    :param neighbour_recall: share of the true neighbours that were found: 1 by an exact search, else measured on
        points drawn.
    """

    clusters: IntArray
    core: NDArray[np.bool_]
    log_density: FloatArray
    log_density_error: FloatArray
    kstar: IntArray
    centres: IntArray
    saddle: FloatArray
    borders: IntArray
    border_log_density: FloatArray
    border_log_density_error: FloatArray
    intrinsic_dimension: float
    n_distinct: int
    n_plain: int
    z: float
    engine: str
    neighbour_search: str
    neighbour_recall: float

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.centres)

    @property
    def halo(self) -> NDArray[np.bool_]:
        """``(n_points,)`` points that are not core: as likely of a neighbouring cluster as of their own."""
        return ~self.core


@dataclass(frozen=True, eq=False)
class Clusters:
    """What an engine returns for one Z, over distinct points.

    :param labels: ``(n_points,)``; :param centres: ``(n_clusters,)`` points.
    :param borders: ``(n_borders, 2)``; :param border_log_density: ``(n_borders,)``;
    :param border_log_density_error: ``(n_borders,)``
    """

    labels: IntArray
    centres: IntArray
    borders: IntArray
    border_log_density: FloatArray
    border_log_density_error: FloatArray

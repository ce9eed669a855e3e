"""Density peaks of a point cloud, by DADApy: PAk densities and the advanced density-peak clustering (ADP)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
# A cluster of fewer points than this is noise: it has not even the neighbours a density is estimated from.
FEWEST_POINTS_A_CLUSTER = 20
# Nearer than this part of the usual distance of the last neighbour, two points differ by rounding.
NEARLY_EQUAL = 1e-4
MOST_NEARLY_EQUAL = 0.05


class DensityPeaksError(ValueError):
    """Points that can't be clustered, or a clustering that means nothing; the message says what to do."""


class MissingDadapyError(ImportError):
    """DADApy is not installed."""


@dataclass(frozen=True, eq=False)
class DensityPeaks:
    """Result of :func:`density_peaks`; arrays over the points given, in their order.

    :param clusters: ``(n_points,)`` cluster of each point.
    :param core: ``(n_points,)`` denser than the highest saddle between the point's cluster and any other.
    :param log_density: ``(n_points,)`` natural logarithm, up to a constant.
    :param log_density_error: ``(n_points,)`` its standard error.
    :param kstar: ``(n_points,)`` neighbours within which the density is constant.
    :param centres: ``(n_clusters,)`` the point at each peak.
    :param saddle: ``(n_clusters,)`` log density of the cluster's highest saddle, −inf for a cluster without one.
    :param intrinsic_dimension: by the two-nearest-neighbours estimator.
    :param n_distinct: points left when exact duplicates are counted once.
    :param n_plain: distinct points with the plain estimate ``k* / volume`` instead of PAk's, see
        :func:`density_peaks`.
    :param z: significance at which peaks were merged.
    """

    clusters: NDArray[np.int64]
    core: NDArray[np.bool_]
    log_density: FloatArray
    log_density_error: FloatArray
    kstar: NDArray[np.int64]
    centres: NDArray[np.int64]
    saddle: FloatArray
    intrinsic_dimension: float
    n_distinct: int
    n_plain: int
    z: float

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return len(self.centres)


def distinct_rows(points: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices of the first of each set of equal rows, in order, and the map from rows to those.

    Exact duplicates (a frame read twice, a cell repeated by its symmetry) have distance 0 and log density NaN.
    """
    # Adding zero makes −0.0 equal 0.0 as bytes.
    rows = np.ascontiguousarray(points + np.zeros(1, dtype=points.dtype))
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[np.ravel(inverse)]


def nearest_neighbours(
    points: ArrayLike, k: int, *, chunk: int = 512, spare: int = 16
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Find the ``k`` nearest other points of every point, the point itself first.

    Candidates come from a matrix product, which cancels; their distances are then computed anew in float64.

    :param points: ``(n_points, n_features)``.
    :param spare: candidates looked at beyond ``k``, so that rounding in the product loses none.
    :returns: distances ``(n_points, k + 1)`` ascending, first column 0, and indices, first column the point.
    :raises DensityPeaksError: ``k`` is not smaller than the number of points.
    """
    places = np.asarray(points)
    n_points = len(places)
    if k >= n_points:
        raise DensityPeaksError(
            f"{k} neighbours of each point are asked for, but there are only {n_points} points: "
            "give more points or a smaller maxk."
        )
    exact = places.astype(np.float64) - places.mean(axis=0, dtype=np.float64)
    fast = exact.astype(np.float32)
    halves = 0.5 * np.einsum("ij,ij->i", fast, fast)
    n_candidates = min(k + 1 + spare, n_points)
    distances, indices = np.empty((n_points, k + 1)), np.empty((n_points, k + 1), dtype=np.int64)
    for start in range(0, n_points, chunk):
        rows = np.arange(start, min(start + chunk, n_points))
        # Half the squared distance, less a constant of the row: enough for an order.
        order = halves - fast[rows] @ fast.T
        order[np.arange(len(rows)), rows] = -np.inf
        near = np.argpartition(order, n_candidates - 1, axis=1)[:, :n_candidates]
        squares = np.empty((len(rows), n_candidates))
        for place, row in enumerate(rows):
            difference = exact[near[place]] - exact[row]
            squares[place] = np.einsum("ij,ij->i", difference, difference)
        squares[near == rows[:, None]] = -1.0
        chosen = np.argsort(squares, axis=1, kind="stable")[:, : k + 1]
        indices[rows] = np.take_along_axis(near, chosen, axis=1)
        distances[rows] = np.sqrt(np.maximum(np.take_along_axis(squares, chosen, axis=1), 0.0))
    return distances, indices


def density_peaks(points: ArrayLike, *, z: float = 3.0, maxk: int = 100, alpha: float = 1e-6) -> DensityPeaks:
    """Cluster points around the peaks of their density, without choosing a number of clusters.

    Intrinsic dimension by 2NN (Facco et al., Sci. Rep. 7, 12140 (2017)), densities by PAk (Rodriguez et al.,
    J. Chem. Theory Comput. 14, 1206 (2018)), clusters by ADP (d'Errico et al., Inf. Sci. 560, 476 (2021)),
    all as in DADApy (Glielmo et al., Patterns 3, 100589 (2022)).

    A point whose neighbours but one fill next to none of its volume (nearly equal points, then a gap) leaves PAk
    no slope to fit; it keeps the density PAk starts from, ``k* / volume``, as DADApy does for vanishing volumes.

    :param points: ``(n_points, n_features)``; Euclidean distances, no scaling of features.
    :param z: peaks less significant than this many standard errors above a saddle are merged with it.
    :param maxk: neighbours known to the estimator; the neighbourhoods in use are usually smaller.
    :param alpha: quantile of the test for constant density that ends a neighbourhood.
    :raises DensityPeaksError: NaN, too few or mostly equal points, or a result without clusters to speak of.
    :raises MissingDadapyError: DADApy is not installed.
    """
    places = np.asarray(points)
    if places.ndim != 2:
        raise DensityPeaksError(f"Points have shape {places.shape}, expected (n_points, n_features).")
    if not np.isfinite(places).all():
        row = int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])
        raise DensityPeaksError(f"Point {row} holds NaN or infinity: drop it, or mend the frame it comes from.")
    if maxk < 5:
        raise DensityPeaksError(f"maxk is {maxk}, but a density needs at least 5 neighbours: use about 100.")
    first, inverse = distinct_rows(places)
    if len(first) <= maxk + 1:
        raise DensityPeaksError(
            f"Only {len(first)} of {len(places)} points are distinct, too few for maxk {maxk}: give more frames, "
            "leave out unrattled crystals and repeated frames, or lower maxk."
        )
    # The import takes seconds (jax), so only those pay who cluster.
    try:
        from dadapy import Data
    except ImportError as error:
        raise MissingDadapyError(f"DADApy is needed to cluster ({error}): pip install dadapy.") from error

    distances, indices = nearest_neighbours(places[first], maxk)
    twins = float(np.mean(distances[:, 1] < NEARLY_EQUAL * np.median(distances[:, -1])))
    if twins > MOST_NEARLY_EQUAL:
        raise DensityPeaksError(
            f"{twins:.0%} of the points are nearly equal to another one, so their density means nothing: leave out "
            "unrattled crystals, repeated frames and frame 0 of a repeated cell."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = Data(distances=(distances, indices), maxk=maxk, n_jobs=1)
        try:
            dimension = float(data.compute_id_2NN()[0])
            data.compute_kstar(alpha=alpha)
            # DADApy 0.3.4 caps volumes at e^300, drops those below 1e-300, and limits its steps by the size of
            # log ρ: in these units log ρ is about 20, whatever the units of the points and their dimension are.
            data.distances *= np.exp(-20.0 / dimension) / np.median(data.distances[:, -1])
            plain = _without_slope(data.distances, data.kstar, dimension)
            # A row of vanishing volume is left at k*/volume. Otherwise its singular Hessian sends PAk into a
            # loop that has no limit of steps (0.3.4, cython_maximum_likelihood_opt_full.pyx:78-81: seen to hang).
            data.distances[plain, 1] = np.finfo(np.float64).tiny
            data.compute_density_PAk(alpha=alpha)
            data.compute_clustering_ADP(Z=z)
        except (AssertionError, ArithmeticError, IndexError, ValueError, np.linalg.LinAlgError) as error:
            raise DensityPeaksError(
                f"DADApy found no density peaks in {len(first)} points ({error}): nearly equal points or a maxk "
                f"({maxk}) too small are the usual reasons."
            ) from error
    log_density = np.asarray(data.log_den, dtype=np.float64)
    clusters = np.asarray(data.cluster_assignment, dtype=np.int64)
    n_clusters = int(data.N_clusters)
    if clusters.min() < 0 or clusters.max() >= n_clusters:
        # DADApy 0.3.4 leaves memory as it was where its fallback for removed centres fails (cython_clustering.pyx).
        raise DensityPeaksError(
            f"DADApy left {int(((clusters < 0) | (clusters >= n_clusters)).sum())} points without a cluster: give "
            f"more points or a larger maxk than {maxk}."
        )
    if not np.isfinite(log_density).all():
        raise DensityPeaksError(
            f"The density of {int((~np.isfinite(log_density)).sum())} points is not finite: look for nearly equal "
            "points (unrattled crystals, repeated frames)."
        )
    saddle = _highest_saddles(data, n_clusters, z)
    core = log_density > saddle[clusters]
    if n_clusters > len(first) / FEWEST_POINTS_A_CLUSTER and core.mean() > 0.95:
        raise DensityPeaksError(
            f"{len(first)} points fell apart into {n_clusters} clusters, almost all core: the points are nearly "
            "equal in groups. Leave out unrattled crystals, repeated frames and frame 0 of a repeated cell."
        )
    return DensityPeaks(
        clusters=clusters[inverse],
        core=core[inverse],
        log_density=log_density[inverse],
        log_density_error=np.asarray(data.log_den_err, dtype=np.float64)[inverse],
        kstar=np.asarray(data.kstar, dtype=np.int64)[inverse],
        centres=first[np.asarray(data.cluster_centers, dtype=np.int64)],
        saddle=saddle,
        intrinsic_dimension=dimension,
        n_distinct=len(first),
        n_plain=int(plain.sum()),
        z=float(z),
    )


def _without_slope(distances: FloatArray, kstar: NDArray[np.int64], dimension: float) -> NDArray[np.bool_]:
    """Rows of which one shell holds nearly all the volume, so that the variance of the shell number vanishes."""
    k_most = int(kstar.max())
    within = np.arange(1, k_most + 1) <= kstar[:, None]
    edge = distances[np.arange(len(distances)), kstar][:, None]
    # Ratios of volumes of balls to the outermost; logarithms, because the dimension may be large.
    balls = np.exp(dimension * np.log(np.minimum(distances[:, 1 : k_most + 1] / edge, 1.0)))
    shells = np.where(within, np.diff(balls, axis=1, prepend=0.0), 0.0)
    number = np.arange(1, k_most + 1)
    mean = shells @ number
    variance = np.einsum("ij,ij->i", shells, (number - mean[:, None]) ** 2)
    return np.asarray(variance < 1e-6)


def _highest_saddles(data: Any, n_clusters: int, z: float) -> FloatArray:
    """Log density of each cluster's highest saddle; −inf where no other cluster touches it."""
    if n_clusters == 1:
        return np.full(1, -np.inf)
    borders = np.array(data.log_den_bord, dtype=np.float64)
    # DADApy 0.3.4 has no mark for clusters that do not touch: it leaves them 1 below min(log ρ − Z error), and
    # the diagonal 2 below, while every true border is above that minimum (clustering.py:126-130, :190).
    borders[borders < np.min(data.log_den - z * data.log_den_err) - 0.5] = -np.inf
    return np.asarray(borders.max(axis=1))

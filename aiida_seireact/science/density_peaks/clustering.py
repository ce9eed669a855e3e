"""From points to clusters: checks, neighbours, densities by the engine chosen, clusters for any number of Z."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.density_peaks.dadapy_engine import DadapyDensities, dadapy_densities
from aiida_seireact.science.density_peaks.duplicates import distinct_rows
from aiida_seireact.science.density_peaks.native import NativeDensities, native_densities
from aiida_seireact.science.density_peaks.neighbours import Neighbours, find_neighbours
from aiida_seireact.science.density_peaks.result import DensityPeaks, DensityPeaksError, IntArray
from aiida_seireact.science.packages import CLASSIFY, MissingPackageError

ENGINES = ("native", "dadapy")
# A cluster of fewer points than this is noise: it has not even the neighbours a density is estimated from.
FEWEST_POINTS_A_CLUSTER = 20
# Nearer than this part of the usual distance of the last neighbour, two points differ by rounding.
NEARLY_EQUAL = 1e-4
MOST_NEARLY_EQUAL = 0.05


@dataclass(frozen=True, eq=False)
class PeaksInput:
    """Everything of a clustering that does not depend on Z, made by :func:`peaks_input`.

    :param first: ``(n_distinct,)`` the points that were clustered; :param inverse: ``(n_points,)`` place of each
        point among them.
    """

    first: IntArray
    inverse: IntArray
    neighbours: Neighbours
    densities: NativeDensities | DadapyDensities
    engine: str


def density_peaks(
    points: ArrayLike,
    *,
    z: float = 3.0,
    maxk: int = 100,
    alpha: float = 1e-6,
    engine: str = "native",
    neighbours: str = "auto",
    seed: int = 0,
) -> DensityPeaks:
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
    :param engine: ``native``, or ``dadapy`` for DADApy itself.
    :param neighbours: ``exact``, ``ivf`` (faiss, recall measured), or ``auto``: exact up to 60,000 points.
    :param seed: of what ``ivf`` draws; the exact search draws nothing.
    :raises DensityPeaksError: NaN, too few or mostly equal points, or a result without clusters to speak of.
    :raises MissingPackageError: numba, faiss for ``ivf``, or DADApy for ``dadapy`` is not installed.
    """
    made = peaks_input(points, maxk=maxk, alpha=alpha, engine=engine, neighbours=neighbours, seed=seed)
    return scan_z(made, [z])[0]


def peaks_input(
    points: ArrayLike,
    *,
    maxk: int = 100,
    alpha: float = 1e-6,
    engine: str = "native",
    neighbours: str = "auto",
    seed: int = 0,
) -> PeaksInput:
    """Search neighbours and estimate densities, which costs nearly all the time of :func:`density_peaks`.

    Parameters and errors are those of :func:`density_peaks`.
    """
    places = _checked(points)
    if engine not in ENGINES:
        raise DensityPeaksError(f"The engine can be {' or '.join(ENGINES)}, not {engine!r}.")
    if maxk < 5:
        raise DensityPeaksError(f"maxk is {maxk}, but a density needs at least 5 neighbours: use about 100.")
    if not 0 < alpha < 1:
        raise DensityPeaksError(f"alpha is {alpha}, but it is a probability: use about 1e-6.")
    try:
        import numba  # noqa: F401
    except ImportError as error:
        raise MissingPackageError.of(error, "density peaks", CLASSIFY) from None
    first, inverse = distinct_rows(places)
    if len(first) <= maxk + 1:
        raise DensityPeaksError(
            f"Only {len(first)} of {len(places)} points are distinct, too few for maxk {maxk}: give more frames, "
            "leave out unrattled crystals and repeated frames, or lower maxk."
        )
    found = find_neighbours(places[first], maxk, method=neighbours, seed=seed)
    _check_distances(found)
    densities = (native_densities if engine == "native" else dadapy_densities)(found, alpha)
    if not np.isfinite(densities.log_density).all():
        raise DensityPeaksError(
            f"The density of {int((~np.isfinite(densities.log_density)).sum())} points is not finite: look for "
            "nearly equal points (unrattled crystals, repeated frames)."
        )
    return PeaksInput(first, inverse, found, densities, engine)


def scan_z(made: PeaksInput, zs: Sequence[float]) -> list[DensityPeaks]:
    """Return the clustering for each Z, in their order; neighbours and densities are those of ``made``.

    :raises DensityPeaksError: a Z is negative or no number, or points fell apart into groups of nearly equal ones.
    """
    return [_at(made, float(z)) for z in zs]


def _checked(points: ArrayLike) -> NDArray[Any]:
    places = np.asarray(points)
    if places.ndim != 2:
        raise DensityPeaksError(f"Points have shape {places.shape}, expected (n_points, n_features).")
    if not np.issubdtype(places.dtype, np.floating):
        places = places.astype(np.float64)
    if not np.isfinite(places).all():
        row = int(np.flatnonzero(~np.isfinite(places).all(axis=1))[0])
        raise DensityPeaksError(f"Point {row} holds NaN or infinity: drop it, or mend the frame it comes from.")
    return places


def _check_distances(found: Neighbours) -> None:
    last = found.distances[:, -1]
    if not np.isfinite(last).all():
        raise DensityPeaksError("Distances between the points overflow: give the features in a smaller unit.")
    twins = float(np.mean(found.distances[:, 1] < NEARLY_EQUAL * np.median(last)))
    if twins > MOST_NEARLY_EQUAL:
        raise DensityPeaksError(
            f"{twins:.0%} of the points are nearly equal to another one, so their density means nothing: leave out "
            "unrattled crystals, repeated frames and frame 0 of a repeated cell."
        )
    touching = int((found.distances[:, 1] == 0).sum())
    if touching:
        raise DensityPeaksError(
            f"{touching} points differ from another one by less than doubles can tell: round the features, so that "
            "they count as duplicates."
        )


def _at(made: PeaksInput, z: float) -> DensityPeaks:
    if not z >= 0:
        raise DensityPeaksError(f"Z is {z}, but a significance is a number of standard errors: use about 3.")
    densities, inverse = made.densities, made.inverse
    clusters = densities.clusters(z)
    n_clusters, n_distinct = len(clusters.centres), len(made.first)
    saddle = np.full(n_clusters, -np.inf)
    for side in range(2):
        np.maximum.at(saddle, clusters.borders[:, side], clusters.border_log_density)
    core = densities.log_density > saddle[clusters.labels]
    if n_clusters > max(1, n_distinct / FEWEST_POINTS_A_CLUSTER) and core.mean() > 0.95:
        raise DensityPeaksError(
            f"{n_distinct} points fell apart into {n_clusters} clusters, almost all core: the points are nearly "
            "equal in groups. Leave out unrattled crystals, repeated frames and frame 0 of a repeated cell."
        )
    return DensityPeaks(
        clusters=clusters.labels[inverse],
        core=core[inverse],
        log_density=densities.log_density[inverse],
        log_density_error=densities.error[inverse],
        kstar=densities.kstar[inverse],
        centres=made.first[clusters.centres],
        saddle=saddle,
        borders=clusters.borders,
        border_log_density=clusters.border_log_density,
        border_log_density_error=clusters.border_log_density_error,
        intrinsic_dimension=densities.dimension,
        n_distinct=n_distinct,
        n_plain=int(densities.plain.sum()),
        z=z,
        engine=made.engine,
        neighbour_search=made.neighbours.method,
        neighbour_recall=made.neighbours.recall,
    )

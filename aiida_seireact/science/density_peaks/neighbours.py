"""The nearest neighbours of every point of a set: exact, or by faiss with a recall that is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.density_peaks.result import DensityPeaksError, FloatArray, IntArray
from aiida_seireact.science.nearest import k_nearest, principal_axes
from aiida_seireact.science.packages import CLASSIFY, MissingPackageError
from aiida_seireact.science.threads import for_each

METHODS = ("auto", "exact", "ivf")
# From about here the inverted lists are faster; their recall is nearly 1, but not 1.
MOST_EXACT = 60_000
# Candidates of the inverted lists come from so many principal components, so many for each neighbour wanted.
MOST_COMPONENTS = 50
CANDIDATES_A_NEIGHBOUR = 1.5
# Points drawn to choose how many lists are searched, and as many others to tell the recall.
DRAWN = 256
WANTED_RECALL = 0.999
LEAST_RECALL = 0.95
N_PROBE = (8, 16, 32, 64, 128)


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Neighbours of every point, the point itself first.

    :param distances: ``(n_points, k + 1)`` ascending; :param indices: ``(n_points, k + 1)``.
    :param recall: share of the true neighbours found. :param method: ``exact`` or ``ivf``.
    """

    distances: FloatArray
    indices: IntArray
    recall: float
    method: str


def find_neighbours(points: ArrayLike, k: int, *, method: str = "auto", seed: int = 0) -> Neighbours:
    """Find the ``k`` nearest other points of every point.

    ``ivf``: lists of points by k-means cells, of which the nearest few are searched in the space of the leading
    principal components; candidates are ranked by their distance in the full space. As many lists are searched as
    it takes to find 0.999 of the neighbours of some points drawn; the recall told is that of others.

    :param points: ``(n_points, n_features)``.
    :param method: ``exact``, ``ivf``, or ``auto``: exact up to 60,000 points.
    :param seed: of the k-means cells and of the points drawn.
    :raises DensityPeaksError: an unknown method, k not smaller than the number of points, or a recall below 0.95.
    :raises MissingPackageError: numba, or faiss for ``ivf``, is not installed.
    """
    places = np.asarray(points)
    if method not in METHODS:
        raise DensityPeaksError(f"Neighbours can be found by {', '.join(METHODS)}, not by {method!r}.")
    if method == "exact" or (method == "auto" and len(places) <= MOST_EXACT):
        return Neighbours(*nearest_neighbours(places, k), recall=1.0, method="exact")
    _check(k, len(places))
    kind = np.float32 if places.dtype == np.float32 else np.float64
    return _by_lists(np.ascontiguousarray(places, dtype=kind), k, seed)


def nearest_neighbours(points: ArrayLike, k: int) -> tuple[FloatArray, IntArray]:
    """Find the ``k`` nearest other points of every point, exactly, the point itself first.

    :param points: ``(n_points, n_features)``.
    :returns: distances ``(n_points, k + 1)`` ascending, first column 0, and indices, first column the point.
    :raises DensityPeaksError: ``k`` is not smaller than the number of points.
    """
    places = np.asarray(points)
    _check(k, len(places))
    distances, indices = k_nearest(places, places, k + 1)
    return _self_first(distances, indices)


def _check(k: int, n_points: int) -> None:
    if k >= n_points:
        raise DensityPeaksError(
            f"{k} neighbours of each point are asked for, but there are only {n_points} points: "
            "give more points or a smaller maxk."
        )


def _self_first(distances: FloatArray, indices: IntArray) -> tuple[FloatArray, IntArray]:
    """Put each point before its duplicates; of more duplicates than columns the last makes room."""
    wrong = np.flatnonzero(indices[:, 0] != np.arange(len(indices)))
    for row in wrong:
        others = indices[row][indices[row] != row]
        keep = indices[row] != row
        if keep.all():
            keep[-1] = False
            others = others[:-1]
        distances[row, 1:] = distances[row][keep]
        indices[row] = np.concatenate([[row], others])
        distances[row, 0] = 0.0
    return distances, indices


# ------------------------------------------------------------------------------------------------ inverted lists


def _by_lists(places: NDArray[Any], k: int, seed: int) -> Neighbours:
    try:
        import faiss
    except ImportError as error:
        raise MissingPackageError.of(error, "neighbours by inverted lists (`ivf`)", CLASSIFY) from None
    low = _components(places)
    drawn = np.random.default_rng(seed).permutation(len(places))[: 2 * DRAWN]
    truth = k_nearest(places[drawn], places, k + 1)[1]
    index = _lists(faiss, low, seed)
    n_candidates = min(int(CANDIDATES_A_NEIGHBOUR * k) + 16, len(places))
    to_choose, to_tell = np.array_split(np.arange(len(drawn)), 2)
    for n_probe in N_PROBE:
        index.nprobe = min(n_probe, index.nlist)
        found = _ranked(places, drawn[to_choose], index.search(low[drawn[to_choose]], n_candidates)[1], k)[1]
        if _recall(found, truth[to_choose]) >= WANTED_RECALL or n_probe >= index.nlist:
            break
    distances, indices = _ranked(places, np.arange(len(places)), index.search(low, n_candidates)[1], k)
    short = np.flatnonzero(~np.isfinite(distances[:, -1]))
    if len(short):
        # Lists that hold too few points between them: those rows are searched among all.
        distances[short], indices[short] = k_nearest(places[short], places, k + 1)
    distances, indices = _self_first(distances, indices)
    recall = _recall(indices[drawn[to_tell]], truth[to_tell])
    if recall < LEAST_RECALL:
        raise DensityPeaksError(
            f"The inverted lists found only {recall:.1%} of the {k} nearest neighbours of points drawn: the points "
            "fill too many dimensions for them. Search with neighbours 'exact', or fewer points."
        )
    return Neighbours(distances, indices, recall=recall, method="ivf")


def _components(places: NDArray[Any]) -> NDArray[np.float32]:
    origin = places.mean(axis=0, dtype=np.float64)
    axes = principal_axes(places, origin, 1.0, MOST_COMPONENTS)
    low = np.empty((len(places), places.shape[1] if axes is None else axes.shape[1]), dtype=np.float32)
    for start in range(0, len(places), 8192):
        centred = places[start : start + 8192].astype(np.float64) - origin
        low[start : start + 8192] = centred if axes is None else centred @ axes
    return low


def _lists(faiss: Any, low: NDArray[np.float32], seed: int) -> Any:
    """Return a faiss index of about 4√n lists; cells found on one thread, so that they are the same on any."""
    n_lists = min(int(4 * np.sqrt(len(low))), len(low) // 39 or 1)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(low.shape[1]), low.shape[1], n_lists)
    index.cp.seed, index.cp.niter = seed + 1, 10
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index.train(low)
        index.add(low)
    finally:
        faiss.omp_set_num_threads(threads)
    return index


def _ranked(places: NDArray[Any], rows: IntArray, candidates: IntArray, k: int) -> tuple[FloatArray, IntArray]:
    from aiida_seireact.science import nearest_kernels

    squares, indices = np.empty((len(rows), k + 1)), np.empty((len(rows), k + 1), dtype=np.int64)

    def fill(part: slice) -> None:
        nearest_kernels.rank(places[rows[part]], places, candidates[part], squares[part], indices[part])

    for_each(fill, [slice(start, start + 2048) for start in range(0, len(rows), 2048)])
    return np.sqrt(squares), indices


def _recall(found: IntArray, truth: IntArray) -> float:
    """Share of the true neighbours, the points themselves left out, that are among those found."""
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True))
    return (hits - len(truth)) / (truth.size - len(truth))

"""Nearest points among many, exactly, for descriptors of hundreds of features.

A distance between projections on principal components never exceeds the distance itself, nor does it when the length
of what the projection drops is added as one more coordinate (the triangle inequality). So a cheap matrix product of
some fifty columns bounds all distances from below; candidates of the smallest bounds get their true distance in
float64, and every target whose bound does not exceed what was found is looked at too. The answer is exact, whatever
the projection, and the same for any chunk and any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.packages import CLASSIFY, MissingPackageError

FloatArray = NDArray[np.float64]
# Share of the variance that the projection of the bounds keeps, and rows its axes are found from.
BOUND_VARIANCE = 0.9999
MOST_ROWS_OF_AXES = 5000
# Below so many features a projection saves nothing.
FEWEST_FEATURES = 64
SPARE = 15
ROWS, COLUMNS = 512, 1024


def nearest(points: ArrayLike, targets: ArrayLike) -> tuple[FloatArray, NDArray[np.int64]]:
    """Find the nearest target of each point, exactly; of equally near ones the first.

    :param points: ``(n, d)``; :param targets: ``(m, d)``, m > 0; Euclidean distances, float32 or float64.
    :returns: distances ``(n,)`` in float64, indices ``(n,)``.
    :raises MissingPackageError: numba is not installed. :raises ValueError: shapes differ, or no target.
    """
    distances, indices = k_nearest(points, targets, 1)
    return distances[:, 0], indices[:, 0]


def k_nearest(points: ArrayLike, targets: ArrayLike, k: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """Find the ``k`` nearest targets of each point, exactly, nearest first.

    :param points: ``(n, d)``; :param targets: ``(m, d)``
    :returns: distances ``(n, k)`` in float64, indices ``(n, k)``; of equal distances the lower index comes first.
    :raises MissingPackageError: numba is not installed. :raises ValueError: shapes differ, or k > m.
    """
    some, others = _same_kind(points, targets)
    if not 0 < k <= len(others):
        raise ValueError(f"{k} nearest of {len(others)} targets are asked for.")
    bounds = Bounds.of(others)
    squares, indices = np.empty((len(some), k)), np.empty((len(some), k), dtype=np.int64)
    for start in range(0, len(some), ROWS):
        rows = slice(start, start + ROWS)
        _search(some[rows], others, bounds, squares[rows], indices[rows])
    return np.sqrt(squares), indices


def _same_kind(points: ArrayLike, targets: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    some, others = np.asarray(points), np.asarray(targets)
    if some.ndim != 2 or others.ndim != 2 or some.shape[1] != others.shape[1]:
        raise ValueError(f"Points {some.shape} and targets {others.shape} must have the same number of features.")
    kind = np.float32 if some.dtype == others.dtype == np.float32 else np.float64
    return np.ascontiguousarray(some, dtype=kind), np.ascontiguousarray(others, dtype=kind)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Lower bounds of distances to fixed targets, half their squares less a constant of the point.

    :param origin: ``(d,)`` centre of the targets.
    :param axes: ``(d, p)`` orthonormal columns, or None where the bound is the distance itself.
    :param table: ``(p' + 1, m)`` float32: the targets' coordinates, below them half the square of their length.
    """

    origin: FloatArray
    axes: FloatArray | None
    table: NDArray[np.float32]

    @classmethod
    def of(cls, targets: NDArray[Any]) -> Bounds:
        """Return the bounds to these targets ``(m, d)``."""
        origin = targets.mean(axis=0, dtype=np.float64)
        axes = principal_axes(targets, origin, BOUND_VARIANCE)
        low = np.concatenate([shadow(targets[at : at + 8192], origin, axes) for at in range(0, len(targets), 8192)])
        halves = 0.5 * np.einsum("ij,ij->i", low, low, dtype=np.float64)
        table = np.ascontiguousarray(np.column_stack([low, halves]).T.astype(np.float32))
        return cls(origin, axes, table)

    def rows(self, points: NDArray[Any]) -> tuple[NDArray[np.float32], FloatArray]:
        """Return the left factor ``(n, p' + 1)`` of the product, and the lengths ``(n,)`` of its points."""
        low = shadow(points, self.origin, self.axes)
        lengths = np.sqrt(np.einsum("ij,ij->i", low, low, dtype=np.float64))
        return np.column_stack([-low, np.ones(len(low), dtype=np.float32)]), lengths

    def limits(self, lengths: FloatArray, squares: FloatArray) -> FloatArray:
        """Return the largest bound that a target within these squared distances can have, rounding included.

        Such a target is no longer than the point plus the distance, which limits the terms of its product. A sum of
        p products is wrong by at most p u of its terms' sizes (Higham, Accuracy and Stability, 2002, eq. 3.5).
        """
        longest = lengths + np.sqrt(squares)
        error = (len(self.table) + 8) * 0.5 * np.finfo(np.float32).eps * (lengths * longest + 0.5 * longest**2)
        return np.asarray(0.5 * (squares - lengths**2) + error)


def principal_axes(
    targets: NDArray[Any], origin: FloatArray, variance: float, most: int | None = None
) -> FloatArray | None:
    """Return the leading principal axes ``(d, p)`` of some of the targets; None where they are too many to pay.

    :param variance: share of the variance that the axes keep. :param most: largest number of axes.
    """
    n_features = targets.shape[1]
    if n_features <= FEWEST_FEATURES:
        return None
    stride = -(-len(targets) // MOST_ROWS_OF_AXES)
    some = targets[::stride].astype(np.float64) - origin
    values, vectors = np.linalg.eigh(some.T @ some)
    shares = np.cumsum(np.maximum(values[::-1], 0.0))
    kept = int(np.searchsorted(shares, variance * shares[-1])) + 1
    kept = kept if most is None else min(kept, most)
    return None if kept > n_features // 2 else np.ascontiguousarray(vectors[:, ::-1][:, :kept])


def shadow(points: NDArray[Any], origin: FloatArray, axes: FloatArray | None) -> NDArray[np.float32]:
    """Return coordinates along the axes and, last, the length of what they leave: ``(n, p + 1)``."""
    centred = points.astype(np.float64) - origin
    if axes is None:
        return centred.astype(np.float32)
    low = centred @ axes
    rest = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", low, low)
    return np.column_stack([low, np.sqrt(np.maximum(rest, 0.0))]).astype(np.float32)


def _search(
    points: NDArray[Any], targets: NDArray[Any], bounds: Bounds, squares: FloatArray, indices: NDArray[np.int64]
) -> None:
    """Fill squared distances and indices of a block of points."""
    try:
        from aiida_seireact.science import nearest_kernels as kernels
    except ImportError as error:
        raise MissingPackageError.of(error, "the search for nearest points", CLASSIFY) from None
    left, lengths = bounds.rows(points)
    n_kept = min(squares.shape[1] + SPARE, len(targets))
    lowest = np.full((len(points), n_kept), np.inf, dtype=np.float32)
    candidates = np.full((len(points), n_kept), -1, dtype=np.int64)
    # One piece of memory for all tiles: a fresh one each time costs as much as the product.
    tile = np.empty((ROWS, COLUMNS), dtype=np.float32)
    for first in range(0, len(targets), COLUMNS):
        part = bounds.table[:, first : first + COLUMNS]
        product = tile[: len(points), : part.shape[1]]
        kernels.keep_smallest(np.matmul(left, part, out=product), first, lowest, candidates)
    kernels.rank(points, targets, candidates, squares, indices)
    # Bounds that could belong to something nearer than the last one found.
    limits = bounds.limits(lengths, squares[:, -1])
    open_rows = np.flatnonzero(limits >= lowest[:, 0]) if n_kept < len(targets) else np.empty(0, dtype=np.int64)
    for start in range(0, len(open_rows), ROWS // 4):
        rows = open_rows[start : start + ROWS // 4]
        found, places = squares[rows], indices[rows]
        kernels.rank_below(points[rows], targets, left[rows] @ bounds.table, limits[rows], found, places)
        squares[rows], indices[rows] = found, places

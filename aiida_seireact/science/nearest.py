"""Nearest points among many, exactly, for descriptors of hundreds of features.

A distance between projections on principal components never exceeds the distance itself, nor does it when the length
of what the projection drops is added as one more coordinate (the triangle inequality). So a cheap matrix product of
some fifty columns bounds all distances from below; candidates of the smallest bounds get their true distance in
float64, and every target whose bound does not exceed what was found is looked at too. Points and targets are taken in
boxes of near ones, and boxes too far from each other for any neighbour are left out. The answer is exact, whatever the
projection and the boxes, and the same for any chunk and any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.packages import CLASSIFY, MissingPackageError
from aiida_seireact.science.threads import for_each

FloatArray = NDArray[np.float64]
# Share of the variance that the projection of the bounds keeps, and rows its axes are found from.
BOUND_VARIANCE = 0.9999
MOST_ROWS_OF_AXES = 5000
# Below so many features a projection saves nothing.
FEWEST_FEATURES = 64
SPARE = 15
# Points and targets in a box, and points whose projections are held at a time.
ROWS, COLUMNS = 256, 512
CHUNK = 32_768


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
    for start in range(0, len(some), CHUNK):
        low = bounds.shadow(some[start : start + CHUNK])

        def fill(box: NDArray[np.int64], start: int = start, low: NDArray[np.float32] = low) -> None:
            rows = start + box
            squares[rows], indices[rows] = _search(some[rows], low[box], others, bounds, k)

        for_each(fill, boxes(low, ROWS))
    return np.sqrt(squares), indices


def _same_kind(points: ArrayLike, targets: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    some, others = np.asarray(points), np.asarray(targets)
    if some.ndim != 2 or others.ndim != 2 or some.shape[1] != others.shape[1]:
        raise ValueError(f"Points {some.shape} and targets {others.shape} must have the same number of features.")
    kind = np.float32 if some.dtype == others.dtype == np.float32 else np.float64
    return np.ascontiguousarray(some, dtype=kind), np.ascontiguousarray(others, dtype=kind)


@dataclass(frozen=True, eq=False)
class Box:
    """Targets near each other: their coordinates, below them half the square of their length, ``(p + 1, n)`` float32.

    :param members: ``(n,)`` targets. :param centre: ``(p,)``; :param radius: of a ball that holds them all.
    """

    members: NDArray[np.int64]
    table: NDArray[np.float32]
    centre: FloatArray
    radius: float


@dataclass(frozen=True, eq=False)
class Bounds:
    """Lower bounds of distances to fixed targets, half their squares less a constant of the point, in a unit.

    :param origin: ``(d,)`` centre of the targets.
    :param axes: ``(d, p)`` orthonormal columns, or None where the bound is the distance itself.
    :param unit: of all lengths here, a power of two near the largest coordinate: float32 has a short range.
    """

    origin: FloatArray
    axes: FloatArray | None
    unit: float
    boxes: tuple[Box, ...]

    @classmethod
    def of(cls, targets: NDArray[Any]) -> Bounds:
        """Return the bounds to these targets ``(m, d)``."""
        origin = targets.mean(axis=0, dtype=np.float64)
        axes = principal_axes(targets, origin, BOUND_VARIANCE)
        largest = max(
            float(np.abs(targets.max(axis=0) - origin).max()), float(np.abs(targets.min(axis=0) - origin).max())
        )
        empty = cls(origin, axes, float(2.0 ** np.frexp(largest)[1]), ())
        low = np.concatenate([empty.shadow(targets[at : at + CHUNK]) for at in range(0, len(targets), CHUNK)])
        return replace(empty, boxes=tuple(_box(low, members) for members in boxes(low, COLUMNS)))

    def shadow(self, points: NDArray[Any]) -> NDArray[np.float32]:
        """Return coordinates along the axes and, last, the length of what they leave: ``(n, p + 1)``."""
        centred = (points.astype(np.float64) - self.origin) / self.unit
        if self.axes is None:
            return centred.astype(np.float32)
        low = centred @ self.axes
        rest = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", low, low)
        return np.column_stack([low, np.sqrt(np.maximum(rest, 0.0))]).astype(np.float32)

    def limits(self, lengths: FloatArray, squares: FloatArray, n_terms: int) -> FloatArray:
        """Return the largest bound that a target within these squared distances can have, rounding included.

        Such a target is no longer than the point plus the distance, which limits the terms of its product. A sum of
        p products is wrong by at most p u of its terms' sizes (Higham, Accuracy and Stability, 2002, eq. 3.5).
        """
        longest = lengths + np.sqrt(squares)
        error = (n_terms + 8) * 0.5 * np.finfo(np.float32).eps * (lengths * longest + 0.5 * longest**2)
        return np.asarray(0.5 * (squares - lengths**2) + error)


def _box(low: NDArray[np.float32], members: NDArray[np.int64]) -> Box:
    own = low[members].astype(np.float64)
    halves = 0.5 * np.einsum("ij,ij->i", own, own)
    centre, radius = _ball(own)
    return Box(members, np.ascontiguousarray(np.column_stack([own, halves]).T, dtype=np.float32), centre, radius)


def _ball(points: FloatArray) -> tuple[FloatArray, float]:
    centre = points.mean(axis=0)
    return centre, float(np.sqrt(((points - centre) ** 2).sum(axis=1).max()))


def boxes(low: NDArray[np.float32], most: int) -> list[NDArray[np.int64]]:
    """Split points ``(n, p)`` at medians, along the axis of largest variance, into boxes of at most so many."""
    found, left = [], [np.arange(len(low))]
    while left:
        members = left.pop()
        if len(members) <= most:
            if len(members):
                found.append(members)
            continue
        axis = int(np.argmax(low[members].var(axis=0)))
        # Whole boxes on either side, so that few are left half empty.
        middle = -(-len(members) // most) // 2 * most
        order = np.argpartition(low[members, axis], middle)
        left += [members[order[middle:]], members[order[:middle]]]
    return found


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
    some /= np.abs(some).max() or 1.0
    values, vectors = np.linalg.eigh(some.T @ some)
    shares = np.cumsum(np.maximum(values[::-1], 0.0))
    kept = int(np.searchsorted(shares, variance * shares[-1])) + 1
    kept = kept if most is None else min(kept, most)
    return None if kept > n_features // 2 else np.ascontiguousarray(vectors[:, ::-1][:, :kept])


def _search(
    points: NDArray[Any], low: NDArray[np.float32], targets: NDArray[Any], bounds: Bounds, k: int
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return squared distances and indices ``(n, k)`` of the nearest targets of points near each other.

    :param low: ``(n, p)`` shadows of the points.
    """
    try:
        from aiida_seireact.science import nearest_kernels as kernels
    except ImportError as error:
        raise MissingPackageError.of(error, "the search for nearest points", CLASSIFY) from None
    exact = low.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", exact, exact))
    left = np.column_stack([-low, np.ones(len(low), dtype=np.float32)])
    centre, radius = _ball(exact)
    gaps = np.array([np.linalg.norm(box.centre - centre) - box.radius for box in bounds.boxes]) - radius
    gaps = np.maximum(gaps, 0.0) * (1 - 1e-6)
    order = np.argsort(gaps, kind="stable")
    n_kept = min(k + SPARE, len(targets))
    lowest = np.full((len(points), n_kept), np.inf, dtype=np.float32)
    candidates = np.full((len(points), n_kept), -1, dtype=np.int64)
    # One piece of memory for all products: a fresh one each time costs as much as the product.
    memory = np.empty(len(points) * COLUMNS, dtype=np.float32)
    for place in order:
        # Bounds of this box and all after it are larger than those kept.
        if gaps[place] ** 2 >= (2.0 * lowest[:, 0] + lengths**2).max():
            break
        box = bounds.boxes[place]
        product = memory[: len(points) * len(box.members)].reshape(len(points), -1)
        kernels.keep_smallest(np.matmul(left, box.table, out=product), box.members, lowest, candidates)
    squares, indices = np.empty((len(points), k)), np.empty((len(points), k), dtype=np.int64)
    kernels.rank(points, targets, candidates, squares, indices)
    # Bounds that could belong to something nearer than the last one found.
    reached = (np.sqrt(squares[:, -1]) / bounds.unit) ** 2
    limits = bounds.limits(lengths, reached, left.shape[1])
    rows = np.flatnonzero(limits >= lowest[:, 0]) if n_kept < len(targets) else np.empty(0, dtype=np.int64)
    if len(rows):
        found, places = np.full((len(rows), k), np.inf), np.full((len(rows), k), len(targets), dtype=np.int64)
        for place in order:
            if gaps[place] ** 2 > reached[rows].max() * (1 + 1e-6):
                break
            box = bounds.boxes[place]
            kernels.rank_below(points[rows], targets, box.members, left[rows] @ box.table, limits[rows], found, places)
        squares[rows], indices[rows] = found, places
    return squares, indices

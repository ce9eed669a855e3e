"""Loops of the search for nearest points, compiled by numba: imported only by what searches.

Sums may be taken in another order than written (``reassoc``), which lets the compiler use vector units; the order is
fixed once compiled, so a distance is the same number whatever the chunk or the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

SUMS = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True, fastmath=SUMS)
def squared_distance(a: NDArray, b: NDArray) -> float:  # type: ignore[type-arg]
    """Return the squared distance of two rows, in float64 whatever they are stored as."""
    total = 0.0
    for c in range(a.shape[0]):
        difference = np.float64(a[c]) - np.float64(b[c])
        total += float(difference * difference)
    return total


@njit(cache=True, nogil=True)
def _sift(values: NDArray, places: NDArray, value: float, place: int) -> None:  # type: ignore[type-arg]
    """Replace the largest entry, the root of a max-heap."""
    n = values.shape[0]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= n:
            break
        if child + 1 < n and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[at] = values[child]
        places[at] = places[child]
        at = child
    values[at] = value
    places[at] = place


@njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def keep_smallest(tile: NDArray, members: NDArray, values: NDArray, places: NDArray) -> None:  # type: ignore[type-arg]
    """Push a tile of bounds into one max-heap a row, so that each keeps its smallest.

    :param tile: ``(n_rows, n_columns)``; :param members: ``(n_columns,)`` target of each column.
    :param values: ``(n_rows, n_kept)`` heaps, start with infinity; :param places: ``(n_rows, n_kept)`` targets.
    """
    for i in range(tile.shape[0]):
        row = tile[i]
        heap = values[i]
        top = heap[0]
        for start in range(0, row.shape[0], 32):
            stop = min(start + 32, row.shape[0])
            lowest = row[start]
            for j in range(start + 1, stop):
                lowest = min(lowest, row[j])
            if lowest >= top:
                continue
            for j in range(start, stop):
                if row[j] < top:
                    _sift(heap, places[i], row[j], members[j])
                    top = heap[0]


@njit(cache=True, nogil=True)
def _insert(squares: NDArray, indices: NDArray, square: float, index: int) -> None:  # type: ignore[type-arg]
    """Put a neighbour into an ascending list, if it belongs there; of equal ones the lower index comes first."""
    at = squares.shape[0] - 1
    if square > squares[at] or (square == squares[at] and index > indices[at]):
        return
    while at > 0 and (squares[at - 1] > square or (squares[at - 1] == square and indices[at - 1] > index)):
        squares[at] = squares[at - 1]
        indices[at] = indices[at - 1]
        at -= 1
    squares[at] = square
    indices[at] = index


@njit(cache=True, nogil=True)
def rank(
    points: NDArray,  # type: ignore[type-arg]
    targets: NDArray,  # type: ignore[type-arg]
    candidates: NDArray,  # type: ignore[type-arg]
    squares: NDArray,  # type: ignore[type-arg]
    indices: NDArray,  # type: ignore[type-arg]
) -> None:
    """Find the nearest of each point's candidates; negative candidates are none.

    :param candidates: ``(n_points, n_candidates)`` rows of the targets.
    :param squares: ``(n_points, k)`` filled ascending; :param indices: ``(n_points, k)`` filled.
    """
    for i in range(points.shape[0]):
        squares[i, :] = np.inf
        indices[i, :] = targets.shape[0]
        for place in range(candidates.shape[1]):
            j = candidates[i, place]
            if j >= 0:
                _insert(squares[i], indices[i], squared_distance(points[i], targets[j]), j)


@njit(cache=True, nogil=True)
def rank_below(
    points: NDArray,  # type: ignore[type-arg]
    targets: NDArray,  # type: ignore[type-arg]
    members: NDArray,  # type: ignore[type-arg]
    bounds: NDArray,  # type: ignore[type-arg]
    limits: NDArray,  # type: ignore[type-arg]
    squares: NDArray,  # type: ignore[type-arg]
    indices: NDArray,  # type: ignore[type-arg]
) -> None:
    """Add to the lists of :func:`rank` those targets whose bound is at most the row's limit.

    :param members: ``(n_columns,)`` targets; :param bounds: ``(n_points, n_columns)``; :param limits: ``(n_points,)``
    :param squares: ``(n_points, k)`` ascending, start with infinity; :param indices: ``(n_points, k)``.
    """
    for i in range(points.shape[0]):
        for column in range(members.shape[0]):
            if bounds[i, column] <= limits[i]:
                j = members[column]
                _insert(squares[i], indices[i], squared_distance(points[i], targets[j]), j)

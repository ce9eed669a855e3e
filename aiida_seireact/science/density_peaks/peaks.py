"""Clusters of density peaks: centres, assignment and borders once, merging for any Z.

Definitions of d'Errico et al., Inf. Sci. 560, 476 (2021), in the reading of DADApy 0.3.4 (``compute_clustering_ADP``),
whose labels are ours; it compares all centres with all points and all pairs of clusters after each merge, where
one pass over the neighbours and a heap of borders tell the same.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from aiida_seireact.science.density_peaks.result import Clusters, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Mountains:
    """Every peak with its slopes, before insignificant peaks are merged; nothing here depends on Z.

    :param labels: ``(n_points,)`` peak of each point. :param centres: ``(n_peaks,)`` points.
    :param pairs: ``(n_borders, 2)`` peaks that touch. :param saddles: ``(n_borders,)`` densest point between them.
    """

    labels: IntArray
    centres: IntArray
    pairs: IntArray
    saddles: IntArray


def find_mountains(log_density: FloatArray, error: FloatArray, indices: IntArray, kstar: IntArray) -> Mountains:
    """Find the peaks, the points of each, and the saddles between them.

    With ``g = log ρ − ε``: a centre has the highest g within its k*, and is within the k* of no point of higher g
    (heuristics 1 and 2 of d'Errico et al.); the others follow their nearest neighbour of higher g. The saddle of two
    peaks is the border point of highest g, see :func:`kernels.border_points`.

    :param indices: ``(n_points, maxk + 1)`` neighbours, first the point.
    """
    from aiida_seireact.science.density_peaks import kernels

    g = log_density - error
    highest, above = kernels.centres(g, indices, kstar)
    kept = highest & (above < 0)
    centres = np.flatnonzero(kept)
    labels = np.full(len(g), -1, dtype=np.int64)
    labels[centres] = np.arange(len(centres))
    kernels.assign(g, np.argsort(-g, kind="stable"), indices, labels, above)
    low, high, points = kernels.border_points(indices, kstar, labels, kept)
    order = np.lexsort((-g[points], high, low))
    pairs, points = np.column_stack([low, high])[order], points[order]
    first = np.ones(len(pairs), dtype=np.bool_)
    first[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return Mountains(labels, centres, pairs[first], points[first])


def merge(mountains: Mountains, log_density: FloatArray, error: FloatArray, z: float) -> Clusters:
    """Merge peaks that do not rise significantly above a saddle, the highest saddle first.

    Two peaks become one if ``(log ρ_c − log ρ_s) / (ε_c + ε_s) < Z`` for either; the one with the larger ratio stays,
    and takes over the higher of the saddles to each third peak. A pair that was found significant can change only by
    a new saddle, which enters the heap anew.
    """
    centres = mountains.centres
    height, spread = log_density[centres], error[centres]
    saddles: list[dict[int, int]] = [{} for _ in centres]
    heap = []
    for (i, j), point in zip(mountains.pairs.tolist(), mountains.saddles.tolist(), strict=True):
        saddles[i][j] = saddles[j][i] = point
        heap.append((-log_density[point], i, j, point))
    heapq.heapify(heap)
    into = np.arange(len(centres))
    while heap:
        _, i, j, point = heapq.heappop(heap)
        if into[i] != i or into[j] != j or saddles[i].get(j) != point:
            continue
        over_i = (height[i] - log_density[point]) / (spread[i] + error[point])
        over_j = (height[j] - log_density[point]) / (spread[j] + error[point])
        if min(over_i, over_j) >= z:
            continue
        stays, goes = (j, i) if over_i < over_j else (i, j)
        into[goes] = stays
        del saddles[stays][goes], saddles[goes][stays]
        for third, other in saddles[goes].items():
            del saddles[third][goes]
            known = saddles[stays].get(third)
            if known is None or log_density[known] < log_density[other]:
                saddles[stays][third] = saddles[third][stays] = other
                heapq.heappush(heap, (-log_density[other], min(stays, third), max(stays, third), other))
        saddles[goes] = {}
    return _numbered(mountains, into, saddles, log_density, error)


def _numbered(
    mountains: Mountains, into: IntArray, saddles: list[dict[int, int]], log_density: FloatArray, error: FloatArray
) -> Clusters:
    """Number the peaks that are left, in the order of their centres."""
    root = into
    while not np.array_equal(root, into[root]):
        root = into[root]
    left = np.flatnonzero(into == np.arange(len(into)))
    number = np.full(len(into), -1, dtype=np.int64)
    number[left] = np.arange(len(left))
    borders = sorted((number[i], number[j], point) for i in left for j, point in saddles[i].items() if i < j)
    table = np.asarray(borders, dtype=np.int64).reshape(-1, 3)
    return Clusters(
        labels=number[root[mountains.labels]],
        centres=mountains.centres[left],
        borders=table[:, :2],
        border_log_density=log_density[table[:, 2]],
        border_log_density_error=error[table[:, 2]],
    )

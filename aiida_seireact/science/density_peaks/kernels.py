"""Loops over points and their neighbours, compiled by numba: imported only by what computes."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from aiida_seireact.science.density_peaks.result import FloatArray, IntArray

# Below this variance of the shell number one shell holds all the volume, and there is no slope to fit.
LEAST_VARIANCE = 1e-6
# Newton's decrement from which one full step leaves no error to speak of, and steps after which we stop anyway.
DECREMENT = 1e-10
MOST_STEPS = 200


@njit(cache=True, parallel=True)
def constant_density(distances: FloatArray, indices: IntArray, ratios: FloatArray) -> IntArray:
    """Return the neighbours of each point within which the density is constant, see :func:`density.kstar`.

    :param ratios: ``(maxk,)`` for each number of neighbours the ratio of radii that is significant.
    """
    n_points, maxk = len(distances), distances.shape[1] - 1
    found = np.empty(n_points, dtype=np.int64)
    for i in prange(n_points):
        j = 4
        while j < maxk:
            own, other = distances[i, j - 1], distances[indices[i, j], j - 1]
            if own > ratios[j - 1] * other or other > ratios[j - 1] * own:
                break
            j += 1
        found[i] = j - 1
    return found


@njit(cache=True, parallel=True)
def free_energy_slopes(
    distances: FloatArray, kstar: IntArray, dimension: float
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Maximise PAk's likelihood for each point, see :func:`density.pak`.

    Volumes of shells are taken in units of ``volume within k* / k*``, by logarithms: nothing overflows, whatever the
    dimension and the unit of length.

    :returns: ``(n_points,)`` log of the density over ``k* / volume``, and where there is none but that.
    """
    n_points = len(distances)
    gain, plain = np.zeros(n_points), np.zeros(n_points, dtype=np.bool_)
    for i in prange(n_points):
        k = kstar[i]
        shells = np.empty(k)
        edge = np.log(distances[i, k])
        outer, before = 0.0, 0.0
        for j in range(k):
            outer = np.log(distances[i, j + 1])
            ball = np.exp(dimension * (outer - edge))
            shells[j] = k * (ball if j == 0 else -ball * np.expm1(dimension * (before - outer)))
            before = outer
        gain[i], plain[i] = _maximum(shells)
    return gain, plain


@njit(cache=True)
def _maximum(shells: FloatArray) -> tuple[float, bool]:
    """Return ``f`` of the maximum of ``f k + a k (k + 1) / 2 − Σ_l shells_l exp(f + a l)``, and whether there is none.

    The function is concave: full Newton steps, halved while they do not gain, end in a few.
    """
    k = len(shells)
    half = 0.5 * k * (k + 1)
    first, last, mean, square = k, 0, 0.0, 0.0
    for j in range(k):
        if shells[j] > 0:
            first, last = min(first, j + 1), j + 1
        mean += shells[j] * (j + 1) / k
        square += shells[j] * (j + 1) ** 2 / k
    # A maximum needs shells with volume on both sides of the mean number.
    if square - mean**2 < LEAST_VARIANCE or 2 * first >= k + 1 or 2 * last <= k + 1:
        return 0.0, True
    f, a = 0.0, 0.0
    value = -_total(shells, f, a)
    for _ in range(MOST_STEPS):
        s0, s1, s2 = 0.0, 0.0, 0.0
        term, ratio = np.exp(f + a), np.exp(a)
        for j in range(k):
            part = shells[j] * term
            s0 += part
            s1 += part * (j + 1)
            s2 += part * (j + 1) ** 2
            term *= ratio
        gradient_f, gradient_a = k - s0, half - s1
        determinant = s0 * s2 - s1 * s1
        if not determinant > 0:
            break
        step_f = (s2 * gradient_f - s1 * gradient_a) / determinant
        step_a = (s0 * gradient_a - s1 * gradient_f) / determinant
        decrement = step_f * gradient_f + step_a * gradient_a
        if not decrement > DECREMENT:
            f += step_f
            break
        part_of_step = 1.0
        for _halving in range(60):
            new_f, new_a = f + part_of_step * step_f, a + part_of_step * step_a
            new = new_f * k + new_a * half - _total(shells, new_f, new_a)
            if new >= value + 1e-4 * part_of_step * decrement:
                break
            part_of_step *= 0.5
        else:
            break
        f, a, value = new_f, new_a, new
    return f, False


@njit(cache=True)
def _total(shells: FloatArray, f: float, a: float) -> float:
    """Return ``Σ_l shells_l exp(f + a l)``; powers by products instead of exponentials."""
    total = 0.0
    term, ratio = np.exp(f + a), np.exp(a)
    for j in range(len(shells)):
        total += shells[j] * term
        term *= ratio
    return total


@njit(cache=True)
def centres(g: FloatArray, indices: IntArray, kstar: IntArray) -> tuple[NDArray[np.bool_], IntArray]:
    """Return which points are densest within their k*, and for each the densest point that rules it out, or −1."""
    n_points = len(g)
    is_centre = np.zeros(n_points, dtype=np.bool_)
    for i in range(n_points):
        highest = True
        for j in range(1, kstar[i] + 1):
            if g[indices[i, j]] > g[i]:
                highest = False
                break
        is_centre[i] = highest
    above = np.full(n_points, -1, dtype=np.int64)
    for i in range(n_points):
        for j in range(1, kstar[i] + 1):
            p = indices[i, j]
            if is_centre[p] and g[i] > g[p] and (above[p] < 0 or g[i] > g[above[p]]):
                above[p] = i
    return is_centre, above


@njit(cache=True)
def assign(g: FloatArray, order: IntArray, indices: IntArray, labels: IntArray, above: IntArray) -> None:
    """Give each point, densest first, the cluster of its nearest neighbour that has one.

    A point without such a neighbour is a centre that was ruled out: it follows the densest point that ruled out one
    of its neighbourhood. There is one always, for it was itself ruled out by a point assigned before.
    """
    for place in range(len(order)):
        i = order[place]
        j = 0
        while labels[i] < 0 and j < indices.shape[1] - 1:
            j += 1
            labels[i] = labels[indices[i, j]]
        if labels[i] < 0:
            best = -1
            for j in range(indices.shape[1]):
                p = above[indices[i, j]]
                if p >= 0 and labels[p] >= 0 and (best < 0 or g[p] > g[best]):
                    best = p
            labels[i] = labels[best]


@njit(cache=True)
def border_points(
    indices: IntArray, kstar: IntArray, labels: IntArray, is_centre: NDArray[np.bool_]
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the two clusters of each border point, the lower number first, and the point.

    A point is on the border of its cluster c to c' if its first neighbour of another cluster within k* is of c', and
    no point of c is nearer to that neighbour.
    """
    n_points, n_columns = indices.shape
    low, high = np.empty(n_points, dtype=np.int64), np.empty(n_points, dtype=np.int64)
    points = np.empty(n_points, dtype=np.int64)
    n_found = 0
    for i in range(n_points):
        if is_centre[i]:
            continue
        foreign = -1
        for j in range(1, kstar[i] + 1):
            if labels[indices[i, j]] != labels[i]:
                foreign = indices[i, j]
                break
        if foreign < 0:
            continue
        nearest_of_own = True
        for j in range(1, n_columns):
            other = indices[foreign, j]
            if other == i:
                break
            if labels[other] == labels[i]:
                nearest_of_own = False
                break
        if nearest_of_own:
            low[n_found], high[n_found] = min(labels[i], labels[foreign]), max(labels[i], labels[foreign])
            points[n_found] = i
            n_found += 1
    return low[:n_found], high[:n_found], points[:n_found]

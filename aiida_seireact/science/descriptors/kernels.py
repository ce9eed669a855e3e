"""Loops over centres and their neighbours, compiled by numba: imported only by what computes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from aiida_seireact.science.descriptors.functions import FloatArray


@njit(cache=True, nogil=True)
def expand(
    starts: NDArray[np.int64],
    channels: NDArray[np.int64],
    radial: FloatArray,
    angular: FloatArray,
    coefficients: FloatArray,
) -> None:
    """Add ``radial[n, j] angular[lm, j]`` of each neighbour into ``coefficients[i, lm, channel n_max + n]``.

    :param starts: ``(n_centres + 1,)`` rows of each centre.
    :param channels: ``(n_pairs,)`` species of each neighbour.
    :param radial: ``(n_max, n_pairs)``; :param angular: ``(n_lm, n_pairs)``.
    :param coefficients: ``(n_centres, n_lm, n_species n_max)``, zeros.
    """
    n_max, n_lm = radial.shape[0], angular.shape[0]
    own = np.empty(n_max)
    for i in range(len(starts) - 1):
        for j in range(starts[i], starts[i + 1]):
            offset = channels[j] * n_max
            for n in range(n_max):
                own[n] = radial[n, j]
            for lm in range(n_lm):
                factor = angular[lm, j]
                for n in range(n_max):
                    coefficients[i, lm, offset + n] += factor * own[n]


@njit(cache=True, nogil=True)
def power_spectrum(coefficients: FloatArray, l_max: int, found: NDArray[Any]) -> None:
    """Write ``Σ_m c[lm, a] c[lm, b]`` for a ≤ b and every l, l fastest, into ``found`` ``(n_centres, n_b2)``."""
    n_centres, _, n_channels = coefficients.shape
    sums = np.empty((l_max + 1, n_channels))
    for i in range(n_centres):
        c = coefficients[i]
        at = 0
        for a in range(n_channels):
            for ell in range(l_max + 1):
                for b in range(a, n_channels):
                    sums[ell, b] = 0.0
                for lm in range(ell * ell, (ell + 1) * (ell + 1)):
                    factor = c[lm, a]
                    for b in range(a, n_channels):
                        sums[ell, b] += factor * c[lm, b]
            for b in range(a, n_channels):
                for ell in range(l_max + 1):
                    found[i, at] = sums[ell, b]
                    at += 1


@njit(cache=True, nogil=True)
def bispectrum(
    coefficients: FloatArray,
    channels: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    lm: NDArray[np.int64],
    weights: FloatArray,
    scale: float,
    found: NDArray[Any],
) -> None:
    """Write the features of :class:`b3.Terms`, times ``scale``, into ``found`` ``(n_centres, n_features)``."""
    for i in range(len(coefficients)):
        c = coefficients[i]
        for f in range(len(channels)):
            total = 0.0
            for t in range(begin[f], end[f]):
                total += (
                    weights[t] * c[lm[t, 0], channels[f, 0]] * c[lm[t, 1], channels[f, 1]] * c[lm[t, 2], channels[f, 2]]
                )
            found[i, f] = scale * total

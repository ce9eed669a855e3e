"""Which lags say how much of a slope: generalised least squares for the mean squared displacement of a random walk."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, IntArray

FIT = (0.1, 0.5)
"""Lags of a stretch that the slope is fitted to, over its length: rattling is over, and enough origins are left."""
MOST_LAGS = 16
RIDGE = 0.1
MOST_NOISE = 1e3
"""Beyond it the weights don't change any more."""


def fitted_lags(n_frames: int, fit: tuple[float, float] = FIT, most: int = MOST_LAGS) -> IntArray:
    """Return the lags, in frames, that a slope is fitted to, at most `most` of them, evenly spread.

    :param n_frames: of the stretch.
    :param fit: first and last lag over the length of the stretch.
    """
    first, last = max(1, round(fit[0] * n_frames)), max(3, round(fit[1] * n_frames))
    return np.unique(np.linspace(first, last, min(most, last - first + 1)).round().astype(np.int64))


def walk_covariance(lags: ArrayLike, n_frames: int, noise: float = 0.0) -> FloatArray:
    """Return the covariance of the mean squared displacements of a rattling random walk at several lags.

    Increments of variance 2 (in units of D times the interval) and white noise of variance `noise` on each position
    are Gaussian, so the covariance of two squares is twice the square of the covariance
    (Michalet, Phys. Rev. E 82, 041914 (2010), here summed numerically). For one atom in one direction, in
    (D interval)².

    :param lags: in frames.
    :param n_frames: of the stretch, all origins used.
    :param noise: variance of the rattling in one direction over D times the interval.
    """
    walked, mixed, rattled = _covariances(tuple(int(lag) for lag in np.asarray(lags)), n_frames)
    return np.asarray(walked + noise * mixed + noise**2 * rattled)


@lru_cache(maxsize=32)
def _covariances(lags: tuple[int, ...], n_frames: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return what does not hang on the noise, and the factors of it and its square."""
    found = np.empty((3, len(lags), len(lags)))
    shift = np.arange(-n_frames, n_frames + 1)
    for row, m in enumerate(lags):
        for column, n in enumerate(lags[: row + 1]):
            origins, others = n_frames - m, n_frames - n
            counted = np.clip(np.minimum(origins, others - shift) - np.maximum(0, -shift), 0, None)
            overlap = 2.0 * np.clip(np.minimum(m, shift + n) - np.maximum(0, shift), 0, None)
            shared = (shift == 0) * 1 + (shift + n == m) - (shift == m) - (shift + n == 0)
            parts = (counted @ overlap**2, 2 * counted @ (overlap * shared), counted @ shared**2)
            found[:, row, column] = found[:, column, row] = 2.0 * np.array(parts) / (origins * others)
    return found[0], found[1], found[2]


def slope_weights(lags: ArrayLike, n_frames: int, noise: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Return the weights of the lags in the slope against the lag in frames, and in the value at lag 0.

    The best linear unbiased estimate for a rattling random walk. They are unbiased for any straight line: a wrong
    `noise` costs precision, not truth.

    :param lags: in frames, two or more.
    :param n_frames: of the stretch.
    :param noise: see :func:`walk_covariance`.
    :returns: two arrays ``(n_lags,)``.
    """
    of = np.asarray(lags, dtype=np.float64)
    covariance = walk_covariance(lags, n_frames, noise)
    # Neighbouring lags are almost the same number. More on the diagonal keeps the weights from changing sign from lag
    # to lag, which would amplify a curvature of the MSD; it costs 7 % of precision for a random walk.
    covariance = covariance + RIDGE * np.diag(np.diag(covariance))
    design = np.stack([np.ones_like(of), of], axis=1)
    known = np.linalg.solve(covariance, design)
    weights = np.linalg.solve(design.T @ known, known.T)
    return weights[1], weights[0]


def noise_of(curve: ArrayLike, lags: ArrayLike) -> float:
    """Return the `noise` of a mean squared displacement: half its value at lag 0 over half its slope, from a line.

    :param curve: ``(n_lags,)`` at the lags, any unit.
    :param lags: ``(n_lags,)`` in frames.
    """
    slope, origin = np.polyfit(np.asarray(lags, dtype=np.float64), np.asarray(curve, dtype=np.float64), 1)
    return MOST_NOISE if slope <= 0 else float(np.clip(origin / slope, 0.0, MOST_NOISE))

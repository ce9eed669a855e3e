"""Which lags say how much of a slope: generalised least squares for the mean squared displacement of a random walk."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, IntArray

FIT = (0.1, 0.5)
"""Lags of a stretch that the slope is fitted to, over its length: rattling is over, and enough origins are left."""
MOST_LAGS = 16
RIDGE = 0.1


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
    of = [int(lag) for lag in np.asarray(lags)]
    found = np.empty((len(of), len(of)))
    shift = np.arange(-n_frames, n_frames + 1)
    for row, m in enumerate(of):
        for column, n in enumerate(of[: row + 1]):
            origins, others = n_frames - m, n_frames - n
            counted = np.minimum(origins, others - shift) - np.maximum(0, -shift)
            overlap = np.clip(np.minimum(m, shift + n) - np.maximum(0, shift), 0, None)
            shared = (shift == 0) * 1 + (shift + n == m) - (shift == m) - (shift + n == 0)
            covariance = 2.0 * overlap + noise * shared
            total = 2.0 * float((np.clip(counted, 0, None) * covariance**2).sum()) / (origins * others)
            found[row, column] = found[column, row] = total
    return found


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
    covariance += RIDGE * np.diag(np.diag(covariance))
    design = np.stack([np.ones_like(of), of], axis=1)
    known = np.linalg.solve(covariance, design)
    weights = np.linalg.solve(design.T @ known, known.T)
    return weights[1], weights[0]

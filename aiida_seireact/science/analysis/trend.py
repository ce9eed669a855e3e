"""How a quantity drifts along a run, with an error that knows its memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Trend:
    """A straight line through a series.

    :param slope: change of the quantity in a unit of time; ``error``: one standard deviation; NaN with one time only.
    :param mean: mean of the series.
    """

    slope: float
    error: float
    mean: float


def trend(times: ArrayLike, values: ArrayLike) -> Trend:
    """Fit a line by least squares.

    The residuals of MD remember each other: the number of independent ones is that of the samples over the
    statistical inefficiency, 1 + 2 Σ of their autocorrelation up to its first zero (W. Janke, in Quantum Simulations
    of Complex Many-Body Systems, NIC Series 10, 423 (2002), §4).

    :param times: ``(n,)``, increasing, about evenly spaced; ``values``: ``(n,)``.
    :raises ValueError: other shapes, or nothing finite.
    """
    t, y = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if t.shape != y.shape or t.ndim != 1 or not len(t):
        raise ValueError(f"Times have shape {t.shape}, values {y.shape}: one of each is needed.")
    if not (np.isfinite(t).all() and np.isfinite(y).all()):
        raise ValueError("The series holds NaN or infinity: leave those rows out.")
    mean = float(y.mean())
    if len(t) < 3:
        return Trend(float("nan"), float("nan"), mean)
    t = t - t.mean()
    slope = float(t @ y / (t @ t))
    rest = y - mean - slope * t
    # Without noise there is nothing to correlate.
    variance = float(rest @ rest) / len(t)
    if variance <= 1e-28 * max(1.0, mean * mean):
        return Trend(slope, 0.0, mean)
    padded = 1 << (2 * len(t) - 1).bit_length()
    power = np.abs(np.fft.rfft(rest, n=padded)) ** 2
    correlation = np.fft.irfft(power, n=padded)[: len(t)] / (len(t) * variance)
    negative = np.flatnonzero(correlation <= 0)
    end = int(negative[0]) if len(negative) else len(t)
    inefficiency = 1.0 + 2.0 * float(correlation[1:end].sum())
    n_independent = max(3.0, len(t) / inefficiency)
    # Few independent residuals underestimate their own spread.
    error = float(np.sqrt(variance * inefficiency / (t @ t) * n_independent / (n_independent - 2.0)))
    return Trend(slope, error, mean)

"""Numbers with honest error bars: a mean of independent stretches of time, Student's t, and the word for its regime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from aiida_seireact.science.transport.blocks import FloatArray
from aiida_seireact.science.transport.units import CM2_PER_S

Regime = Literal["diffusive", "ballistic", "superdiffusive", "subdiffusive", "confined", "undecided"]
SURE = 0.98
"""Level of the interval of the exponent."""
VAGUE = 0.6
"""An exponent whose interval reaches farther to each side decides nothing: 1 is not told from a half."""
BALLISTIC = 1.7


@dataclass(frozen=True)
class Estimate:
    """A number and its error from independent replicates.

    :param value: the mean of the replicates, weighted by what they hold.
    :param error: standard error of `value`; None from one replicate: then it is not known.
    :param n_replicates: what the error is from; the fewer, the wider the interval beyond the error.
    """

    value: float
    error: float | None
    n_replicates: int

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Return the interval that holds the truth with probability `level`, by Student's t; None where not known."""
        if self.error is None:
            return None
        half = float(student.ppf(0.5 + level / 2, self.n_replicates - 1)) * self.error
        return self.value - half, self.value + half

    def below(self, level: float = 0.95) -> float | None:
        """Return the number that the truth is below with probability `level`; None where not known."""
        if self.error is None:
            return None
        return self.value + float(student.ppf(level, self.n_replicates - 1)) * self.error

    def scaled(self, factor: float) -> Estimate:
        """Return the same in other units."""
        return Estimate(
            self.value * factor, None if self.error is None else self.error * abs(factor), self.n_replicates
        )


def mean_of(replicates: ArrayLike, weights: ArrayLike | None = None) -> Estimate:
    """Return the mean of independent replicates and its standard error.

    With weights the error is that of a ratio of sums (Cochran, Sampling Techniques, §6): replicates that hold more
    atoms count more. Replicates of weight 0 are left out.

    :param replicates: ``(n,)``
    :param weights: ``(n,)``, not negative; None: equal.
    :raises ValueError: no replicate has weight.
    """
    values = np.asarray(replicates, dtype=np.float64)
    of = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    values, of = values[of > 0], of[of > 0]
    if not len(values):
        raise ValueError("there is nothing to take the mean of")
    mean, n = float((of * values).sum() / of.sum()), len(values)
    if n == 1:
        return Estimate(mean, None, 1)
    variance = n / (n - 1) * float((of**2 * (values - mean) ** 2).sum()) / float(of.sum()) ** 2
    return Estimate(mean, float(np.sqrt(variance)), n)


@dataclass(frozen=True)
class DiffusionEstimate:
    """Self-diffusion from mean squared displacements, and whether it is one.

    :param d: slope of the MSD over twice the number of directions, Å²/ps, whatever the regime.
    :param regime: `diffusive` where the MSD is a straight line within its errors; `confined` where it does not rise
        within its errors: then only ``d.below()`` is known; `undecided` where the exponent's error is too large or
        unknown; for the others `d` is the slope at these lags and no constant of the material.
    :param exponent: local exponent of the MSD without its value at lag 0, so that a cage does not lower it.
    :param exponent_error: standard error of it; None where not known.
    :param log_slope: slope of ln MSD against ln lag over the fitted lags, the cage included.
    :param first_lag_ps: shortest lag that was fitted.
    :param last_lag_ps: longest lag that was fitted.
    :param msd_ang2: at the longest lag.
    :param offset_ang2: of the line at lag 0: what rattling adds to the MSD.
    :param n_directions: 3; 2 in a plane; 1 along a line.
    """

    d: Estimate
    regime: Regime
    exponent: float
    exponent_error: float | None
    log_slope: float
    first_lag_ps: float
    last_lag_ps: float
    msd_ang2: float
    offset_ang2: float
    n_directions: int

    @property
    def is_diffusive(self) -> bool:
        """Whether `d` may be called a diffusion coefficient."""
        return self.regime == "diffusive"

    @property
    def d_cm2_per_s(self) -> Estimate:
        """The coefficient in cm²/s."""
        return self.d.scaled(CM2_PER_S)


def exponent_of(curves: FloatArray, weights: FloatArray) -> tuple[float, float | None]:
    """Return α of ``MSD = c + A t^α`` from three lags each twice the one before, and its jackknife error.

    ``(MSD(4m) − MSD(2m)) / (MSD(2m) − MSD(m)) = 2^α`` whatever the cage c is.

    :param curves: ``(n_replicates, 3)``, MSD at m, 2m, 4m.
    :param weights: ``(n_replicates,)``, positive.
    """
    everything = float(_exponent((weights[:, None] * curves).sum(axis=0)))
    n = len(curves)
    if n == 1 or not np.isfinite(everything):
        return everything, None
    total = (weights[:, None] * curves).sum(axis=0)
    left_out = np.array([_exponent(total - weight * curve) for weight, curve in zip(weights, curves, strict=True)])
    if not np.isfinite(left_out).all():
        return everything, None
    return everything, float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))


def _exponent(curve: FloatArray) -> float:
    early, late = curve[1] - curve[0], curve[2] - curve[1]
    return float(np.log2(late / early)) if early > 0 and late > 0 else float("nan")


def regime_of(d: Estimate, exponent: float, error: float | None) -> Regime:
    """Return the word for a slope and an exponent; see :class:`DiffusionEstimate`."""
    interval = d.interval()
    if interval is not None and interval[0] <= 0:
        return "confined"
    if error is None or not np.isfinite(exponent):
        return "undecided"
    # Rounding alone is no departure from a straight line.
    half = float(student.ppf(0.5 + SURE / 2, d.n_replicates - 1)) * error + 1e-6
    if exponent - half > 1:
        return "ballistic" if exponent > BALLISTIC else "superdiffusive"
    if exponent + half < 1:
        return "subdiffusive"
    return "diffusive" if half < VAGUE else "undecided"

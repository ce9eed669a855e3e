"""Whether a series changes its pace, and when: a broken line against kinetics without a break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.stats import f as f_distribution

from aiida_seireact.science.transport.blocks import FloatArray

FEWEST_POINTS = 12
FEWEST_BEFORE = 4
"""Points on each side of a break."""
N_TRIED = 200
EVIDENCE = 6.0
"""Difference of BIC from which on it is called strong (Kass and Raftery, J. Am. Stat. Assoc. 90, 773 (1995))."""


@dataclass(frozen=True)
class Break:
    """A series as a fast and a slow stretch, or not.

    :param found: whether the broken line is better than every kinetics without a break, by `EVIDENCE`.
    :param time: of the break in the broken line, whether found or not.
    :param interval: the truth lies in it at the level that was asked for, if there is a break.
    :param rate_before: slope before.
    :param rate_after: slope after.
    :param best: name of the model with the least BIC.
    :param bic: of each model, the least subtracted.
    :param n_independent: points of the series, less than their number where residuals remember each other.
    """

    found: bool
    time: float
    interval: tuple[float, float]
    rate_before: float
    rate_after: float
    best: str
    bic: dict[str, float]
    n_independent: float


def find_break(times: ArrayLike, values: ArrayLike, *, level: float = 0.95) -> Break:
    """Return where a series such as the intact PS4 or the thickness changes from fast to slow.

    Models: a straight line; ``a + b t^p``, the growth that diffusion or a tarnishing layer limits; ``a + b exp(−t/τ)``,
    a reaction of first order; a continuous broken line, the only one with a break. The Bayesian information criterion
    chooses. Neighbouring points of an MD series are not independent, so their number is reduced by the
    autocorrelation of the residuals of the best of these models: else noise with a memory would be full of breaks. The
    interval of the break is its profile likelihood.

    :param times: ``(n,)`` ascending, evenly spaced or not.
    :param values: ``(n,)``, NaN where not defined: left out.
    :raises ValueError: fewer than 12 values, or times not ascending.
    """
    t, y = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    known = np.isfinite(y)
    t, y = t[known], y[known]
    if len(t) < FEWEST_POINTS or (np.diff(t) <= 0).any():
        raise ValueError(f"{len(t)} values: a break needs {FEWEST_POINTS} or more, at ascending times")
    start, span = t[0], t[-1] - t[0]
    x = (t - start) / span
    # What is exact to rounding has no noise to judge models by.
    floor = len(x) * (1e-9 * (float(np.abs(y).max()) or 1.0)) ** 2
    tried = np.unique(np.quantile(x[FEWEST_BEFORE - 1 : -FEWEST_BEFORE + 1], np.linspace(0, 1, N_TRIED)))
    profile = np.array([_rest(_broken(x, at), y) for at in tried])
    least = int(np.argmin(profile))
    at, rest = _refined(lambda value: _rest(_broken(x, value), y), tried, least)
    shapes = {
        "line": (x[:, None], 2),
        "power": (_best_shape(x, y, _power, np.linspace(0.1, 3.0, 59)), 3),
        "exponential": (_best_shape(x, y, _exponential, np.geomspace(0.01, 3.0, 60)), 3),
        "break": (_broken(x, at), 4),
    }
    rests = {name: _rest(design, y) for name, (design, _) in shapes.items()}
    quietest = min(rests, key=lambda name: rests[name])
    n = _independent(y - _fitted(shapes[quietest][0], y))
    # n of the least is that of all: the models are compared on the same data.
    raw = {
        name: n * float(np.log((rests[name] + floor) / len(x))) + count * float(np.log(n))
        for name, (_, count) in shapes.items()
    }
    best = min(raw, key=lambda name: raw[name])
    bic = {name: value - raw[best] for name, value in raw.items()}
    free = max(n - 4, 1.0)
    excess = free * ((profile + floor) / (rest + floor) - 1) - f_distribution.ppf(level, 1, free)
    low, high = _crossing(tried[::-1], excess[::-1], at), _crossing(tried, excess, at)
    slopes = np.linalg.lstsq(_with_constant(_broken(x, at)), y, rcond=None)[0]
    return Break(
        found=best == "break" and min(value for name, value in bic.items() if name != "break") > EVIDENCE,
        time=start + at * span, interval=(start + low * span, start + high * span),
        rate_before=float(slopes[1]) / span, rate_after=float(slopes[1] + slopes[2]) / span,
        best=best, bic=bic, n_independent=n,
    )  # fmt: skip


def _broken(x: FloatArray, at: float) -> FloatArray:
    return np.stack([x, np.maximum(x - at, 0.0)], axis=1)


def _power(x: FloatArray, exponent: float) -> FloatArray:
    return np.asarray(x[:, None] ** exponent)


def _exponential(x: FloatArray, time: float) -> FloatArray:
    return np.asarray(np.exp(-x[:, None] / time))


def _with_constant(design: FloatArray) -> FloatArray:
    return np.concatenate([np.ones((len(design), 1)), design], axis=1)


def _fitted(design: FloatArray, y: FloatArray) -> FloatArray:
    whole = _with_constant(design)
    return np.asarray(whole @ np.linalg.lstsq(whole, y, rcond=None)[0])


def _rest(design: FloatArray, y: FloatArray) -> float:
    """Return the sum of squares that a model leaves."""
    return float(((y - _fitted(design, y)) ** 2).sum())


def _best_shape(
    x: FloatArray, y: FloatArray, shape: Callable[[FloatArray, float], FloatArray], tried: FloatArray
) -> FloatArray:
    profile = np.array([_rest(shape(x, value), y) for value in tried])
    best, _ = _refined(lambda value: _rest(shape(x, value), y), tried, int(np.argmin(profile)))
    return shape(x, best)


def _refined(rest: Callable[[float], float], tried: FloatArray, least: int) -> tuple[float, float]:
    """Return the best value between the neighbours of the best one tried, and what it leaves."""
    low, high = tried[max(least - 1, 0)], tried[min(least + 1, len(tried) - 1)]
    found = minimize_scalar(rest, bounds=(float(low), float(high)), method="bounded")
    known = rest(float(tried[least]))
    return (float(found.x), float(found.fun)) if found.fun < known else (float(tried[least]), known)


def _crossing(tried: FloatArray, excess: FloatArray, at: float) -> float:
    """Return the farthest point, in the order of `tried`, up to which the excess is not positive."""
    ahead = tried[-1] - tried[0]
    inside = np.flatnonzero(excess <= 0)
    beyond = int(inside[-1]) + 1 if len(inside) else int(np.argmax((tried - at) * ahead > 0))
    if beyond == len(tried) or (not len(inside) and (tried[beyond] - at) * ahead <= 0):
        return float(tried[-1]) if len(inside) else at
    last, depth = (float(tried[beyond - 1]), float(excess[beyond - 1])) if len(inside) else (at, -1.0)
    return last + (float(tried[beyond]) - last) * -depth / (float(excess[beyond]) - depth)


def _independent(residuals: FloatArray) -> float:
    """Return the number of independent points among residuals: n (1 − ρ)/(1 + ρ), ρ of neighbours."""
    spread = float((residuals**2).sum())
    if spread <= 0:
        return float(len(residuals))
    rho, n = float((residuals[1:] * residuals[:-1]).sum()) / spread, len(residuals)
    # A model follows some of the noise, which makes residuals forget faster than the noise (Marriott and Pope,
    # Biometrika 41, 390 (1954)); the constants were chosen so that intervals of the break cover.
    rho = min(max(rho + (3 + 5 * rho) / n, 0.0), 0.99)
    return max(n * (1 - rho) / (1 + rho), float(FEWEST_BEFORE))

"""Self-diffusion coefficients with error bars that cover the truth as often as they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from aiida_seireact.science.transport.blocks import FloatArray, PathBlocks
from aiida_seireact.science.transport.displacements import msd_of_time_blocks
from aiida_seireact.science.transport.estimates import DiffusionEstimate, exponent_of, mean_of, regime_of
from aiida_seireact.science.transport.weights import FIT, fitted_lags, noise_of, slope_weights

FEWEST_FRAMES = 10
"""Of a stretch of time that a slope is fitted to."""
INEFFICIENCY = 2.0
"""Variance of the fitted slope over that of counting hops, measured on random hops; see `smallest_resolvable`."""


def diffusion(
    blocks: PathBlocks,
    interval_ps: float,
    *,
    n_frames: int,
    n_blocks: int = 5,
    chosen: ArrayLike | None = None,
    drift: ArrayLike | None = None,
    directions: tuple[int, ...] = (0, 1, 2),
    fit: tuple[float, float] = FIT,
) -> DiffusionEstimate:
    """Return the self-diffusion coefficient, its error from stretches of the run, and its regime.

    The run is cut into stretches of equal length; each gives a slope by generalised least squares over the lags `fit`
    of the MSD, averaged over atoms and origins. Atoms that move together don't make the error too small, as it is
    taken from the spread between stretches alone (Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989)).

    :param blocks: paths, Å, a block of atoms at a time.
    :param n_frames: of the paths.
    :param n_blocks: stretches; five or more give a useful interval.
    :param chosen: ``(n_atoms,)`` bool: the atoms that are followed; None: all.
    :param drift: ``(n_frames, 3)`` Å, path of the centre of mass of the cell; None: nothing is subtracted.
    :param directions: columns that are summed, ``(0, 1)`` for a plane across z.
    :param fit: first and last lag over the length of a stretch.
    :raises ValueError: stretches of fewer than 10 frames, or no atom.
    """
    length = n_frames // n_blocks
    if n_blocks < 2 or length < FEWEST_FRAMES:
        raise ValueError(
            f"{n_frames} frames in {n_blocks} blocks: an error needs 2 blocks or more of at least {FEWEST_FRAMES} "
            "frames"
        )
    last = int(fitted_lags(length, fit)[-1])
    curves = msd_of_time_blocks(blocks, n_blocks=n_blocks, chosen=chosen, drift=drift, n_lags=last + 1)
    return of_curves(curves[:, :, list(directions)].sum(axis=2), interval_ps, n_frames=length, fit=fit,
                     n_directions=len(directions))  # fmt: skip


def of_curves(
    curves: ArrayLike,
    interval_ps: float,
    *,
    n_frames: int,
    n_directions: int = 3,
    weights: ArrayLike | None = None,
    fit: tuple[float, float] = FIT,
) -> DiffusionEstimate:
    """Return the coefficient from mean squared displacements of independent stretches or windows.

    :param curves: ``(n_replicates, n_lags)`` Å², lags from 0 on, summed over directions.
    :param interval_ps: between lags.
    :param n_frames: of a stretch, all origins used; that of a window with one origin is its number of lags.
    :param weights: ``(n_replicates,)``, such as atoms in each; None: equal.
    :raises ValueError: curves shorter than the fit, or without any weight.
    """
    msd = np.asarray(curves, dtype=np.float64)
    of = np.ones(len(msd)) if weights is None else np.asarray(weights, dtype=np.float64)
    msd, of = msd[of > 0], of[of > 0]
    lags = fitted_lags(n_frames, fit)
    if not len(msd) or msd.shape[1] <= lags[-1]:
        raise ValueError(f"curves of shape {np.shape(curves)} can't be fitted up to lag {lags[-1]}")
    mean = (of[:, None] * msd).sum(axis=0) / of.sum()
    slope, origin = slope_weights(lags, n_frames, noise_of(mean[lags], lags))
    d = mean_of(msd[:, lags] @ slope / (2 * n_directions * interval_ps), of)
    third = max(1, int(lags[-1]) // 4)
    exponent, error = exponent_of(msd[:, [third, 2 * third, 4 * third]], of)
    known = mean[lags] > 0
    log_slope = np.polyfit(np.log(lags[known]), np.log(mean[lags][known]), 1)[0] if known.sum() > 1 else np.nan
    return DiffusionEstimate(
        d=d, regime=regime_of(d, exponent, error), exponent=exponent, exponent_error=error, log_slope=float(log_slope),
        first_lag_ps=float(lags[0] * interval_ps), last_lag_ps=float(lags[-1] * interval_ps),
        msd_ang2=float(mean[lags[-1]]), offset_ang2=float(mean[lags] @ origin), n_directions=n_directions,
    )  # fmt: skip


def smallest_resolvable(
    n_atoms: int, length_ps: float, *, hop_ang: float = 3.0, n_blocks: int = 5, level: float = 0.95
) -> float:
    """Return the smallest D, Å²/ps, that a run of this length tells from zero.

    Atoms that hop by `hop_ang`, each for itself, hop ``6 D N t / a²`` times in the run. That many hops know D to
    ``√(f / hops)``, where f is the inefficiency of the fit; it is told from zero where the interval at `level` does
    not reach it. Atoms that hop together need as many times more.

    :param n_atoms: of the species that are followed.
    :param length_ps: of the run.
    """
    hops = INEFFICIENCY * float(student.ppf(0.5 + level / 2, n_blocks - 1)) ** 2
    return hops * hop_ang**2 / (6 * n_atoms * length_ps)


def upper_bound(
    found: DiffusionEstimate, n_atoms: int, length_ps: float, *, hop_ang: float = 3.0, level: float = 0.95
) -> float:
    """Return the D, Å²/ps, that the truth is below at `level`, hops that the run happened not to show included.

    Where no atom hops there is no spread to take an error from; yet up to ``−ln(1 − level)`` hops may have been due.

    :param n_atoms: of the species that were followed.
    :param length_ps: of the run.
    :raises ValueError: the estimate has no error.
    """
    seen = found.d.below(level)
    if seen is None:
        raise ValueError("one stretch or window gives no error, so there is no bound")
    return max(seen, -float(np.log(1 - level)) * hop_ang**2 / (6 * n_atoms * length_ps))


def msd_band(curves: ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the mean of curves of independent stretches, and the band that holds the truth at each lag.

    :param curves: ``(n_replicates, n_lags)``
    :returns: mean, lower and upper, ``(n_lags,)``; the band is NaN from one curve.
    """
    of = np.asarray(curves, dtype=np.float64)
    mean, n = of.mean(axis=0), len(of)
    if n == 1:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = float(student.ppf(0.5 + level / 2, n - 1)) * of.std(axis=0, ddof=1) / np.sqrt(n)
    return mean, mean - half, mean + half

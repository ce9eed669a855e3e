"""Periodicity of layers along z from a density profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Layering:
    """Distance between layers.

    :param spacing_ang: period of the profile; ``error_ang``: one standard deviation, from the residuals of the fit.
    :param strength: amplitude of the wave over the mean density: 0 without layers, 2 for infinitely sharp ones.
    """

    spacing_ang: float
    error_ang: float
    strength: float


def layer_spacing(
    profile: ArrayLike, bin_width_ang: float, *, shortest_ang: float = 1.0, longest_ang: float = 6.0
) -> Layering | None:
    """Return the strongest period of a density profile.

    The highest peak of its Fourier transform (window of Hann, padded) starts a least-squares fit of one wave and a
    constant, which is not bound to whole periods in the length of the profile and gives the error.

    :param profile: ``(n_bins,)`` counts or densities; a cut out of a cell, or a whole one.
    :param bin_width_ang: width of its bins, at most a third of ``shortest_ang``.
    :param shortest_ang: shortest period looked for; ``longest_ang``: the longest, of which three must fit.
    :returns: None for an empty profile or one that does not change.
    :raises ValueError: bins too wide, or a profile too short.
    """
    density = np.asarray(profile, dtype=np.float64)
    length = len(density) * bin_width_ang
    if bin_width_ang > shortest_ang / 3:
        raise ValueError(
            f"Bins of {bin_width_ang:g} Å are too wide to see a period of {shortest_ang:g} Å: take "
            f"{shortest_ang / 3:.2g} Å or less."
        )
    if length < 3 * longest_ang:
        raise ValueError(
            f"A profile of {length:.1f} Å holds no three periods of {longest_ang:g} Å: look for shorter ones."
        )
    mean = density.mean()
    waves = density - mean
    if not mean > 0 or not np.abs(waves).max() > 1e-12 * mean:
        return None
    padded = 16 * len(density)
    power = np.abs(np.fft.rfft(waves * np.hanning(len(density)), n=padded)) ** 2
    k = 2 * np.pi * np.fft.rfftfreq(padded, bin_width_ang)
    inside = (k >= 2 * np.pi / longest_ang) & (k <= 2 * np.pi / shortest_ang)
    guess = float(k[inside][np.argmax(power[inside])])
    z = (np.arange(len(density)) + 0.5) * bin_width_ang
    z -= z.mean()  # about the middle the phase does not depend on k

    def wave(z: FloatArray, k: float, even: float, odd: float, level: float) -> FloatArray:
        return np.asarray(level + even * np.cos(k * z) + odd * np.sin(k * z))

    start = (guess, 2 * (waves * np.cos(guess * z)).mean(), 2 * (waves * np.sin(guess * z)).mean(), mean)
    # Within the width of the peak, and of the range: a step in the profile would draw a free k to a wave of its own.
    low, high = max(k[inside][0], guess - 2 * np.pi / length), min(k[inside][-1], guess + 2 * np.pi / length)
    bounds = ([low, -np.inf, -np.inf, -np.inf], [high, np.inf, np.inf, np.inf])
    found, covariance = curve_fit(wave, z, density, p0=start, bounds=bounds)
    k_found = float(found[0])
    spacing = 2 * np.pi / k_found
    return Layering(
        spacing_ang=spacing,
        error_ang=spacing * float(np.sqrt(covariance[0, 0])) / k_found,
        strength=float(np.hypot(found[1], found[2])) / mean,
    )

"""The terms of B3: which products of three coefficients of an expansion no rotation changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_legendre

from aiida_seireact.science.descriptors.functions import FloatArray, real_harmonics

# Integrals below this are zero by symmetry.
NOUGHT = 1e-10


@dataclass(frozen=True, eq=False)
class Terms:
    """Feature ``f`` is the sum over ``t`` from ``first[f]`` to ``first[f + 1]`` of
    ``weights[t] c[channels[f, 0], lm[t, 0]] c[channels[f, 1], lm[t, 1]] c[channels[f, 2], lm[t, 2]]``.

    :param channels: ``(n_features, 3)``; :param begin, end: ``(n_features,)`` rows of ``lm`` ``(n_products, 3)`` and
        ``weights`` ``(n_products,)``.
    """

    channels: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    lm: NDArray[np.int64]
    weights: FloatArray


def _triples(n_channels: int, l_max: int) -> list[tuple[tuple[int, int], ...]]:
    """Return every three of (channel, l) that couple to a scalar, each once: l even in sum, a triangle."""
    items = [(channel, ell) for channel in range(n_channels) for ell in range(l_max + 1)]
    return [
        three
        for three in combinations_with_replacement(items, 3)
        if sum(ell for _, ell in three) % 2 == 0 and 2 * max(ell for _, ell in three) <= sum(ell for _, ell in three)
    ]


@lru_cache
def n_terms(n_channels: int, l_max: int) -> int:
    """Return the number of features of B3."""
    return len(_triples(n_channels, l_max))


@lru_cache
def gaunt_terms(n_channels: int, l_max: int) -> Terms:
    """Return the products of B3: ``Σ_m G(l1 m1, l2 m2, l3 m3) c c c`` with G the integral of three real harmonics.

    G is proportional to the 3j symbol for real harmonics, so each sum is a scalar (Drautz, Phys. Rev. B 99, 014104
    (2019), eq. 26 for ν = 3). Products with an odd sum of l change sign in a mirror and have no G.
    """
    triples = _triples(n_channels, l_max)
    x, y, z, weight = _sphere(3 * l_max + 2)
    harmonics = np.stack(real_harmonics(x, y, z, l_max))
    couplings: dict[tuple[int, ...], tuple[int, int]] = {}
    lm: list[tuple[int, int, int]] = []
    weights: list[float] = []
    for ells in sorted({tuple(ell for _, ell in three) for three in triples}):
        first, second, third = (range(ell**2, (ell + 1) ** 2) for ell in ells)
        start = len(lm)
        for a in first:
            for b in second:
                for c in third:
                    integral = float(np.sum(weight * harmonics[a] * harmonics[b] * harmonics[c]))
                    if abs(integral) > NOUGHT:
                        lm.append((a, b, c))
                        weights.append(integral)
        couplings[ells] = (start, len(lm))
    rows = np.array([couplings[tuple(ell for _, ell in three)] for three in triples], dtype=np.int64)
    return Terms(
        channels=np.array([[channel for channel, _ in three] for three in triples], dtype=np.int64),
        begin=rows[:, 0].copy(),
        end=rows[:, 1].copy(),
        lm=np.array(lm, dtype=np.int64),
        weights=np.array(weights),
    )


def _sphere(n_rings: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return points and weights that integrate harmonics up to l = 2 n_rings − 1 exactly."""
    height, ring_weight = roots_legendre(n_rings)
    angle = np.pi * np.arange(2 * n_rings) / n_rings
    radius = np.sqrt(1 - height**2)
    x = np.outer(radius, np.cos(angle)).ravel()
    y = np.outer(radius, np.sin(angle)).ravel()
    return x, y, np.repeat(height, 2 * n_rings), np.repeat(ring_weight * np.pi / n_rings, 2 * n_rings)

"""The functions an expansion of the neighbours is made of: real harmonics and radial bases, for numpy and torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def real_harmonics(x: Any, y: Any, z: Any, l_max: int) -> list[Any]:
    """Orthonormal real spherical harmonics up to l = 3 of unit vectors: one ``(n,)`` for each of (l_max + 1)².

    :param x, y, z: ``(n,)`` arrays of numpy or tensors of torch.
    """
    pi = np.pi
    columns = [0 * x + math.sqrt(1 / (4 * pi))]
    if l_max >= 1:
        c1 = math.sqrt(3 / (4 * pi))
        columns += [c1 * y, c1 * z, c1 * x]
    if l_max >= 2:
        c2 = math.sqrt(15 / (4 * pi))
        columns += [
            c2 * x * y,
            c2 * y * z,
            math.sqrt(5 / (16 * pi)) * (3 * z**2 - 1),
            c2 * x * z,
            c2 / 2 * (x**2 - y**2),
        ]
    if l_max >= 3:
        c3, c31, c32 = math.sqrt(35 / (32 * pi)), math.sqrt(21 / (32 * pi)), math.sqrt(105 / (4 * pi))
        columns += [
            c3 * y * (3 * x**2 - y**2),
            c32 * x * y * z,
            c31 * y * (5 * z**2 - 1),
            math.sqrt(7 / (16 * pi)) * z * (5 * z**2 - 3),
            c31 * x * (5 * z**2 - 1),
            c32 / 2 * z * (x**2 - y**2),
            c3 * x * (x**2 - 3 * y**2),
        ]
    return columns


def chebyshev_polynomials(x: Any, count: int) -> list[Any]:
    """Return T_0 to T_(count − 1) of ``x``, an array of numpy or a tensor of torch."""
    polynomials = [0 * x + 1, x]
    while len(polynomials) < count:
        polynomials.append(2 * x * polynomials[-1] - polynomials[-2])
    return polynomials[:count]


def chebyshev_quadratic(distances: FloatArray, cutoffs: FloatArray, count: int) -> FloatArray:
    """Return ``T_n(r / r_c) (r − r_c)²``, ``(count, n)``: the radial functions FLARE calls chebyshev, quadratic.

    :param distances: ``(n,)``, Å, below ``cutoffs``, ``(n,)``.
    """
    return np.asarray(np.stack(chebyshev_polynomials(distances / cutoffs, count)) * (distances - cutoffs) ** 2)


def bessel_smooth(distances: FloatArray, cutoffs: FloatArray, count: int) -> FloatArray:
    """Return ``√(2 / r_c) sin(n π r / r_c) / r`` times a cutoff of two continuous derivatives, ``(count, n)``.

    Spherical Bessel functions j_0 that vanish at the cutoff, ``n`` from 1 (Gasteiger et al., ICLR 2020, eq. 7); the
    cutoff is 1 − 10 u³ + 15 u⁴ − 6 u⁵ of u = r / r_c.

    :param distances: ``(n,)``, Å, above 0 and below ``cutoffs``, ``(n,)``.
    """
    u = distances / cutoffs
    amplitude = np.sqrt(2 / cutoffs) / distances * (1 - u**3 * (10 - u * (15 - 6 * u)))
    waves = np.arange(1, count + 1)[:, None] * (np.pi * u)
    return np.asarray(np.sin(waves) * amplitude)

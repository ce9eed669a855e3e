"""Densities by PAk: as many neighbours for each point as the density is constant over, and a slope against bias."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import chi2

from aiida_seireact.science.density_peaks.result import FloatArray, IntArray

FEWEST_NEIGHBOURS = 3


def kstar(distances: FloatArray, indices: IntArray, dimension: float, alpha: float) -> IntArray:
    """Find for each point the number of neighbours within which the density is constant.

    The volumes that hold k neighbours, around the point and around its (k + 1)-th neighbour, differ by more than
    chance if ``D_k = −2 k [ln V_i + ln V_j − 2 ln(V_i + V_j) + ln 4]`` exceeds the quantile of χ² with one degree of
    freedom (Rodriguez et al., J. Chem. Theory Comput. 14, 1206 (2018)). With ``u = d |ln(r_i / r_j)| / 2`` that
    is ``4 k ln cosh u``, so for each k there is one ratio of radii which decides.

    :param distances: ``(n_points, maxk + 1)`` ascending, first column the point; :param indices: likewise.
    :param alpha: probability of a step that chance alone would make.
    :returns: ``(n_points,)`` from 3 to maxk − 1, as in DADApy.
    """
    from aiida_seireact.science.density_peaks import kernels

    threshold = chi2.isf(alpha, 1) / (4.0 * np.maximum(np.arange(distances.shape[1]), 1))
    # arccosh(exp(t)), without the overflow of the exponential.
    decisive = threshold + np.log1p(np.sqrt(-np.expm1(-2.0 * threshold)))
    with np.errstate(over="ignore"):
        ratios = np.exp(2.0 * decisive / dimension)
    found: IntArray = kernels.constant_density(distances, indices, ratios)
    return found


def pak(distances: FloatArray, neighbours: IntArray, dimension: float) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Estimate the logarithm of the density at each point.

    Maximises ``L(F, a) = F k + a k (k + 1) / 2 − Σ_l v_l exp(F + a l)`` over the volumes ``v_l`` of the k shells
    between neighbours (Rodriguez et al., 2018): the density is ``exp(F) / n``, a takes up its linear change.

    :param neighbours: ``(n_points,)`` k of each point.
    :returns: ``(n_points,)`` log density; and where one shell holds next to all the volume, so that there is no
        slope to fit: the log density there is ``ln(k / (n V_k))``.
    """
    from aiida_seireact.science.density_peaks import kernels

    gain, plain = kernels.free_energy_slopes(distances, neighbours, dimension)
    edge = np.take_along_axis(distances, neighbours[:, None], axis=1)[:, 0]
    unit_ball = 0.5 * dimension * np.log(np.pi) - gammaln(0.5 * dimension + 1.0)
    log_volume = unit_ball + dimension * np.log(edge)
    return gain + np.log(neighbours) - log_volume - np.log(len(distances)), plain


def standard_error(neighbours: IntArray) -> FloatArray:
    """Return the standard error of PAk's log density, ``√((4 k + 2) / (k (k − 1)))`` (Rodriguez et al., 2018)."""
    k = neighbours.astype(np.float64)
    return np.asarray(np.sqrt((4.0 * k + 2.0) / (k * (k - 1.0))))

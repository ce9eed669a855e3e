"""Intrinsic dimension of a point cloud by its two nearest neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.density_peaks.result import DensityPeaksError

# The largest ratios, which feel that the density varies, are left out of the fit, as DADApy does.
FITTED_SHARE = 0.9


def two_nn(first: ArrayLike, second: ArrayLike) -> float:
    """Estimate the intrinsic dimension from the distances to the first and the second neighbour.

    With ``μ = r₂ / r₁`` Pareto distributed, ``−ln(1 − F(μ)) = d ln μ``: d is the slope through the origin (Facco et
    al., Sci. Rep. 7, 12140 (2017)), fitted over the lower nine tenths of ``ln μ``.

    :param first: ``(n_points,)`` distances above 0; :param second: ``(n_points,)``.
    :raises DensityPeaksError: all ratios are 1, as those of a lattice.
    """
    logs = np.sort(np.log(np.asarray(second) / np.asarray(first)))
    n_fitted = int(len(logs) * FITTED_SHARE)
    x = logs[:n_fitted]
    y = -np.log1p(-np.arange(1, n_fitted + 1) / len(logs))
    if not x @ x > 0:
        raise DensityPeaksError(
            "The two nearest neighbours of the points are equally far, as on a lattice: there is no dimension to "
            "find. Give points that vary, such as environments at temperature."
        )
    return float(x @ y / (x @ x))

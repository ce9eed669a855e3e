"""The native engine: DADApy's definitions in compiled loops over each point's neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.density_peaks.density import kstar, pak, standard_error
from aiida_seireact.science.density_peaks.dimension import two_nn
from aiida_seireact.science.density_peaks.neighbours import Neighbours
from aiida_seireact.science.density_peaks.peaks import Mountains, find_mountains, merge
from aiida_seireact.science.density_peaks.result import Clusters, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class NativeDensities:
    """Densities and unmerged peaks of distinct points.

    :param dimension: intrinsic. :param kstar: ``(n_points,)``; :param log_density: ``(n_points,)``;
    :param error: ``(n_points,)``; :param plain: ``(n_points,)`` densities without a slope.
    """

    dimension: float
    kstar: IntArray
    log_density: FloatArray
    error: FloatArray
    plain: NDArray[np.bool_]
    mountains: Mountains

    def clusters(self, z: float) -> Clusters:
        """Cluster at one significance."""
        return merge(self.mountains, self.log_density, self.error, z)


def native_densities(neighbours: Neighbours, alpha: float) -> NativeDensities:
    """Estimate intrinsic dimension and densities, and find all peaks.

    :raises DensityPeaksError: the neighbours lie as on a lattice.
    """
    distances, indices = neighbours.distances, neighbours.indices
    dimension = two_nn(distances[:, 1], distances[:, 2])
    k = kstar(distances, indices, dimension, alpha)
    log_density, plain = pak(distances, k, dimension)
    error = standard_error(k)
    return NativeDensities(
        dimension=dimension,
        kstar=k,
        log_density=log_density,
        error=error,
        plain=plain,
        mountains=find_mountains(log_density, error, indices, k),
    )

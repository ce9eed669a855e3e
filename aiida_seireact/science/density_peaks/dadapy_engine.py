"""DADApy as the engine: its own densities and clusters, with what its version 0.3.4 trips over kept out of its way."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.density_peaks.neighbours import Neighbours
from aiida_seireact.science.density_peaks.result import (
    Clusters,
    DensityPeaksError,
    FloatArray,
    IntArray,
    MissingDadapyError,
)

# The import takes seconds (jax), so only those pay who ask for this engine.
INSTALL = "pip install 'aiida-seireact[dadapy]'"


@dataclass(frozen=True, eq=False)
class DadapyDensities:
    """Densities by DADApy; the same fields and method as :class:`native.NativeDensities`."""

    dimension: float
    kstar: IntArray
    log_density: FloatArray
    error: FloatArray
    plain: NDArray[np.bool_]
    data: Any
    """DADApy's object, from which clusters for another Z are made."""
    shift: float
    """What its log densities lack for the unit of length."""

    def clusters(self, z: float) -> Clusters:
        """Cluster at one significance.

        :raises DensityPeaksError: DADApy fails, or leaves points without a cluster.
        """
        with _said_plainly(len(self.kstar), self.data.maxk):
            self.data.compute_clustering_ADP(Z=z)
        labels = np.asarray(self.data.cluster_assignment, dtype=np.int64)
        n_clusters = int(self.data.N_clusters)
        lost = int(((labels < 0) | (labels >= n_clusters)).sum())
        if lost:
            # DADApy 0.3.4 leaves memory as it was where its fallback for removed centres fails (cython_clustering.pyx).
            raise DensityPeaksError(
                f"DADApy left {lost} points without a cluster: give more points or a larger maxk than "
                f"{self.data.maxk}, or take the engine native."
            )
        # DADApy 0.3.4 has no mark for clusters that do not touch: it leaves them 1 below min(log ρ − Z error), and
        # the diagonal 2 below, while every true border is above that minimum (clustering.py:126-130, :190).
        floor = np.min(self.data.log_den - z * self.data.log_den_err) - 0.5
        heights = np.asarray(self.data.log_den_bord, dtype=np.float64).reshape(n_clusters, n_clusters)
        borders = np.argwhere(np.triu(heights >= floor, k=1))
        return Clusters(
            labels=labels,
            centres=np.asarray(self.data.cluster_centers, dtype=np.int64),
            borders=borders,
            border_log_density=heights[borders[:, 0], borders[:, 1]] + self.shift,
            border_log_density_error=np.asarray(self.data.log_den_bord_err)[borders[:, 0], borders[:, 1]],
        )


def dadapy_densities(neighbours: Neighbours, alpha: float) -> DadapyDensities:
    """Estimate intrinsic dimension and densities by DADApy.

    :raises MissingDadapyError: DADApy is not installed. :raises DensityPeaksError: it fails on these points.
    """
    try:
        from dadapy import Data
    except ImportError as error:
        raise MissingDadapyError.of(error, "the engine dadapy", INSTALL) from None
    maxk = neighbours.indices.shape[1] - 1
    n_points = len(neighbours.indices)
    with _said_plainly(n_points, maxk):
        data = Data(distances=(neighbours.distances.copy(), neighbours.indices), maxk=maxk, n_jobs=1)
        dimension = float(data.compute_id_2NN()[0])
        data.compute_kstar(alpha=alpha)
        # DADApy 0.3.4 caps volumes at e^300, drops those below 1e-300, and limits its steps by the size of
        # log ρ: in these units log ρ is about 20, whatever the units of the points and their dimension are.
        unit = np.exp(-20.0 / dimension) / np.median(data.distances[:, -1])
        data.distances *= unit
        plain = _without_slope(data.distances, data.kstar, dimension)
        # A row of vanishing volume is left at k*/volume. Otherwise its singular Hessian sends PAk into a
        # loop that has no limit of steps (0.3.4, cython_maximum_likelihood_opt_full.pyx:78-81: seen to hang).
        data.distances[plain, 1] = np.finfo(np.float64).tiny
        data.compute_density_PAk(alpha=alpha)
    shift = dimension * float(np.log(unit))
    return DadapyDensities(
        dimension=dimension,
        kstar=np.asarray(data.kstar, dtype=np.int64),
        log_density=np.asarray(data.log_den, dtype=np.float64) + shift,
        error=np.asarray(data.log_den_err, dtype=np.float64),
        plain=plain,
        data=data,
        shift=shift,
    )


@contextmanager
def _said_plainly(n_points: int, maxk: int) -> Iterator[None]:
    """Turn what DADApy asserts into a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (AssertionError, ArithmeticError, IndexError, ValueError, np.linalg.LinAlgError) as error:
            raise DensityPeaksError(
                f"DADApy found no density peaks in {n_points} points ({error}): nearly equal points or a maxk "
                f"({maxk}) too small are the usual reasons."
            ) from error


def _without_slope(distances: FloatArray, kstar: IntArray, dimension: float) -> NDArray[np.bool_]:
    """Rows of which one shell holds nearly all the volume, so that the variance of the shell number vanishes."""
    k_most = int(kstar.max())
    within = np.arange(1, k_most + 1) <= kstar[:, None]
    edge = distances[np.arange(len(distances)), kstar][:, None]
    # Ratios of volumes of balls to the outermost; logarithms, because the dimension may be large.
    balls = np.exp(dimension * np.log(np.minimum(distances[:, 1 : k_most + 1] / edge, 1.0)))
    shells = np.where(within, np.diff(balls, axis=1, prepend=0.0), 0.0)
    number = np.arange(1, k_most + 1)
    mean = shells @ number
    variance = np.einsum("ij,ij->i", shells, (number - mean[:, None]) ** 2)
    return np.asarray(variance < 1e-6)

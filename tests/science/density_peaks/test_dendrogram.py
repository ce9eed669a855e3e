from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import dendrogram, fcluster, is_valid_linkage

from aiida_seireact.science import density_peaks as dp

from .landscapes import landscape


@pytest.fixture(scope="module")
def peaks() -> dp.DensityPeaks:
    """The five peaks, and two far from them that touch neither these nor each other."""
    rng = np.random.default_rng(0)
    islands = [rng.normal(scale=0.3, size=(400, 2)) + place for place in ((200, 0), (0, 300))]
    return dp.density_peaks(np.concatenate([landscape("five peaks"), *islands]), z=1.65)


def test_scipy_draws_it(peaks: dp.DensityPeaks) -> None:
    tree = dp.linkage(peaks)
    assert tree.shape == (peaks.n_clusters - 1, 4)
    assert is_valid_linkage(tree)
    assert (np.diff(tree[:, 2]) >= 0).all()
    assert sorted(dendrogram(tree, no_plot=True)["leaves"]) == list(range(peaks.n_clusters))


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_a_cut_joins_what_borders_above_it_join(peaks: dp.DensityPeaks, quantile: float) -> None:
    level = float(np.quantile(peaks.border_log_density, quantile)) - 1e-9
    cut = fcluster(dp.linkage(peaks), peaks.log_density.max() - level, criterion="distance")
    root = np.arange(peaks.n_clusters)
    for low, high in peaks.borders[peaks.border_log_density > level]:
        root[root == root[low]] = root[high]
    assert np.array_equal(cut[:, None] == cut, root[:, None] == root)


def test_islands_join_last_at_the_height_of_the_least_dense_point(peaks: dp.DensityPeaks) -> None:
    tree = dp.linkage(peaks)
    depth = peaks.log_density.max() - peaks.log_density.min()
    touching = np.unique(peaks.borders)
    islands = peaks.n_clusters - len(touching)
    assert islands >= 2
    assert tree[-islands:, 2] == pytest.approx(depth)
    assert (tree[:-islands, 2] <= depth).all()

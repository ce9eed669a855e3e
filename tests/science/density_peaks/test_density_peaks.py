from __future__ import annotations

import sys

import numpy as np
import pytest

from aiida_seireact.science import density_peaks as dp


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Three Gaussians in 3 dimensions, two of them overlapping in their outskirts."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0, 0], [4.5, 0, 0], [0, 30, 0]], dtype=float)
    points = np.concatenate([rng.normal(size=(600, 3)) + centre for centre in centres])
    return points, np.repeat(np.arange(3), 600)


@pytest.fixture(scope="module")
def peaks(blobs: tuple[np.ndarray, np.ndarray]) -> dp.DensityPeaks:
    return dp.density_peaks(blobs[0], z=2.0, maxk=60)


def test_neighbours_equal_the_full_distance_matrix_far_from_the_origin() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(700, 30)) + 1e4
    distances, indices = dp.nearest_neighbours(points, 20)
    full = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    expected = np.argsort(full, axis=1)[:, :21]
    assert np.array_equal(indices, expected)
    assert np.array_equal(indices[:, 0], np.arange(700))
    assert distances == pytest.approx(np.take_along_axis(full, expected, axis=1), rel=1e-10)


def test_point_is_its_own_first_neighbour_beside_a_duplicate() -> None:
    points = np.repeat(np.random.default_rng(2).normal(size=(30, 3)), 2, axis=0)
    distances, indices = dp.nearest_neighbours(points, 3)
    assert np.array_equal(indices[:, 0], np.arange(60))
    assert not distances[:, :2].any()


def test_distinct_rows_maps_back() -> None:
    rows = np.array([[1.0, 2], [0.0, 5], [1, 2], [-0.0, 5], [3, 3]])
    first, inverse = dp.distinct_rows(rows)
    assert first.tolist() == [0, 1, 4]
    assert np.array_equal(rows[first][inverse], rows)


def test_three_blobs_are_three_clusters(blobs: tuple, peaks: dp.DensityPeaks) -> None:
    truth = blobs[1]
    assert peaks.n_clusters == 3
    found = [np.bincount(peaks.clusters[truth == blob], minlength=3) for blob in range(3)]
    assert sorted(np.argmax(counts) for counts in found) == [0, 1, 2]
    assert all(counts.max() > 0.95 * 600 for counts in found)
    assert peaks.intrinsic_dimension == pytest.approx(3, abs=0.4)


def test_core_is_denser_than_the_highest_saddle_and_an_isolated_cluster_all_core(
    blobs: tuple, peaks: dp.DensityPeaks
) -> None:
    isolated = peaks.clusters[-1]
    assert peaks.saddle[isolated] == -np.inf
    assert peaks.core[peaks.clusters == isolated].all()
    assert np.isfinite(np.delete(peaks.saddle, isolated)).all()
    assert np.array_equal(peaks.core, peaks.log_density > peaks.saddle[peaks.clusters])
    assert 0.3 < peaks.core[peaks.clusters != isolated].mean() < 0.99
    assert peaks.core[peaks.centres].all()


def test_core_equals_dadapys_halo(blobs: tuple, peaks: dp.DensityPeaks) -> None:
    dadapy = pytest.importorskip("dadapy")
    data = dadapy.Data(distances=dp.nearest_neighbours(blobs[0], 60), maxk=60)
    data.compute_id_2NN()
    data.compute_kstar()
    data.distances *= np.exp(-20 / data.intrinsic_dim) / np.median(data.distances[:, -1])
    data.compute_density_PAk()
    data.compute_clustering_ADP(Z=2.0, halo=True)
    not_halo = np.asarray(data.cluster_assignment) != -1
    # DADApy counts the saddle point itself, which is as dense as the saddle and not denser.
    assert np.array_equal(peaks.core, not_halo & (peaks.log_density > peaks.saddle[peaks.clusters]))
    assert (peaks.core != not_halo).sum() <= 1


def test_duplicates_are_counted_once_and_share_their_cluster(blobs: tuple, peaks: dp.DensityPeaks) -> None:
    points = blobs[0]
    twice = np.concatenate([points, points[:200]])
    got = dp.density_peaks(twice, z=2.0, maxk=60)
    assert got.n_distinct == 1800
    assert np.array_equal(got.clusters, np.concatenate([peaks.clusters, peaks.clusters[:200]]))
    assert np.array_equal(got.log_density[1800:], got.log_density[:200])


def test_scale_of_the_points_does_not_matter(blobs: tuple, peaks: dp.DensityPeaks) -> None:
    got = dp.density_peaks(blobs[0] * 1e3, z=2.0, maxk=60)
    assert np.array_equal(got.clusters, peaks.clusters)
    assert np.array_equal(got.core, peaks.core)


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (np.full((500, 3), np.nan), "Point 0 holds NaN"),
        (np.ones((500, 3)), "Only 1 of 500 points are distinct"),
        (np.random.default_rng(0).normal(size=(100, 3)), "Only 100 of 100 points .* maxk 100"),
        (np.zeros(7), "expected \\(n_points, n_features\\)"),
    ],
)
def test_points_that_cannot_be_clustered(points: np.ndarray, sentence: str) -> None:
    with pytest.raises(dp.DensityPeaksError, match=sentence):
        dp.density_peaks(points)


def test_maxk_too_small_is_refused(blobs: tuple) -> None:
    with pytest.raises(dp.DensityPeaksError, match="at least 5 neighbours"):
        dp.density_peaks(blobs[0], maxk=4)
    with pytest.raises(dp.DensityPeaksError, match="smaller maxk"):
        dp.nearest_neighbours(blobs[0][:50], 50)


def test_nearly_equal_groups_are_refused() -> None:
    """The trap of a repeated, unrattled cell: one peak a group, all core, and no error of DADApy."""
    with pytest.raises(dp.DensityPeaksError, match="100% of the points are nearly equal"):
        dp.density_peaks(groups(spread=1e-7), maxk=30)


def groups(spread: float) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.repeat(rng.normal(size=(200, 6)), 8, axis=0) + rng.normal(scale=spread, size=(1600, 6))


def test_gaps_that_leave_no_slope_do_not_hang_the_estimate() -> None:
    """Without the plain estimate for such points DADApy 0.3.4 runs for ever from a spread of 1e-3 down."""
    got = dp.density_peaks(groups(spread=1e-3), maxk=30)
    assert got.n_plain > 50
    assert np.isfinite(got.log_density).all()


def test_well_spread_points_all_get_the_full_estimate(peaks: dp.DensityPeaks) -> None:
    assert peaks.n_plain == 0


def test_points_left_without_a_cluster_are_an_error_not_garbage(blobs: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """DADApy 0.3.4 can leave an assignment as the memory was (seen: -4590418115146818164); which memory is chance."""
    import dadapy

    cluster = dadapy.Data.compute_clustering_ADP

    def forget_one(data: object, **settings: object) -> None:
        cluster(data, **settings)
        data.cluster_assignment[7] = -4590418115146818164

    monkeypatch.setattr(dadapy.Data, "compute_clustering_ADP", forget_one)
    with pytest.raises(dp.DensityPeaksError, match="left 1 points without a cluster"):
        dp.density_peaks(blobs[0], engine="dadapy")


def test_missing_dadapy_is_said_with_its_command(blobs: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dadapy", None)
    with pytest.raises(dp.MissingDadapyError, match=r"pip install .*\[dadapy\]"):
        dp.density_peaks(blobs[0], engine="dadapy")

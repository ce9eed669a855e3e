"""What must not change a clustering, and what Z may change in it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from aiida_seireact.science import density_peaks as dp
from aiida_seireact.science.structures import crystal

from .landscapes import environments, landscape


@cache
def made() -> dp.PeaksInput:
    return dp.peaks_input(landscape("five peaks"))


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two clusterings are one, numbers aside."""
    pairs = np.unique(np.column_stack([a, b]), axis=0)
    return len(pairs) == len(np.unique(a)) == len(np.unique(b))


def test_the_five_peaks_are_found() -> None:
    (peaks,) = dp.scan_z(made(), [1.65])
    assert peaks.n_clusters == 5
    assert np.bincount(peaks.clusters).min() > 400
    assert np.array_equal(peaks.halo, ~peaks.core)
    assert peaks.neighbour_recall == 1.0


def test_a_larger_z_only_merges() -> None:
    scan = dp.scan_z(made(), [0.0, 1.0, 1.65, 3.0, 5.0, 8.0, 20.0])
    numbers = [peaks.n_clusters for peaks in scan]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 5
    assert numbers[-1] < 5
    for finer, coarser in pairwise(scan):
        pairs = np.unique(np.column_stack([finer.clusters, coarser.clusters]), axis=0)
        assert len(pairs) == finer.n_clusters
        assert set(coarser.centres) <= set(finer.centres)


def test_a_scan_gives_what_each_z_gives_alone() -> None:
    (peaks,) = dp.scan_z(made(), [5.0])
    alone = dp.density_peaks(landscape("five peaks"), z=5.0)
    assert np.array_equal(peaks.clusters, alone.clusters)
    assert np.array_equal(peaks.border_log_density, alone.border_log_density)
    assert peaks.z == alone.z == 5.0


def test_saddles_are_the_highest_borders_and_every_peak_rises_above_them() -> None:
    (peaks,) = dp.scan_z(made(), [1.65])
    assert len(peaks.borders)
    assert (peaks.borders[:, 0] < peaks.borders[:, 1]).all()
    for cluster in range(peaks.n_clusters):
        touching = (peaks.borders == cluster).any(axis=1)
        assert peaks.saddle[cluster] == max(peaks.border_log_density[touching], default=-np.inf)
    top, error = peaks.log_density[peaks.centres], peaks.log_density_error[peaks.centres]
    for side in range(2):
        cluster = peaks.borders[:, side]
        rise = top[cluster] - peaks.border_log_density
        assert (rise >= 1.65 * (error[cluster] + peaks.border_log_density_error)).all()


def test_the_order_of_the_points_does_not_matter() -> None:
    points = landscape("five peaks")
    order = np.random.default_rng(0).permutation(len(points))
    (peaks,) = dp.scan_z(made(), [3.0])
    shuffled = dp.density_peaks(points[order], z=3.0)
    assert same_partition(shuffled.clusters, peaks.clusters[order])
    assert np.array_equal(shuffled.core, peaks.core[order])
    assert shuffled.log_density == pytest.approx(peaks.log_density[order], rel=1e-9)


def test_the_unit_of_length_only_shifts_the_density() -> None:
    (peaks,) = dp.scan_z(made(), [3.0])
    scaled = dp.density_peaks(landscape("five peaks") * 1024.0, z=3.0)
    assert np.array_equal(scaled.clusters, peaks.clusters)
    assert np.array_equal(scaled.core, peaks.core)
    shift = -peaks.intrinsic_dimension * np.log(1024.0)
    assert scaled.log_density == pytest.approx(peaks.log_density + shift, abs=1e-9)


def test_each_point_three_times_is_each_point_once() -> None:
    points = landscape("five peaks")
    (peaks,) = dp.scan_z(made(), [3.0])
    thrice = dp.density_peaks(np.concatenate([points] * 3), z=3.0)
    assert np.array_equal(thrice.clusters, np.tile(peaks.clusters, 3))
    assert thrice.n_distinct == len(points)
    assert np.array_equal(thrice.centres, peaks.centres)


def test_a_repeated_cell_is_that_cell() -> None:
    rng = np.random.default_rng(0)
    cell = crystal("Li2S").repeat(3)
    cell.positions += rng.normal(scale=0.15, size=cell.positions.shape)
    alone = dp.density_peaks(environments(cell, rng, 0.0), maxk=50)
    repeated = dp.density_peaks(environments(cell.repeat((2, 1, 1)), rng, 0.0), maxk=50)
    assert repeated.n_distinct == alone.n_distinct
    assert np.array_equal(repeated.clusters, np.tile(alone.clusters, 2))


def test_one_cluster_is_all_core_and_has_no_border() -> None:
    points = np.random.default_rng(5).normal(size=(800, 2))
    peaks = dp.density_peaks(points, z=4.0)
    assert peaks.n_clusters == 1
    assert peaks.core.all()
    assert peaks.borders.shape == (0, 2)
    assert peaks.saddle.tolist() == [-np.inf]
    assert dp.linkage(peaks).shape == (0, 4)


def test_the_fewest_points_are_two_more_than_the_neighbours() -> None:
    points = np.random.default_rng(6).normal(size=(8, 2))
    assert dp.density_peaks(points[:7], maxk=5).n_clusters == 1
    with pytest.raises(dp.DensityPeaksError, match="Only 6 of 6 points are distinct, too few for maxk 5"):
        dp.density_peaks(points[:6], maxk=5)


def test_whole_numbers_are_points_too() -> None:
    points = np.random.default_rng(7).integers(0, 10_000, size=(500, 3))
    assert dp.density_peaks(points, maxk=50).n_distinct == 500


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"engine": "sklearn"}, "native or dadapy, not 'sklearn'"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"z": -1.0}, "Z is -1.0"),
        ({"z": float("nan")}, "Z is nan"),
        ({"maxk": 4}, "at least 5 neighbours"),
    ],
)
def test_settings_that_mean_nothing(settings: dict, sentence: str) -> None:
    with pytest.raises(dp.DensityPeaksError, match=sentence):
        dp.density_peaks(np.random.default_rng(8).normal(size=(300, 2)), **settings)


def test_points_that_overflow_or_touch() -> None:
    points = np.random.default_rng(9).normal(size=(300, 2))
    with np.errstate(all="ignore"), pytest.raises(dp.DensityPeaksError, match="overflow"):
        dp.density_peaks(points * 1e200)
    points[0], points[1] = [0.0, 1.0], [5e-324, 1.0]
    with pytest.raises(dp.DensityPeaksError, match="less than doubles can tell"):
        dp.density_peaks(points)


def test_missing_numba_is_said_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(dp.MissingPackageError, match=r"numba is needed for density peaks: pip install .*\[classify\]"):
        dp.density_peaks(np.random.default_rng(8).normal(size=(300, 2)))

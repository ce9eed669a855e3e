from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from aiida_seireact.science import nearest as module
from aiida_seireact.science.nearest import k_nearest, nearest

rng = np.random.default_rng(0)


def clouds(n: int, features: int, dtype: type = np.float32) -> np.ndarray:
    """Four clouds far apart, each of few dimensions and some noise, as descriptors of crystals are."""
    centres = np.random.default_rng(1).normal(scale=50, size=(4, features))
    axes = np.random.default_rng(2).normal(size=(4, 8, features))
    which = rng.integers(4, size=n)
    inside = np.einsum("ni,nif->nf", rng.normal(size=(n, 8)), axes[which])
    return (centres[which] + inside + rng.normal(scale=0.2, size=(n, features))).astype(dtype)


@pytest.mark.parametrize("features", [1, 3, 64, 300])
@pytest.mark.parametrize("k", [1, 7, 40])
def test_the_answer_is_that_of_all_distances(features: int, k: int) -> None:
    points, targets = clouds(700, features), clouds(1500, features)
    distances, indices = k_nearest(points, targets, k)
    full = cdist(points.astype(np.float64), targets.astype(np.float64))
    expected = np.argsort(full, axis=1, kind="stable")[:, :k]
    assert distances == pytest.approx(np.take_along_axis(full, expected, axis=1), rel=1e-9, abs=1e-12)
    assert np.mean(indices == expected) > 0.9999


def test_noise_in_all_directions_is_searched_exactly_too() -> None:
    """The projection bounds nothing well here: every answer then comes from the true distances."""
    points, targets = rng.normal(size=(200, 200)), rng.normal(size=(900, 200))
    distances, indices = k_nearest(points, targets, 20)
    full = cdist(points, targets)
    assert np.array_equal(indices, np.argsort(full, axis=1)[:, :20])
    assert distances == pytest.approx(np.sort(full, axis=1)[:, :20], rel=1e-12)


def test_a_poor_bound_costs_time_but_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BOUND_VARIANCE", 0.5)
    points, targets = clouds(300, 200), clouds(2000, 200)
    _, indices = k_nearest(points, targets, 10)
    assert np.array_equal(indices, np.argsort(cdist(points.astype(float), targets.astype(float)), axis=1)[:, :10])


def test_far_from_the_origin_nothing_cancels() -> None:
    points, targets = rng.normal(size=(100, 30)) + 1e4, rng.normal(size=(400, 30)) + 1e4
    distances, indices = nearest(points, targets)
    full = cdist(points, targets)
    assert np.array_equal(indices, full.argmin(axis=1))
    assert distances == pytest.approx(full.min(axis=1), rel=1e-12)


def test_the_answer_does_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    points, targets = clouds(900, 120), clouds(1300, 120)
    expected = k_nearest(points, targets, 5)
    for name, size in (("CHUNK", 100), ("ROWS", 17), ("COLUMNS", 33)):
        monkeypatch.setattr(module, name, size)
    for got in (
        k_nearest(points, targets, 5),
        [
            np.concatenate(p)
            for p in zip(*(k_nearest(part, targets, 5) for part in np.array_split(points, 7)), strict=True)
        ],
    ):
        assert np.array_equal(got[1], expected[1])
        assert np.array_equal(got[0], expected[0])


def test_of_equal_targets_the_first_is_taken() -> None:
    targets = np.tile(rng.normal(size=(5, 4)), (40, 1))
    distances, indices = nearest(targets[:5], targets)
    assert np.array_equal(indices, np.arange(5))
    assert not distances.any()


def test_no_points_and_one_target() -> None:
    assert nearest(np.empty((0, 3)), np.ones((1, 3)))[0].shape == (0,)
    assert nearest(np.zeros((2, 3)), np.ones((1, 3)))[0] == pytest.approx(np.sqrt(3))


@pytest.mark.parametrize(
    ("points", "targets", "k", "sentence"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), 1, "same number of features"),
        (np.zeros((2, 3)), np.zeros((0, 3)), 1, "1 nearest of 0 targets"),
        (np.zeros((2, 3)), np.zeros((4, 3)), 5, "5 nearest of 4 targets"),
    ],
)
def test_what_cannot_be_searched(points: np.ndarray, targets: np.ndarray, k: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        k_nearest(points, targets, k)

from __future__ import annotations

import sys

import numpy as np
import pytest

from aiida_seireact.science import density_peaks as dp
from aiida_seireact.science.density_peaks import neighbours as module

from .landscapes import landscape


def true_recall(found: dp.Neighbours, points: np.ndarray) -> float:
    _, indices = dp.nearest_neighbours(points, found.indices.shape[1] - 1)
    return float(np.mean([np.isin(a[1:], b[1:]).mean() for a, b in zip(indices, found.indices, strict=True)]))


@pytest.fixture(scope="module")
def crystals() -> np.ndarray:
    return landscape("thermal crystals")


@pytest.fixture(scope="module")
def by_lists(crystals: np.ndarray) -> dp.Neighbours:
    pytest.importorskip("faiss")
    return dp.find_neighbours(crystals, 60, method="ivf")


def test_lists_find_nearly_all_and_tell_how_many(crystals: np.ndarray, by_lists: dp.Neighbours) -> None:
    assert by_lists.method == "ivf"
    assert by_lists.recall == pytest.approx(true_recall(by_lists, crystals), abs=0.003)
    assert by_lists.recall > 0.99


def test_a_poor_search_tells_its_poor_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    points = landscape("double well")
    monkeypatch.setattr(module, "N_PROBE", (1,))
    with pytest.raises(dp.DensityPeaksError, match="neighbours 'exact'"):
        dp.find_neighbours(points, 10, method="ivf")
    monkeypatch.setattr(module, "LEAST_RECALL", 0.0)
    found = dp.find_neighbours(points, 10, method="ivf")
    assert found.recall < 0.95
    assert found.recall == pytest.approx(true_recall(found, points), abs=0.05)


def test_distances_of_the_lists_are_those_of_the_full_space(crystals: np.ndarray, by_lists: dp.Neighbours) -> None:
    rows = np.arange(0, len(crystals), 97)
    difference = crystals[by_lists.indices[rows]].astype(np.float64) - crystals[rows][:, None]
    assert by_lists.distances[rows] == pytest.approx(np.sqrt((difference**2).sum(axis=2)), rel=1e-12)
    assert np.array_equal(by_lists.indices[:, 0], np.arange(len(crystals)))
    assert (np.diff(by_lists.distances, axis=1) >= 0).all()


def test_neither_search_depends_on_the_number_of_threads(crystals: np.ndarray) -> None:
    numba = pytest.importorskip("numba")
    faiss = pytest.importorskip("faiss")
    at_first = numba.get_num_threads(), faiss.omp_get_max_threads()
    results = []
    try:
        for threads in (1, max(at_first)):
            numba.set_num_threads(min(threads, at_first[0]))
            faiss.omp_set_num_threads(threads)
            results.append([dp.find_neighbours(crystals, 30, method=method) for method in ("exact", "ivf")])
    finally:
        numba.set_num_threads(at_first[0])
        faiss.omp_set_num_threads(at_first[1])
    for one, more in zip(*results, strict=True):
        assert np.array_equal(one.indices, more.indices)
        assert np.array_equal(one.distances, more.distances)


def test_small_sets_are_searched_exactly_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    points = landscape("five peaks")[:1000]
    assert dp.find_neighbours(points, 20).method == "exact"
    pytest.importorskip("faiss")
    monkeypatch.setattr(module, "MOST_EXACT", 999)
    assert dp.find_neighbours(points, 20).method == "ivf"


def test_lists_too_short_for_all_neighbours_are_made_up_for() -> None:
    """Forty points far from the rest, in cells of their own, still have sixty neighbours."""
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(3000, 3)), rng.normal(size=(40, 3)) + 1000])
    found = dp.find_neighbours(points, 60, method="ivf")
    assert np.isfinite(found.distances).all()
    assert found.indices.max() < len(points)


def test_missing_faiss_is_said_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    points = landscape("five peaks")[:500]
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(dp.MissingPackageError, match=r"faiss is needed .*pip install 'aiida-seireact\[classify\]'"):
        dp.find_neighbours(points, 20, method="ivf")
    assert dp.density_peaks(points, maxk=30).neighbour_search == "exact"


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(dp.DensityPeaksError, match="auto, exact, ivf, not by 'hnsw'"):
        dp.find_neighbours(np.zeros((5, 2)), 2, method="hnsw")

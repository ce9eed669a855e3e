from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.transport.breaks import find_break

TIMES = np.linspace(0.0, 10.0, 150)


def noise(seed, memory=0.5, sigma=2.0, n=150):
    """Noise whose neighbours remember each other."""
    draws = np.random.default_rng(seed).normal(size=n)
    found = np.empty(n)
    found[0] = draws[0]
    for i in range(1, n):
        found[i] = memory * found[i - 1] + np.sqrt(1 - memory**2) * draws[i]
    return sigma * found


def broken(at=2.0, before=-20.0, after=-2.0):
    return 100 + before * np.minimum(TIMES, at) + after * np.maximum(TIMES - at, 0)


@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_a_break_is_found_and_its_interval_covers(memory: float) -> None:
    told = [find_break(TIMES, broken() + noise(seed, memory)) for seed in range(80)]
    assert sum(each.found for each in told) >= 70
    assert np.mean([each.interval[0] <= 2.0 <= each.interval[1] for each in told]) >= 0.87
    assert np.mean([each.time for each in told]) == pytest.approx(2.0, abs=0.05)
    assert np.mean([each.rate_before for each in told]) == pytest.approx(-20.0, rel=0.05)
    assert np.mean([each.rate_after for each in told]) == pytest.approx(-2.0, rel=0.05)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("line", 100 - 3 * TIMES),
        ("line", 0 * TIMES),
        ("power", 20 * np.sqrt(TIMES)),
        ("exponential", 100 * np.exp(-TIMES / 3)),
    ],
)
@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_kinetics_without_a_break_have_none(name: str, values: np.ndarray, memory: float) -> None:
    told = [find_break(TIMES, values + noise(seed, memory)) for seed in range(40)]
    assert sum(each.found for each in told) <= 2
    assert sum(each.best == name for each in told) >= 32


def test_neighbours_with_a_memory_count_less() -> None:
    assert find_break(TIMES, broken() + noise(3, 0.0)).n_independent > 100
    assert find_break(TIMES, broken() + noise(3, 0.9)).n_independent < 30


def test_exact_series_and_missing_values() -> None:
    found = find_break(TIMES, np.where(np.arange(150) % 7 == 3, np.nan, broken()))
    assert found.found
    assert found.time == pytest.approx(2.0, abs=1e-3)
    assert (found.rate_before, found.rate_after) == pytest.approx((-20.0, -2.0), rel=1e-3)
    assert not find_break(TIMES, 5 + 0 * TIMES).found
    assert not find_break(TIMES, 3 * TIMES).found


def test_nothing_at_all_has_no_break_and_every_number() -> None:
    found = find_break(TIMES, 0 * TIMES)
    assert not found.found
    assert found.best == "line"
    assert np.isfinite([found.time, *found.interval, *found.bic.values()]).all()


def test_series_that_can_not_be_judged_are_refused() -> None:
    with pytest.raises(ValueError, match="11 values"):
        find_break(np.arange(11), np.arange(11))
    with pytest.raises(ValueError, match="ascending"):
        find_break(np.zeros(20), np.arange(20))

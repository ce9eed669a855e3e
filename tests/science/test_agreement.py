"""The adjusted Rand index on cases with a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.agreement import adjusted_rand, contingency


def test_names_do_not_matter_and_equal_is_one() -> None:
    assert adjusted_rand([0, 0, 1, 1], ["b", "b", "a", "a"]) == 1.0
    assert adjusted_rand([3, 3, 3], [1, 1, 1]) == 1.0


def test_hubert_and_arabie_by_hand() -> None:
    # Pairs together in both: 1 + 1; by rows 6 + 0, by columns 1 + 3, of 10 in all.
    first, second = [0, 0, 0, 0, 1], [0, 0, 1, 1, 1]
    assert contingency(first, second).tolist() == [[2, 2], [0, 1]]
    assert adjusted_rand(first, second) == pytest.approx((2 - 6 * 4 / 10) / (5 - 6 * 4 / 10))


def test_unrelated_partitions_are_near_zero() -> None:
    rng = np.random.default_rng(0)
    assert abs(adjusted_rand(rng.integers(0, 4, 5000), rng.integers(0, 5, 5000))) < 0.01


def test_unlike_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="of 2 and of 3 points"):
        adjusted_rand([0, 1], [0, 1, 1])

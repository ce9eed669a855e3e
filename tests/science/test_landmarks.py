"""Landmarks are drawn evenly over slabs, by a seed, without replacement."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.landmarks import draw_landmarks, even_shares


@pytest.mark.parametrize(
    ("counts", "total", "shares"),
    [
        ([10, 10], 6, [3, 3]),
        ([1, 10, 10], 9, [1, 4, 4]),
        ([5, 0, 9], 4, [2, 0, 2]),
        ([5, 9], 3, [1, 2]),
        ([2, 3], 9, [2, 3]),
        ([], 3, []),
    ],
)
def test_what_a_group_lacks_goes_to_the_others(counts: list[int], total: int, shares: list[int]) -> None:
    assert even_shares(counts, total).tolist() == shares


def test_a_thin_layer_gets_as_many_landmarks_as_a_thick_one() -> None:
    places = np.concatenate([np.linspace(0, 0.74, 9000), np.linspace(0.76, 0.99, 300)])
    chosen = draw_landmarks(places, 80.0, 400, slab_ang=20.0, seed=[1, 2])
    assert len(set(chosen.tolist())) == 400
    assert np.histogram(places[chosen], bins=4, range=(0, 1))[0].tolist() == [100] * 4
    assert np.array_equal(chosen, draw_landmarks(places, 80.0, 400, slab_ang=20.0, seed=[1, 2]))
    assert not np.array_equal(chosen, draw_landmarks(places, 80.0, 400, slab_ang=20.0, seed=[1, 3]))


def test_a_small_cell_is_one_slab_and_few_are_all() -> None:
    places = np.concatenate([np.linspace(0, 0.74, 9000), np.linspace(0.76, 0.99, 300)])
    assert (draw_landmarks(places, 19.0, 400, slab_ang=20.0, seed=0) < 9000).sum() > 350
    assert draw_landmarks(places[:5], 19.0, 5, slab_ang=20.0, seed=0).tolist() == [0, 1, 2, 3, 4]

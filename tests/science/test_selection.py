"""A split never leaks, is the same for the same content, and says what is missing."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest

from aiida_seireact.science.selection import (
    blocks_by_number,
    equally_weighted,
    is_held_out,
    share_in_turn,
    share_quotas,
    split_by_group,
    spread_evenly,
    time_blocks,
    uncertain_and_different,
    unique_by_id,
    within_force_limit,
)


def dataset(n_groups: int = 20, size: int = 3, types: tuple[str, ...] = ("Li", "interface")):
    groups = [f"{name}-{k}" for name in types for k in range(n_groups) for _ in range(size)]
    config_types = [name for name in types for _ in range(n_groups * size)]
    ids = [sha256(f"{group} {i % size}".encode()).hexdigest() for i, group in enumerate(groups)]
    return groups, config_types, ids


def as_mapping(ids, parts) -> dict[str, str]:
    return dict(zip(ids, parts.tolist(), strict=True))


def test_a_group_is_never_split():
    groups, config_types, ids = dataset()
    parts = split_by_group(groups, config_types, ids, seed=1)
    assert {len({p for g, p in zip(groups, parts, strict=True) if g == name}) for name in set(groups)} == {1}


def test_every_part_holds_every_config_type():
    groups, config_types, ids = dataset(n_groups=3)
    parts = split_by_group(groups, config_types, ids, seed=1)
    assert {(t, p) for t, p in zip(config_types, parts, strict=True)} == {
        (t, p) for t in ("Li", "interface") for p in ("train", "val", "test")
    }


def test_shares_are_met_to_within_a_group():
    groups, config_types, ids = dataset(n_groups=20, size=3)
    parts = split_by_group(groups, config_types, ids, fractions=(0.7, 0.1, 0.2), seed=5)
    lithium = parts[np.array(config_types) == "Li"]
    assert [int((lithium == part).sum()) for part in ("train", "val", "test")] == [42, 6, 12]


def test_the_order_of_the_frames_does_not_matter():
    groups, config_types, ids = dataset()
    order = np.random.default_rng(0).permutation(len(ids))
    shuffled = [[column[i] for i in order] for column in (groups, config_types, ids)]
    assert as_mapping(ids, split_by_group(groups, config_types, ids, seed=2)) == as_mapping(
        shuffled[2], split_by_group(*shuffled, seed=2)
    )


def test_another_seed_is_another_split():
    groups, config_types, ids = dataset()
    assert (
        split_by_group(groups, config_types, ids, seed=1) != split_by_group(groups, config_types, ids, seed=2)
    ).any()


def test_a_further_config_type_changes_no_other():
    groups, config_types, ids = dataset(types=("Li",))
    more = dataset(types=("Li", "Li2S"))
    assert as_mapping(ids, split_by_group(groups, config_types, ids, seed=3)).items() <= (
        as_mapping(more[2], split_by_group(*more, seed=3)).items()
    )


def test_a_growing_dataset_keeps_its_test_frames():
    groups, config_types, ids = dataset(n_groups=10)
    before = split_by_group(groups, config_types, ids, seed=0)
    kept = dict(zip(groups, before.tolist(), strict=True))
    more = dataset(n_groups=14)
    after = split_by_group(*more, seed=9, kept=kept)
    assert all(part == kept[group] for group, part in zip(more[0], after, strict=True) if group in kept)
    lithium = after[np.array(more[1]) == "Li"]
    assert [int((lithium == part).sum()) for part in ("train", "val", "test")] == [33, 6, 3]


def test_a_type_with_too_few_groups_is_named():
    with pytest.raises(ValueError, match="Config type 'LiCl' has 2 groups, but train, val, test need one each"):
        split_by_group(["a", "b"], ["LiCl"] * 2, ["1", "2"], seed=0)


def test_a_part_without_share_stays_empty():
    parts = split_by_group(["a", "b"], ["LiCl"] * 2, ["1", "2"], fractions=(0.5, 0.5, 0.0), seed=0)
    assert sorted(parts) == ["train", "val"]


def test_a_group_of_two_types_is_in_one_part():
    groups = [f"draw/{number}" for number in range(10)]
    both = [*groups, *groups[:4], "alone"]
    types = ["host"] * 10 + ["defects"] * 5
    ids = [f"{number:03d}" for number in range(15)]
    parts = split_by_group(both, types, ids, seed=1)
    assert parts[10:14].tolist() == parts[:4].tolist()
    assert set(parts[:10]) == set(parts[10:]) == {"train", "val", "test"}
    backwards = split_by_group(both[::-1], types[::-1], ids[::-1], seed=1)
    assert backwards[::-1].tolist() == parts.tolist()


def test_input_that_cannot_be_split_is_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        split_by_group(["a"], ["Li"], ["1"], fractions=(0.9, 0.2, 0.1), seed=0)
    with pytest.raises(ValueError, match="give one each per frame"):
        split_by_group(["a"], ["Li"], [], seed=0)
    with pytest.raises(ValueError, match="'validation' is no part"):
        split_by_group(["a"], ["Li"], ["1"], seed=0, kept={"a": "validation"})


def test_force_limit_looks_at_the_length_of_each_force():
    forces = [[3, 4, 0], [0, 0, 0], [3, 4, 0.1], [np.nan, 0, 0], [1, 0, 0]]
    assert within_force_limit(forces, [0, 2, 3, 4, 5], 5.0).tolist() == [True, False, False, True]


def test_first_of_equal_frames_is_kept_in_order():
    assert unique_by_id(["b", "a", "b", "c", "a"]).tolist() == [0, 1, 3]


def test_time_blocks_are_apart_by_the_gap():
    steps = np.arange(0, 200, 10)
    blocks = time_blocks(steps, block_steps=50, gap_steps=20)
    assert blocks.tolist() == [0] * 5 + [-1] * 2 + [1] * 5 + [-1] * 2 + [2] * 5 + [-1]
    last, first = steps[blocks == 0].max(), steps[blocks == 1].min()
    assert first - last > 20


def test_time_blocks_without_length_are_refused():
    with pytest.raises(ValueError, match="at least 1 step"):
        time_blocks([0], 0, 0)
    with pytest.raises(ValueError, match="start at 0"):
        time_blocks([-1], 10, 0)


@pytest.mark.parametrize("n_frames", [1, 2, 5, 16, 17, 40, 60])
@pytest.mark.parametrize("gap", [0, 1, 2])
def test_blocks_are_even_and_a_gap_apart(n_frames: int, gap: int):
    block = blocks_by_number(n_frames, 6, gap)
    sizes = np.bincount(block[block >= 0])
    assert len(sizes) == min(6, (n_frames + gap) // (1 + gap))
    assert sizes.max() - sizes.min() <= 1
    assert (block == -1).sum() == gap * (len(sizes) - 1)
    ends = [(np.flatnonzero(block == k)[0], np.flatnonzero(block == k)[-1]) for k in range(len(sizes))]
    assert all(after[0] - before[1] == 1 + gap for before, after in pairwise(ends))


def test_the_middle_of_three_blocks_is_held_out_and_the_end_is_learned():
    assert [is_held_out(block, 3) for block in range(7)] == [False, True, False, False, True, False, False]


def test_a_run_that_gives_too_few_is_helped_by_the_others_in_their_order():
    asked, order = {"long": 4, "short": 16}, ["short", "long"]
    assert share_quotas(asked, {"long": 20, "short": 30}, order) == {"long": 4, "short": 16}
    assert share_quotas(asked, {"long": 20, "short": 6}, order) == {"long": 14, "short": 6}
    assert share_quotas(asked, {"long": 2, "short": 30}, order) == {"long": 2, "short": 18}
    assert share_quotas(asked, {"long": 5, "short": 6}, order) == {"long": 5, "short": 6}


def test_frames_are_spread_evenly_over_blocks():
    assert spread_evenly(5, [4, 4, 4]) == [2, 2, 1]
    assert spread_evenly(5, [1, 4, 4]) == [1, 2, 2]
    assert spread_evenly(9, [1, 2]) == [1, 2]
    assert spread_evenly(0, [3]) == [0]


def test_the_most_uncertain_frame_is_taken_and_then_the_most_different_of_the_uncertain():
    scores = [0.9, 0.8, 0.7, 0.6, 0.1, 0.1]
    features = [[0.0], [0.1], [3.0], [0.2], [99.0], [98.0]]
    # frames 4 and 5 are the most different, but known
    assert uncertain_and_different(scores, features, 2) == [0, 2]
    assert uncertain_and_different(scores, features, 2, shortlist=1.0) == [0, 1]
    assert uncertain_and_different(scores, features, 2, shortlist=3.0) == [0, 4]


def test_frames_differ_from_those_taken_before():
    features = [[0.0], [1.0], [2.0]]
    assert uncertain_and_different([0.0] * 3, features, 1, shortlist=9, taken=[[0.1]]) == [2]
    assert uncertain_and_different([0.0] * 3, features, 1, shortlist=9, taken=[[0.0], [2.0]]) == [1]
    assert uncertain_and_different([0.0] * 3, features, 9) == [0, 1, 2]


def test_equal_frames_do_not_make_the_choice_run_in_circles():
    assert uncertain_and_different([0.5] * 4, np.zeros((4, 2)), 3) == [0, 1, 2]


def test_each_part_of_the_features_counts_alike():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 3, 4)) * np.array([1e-3, 10.0, 0.0])[:, None] + 5.0
    scaled = equally_weighted(features).reshape(50, 3, 4)
    np.testing.assert_allclose((scaled**2).sum(axis=2).mean(axis=0), [1.0, 1.0, 0.0], rtol=1e-6, atol=1e-12)


def test_reasons_get_their_shares_over_many_turns_and_the_first_the_odd_one():
    given = {"a": 0, "b": 0}
    for count in (1, 2, 1, 4):
        share = share_in_turn(count, {"a": 2.0, "b": 1.0}, given)
        assert sum(share.values()) == count
        given = {name: given[name] + share[name] for name in given}
    assert given == {"a": 5, "b": 3}
    assert share_in_turn(3, {"a": 1.0, "b": 0.0}, {}) == {"a": 3, "b": 0}
    assert share_in_turn(1, {"a": 1.0, "b": 1.0}, {}) == {"a": 1, "b": 0}

"""Filter, drop doubles, thin out, split again, merge, subtract: what stays, and that the rest is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.functions.datasets import (
    drop_doubles,
    filter_frames,
    merge_datasets,
    split_again,
    subtract_levels,
    thin_out,
)
from aiida_seireact.calculations.functions.training import grow_dataset, make_dataset
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.labels import level_hash

SPLIT = {"force_limit_ev_per_ang": 50.0, "fractions": [0.6, 0.2, 0.2], "seed": 1}

pytestmark = pytest.mark.usefixtures("aiida_profile_clean")


@pytest.fixture
def dataset(labelled: Callable[..., Frames]) -> DatasetData:
    """Return a dataset of ten frames in one shard."""
    return make_dataset(orm.Dict(SPLIT), shard=FramesData(labelled(10)).store())


def largest(frames: Frames) -> np.ndarray:
    return np.sqrt((frames.forces.reshape(len(frames), 3, 3) ** 2).sum(axis=2)).max(axis=1)


# ---------------------------------------------------------------- filter
def test_a_filter_tells_who_left_and_why(labelled: Callable[..., Frames]) -> None:
    frames = Frames.concatenate([labelled(6), labelled(2, seed=1, config_type="LiCl")])
    # A Dict keeps 14 digits of a number, so not exactly the force of a frame.
    limit = float(np.sort(largest(frames))[-2]) + 1e-9
    settings = {"max_force_ev_per_ang": limit, "config_types": ["Li2S"]}
    found = filter_frames(FramesData(frames).store(), orm.Dict(settings))
    report = found["report"].get_dict()
    kept = (largest(frames) <= limit) & (frames.config_type == "Li2S")
    assert found["kept"].frames.frame_ids == [frames.frame_ids[index] for index in np.flatnonzero(kept)]
    assert (report["n_frames"], report["n_kept"]) == (8, int(kept.sum()))
    assert sum(report["dropped_by"].values()) == len(report["dropped"]) == 8 - int(kept.sum())


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"min_distance_ang": 5.0}, "min_distance_ang"),
        ({"volume_per_atom_ang3": [1.0, 2.0]}, "volume_per_atom_ang3"),
        ({"species": ["Li"]}, "species"),
        ({"formulas": ["LiCl"]}, "formulas"),
        ({"max_force_ev_per_ang": 1e-3}, "max_force_ev_per_ang"),
    ],
)
def test_a_filter_that_leaves_nothing_is_one_sentence(
    labelled: Callable[..., Frames], settings: dict[str, Any], rule: str
) -> None:
    with pytest.raises(ValueError, match=f"No frame is left of 4: 4 by {rule}. Set a wider limit."):
        filter_frames(FramesData(labelled(4)).store(), orm.Dict(settings))


def test_a_filtered_dataset_keeps_shards_and_splits(dataset: DatasetData) -> None:
    limit = float(np.sort(largest(dataset.frames()))[-2]) + 1e-9
    kept = filter_frames(dataset, orm.Dict({"max_force_ev_per_ang": limit}))["kept"]
    assert len(kept) == 9
    before = dataset.split_of()
    assert kept.split_of() == {name: before[name] for name in kept.frame_ids()}
    assert [shard.pk for shard in kept.shards()] == [shard.pk for shard in dataset.shards()]
    assert kept.frames().frame_ids == kept.frame_ids()


def test_an_outlier_is_flagged_and_stays(labelled: Callable[..., Frames]) -> None:
    frames = labelled(20)
    energy = np.asarray(frames.energy).copy()
    energy[7] += 100.0
    frames = replace(frames, energy=energy)
    found = filter_frames(FramesData(frames).store(), orm.Dict({}))
    assert len(found["kept"]) == 20
    (flag,) = found["report"]["flagged"]
    assert (flag["frame_id"], flag["quantity"]) == (frames.frame_ids[7], "energy_ev_per_atom")
    assert flag["robust_score"] > 6


def test_a_misspelt_setting_is_refused(labelled: Callable[..., Frames]) -> None:
    with pytest.raises(ValueError, match="max_force\n"):
        filter_frames(FramesData(labelled(2)).store(), orm.Dict({"max_force": 1.0}))


# ---------------------------------------------------------------- doubles
def test_a_structure_that_is_there_twice_is_dropped_once(labelled: Callable[..., Frames]) -> None:
    frames = labelled(3)
    relabelled = replace(frames.select([1]), energy=np.array([7.0]))
    both = Frames.concatenate([frames, relabelled])
    found = drop_doubles(FramesData(both).store(), orm.Dict({}))
    assert len(found["kept"]) == 3
    (dropped,) = found["report"]["dropped"]
    pair = {both.frame_ids[1], both.frame_ids[3]}
    assert {dropped["frame_id"], dropped["because_of"]} == pair
    assert dropped["because_of"] == min(pair)


def test_near_doubles_are_dropped_where_asked(labelled: Callable[..., Frames]) -> None:
    frames = labelled(3)
    moved = frames.positions.copy()
    moved[0] += 1e-4
    both = Frames.concatenate([frames, replace(frames, positions=moved).select([0])])
    shard = FramesData(both).store()
    assert len(drop_doubles(shard, orm.Dict({}))["kept"]) == 4
    found = drop_doubles(shard, orm.Dict({"closest": 0.001}))
    assert found["report"]["dropped_by"] == {"nearly the same": 1}


def test_of_doubles_in_a_dataset_the_tested_one_stays(labelled: Callable[..., Frames]) -> None:
    frames = labelled(4)
    double = replace(frames.select([0]), energy=np.array([7.0]), group=np.array(["other"]))
    shards = [FramesData(part).store() for part in (frames, double)]
    dataset = DatasetData([shard.frames for shard in shards], [["train", "train", "val", "test"], ["test"]]).store()
    kept = drop_doubles(dataset, orm.Dict({}))["kept"]
    assert kept.split_of()[double.frame_ids[0]] == "test"
    assert frames.frame_ids[0] not in kept.split_of()


# ---------------------------------------------------------------- thin out
def test_frames_that_are_left_are_unlike_each_other(labelled: Callable[..., Frames]) -> None:
    frames = labelled(2)
    strained = replace(frames, cells=frames.cells * 1.1, positions=frames.positions * 1.1)
    # Five near copies of each of two structures: one of each is left.
    copies = [
        replace(part.select([0]), positions=part.select([0]).positions + 1e-4 * np.eye(3) * number)
        for part in (frames, strained)
        for number in range(5)
    ]
    shard = FramesData(Frames.concatenate(copies)).store()
    for seed in range(3):
        kept = thin_out(shard, orm.Dict({"count": 2, "seed": seed}))["kept"].frames
        assert np.ptp(np.linalg.det(kept.cells)) > 1.0


def test_the_seed_chooses_and_the_order_of_frames_does_not(labelled: Callable[..., Frames]) -> None:
    frames = labelled(12)
    turned = frames.select(range(11, -1, -1))

    def left(part: Frames, seed: int) -> set[str]:
        found = thin_out(FramesData(part).store(), orm.Dict({"count": 4, "seed": seed}))
        return set(found["kept"].frames.frame_ids)

    assert left(frames, 1) == left(turned, 1)
    assert len({frozenset(left(frames, seed)) for seed in range(4)}) > 1


def test_only_training_frames_of_a_dataset_are_thinned_out(dataset: DatasetData) -> None:
    kept = thin_out(dataset, orm.Dict({"count": 3, "seed": 1}))["kept"]
    before, after = Counter(dataset.split_of().values()), Counter(kept.split_of().values())
    assert after == {**before, "train": 3}


# ---------------------------------------------------------------- grow, merge, split again
def test_a_dataset_grows_and_no_frame_changes_its_part(dataset: DatasetData, labelled: Callable[..., Frames]) -> None:
    new = FramesData(labelled(10, seed=5)).store()
    grown = grow_dataset(dataset, orm.Dict(SPLIT), new=new)
    before, after = dataset.split_of(), grown.split_of()
    assert len(grown) == 20
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == set(new.frames.frame_ids)
    assert Counter(after.values()) == {"train": 12, "val": 4, "test": 4}


def test_frames_of_a_known_group_go_where_it_is(dataset: DatasetData, labelled: Callable[..., Frames]) -> None:
    groups = dict(zip(dataset.column("group").tolist(), dataset.column("split").tolist(), strict=True))
    tested = next(name for name, part in groups.items() if part == "test")
    new = labelled(3, seed=5)
    new = replace(new, group=np.array([tested] * 3))
    grown = grow_dataset(dataset, orm.Dict(SPLIT), new=FramesData(new).store())
    assert {grown.split_of()[name] for name in new.frame_ids} == {"test"}


def test_another_level_does_not_enter(dataset: DatasetData, labelled: Callable[..., Frames]) -> None:
    other = FramesData(labelled(5, seed=5, settings_hash="b" * 64)).store()
    with pytest.raises(ValueError, match="a dataset has one level of theory"):
        grow_dataset(dataset, orm.Dict(SPLIT), new=other)


def test_datasets_are_merged_with_what_they_share_once(labelled: Callable[..., Frames]) -> None:
    shards = [FramesData(labelled(4, seed=seed)).store() for seed in range(3)]
    split = ["train", "train", "val", "test"]
    one = DatasetData([shards[0].frames, shards[1].frames], [split, split]).store()
    two = DatasetData([shards[1].frames, shards[2].frames], [split, split]).store()
    merged = merge_datasets(one=one, two=two)
    assert len(merged) == 12
    assert merged.content_hash == DatasetData([shard.frames for shard in shards], [split] * 3).content_hash
    assert merged.frames().frame_ids == merged.frame_ids()


def test_a_frame_that_is_learned_here_and_tested_there_is_refused(labelled: Callable[..., Frames]) -> None:
    shard = FramesData(labelled(4)).store()
    one = DatasetData([shard.frames], [["train", "train", "val", "test"]]).store()
    two = DatasetData([shard.frames], [["test", "train", "val", "train"]]).store()
    with pytest.raises(ValueError, match="of one dataset and in .* of 'two': split one of them again first"):
        merge_datasets(one=one, two=two)


def test_merged_levels_are_refused(labelled: Callable[..., Frames]) -> None:
    split = ["train", "val"]
    one, two = (DatasetData([labelled(2, settings_hash=name * 64)], [split]).store() for name in "ab")
    with pytest.raises(ValueError, match="a dataset has one level of theory"):
        merge_datasets(one=one, two=two)


def test_a_dataset_is_split_again_by_whole_groups(dataset: DatasetData) -> None:
    again = split_again(dataset, orm.Dict({"fractions": [0.4, 0.3, 0.3], "seed": 7}))
    assert Counter(again.split_of().values()) == {"train": 4, "val": 3, "test": 3}
    assert again.frame_ids() == dataset.frame_ids()
    assert again.content_hash != dataset.content_hash


# ---------------------------------------------------------------- delta sets
def test_a_delta_set_holds_differences_at_a_level_of_its_own(labelled: Callable[..., Frames]) -> None:
    low = labelled(4)
    high = replace(low.select([2, 1, 0]), energy=low.energy[[2, 1, 0]] + 0.5, settings_hash="b" * 64)
    found = subtract_levels(FramesData(low).store(), FramesData(high).store())
    delta = found["frames"].frames
    assert delta.structure_ids == high.structure_ids
    assert delta.energy == pytest.approx([0.5] * 3)
    assert not delta.forces.any()
    assert not delta.stress.any()
    assert delta.settings_hash == level_hash({"delta": {"low": "a" * 64, "high": "b" * 64}})
    assert found["report"]["only_low"] == 1
    with pytest.raises(ValueError, match="a dataset has one level of theory"):
        DatasetData([low, delta], [["train"] * 4, ["val"] * 3])


def test_one_level_has_no_difference(labelled: Callable[..., Frames]) -> None:
    with pytest.raises(ValueError, match="a delta set needs the labels of two levels"):
        subtract_levels(FramesData(labelled(2)).store(), FramesData(labelled(2)).store())


def test_nothing_in_common_has_no_difference(labelled: Callable[..., Frames]) -> None:
    other = FramesData(labelled(2, seed=1, settings_hash="b" * 64)).store()
    with pytest.raises(ValueError, match="No structure has labels of both levels"):
        subtract_levels(FramesData(labelled(2)).store(), other)

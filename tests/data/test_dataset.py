from __future__ import annotations

import numpy as np
import pytest
from aiida.common.exceptions import NotExistent

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames, FramesError

SPLIT = ["train", "train", "val", "test"]


def test_hash_is_that_of_the_frames_whatever_the_shards_are(labelled, aiida_profile_clean):
    frames = labelled(4)
    one = DatasetData([frames], [SPLIT])
    two = DatasetData([frames.select([2, 3]), frames.select([1, 0])], [["val", "test"], ["train", "train"]])
    assert one.content_hash == two.content_hash


def test_another_split_is_another_dataset(labelled, aiida_profile_clean):
    frames = labelled(4)
    other = ["train", "val", "train", "test"]
    assert DatasetData([frames], [SPLIT]).content_hash != DatasetData([frames], [other]).content_hash


def test_frames_are_found_by_content_in_canonical_order(labelled, aiida_profile_clean):
    frames = labelled(4)
    FramesData(frames.select([0, 1])).store()
    FramesData(frames.select([2, 3])).store()
    dataset = DatasetData([frames.select([0, 1]), frames.select([2, 3])], [["train", "train"], ["val", "test"]]).store()
    assert dataset.frames().frame_ids == sorted(frames.frame_ids)
    assert dataset.frames("val").frame_ids == [frames.frame_ids[2]]
    assert len(dataset) == 4


def test_a_missing_shard_is_named(labelled, aiida_profile_clean):
    dataset = DatasetData([labelled(4)], [SPLIT]).store()
    with pytest.raises(NotExistent, match="import the archive"):
        dataset.frames()


def test_left_out_frames_are_not_in_it(labelled, aiida_profile_clean):
    frames = labelled(4)
    dataset = DatasetData([frames], [["train", "", "val", ""]])
    assert dataset.frame_ids() == sorted([frames.frame_ids[0], frames.frame_ids[2]])


def test_a_group_in_two_splits_is_refused(labelled_atoms, aiida_profile_clean):
    images = labelled_atoms(2)
    for atoms in images:
        atoms.info["group"] = "one trajectory"
    with pytest.raises(ValueError, match="errors would be too good"):
        DatasetData([Frames.from_atoms(images, settings_hash="a")], [["train", "val"]])


def test_mixed_levels_of_theory_are_refused(labelled, aiida_profile_clean):
    with pytest.raises(FramesError, match="one level of theory"):
        DatasetData([labelled(2), labelled(2, settings_hash="b" * 64)], [["train", "val"]] * 2)


def test_unlabelled_frames_are_refused(labelled, aiida_profile_clean):
    with pytest.raises(ValueError, match="labelled frames only"):
        DatasetData([labelled(2).without_labels()], [["train", "val"]])


def test_nothing_to_validate_on_is_refused(labelled, aiida_profile_clean):
    with pytest.raises(ValueError, match="no frame in 'val'"):
        DatasetData([labelled(2)], [["train", "train"]])


def test_split_of_the_same_seed_survives_storing(labelled, aiida_profile_clean):
    dataset = DatasetData([labelled(4)], [SPLIT]).store()
    assert np.array_equal(np.sort(dataset.column("split")), np.sort(SPLIT))

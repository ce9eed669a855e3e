from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.exceptions import NotExistent, ValidationError
from aiida.tools.archive import create_archive, import_archive

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


def test_an_extended_dataset_is_that_of_all_its_shards(labelled, aiida_profile_clean):
    old, new = labelled(4), labelled(3, seed=1)
    for frames in (old, new):
        FramesData(frames).store()
    parts = ["train", "", "test"]
    grown = DatasetData([old], [SPLIT]).store().extended(new, parts).store()
    assert grown.content_hash == DatasetData([old, new], [SPLIT, parts]).content_hash
    assert grown.frames().frame_ids == sorted([*old.frame_ids, new.frame_ids[0], new.frame_ids[2]])
    assert grown.base.attributes.get("species") == ["Li", "S"]


def test_appending_needs_the_new_shard_only(labelled, aiida_profile_clean):
    # The shard of the first dataset is not stored at all: reading it would fail.
    dataset = DatasetData([labelled(4)], [SPLIT]).store()
    assert len(dataset.extended(labelled(2, seed=1), ["train", "val"])) == 6


def test_the_rows_of_an_old_shard_are_kept_once(labelled, aiida_profile_clean):
    dataset = DatasetData([labelled(4)], [SPLIT]).store()
    grown = dataset.extended(labelled(2, seed=1), ["train", "val"]).store()

    def keys(node):
        # A key is the hash of a file; the repository keeps one file a key.
        return {item.key for item in node.base.repository.get_object().objects.values()}

    assert keys(dataset) < keys(grown)
    assert len(keys(grown)) == 2


def test_frames_of_a_shard_that_were_left_out_may_come_later(labelled, aiida_profile_clean):
    frames = labelled(4)
    FramesData(frames).store()
    grown = DatasetData([frames], [["train", "val", "", ""]]).extended(frames, ["", "", "train", "test"])
    assert grown.content_hash == DatasetData([frames], [["train", "val", "train", "test"]]).content_hash
    assert len(grown.base.attributes.get("shard_hashes")) == 1
    assert grown.store().frames().frame_ids == sorted(frames.frame_ids)


def test_a_frame_twice_is_refused(labelled, aiida_profile_clean):
    frames = labelled(4)
    with pytest.raises(ValueError, match="A frame is in this dataset twice"):
        DatasetData([frames, frames.select([0])], [SPLIT, ["train"]])


def test_another_level_can_not_be_appended(labelled, aiida_profile_clean):
    dataset = DatasetData([labelled(4)], [SPLIT])
    with pytest.raises(FramesError, match="one level of theory"):
        dataset.extended(labelled(2, seed=1, settings_hash="b" * 64), ["train", "val"])


def test_a_species_leaves_with_its_last_frame(labelled, labelled_atoms, aiida_profile_clean):
    chloride = labelled_atoms(2, seed=3, config_type="LiCl")
    for atoms in chloride:
        atoms.symbols = ["Cl", "Li", "Li"]
    frames = Frames.concatenate([labelled(4), Frames.from_atoms(chloride, settings_hash="a" * 64)])
    FramesData(frames).store()
    dataset = DatasetData([frames], [[*SPLIT, "train", "train"]]).store()
    assert dataset.species == ["Li", "S", "Cl"]
    is_sulfide = dataset.column("config_type") == "Li2S"
    assert dataset.with_split(np.where(is_sulfide, dataset.column("split"), "")).species == ["Li", "S"]


def test_tampered_rows_are_not_stored(labelled, aiida_profile_clean):
    dataset = DatasetData([labelled(4)], [SPLIT])
    (name,) = dataset.get_arraynames()
    rows = dataset.get_array(name)
    rows["split"][0] = b"test"
    dataset.set_array(name, rows)
    with pytest.raises(ValidationError, match="does not belong to its hash"):
        dataset.store()


def test_a_split_without_frames_is_named(labelled, aiida_profile_clean):
    frames = labelled(4)
    FramesData(frames).store()
    dataset = DatasetData([frames], [["train", "train", "val", "val"]]).store()
    with pytest.raises(FramesError, match="No frame of this dataset is in 'test': it has 2 train, 2 val, 0 test"):
        dataset.frames("test")


def test_a_dataset_reads_in_an_empty_profile_that_its_archive_was_imported_into(
    labelled, aiida_profile_clean, tmp_path
):
    from aiida_seireact.calculations.functions.training import grow_dataset, make_dataset

    settings = orm.Dict({"force_limit_ev_per_ang": 50.0, "fractions": [0.6, 0.2, 0.2], "seed": 1})
    first = make_dataset(settings, shard=FramesData(labelled(5)).store())
    grown = grow_dataset(first, settings, new=FramesData(labelled(5, seed=1)).store())
    uuid, ids, split = grown.uuid, grown.frames().frame_ids, grown.split_of()
    create_archive([grown], filename=tmp_path / "dataset.aiida")
    aiida_profile_clean.reset_storage()
    assert orm.QueryBuilder().append(FramesData).count() == 0
    import_archive(tmp_path / "dataset.aiida")
    again = orm.load_node(uuid)
    assert again.frames().frame_ids == ids
    assert again.split_of() == split


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

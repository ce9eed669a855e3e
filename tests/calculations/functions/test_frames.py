from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.calculations.functions import frames as functions
from aiida_seireact.calculations.functions.frames import (
    cut_batches,
    cut_boughs,
    gather_failures,
    merge_frames,
    split_by_type,
)
from aiida_seireact.data.frames import FramesData


def test_batches_joined_again_are_the_shard(labelled, aiida_profile_clean):
    whole = FramesData(labelled(5)).store()
    batches = cut_batches(whole, orm.Int(2))
    assert [len(batches[name]) for name in sorted(batches)] == [2, 2, 1]
    assert merge_frames(**batches).content_hash == whole.content_hash


def test_split_by_type_keeps_every_frame_once(labelled, aiida_profile_clean):
    both = merge_frames(a=FramesData(labelled(2)), b=FramesData(labelled(3, seed=1, config_type="LiCl")))
    parts = split_by_type(both)
    assert {name: len(part) for name, part in parts.items()} == {"Li2S": 2, "LiCl": 3}


def test_a_tree_of_batches_holds_every_frame_once(labelled, aiida_profile_clean, monkeypatch):
    monkeypatch.setattr(functions, "MAX_BATCHES", 2)
    whole = FramesData(labelled(9)).store()
    # 9 frames in batches of 2 are 5 batches; two at a time they make boughs of 8 and 1.
    boughs = cut_boughs(whole, orm.Int(2))
    assert [len(boughs[name]) for name in sorted(boughs)] == [8, 1]
    assert merge_frames(**boughs).content_hash == whole.content_hash


def test_unlike_settings_are_refused_with_a_sentence(labelled, aiida_profile_clean):
    with pytest.raises(ValueError, match="one level of theory"):
        merge_frames(a=FramesData(labelled(1)), b=FramesData(labelled(1, seed=1, settings_hash="b" * 64)))


def test_failures_of_several_jobs_keep_the_name_of_their_job(aiida_profile_clean):
    one = orm.Dict({"failures": [{"index": 3, "structure_id": "s", "reason": "NaN"}]})
    gathered = gather_failures(label=orm.Dict({"failures": []}), label_md_300=one)
    assert gathered["failures"] == [{"job": "label_md_300", "index": 3, "structure_id": "s", "reason": "NaN"}]


def test_the_source_of_a_calcfunction_is_kept_with_its_process(labelled, aiida_profile_clean):
    _, node = split_by_type.run_get_node(FramesData(labelled(2)))
    assert "def split_by_type" in node.get_source_code_file()

from __future__ import annotations

from aiida import orm

from aiida_seireact.calculations.functions.frames import cut_batches, merge_failures, merge_frames, split_by_type
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


def test_failures_count_over_all_batches(aiida_profile_clean):
    reports = {
        f"batch_{number:03d}": orm.Dict({"failures": [{"index": 1, "structure_id": "s", "reason": "r"}]})
        for number in range(2)
    }
    merged = merge_failures(orm.Int(10), **reports)
    assert [failure["index"] for failure in merged["failures"]] == [1, 11]


def test_unlike_settings_end_with_a_sentence_not_a_traceback(labelled, aiida_profile_clean):
    _, node = merge_frames.run_get_node(
        a=FramesData(labelled(1)), b=FramesData(labelled(1, seed=1, settings_hash="b" * 64))
    )
    assert node.exit_status == 230
    assert "one level of theory" in node.exit_message

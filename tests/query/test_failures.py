"""What was done about failures: run again, gone on without, given up."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_seireact import query

from .graph import chain, ends, function, job


def test_what_was_done_is_told_by_what_came_after(aiida_profile: Any) -> None:
    top = chain("ReactWorkChain")
    train = chain("TrainWorkChain", top, "train")
    ends(job("seireact.allegro", train, "iteration_01"), 410, message="out of time")
    again = job("seireact.allegro", train, "iteration_02")
    ends(again)
    ends(train)
    produce = chain("ProduceWorkChain", top, "produce")
    ends(job("seireact.lammps", produce, "segment_001"), 433)
    ends(job("seireact.lammps", produce, "segment_001_try_2"), 400)
    ends(produce, 400, message="it failed twice")
    explore = chain("ExploreWorkChain", top, "explore")
    ends(chain("CampaignWorkChain", explore, "campaign_hot"), 440)
    ends(explore)
    found = query.failures(top).set_index("call_label")
    assert found.loc["iteration_01", "what_was_done"] == "iteration_02 was run in its place, which ended well"
    assert found.loc["iteration_01", "done_by_uuid"] == again.uuid
    assert found.loc["segment_001", "what_was_done"] == "segment_001_try_2 was run in its place, which failed too"
    assert found.loc["segment_001_try_2", "what_was_done"] == "ProduceWorkChain failed too"
    assert found.loc["campaign_hot", "what_was_done"] == "ExploreWorkChain went on without it and ended well"
    assert found.loc["produce", "reason"] == "it failed twice"
    assert isinstance(orm.load_node(found.loc["produce", "node_uuid"]), orm.WorkChainNode)


def test_the_next_call_without_a_label_is_no_repair(aiida_profile: Any) -> None:
    top = chain("ReactWorkChain")
    ends(function("collect", top, "CALL"), 1, message="torn")
    ends(function("collect", top, "CALL"))
    ends(function("collect", top, "iteration_02"), 1, message="torn")
    ends(function("collect", top, "iteration_01"))
    ends(top)
    found = query.failures(top)
    assert set(found["what_was_done"]) == {"ReactWorkChain went on without it and ended well"}
    assert set(found["done_by_uuid"]) == {""}

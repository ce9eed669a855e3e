"""How far a study is: done, failed with its reason, running, not begun; of one that is over, not reached."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_seireact import query

from .graph import chain, ends, job


def test_a_running_study_tells_what_is_done_and_what_is_to_come(aiida_profile: Any) -> None:
    top = chain("ReactWorkChain", conditions__hot=orm.Dict({}))
    label = chain("LabelWorkChain", top, "label")
    ends(job("seireact.ase", label, "batch_000"))
    ends(label)
    ends(chain("ExploreWorkChain", top, "explore"), 440, message="no condition came to an end")
    chain("TrainWorkChain", top, "train")
    found = query.stages(top).set_index("stage")
    assert found.loc["label", ["state", "n_processes", "n_failed"]].tolist() == ["done", 2, 0]
    assert found.loc["explore", ["state", "reason"]].tolist() == ["failed", "no condition came to an end"]
    assert found.loc["train", "state"] == "running"
    assert found.loc["produce", ["state", "reason"]].tolist() == ["not begun", "ReactWorkChain is running"]
    assert "augment" not in found.index


def test_a_study_that_is_over_says_what_it_did_not_reach(aiida_profile: Any) -> None:
    top = chain("ReactWorkChain")
    ends(chain("TrainWorkChain", top, "train"), 410, message="it diverged")
    ends(top, 400, message="train failed: it diverged")
    found = query.stages(top).set_index("stage")
    assert found.loc["classify", ["state", "reason"]].tolist() == ["not reached", "train failed: it diverged"]


def test_any_other_process_has_the_stages_of_its_children(aiida_profile: Any) -> None:
    top = chain("TrainWorkChain")
    ends(job("seireact.allegro", top, "iteration_01"))
    ends(top)
    assert query.stages(top)["state"].tolist() == ["done"]

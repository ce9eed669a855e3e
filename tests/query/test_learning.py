"""Tables of learning on the fly: calls of legs that count, canaries, uncertainties; of a campaign that runs too."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm

from aiida_seireact import query

from .graph import arrays, chain, ends, function, job

SETTINGS = {"temperature_k": 600.0, "ensemble": "npt", "timestep_fs": 2.0, "steps": 500}


def leg(step: int, status: str = "unsure", **more: Any) -> dict[str, Any]:
    asked = step if status == "unsure" else None
    told = {"status": status, "step": step, "asked_step": asked, "n_asked": 2, "n_labelled": 2, "n_sparse": step}
    return {**told, "given_up": False, "detour": 0, **more}


LEGS = [leg(40), leg(70, given_up=True), leg(90, "paused", n_asked=1, n_labelled=0), leg(110), leg(500, "done")]
CANARY = [{"leg": 1, "md_step": 30, "force_rmse_ev_per_ang": 0.2}, {"leg": 1, "md_step": 40, "max_std": 0.1}]


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    """An exploration of two conditions: one that is over, with a note of its course before, and one that runs."""
    top = chain("ExploreWorkChain")
    settings = orm.Dict(SETTINGS).store()
    over, runs = (chain("CampaignWorkChain", top, f"campaign_{name}", parameters=settings) for name in ("hot", "cold"))
    told = []
    # The second one has ended well, but its caller failed over it and another was begun: it is noted nowhere.
    for number, end in enumerate((40, 55, 70), 1):
        if number == 2:
            ends(job("seireact.flare", over, "leg_lost"), 410, trace=arrays(step=[41], max_std=[9.0], mean_std=[9.0]))
        legs = chain("LegWorkChain", over, f"leg_{number:03d}")
        steps = list(range(end - 2, end + 1))
        flare = job("seireact.flare", legs, "iteration_01")
        made = {"trace": arrays(step=steps, max_std=[0.1, 0.2, 0.3], mean_std=[0.0] * 3)}
        canary = arrays(md_step=[end] * 2, std=[0.1, 0.2], force_error=[0.3, 0.4], force_norm=[1.0, 2.0])
        told.append(ends(flare, **made, canary=canary, leg=orm.Dict(leg(end)))["leg"])
    for number, noted in enumerate((told[0], told[2]), 1):
        note = function("note_leg", over, f"note_{number:03d}", leg=noted)
        ends(note, result=orm.Dict({"status": "running", "legs": LEGS[:number], "canary": []}))
    told_at_end = {
        "status": "done",
        "ended_by": "all 500 steps are done",
        "stable": True,
        "legs": LEGS,
        "canary": CANARY,
    }
    told_at_end |= {"convergence": {"verdict": "converged"}, "canary_force_rmse_ev_per_ang": 0.25}
    ends(function("summarise_campaign", over), result=orm.Dict(told_at_end))
    course = {"status": "running", "ended_by": "", "legs": [leg(20)], "canary": [], "convergence": None}
    ends(function("note_leg", runs, "note_001"), result=orm.Dict(course))
    ends(function("note_leg", runs, "note_002"), 1, result=orm.Dict({**course, "legs": [leg(20), leg(33)]}))
    return top


def test_calls_are_of_legs_that_were_not_given_up(study: orm.WorkChainNode) -> None:
    found = query.calls(study)
    told = found[["condition", "call", "leg", "step", "time_ps", "n_asked"]].to_numpy().tolist()
    assert told == [["hot", 1, 1, 40, 0.08, 2], ["hot", 2, 4, 110, 0.22, 3], ["cold", 1, 1, 20, 0.04, 2]]
    assert set(found["temperature_k"]) == {600.0}


def test_a_campaign_is_told_once_by_who_knows_most(study: orm.WorkChainNode) -> None:
    found = query.campaigns(study).set_index("condition")
    assert found.loc["hot", ["status", "n_legs", "n_calls", "steps", "verdict"]].tolist() == [
        "done", 5, 2, 500, "converged",
    ]  # fmt: skip
    assert found["is_over"].tolist() == [True, False]
    assert found.loc["cold", "n_legs"] == 1


def test_canaries_tell_which_were_asked_for(study: orm.WorkChainNode) -> None:
    found = query.canaries(study)
    assert found[["step", "asked"]].to_numpy().tolist() == [[30, False], [40, True]]
    assert found["force_rmse_ev_per_ang"].tolist()[0] == 0.2


def test_uncertainties_are_of_every_step_of_every_leg(study: orm.WorkChainNode) -> None:
    found = query.uncertainties(study)
    assert found["leg"].tolist() == [1] * 3 + [2] * 3
    assert found["step"].tolist() == [38, 39, 40, 68, 69, 70]
    assert found["condition"].unique().tolist() == ["hot"]


def test_legs_have_the_numbers_of_their_notes(study: orm.WorkChainNode) -> None:
    for table in (query.uncertainties(study), query.canary_atoms(study)):
        assert table.groupby("leg")["step"].max().to_dict() == {1: 40, 2: 70}


def test_canary_atoms_pair_uncertainty_and_error(study: orm.WorkChainNode) -> None:
    found = query.canary_atoms(study)
    assert found["std"].tolist() == [0.1, 0.2] * 2
    assert found["force_error_ev_per_ang"].tolist() == [0.3, 0.4] * 2

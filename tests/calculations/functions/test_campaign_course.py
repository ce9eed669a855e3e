"""What each leg changes in a campaign: whether it goes on, steps back, or ends, and what is told of it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from aiida import orm

from aiida_seireact.calculations.functions.campaign_course import note_leg, step_back
from tests.courses import LEG, canary, leg, lost, row, told_of


def told(campaign: dict[str, Any] | None = None, **parts: orm.Data) -> dict[str, Any]:
    return told_of(orm.Dict({"max_legs": 2, **(campaign or {})}), orm.Dict(LEG), **parts).get_dict()


def noted(leg: orm.Dict, campaign: dict[str, Any] | None = None, **parts: orm.Data) -> dict[str, Any]:
    settings = orm.Dict({"max_legs": 2, **(campaign or {})})
    return note_leg(settings, orm.Dict(LEG), leg, **{"canary_001": canary(), **parts}).get_dict()


# ------------------------------------------------------------------ what is told
def test_the_canary_is_over_components_of_all_atoms(aiida_profile):
    rows = [row(10, error=3.0, n_atoms=1), row(20, error=1.0, n_atoms=7)]
    campaign = told(
        leg_001=leg("unsure", 0, 20),
        leg_002=leg("done", 20, 100, canary=rows),
        canary_001=canary(),
        canary_002=canary(3.0, 0.0, 0.0),
        failures_001=lost(0),
        failures_002=lost(),
    )
    assert campaign["canary_force_rmse_ev_per_ang"] == pytest.approx(2**0.5)
    assert campaign["canary_atoms"] == 8
    assert campaign["canary"] == [{"leg": 2, **one} for one in rows]
    assert campaign["label_steps"] == [20]
    assert (campaign["n_asked"], campaign["n_labels"]) == (4, 3)
    assert campaign["ended_by"] == "all 100 steps are done"
    assert campaign["stable"]


@pytest.mark.parametrize(
    ("status", "n_reports", "expected", "words", "stable"),
    [
        ("done", 2, "done", "all 100 steps are done", True),
        ("stopped", 2, "stopped", "the guard stopped it at step 40: the volume grew", False),
        ("unsure", 2, "unsure", "all 2 legs are used, and at step 40 of 100 it still asked for a label", True),
        ("unsure", 1, "failed", "labelling the frames of leg 2", False),
    ],
)
def test_the_end_of_a_campaign_is_told(status, n_reports, expected, words, stable, aiida_profile):
    reports = {f"failures_{number:03d}": lost() for number in range(1, n_reports + 1)}
    legs = {"leg_001": leg("unsure", 0, 20), "leg_002": leg(status, 20, 40)}
    campaign = told(**legs, canary_001=canary(), canary_002=canary(), **reports)
    assert campaign["status"] == expected
    assert words in campaign["ended_by"]
    assert campaign["stable"] is stable


def test_a_leg_that_left_nothing_is_told_of(aiida_profile):
    assert told()["ended_by"] == "it failed: leg 1 was killed or left no word"
    assert told()["canary_force_rmse_ev_per_ang"] is None
    parts = {"leg_001": leg("unsure", 0, 20), "canary_001": canary(), "failures_001": lost()}
    assert told(**parts)["ended_by"] == "it failed: leg 2 was killed or left no word"


def test_a_failed_job_is_told_with_its_sentence_or_its_last_words(aiida_profile):
    refused = {"result.json": json.dumps({"status": "failed", "error": {"message": "a torn state"}})}
    assert told(failed=folder(refused))["ended_by"] == "it failed: a torn state"
    killed = {"_scheduler-stderr.txt": "step 12\nKilled\n"}
    assert told(failed=folder(killed))["ended_by"].endswith("its last words: Killed")
    assert told(failed=folder({}))["ended_by"].endswith("its last words: none")


def folder(contents: dict[str, str]) -> orm.FolderData:
    node = orm.FolderData()
    for name, text in contents.items():
        node.base.repository.put_object_from_filelike(io.BytesIO(text.encode()), name)
    return node


# ------------------------------------------------------------------ what comes next
def test_an_unsure_leg_is_labelled_and_followed(aiida_profile):
    course = noted(leg("unsure", 0, 20))
    assert (course["status"], course["goes_on"], course["label"]) == ("running", True, True)


def test_a_pause_that_asked_for_nothing_just_goes_on(aiida_profile):
    course = noted(leg("paused", 0, 20, n_asked=0))
    assert (course["goes_on"], course["label"]) == (True, False)
    assert course["convergence"] is None


def cut_and_whole(campaign: dict[str, Any], *ends: tuple[str, int], pieces: int) -> tuple[dict[str, Any], ...]:
    """Return courses after legs that end so, at that step: as they are, and each cut into so many by pauses.

    Each leg asks for two frames in each piece; what the one before asked for is measured by its first piece.
    """
    settings, told = orm.Dict(campaign), []
    for number in (1, pieces):
        course: dict[str, orm.Data] = {}
        begin, measured, canaries, done = 0, 0, [], 0
        for status, end in ends:
            for piece in range(1, number + 1):
                step = begin + (end - begin) * piece // number
                done += 1
                rows = [row(begin, error=0.1 * (2 if begin < 20 else 1)) for _ in range(measured)] if piece == 1 else []
                facts = leg(
                    status if piece == number else "paused",
                    begin + (end - begin) * (piece - 1) // number,
                    step,
                    n_asked=2 * pieces // number,
                    canary=rows,
                )
                if rows:
                    canaries.append((done, canary(*(0.01 * (begin + one) for one in range(12)))))
                window = {f"canary_{leg_number:03d}": node for leg_number, node in canaries[-4:]}
                course = {"course": note_leg(settings, orm.Dict(LEG), facts, **course, **window)}
                if course["course"]["label"]:
                    course["failures"] = lost()
            begin, measured = end, 2 * pieces
        told.append(course["course"].get_dict())
    return tuple(told)


@pytest.mark.parametrize(
    ("campaign", "ends", "status"),
    [
        # As many pieces as would use up the legs.
        ({"max_legs": 3}, [("unsure", 5), ("unsure", 10), ("unsure", 16)], "unsure"),
        ({"max_legs": 9, "max_labels": 20}, [("unsure", 5), ("unsure", 10), ("unsure", 16)], "unsure"),
        ({"max_legs": 9}, [("unsure", 5), ("unsure", 10), ("unsure", 95)], "converged"),
        ({"max_legs": 9}, [("unsure", 5), ("unsure", 10), ("done", 100)], "done"),
        ({"max_legs": 9, "convergence": {"window": 1}}, [("unsure", 8 * n) for n in range(1, 6)], "running"),
    ],
)
def test_a_pause_changes_neither_the_verdict_nor_the_end(campaign, ends, status, aiida_profile):
    whole, cut = cut_and_whole(campaign, *ends, pieces=4)
    assert len(cut["legs"]) == 4 * len(whole["legs"])
    assert whole["status"] == status
    for key in ("status", "ended_by", "goes_on", "label", "convergence"):
        assert cut[key] == whole[key]
    assert sum(one["n_labelled"] for one in cut["legs"]) == sum(one["n_labelled"] for one in whole["legs"])


def test_stepping_back_passes_the_pauses(aiida_profile):
    """The run comes back to the call before, so all pieces since are given up, and no number is drawn twice."""
    settings = {"max_legs": 9, "max_detours": 2}
    course = noted(leg("unsure", 0, 20), settings)
    course = noted(leg("paused", 20, 30, canary=[row(20)]), settings, course=orm.Dict(course), failures=lost())
    course = noted(leg("unsure", 30, 40), settings, course=orm.Dict(course))
    assert course["label"]
    # Two frames of each piece: that of the call is the fourth.
    assert step_back(orm.Dict(settings), lost(3), orm.Dict(course)).value == 1
    with pytest.raises(ValueError, match="nothing to step back from"):
        step_back(orm.Dict(settings), lost(1), orm.Dict(course))
    again = leg("paused", 20, 35, detour=1, canary=[row(20)])
    course = noted(again, settings, course=orm.Dict(course), failures=lost(3))
    assert [one["given_up"] for one in course["legs"]] == [False, True, True, False]
    assert [one["leg"] for one in course["canary"]] == [4]
    course = noted(leg("unsure", 35, 45), settings, course=orm.Dict(course))
    assert step_back(orm.Dict(settings), lost(3), orm.Dict(course)).value == 2


def test_a_leg_that_would_break_the_budget_is_not_labelled(aiida_profile):
    campaign = {"max_labels": 3}
    first = noted(leg("unsure", 0, 20), campaign)
    assert first["label"]
    parts = {"course": orm.Dict(first), "failures": lost(), "canary_002": canary()}
    second = noted(leg("unsure", 20, 40), {**campaign, "max_legs": 9}, **parts)
    assert (second["status"], second["goes_on"], second["label"]) == ("unsure", False, False)
    assert second["ended_by"] == (
        "at step 40 of 100 its budget of 3 labels was used: 2 are made, and 2 more were asked for"
    )
    kept = {"leg_001": leg("unsure", 0, 20), "canary_001": canary(), "failures_001": lost()}
    ended = told({**campaign, "max_legs": 9}, **kept, leg_002=leg("unsure", 20, 40), canary_002=canary())
    assert (ended["status"], ended["n_labels"], ended["n_asked"]) == ("unsure", 2, 4)


QUIET = {"quiet_share": 0.2, "canary_ratio_max": 0.3}


def test_a_campaign_ends_when_learning_has_converged(aiida_profile):
    low = leg("unsure", 0, 40, canary=[row(10, error=0.1)])
    parts = {"canary_001": canary(*(0.01 * number for number in range(1, 20)))}
    course = noted(low, {"convergence": QUIET}, **parts)
    assert (course["status"], course["goes_on"], course["label"]) == ("converged", False, True)
    assert course["ended_by"].startswith("at step 40 of 100 learning had converged: 1 call; quiet for 40 MD steps")
    course = noted(low, {"convergence": QUIET, "stop_when_converged": False}, **parts)
    assert course["goes_on"]
    assert course["convergence"]["verdict"] == "converged"


def test_a_hopeless_campaign_burns_no_further_label(aiida_profile):
    settings = {"max_legs": 40, "convergence": {"window": 1}}
    course: dict[str, Any] = {}
    for number in range(1, 4):
        before = {"course": orm.Dict(course), "failures": lost()} if course else {}
        steps = (4 * number - 4, 4 * number)
        rows = [row(steps[0], error=0.8)] if number > 1 else []
        course = noted(leg("unsure", *steps, canary=rows), settings, **before)
        assert course["goes_on"] is (number < 3)
    assert (course["status"], course["label"]) == ("hopeless", False)
    assert "labels do not help" in course["ended_by"]


def test_limits_of_the_verdict_stand_in_the_verdict(aiida_profile):
    course = noted(leg("unsure", 0, 20), {"convergence": {"restless_steps": 7}})
    assert course["convergence"]["limits"]["restless_steps"] == 7


# ------------------------------------------------------------------ stepping back
def test_a_leg_without_its_label_is_run_anew_until_no_detour_is_left(aiida_profile):
    settings = orm.Dict({"max_detours": 2})
    course = noted(leg("unsure", 0, 20))
    assert step_back(settings, lost(1), orm.Dict(course)).value == 1
    course["legs"][-1]["detour"] = 2
    with pytest.raises(ValueError, match="after 3 tries no detour is left: max_detours is 2"):
        step_back(settings, lost(1), orm.Dict(course))


def test_the_label_of_a_frame_along_the_way_is_no_reason_to_step_back(aiida_profile):
    with pytest.raises(ValueError, match="nothing to step back from"):
        step_back(orm.Dict({}), lost(0), orm.Dict(noted(leg("unsure", 0, 20))))


def test_a_leg_given_up_is_told_but_is_no_part_of_the_run(aiida_profile):
    parts = {
        "leg_001": leg("unsure", 0, 20),
        "leg_002": leg("unsure", 20, 40, canary=[row(20)]),
        "leg_003": leg("unsure", 20, 50, detour=1, canary=[row(20)]),
        **{f"canary_{number:03d}": canary() for number in (1, 2, 3)},
        "failures_001": lost(),
        "failures_002": lost(1),
        "failures_003": lost(),
    }
    campaign = told(**parts)
    assert (campaign["n_legs"], campaign["n_detours"]) == (3, 1)
    assert [one["given_up"] for one in campaign["legs"]] == [False, True, False]
    assert campaign["label_steps"] == [20, 50]
    assert campaign["n_labels"] == 5
    assert [one["leg"] for one in campaign["canary"]] == [3]
    # Two legs are used, the one that was given up is not counted.
    assert campaign["ended_by"] == "all 2 legs are used, and at step 50 of 100 it still asked for a label"


def test_a_leg_given_up_in_pieces_is_one_detour(aiida_profile):
    parts = {
        "leg_001": leg("paused", 0, 10),
        "leg_002": leg("unsure", 10, 20),
        "leg_003": leg("done", 0, 100, detour=1),
        **{f"canary_{number:03d}": canary() for number in (1, 2, 3)},
        "failures_002": lost(3),
        "failures_003": lost(),
    }
    campaign = told(**parts)
    assert [one["given_up"] for one in campaign["legs"]] == [True, True, False]
    assert campaign["n_detours"] == 1


def test_without_a_way_left_the_reason_is_that_of_the_label(aiida_profile):
    parts = {"leg_001": leg("unsure", 0, 20), "canary_001": canary(), "failures_001": lost(1)}
    assert told(**parts)["ended_by"] == (
        "it failed: the frame it was unsure of has no label, after one try: no convergence"
    )

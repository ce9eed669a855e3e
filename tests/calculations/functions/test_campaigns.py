"""What a campaign learns first, which frames enter, and what is told of one that failed."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.functions.campaigns import (
    choose_seeds,
    gather_campaign_failures,
    gather_campaigns,
    join_arrays,
    join_conditions,
    pool_frames,
    prepare_campaign,
    summarise_campaign,
)
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.explore import SeedSettings

LEG = {"temperature_k": 300.0, "steps": 100}


def leg(status: str, first: int, step: int, *, n_asked: int = 2, canary: list[Any] | None = None) -> orm.Dict:
    return orm.Dict(
        {
            "status": status,
            "message": "the volume grew",
            "first_step": first,
            "step": step,
            "leg_steps": step - first,
            "asked_step": step if status == "unsure" else None,
            "n_asked": n_asked,
            "went_on_unsure": False,
            "n_frames_learned": 3,
            "n_frames_added": 1,
            "n_sparse": 20,
            "n_sparse_added": 5,
            "optimised": False,
            "sigma": 2.0,
            "noises": [0.1, 0.1, 0.1],
            "canary": canary or [],
            "settings_hash": "a" * 64,
        }
    )


def canary(*errors: float) -> orm.ArrayData:
    return orm.ArrayData({name: np.array(errors) for name in ("std", "force_error", "force_norm")})


def lost(count: int) -> orm.Dict:
    return orm.Dict({"failures": [{"index": index, "reason": "no convergence"} for index in range(count)]})


def told(max_legs: int = 2, **parts: orm.Data) -> dict[str, Any]:
    return summarise_campaign(orm.Dict({"max_legs": max_legs}), orm.Dict(LEG), **parts).get_dict()


# ------------------------------------------------------------------ first frames
def strained(labelled_atoms, volumes) -> Frames:
    images = labelled_atoms(len(volumes))
    for atoms, volume in zip(images, volumes, strict=True):
        calc = atoms.calc
        atoms.set_cell(atoms.cell * volume ** (1 / 3), scale_atoms=True)
        atoms.calc = calc
        calc.atoms = atoms.copy()
    return Frames.from_atoms(images, labels="required", settings_hash="a" * 64)


def test_seeds_reach_from_the_densest_to_the_thinnest_frame(labelled_atoms):
    frames = strained(labelled_atoms, [1.1, 0.9, 1.3, 1.0, 1.2])
    seeds = choose_seeds(frames, SeedSettings(types=("Li2S",), count=3))
    volumes = np.abs(np.linalg.det(seeds.cells)) / np.abs(np.linalg.det(frames.cells))[3]
    assert sorted(volumes.round(3).tolist()) == [0.9, 1.1, 1.3]
    assert seeds.frame_ids == sorted(seeds.frame_ids)


def test_seeds_do_not_depend_on_the_order_of_the_frames(labelled):
    frames = labelled(6)
    settings = SeedSettings(types=("Li2S",), count=3)
    turned = frames.select(list(range(6))[::-1])
    assert choose_seeds(frames, settings).frame_ids == choose_seeds(turned, settings).frame_ids


def test_frames_of_other_types_and_with_large_forces_are_no_seeds(labelled):
    frames = Frames.concatenate([labelled(3), labelled(3, seed=1, config_type="LiCl")])
    assert set(choose_seeds(frames, SeedSettings(types=("LiCl",), count=9)).config_type.tolist()) == {"LiCl"}
    with pytest.raises(ValueError, match=r"Every frame of type LiCl has a force beyond 0\.001 eV/Å"):
        choose_seeds(frames, SeedSettings(types=("LiCl",), force_limit_ev_per_ang=0.001))
    with pytest.raises(ValueError, match="carry no labels"):
        choose_seeds(frames.without_labels(), SeedSettings(types=("LiCl",)))


def test_a_condition_falls_into_the_inputs_of_its_campaign(labelled, aiida_profile_clean):
    condition = {"system": "a", "seeds": {"types": ["Li2S"], "count": 2}, "campaign": {"max_legs": 3}, "leg": LEG}
    prepared = prepare_campaign(FramesData(labelled(4)), orm.Dict(condition))
    assert prepared["parameters"].get_dict() == LEG
    assert prepared["campaign"].get_dict() == {"max_legs": 3}
    assert len(prepared["seeds"]) == 2


# ------------------------------------------------------------------ pooling
def test_frames_are_pooled_by_their_id_each_once(labelled, aiida_profile_clean):
    first, second = labelled(3), labelled(3, seed=1)
    both = FramesData(Frames.concatenate([second, first.select([1])]))
    pooled = pool_frames(late=FramesData(first), early=both)
    assert pooled.frames.frame_ids == sorted({*first.frame_ids, *second.frame_ids})
    assert pooled.content_hash == pool_frames(a=both, b=FramesData(first)).content_hash


def test_two_levels_of_theory_are_never_pooled(labelled, aiida_profile_clean):
    with pytest.raises(ValueError, match="one level of theory"):
        pool_frames(a=FramesData(labelled(1)), b=FramesData(labelled(1, seed=1, settings_hash="b" * 64)))


# ------------------------------------------------------------------ what is told
def test_the_canary_is_over_components_of_all_atoms(aiida_profile_clean):
    campaign = told(
        leg_001=leg("unsure", 0, 20),
        leg_002=leg("done", 20, 100, canary=[{"md_step": 20}]),
        canary_001=canary(),
        canary_002=canary(3.0, 0.0, 0.0),
        failures_001=lost(1),
        failures_002=lost(0),
    )
    assert campaign["canary_force_rmse_ev_per_ang"] == pytest.approx(1.0)
    assert campaign["canary"] == [{"leg": 2, "md_step": 20}]
    assert campaign["label_steps"] == [20]
    assert (campaign["n_asked"], campaign["n_labels"]) == (4, 3)
    assert campaign["ended_by"] == "all 100 steps are done"


@pytest.mark.parametrize(
    ("status", "n_reports", "expected", "words"),
    [
        ("done", 2, "done", "all 100 steps are done"),
        ("stopped", 2, "stopped", "the guard stopped it at step 40: the volume grew"),
        ("unsure", 2, "unsure", "all 2 legs are used, and at step 40 of 100"),
        ("unsure", 1, "failed", "labelling the frames of leg 2"),
    ],
)
def test_the_end_of_a_campaign_is_told(status, n_reports, expected, words, aiida_profile_clean):
    reports = {f"failures_{number:03d}": lost(0) for number in range(1, n_reports + 1)}
    legs = {"leg_001": leg("unsure", 0, 20), "leg_002": leg(status, 20, 40)}
    campaign = told(**legs, canary_001=canary(), canary_002=canary(), **reports)
    assert campaign["status"] == expected
    assert words in campaign["ended_by"]


def test_a_leg_that_left_nothing_is_told_of(aiida_profile_clean):
    assert told()["ended_by"] == "it failed: leg 1 was killed or left no word"
    assert told()["canary_force_rmse_ev_per_ang"] is None
    parts = {"leg_001": leg("unsure", 0, 20), "canary_001": canary(), "failures_001": lost(0)}
    assert told(**parts)["ended_by"] == "it failed: leg 2 was killed or left no word"


def test_a_failed_job_is_told_with_its_sentence_or_its_last_words(aiida_profile_clean):
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


# ------------------------------------------------------------------ gathering
def test_arrays_of_legs_are_joined_in_order(aiida_profile_clean):
    trace = [orm.ArrayData({"step": np.arange(count), "max_std": np.full(count, 0.1 * count)}) for count in (2, 3)]
    joined = join_arrays(trace_001=trace[0], trace_002=trace[1], canary_001=canary(), canary_002=canary(1.0))
    assert joined.get_array("trace_leg").tolist() == [1, 1, 2, 2, 2]
    assert joined.get_array("trace_step").tolist() == [0, 1, 0, 1, 2]
    assert joined.get_array("canary_leg").tolist() == [2]
    assert "hot__trace_max_std" in join_conditions(hot=joined).get_arraynames()


def test_failed_labels_are_told_with_condition_and_round(aiida_profile_clean):
    report = orm.Dict({"failures": [{"index": 3, "reason": "r", "job": "round_002"}]})
    assert gather_campaign_failures(hot=report)["failures"] == [{"index": 3, "reason": "r", "job": "hot/round_002"}]


def test_campaigns_that_left_no_word_are_among_the_failed(aiida_profile_clean):
    condition = orm.Dict({"system": "a", "seeds": {"types": ["a"]}, "leg": LEG})
    parts = {"leg_001": leg("done", 0, 100), "canary_001": canary(3.0, 0.0, 0.0), "failures_001": lost(0)}
    good = summarise_campaign(orm.Dict({"max_legs": 2}), orm.Dict(LEG), **parts)
    gathered = gather_campaigns(condition_hot=condition, condition_cold=condition, campaign_hot=good)
    assert gathered["failed"] == ["cold"]
    assert gathered["n_legs"] == 1
    assert gathered["canary_force_rmse_ev_per_ang"] == pytest.approx(1.0)
    assert set(gathered["conditions"]["cold"]) == set(gathered["conditions"]["hot"])
    assert gathered["conditions"]["cold"]["label_steps"] == []

"""What a campaign learns first, which frames enter, and what is told of one that failed."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.functions.campaigns import (
    choose_seeds,
    gather_campaign_failures,
    gather_campaigns,
    join_arrays,
    join_conditions,
    join_stretches,
    lock_rung,
    pool_frames,
    prepare_campaign,
    strain_cell,
)
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.explore import SeedSettings
from tests.courses import LEG, canary, leg, lost, row, told_of


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


def test_a_condition_falls_into_the_inputs_of_its_campaign(labelled, aiida_profile):
    condition = {"system": "a", "seeds": {"types": ["Li2S"], "count": 2}, "campaign": {"max_legs": 3}, "leg": LEG}
    prepared = prepare_campaign(FramesData(labelled(4)), orm.Dict(condition))
    assert prepared["parameters"].get_dict() == LEG
    assert prepared["campaign"].get_dict() == {"max_legs": 3}
    assert len(prepared["seeds"]) == 2


# ------------------------------------------------------------------ pooling
def test_frames_are_pooled_by_their_id_each_once(labelled, aiida_profile):
    first, second = labelled(3), labelled(3, seed=1)
    both = FramesData(Frames.concatenate([second, first.select([1])]))
    pooled = pool_frames(late=FramesData(first), early=both)
    assert pooled.frames.frame_ids == sorted({*first.frame_ids, *second.frame_ids})
    assert pooled.content_hash == pool_frames(a=both, b=FramesData(first)).content_hash


def test_two_levels_of_theory_are_never_pooled(labelled, aiida_profile):
    with pytest.raises(ValueError, match="one level of theory"):
        pool_frames(a=FramesData(labelled(1)), b=FramesData(labelled(1, seed=1, settings_hash="b" * 64)))


# ------------------------------------------------------------------ cells
def test_a_strained_cell_is_longer_by_that_and_its_atoms_go_along(labelled_atoms, aiida_profile):
    cell = FramesData.from_ase(labelled_atoms(1))
    condition = orm.Dict({"system": "a", "strain": 0.05, "seeds": {"types": ["a"]}, "leg": LEG})
    before, after = cell.to_ase(0), strain_cell(cell, condition).to_ase(0)
    assert after.cell.lengths() == pytest.approx(1.05 * before.cell.lengths())
    assert after.get_scaled_positions() == pytest.approx(before.get_scaled_positions())
    assert after.calc is None
    assert after.info["group"] == f"{before.info['group']}/strain+0.05"
    assert after.info["config_type"] == before.info["config_type"]


# ------------------------------------------------------------------ gathering
def test_arrays_of_legs_are_joined_in_order(aiida_profile):
    trace = [orm.ArrayData({"step": np.arange(count), "max_std": np.full(count, 0.1 * count)}) for count in (2, 3)]
    joined = join_arrays(trace_001=trace[0], trace_002=trace[1], canary_001=canary(), canary_002=canary(1.0))
    assert joined.get_array("trace_leg").tolist() == [1, 1, 2, 2, 2]
    assert joined.get_array("trace_step").tolist() == [0, 1, 0, 1, 2]
    assert joined.get_array("canary_leg").tolist() == [2]
    assert "hot__trace_max_std" in join_conditions(hot=joined).get_arraynames()


def test_the_arrays_of_a_long_campaign_are_those_of_its_stretches(aiida_profile):
    trace = [orm.ArrayData({"step": np.arange(count)}) for count in (2, 3)]
    first = join_arrays(trace_001=trace[0], canary_001=canary())
    second = join_arrays(trace_003=trace[1], canary_003=canary(1.0))
    joined = join_stretches(a=first, b=second)
    assert joined.get_array("trace_leg").tolist() == [1, 1, 3, 3, 3]
    assert joined.get_array("canary_leg").tolist() == [3]


def test_a_long_trace_is_thinned_and_keeps_its_ends_and_extremes(aiida_profile):
    n_rows = 120_000
    noise = np.random.default_rng(0).uniform(0.01, 0.1, n_rows)
    noise[77_777] = 0.9
    trace = orm.ArrayData({"step": np.arange(n_rows), "max_std": noise})
    campaign = join_arrays(trace_001=trace, trace_002=trace, canary_001=canary(*range(3000)), canary_002=canary())
    assert 10_000 < len(campaign.get_array("trace_step")) <= 50_000
    pooled = join_conditions(hot=campaign)
    step, std = (pooled.get_array(f"hot__trace_{name}") for name in ("step", "max_std"))
    assert len(step) == len(std) == len(pooled.get_array("hot__trace_leg")) <= 2000
    assert (step[0], step[-1]) == (0, n_rows - 1)
    assert step[std == 0.9].tolist() == [77_777, 77_777]
    assert (std == noise[step]).all()
    assert len(pooled.get_array("hot__canary_std")) == 3000


def test_failed_labels_are_told_with_condition_and_round(aiida_profile):
    report = orm.Dict({"failures": [{"index": 3, "reason": "r", "job": "round_002"}]})
    assert gather_campaign_failures(hot=report)["failures"] == [{"index": 3, "reason": "r", "job": "hot/round_002"}]


def test_campaigns_that_left_no_word_are_among_the_failed(aiida_profile):
    condition = orm.Dict({"system": "a", "seeds": {"types": ["a"]}, "leg": LEG})
    parts = {
        "leg_001": leg("done", 0, 100, canary=[row(20, error=1.0)]), "canary_001": canary(1.0), "failures_001": lost()
    }  # fmt: skip
    good = told_of(orm.Dict({"max_legs": 2}), orm.Dict(LEG), **parts)
    gathered = gather_campaigns(condition_hot=condition, condition_cold=condition, campaign_hot=good)
    assert gathered["failed"] == ["cold"]
    assert gathered["n_legs"] == 1
    assert gathered["canary_force_rmse_ev_per_ang"] == pytest.approx(1.0)
    assert set(gathered["conditions"]["cold"]) == set(gathered["conditions"]["hot"])
    assert gathered["conditions"]["cold"]["label_steps"] == []


def test_a_locked_rung_says_why_and_is_no_failure(aiida_profile):
    condition = orm.Dict({"system": "a", "seeds": {"types": ["a"]}, "leg": LEG})
    above = orm.Dict({**condition.get_dict(), "after": "cold"})
    parts = {"leg_001": leg("stopped", 0, 10), "canary_001": canary(), "failures_001": lost()}
    stopped = told_of(orm.Dict({"max_legs": 2}), orm.Dict(LEG), **parts)
    locked = lock_rung(above, stopped)
    assert locked["ended_by"] == "not begun: cold was not stable (the guard stopped it at step 10: the volume grew)"
    gathered = gather_campaigns(
        condition_cold=condition, condition_hot=above, campaign_cold=stopped, campaign_hot=locked
    )
    assert (gathered["failed"], gathered["locked"]) == ([], ["hot"])
    assert set(gathered["conditions"]["cold"]) == set(gathered["conditions"]["hot"])
    assert gathered["convergence"]["conditions"]["not judged"] == ["hot"]
    assert lock_rung(above)["ended_by"].endswith("(it was killed, or an exception in AiiDA ended it)")

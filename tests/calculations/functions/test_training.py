from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.calculations.functions.training import make_dataset, reference_energies_from_fit, training_frames
from aiida_seireact.data.frames import FramesData

SETTINGS = {"force_limit_ev_per_ang": 50.0, "fractions": [0.6, 0.2, 0.2], "seed": 1}


def test_order_of_the_shards_does_not_matter(labelled, aiida_profile_clean):
    one, two = FramesData(labelled(4)).store(), FramesData(labelled(4, seed=1)).store()
    first = make_dataset(orm.Dict(SETTINGS), a=one, b=two)
    second = make_dataset(orm.Dict(SETTINGS), a=two, b=one)
    assert first.content_hash == second.content_hash


def test_a_frame_given_twice_counts_once(labelled, aiida_profile_clean):
    shard = FramesData(labelled(5)).store()
    assert len(make_dataset(orm.Dict(SETTINGS), a=shard, b=shard)) == 5


def test_another_seed_splits_otherwise(labelled, aiida_profile_clean):
    shard = FramesData(labelled(10)).store()
    hashes = {make_dataset(orm.Dict({**SETTINGS, "seed": seed}), a=shard).content_hash for seed in range(4)}
    assert len(hashes) > 1


def test_frames_beyond_the_force_limit_stay_out(labelled, aiida_profile_clean):
    frames = labelled(12)
    largest = max(float((frames.forces[3 * i : 3 * i + 3] ** 2).sum(1).max() ** 0.5) for i in range(12))
    settings = {**SETTINGS, "force_limit_ev_per_ang": largest - 1e-6}
    assert len(make_dataset(orm.Dict(settings), a=FramesData(frames))) == 11


def test_too_few_groups_are_refused_with_a_sentence(labelled, aiida_profile_clean):
    with pytest.raises(ValueError, match="Config type 'Li2S' has 2 groups"):
        make_dataset(orm.Dict(SETTINGS), a=FramesData(labelled(2)))


def test_fitted_energies_tell_their_source(labelled, aiida_profile_clean):
    dataset = make_dataset(orm.Dict(SETTINGS), a=FramesData(labelled(5)).store())
    energies = reference_energies_from_fit(dataset)
    train = dataset.frames("train")
    predicted = energies["energies_ev"]["Li"] * 2 + energies["energies_ev"]["S"]
    assert predicted == pytest.approx(float(train.energy.mean()), abs=1e-6)
    assert energies["source"] == f"least-squares fit to {len(train)} training frames"


def test_training_frames_hold_nothing_that_is_tested(labelled, aiida_profile_clean):
    dataset = make_dataset(orm.Dict(SETTINGS), a=FramesData(labelled(10)).store())
    frames = training_frames(dataset).frames
    assert frames.frame_ids == dataset.frame_ids("train")
    assert frames.is_labelled
    assert frames.settings_hash == dataset.settings_hash

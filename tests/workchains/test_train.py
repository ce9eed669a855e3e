"""Trainings and committees as AiiDA runs them, with a program that answers in a moment (`tests/fake_train.py`)."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from scipy.stats import spearmanr

from aiida_seireact.calculations.functions.trainings import committee_against_error
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.committee import CommitteeWorkChain, validate_members, validate_seeds
from aiida_seireact.workchains.train import TrainWorkChain

FAKE = Path(__file__).parents[1] / "fake_train.py"
SETTINGS = {"max_epochs": 3, "lr": 0.01, "batch_size": 2, "seed": 1}


@pytest.fixture(scope="module")
def fake_code(this_machine: orm.Computer, tmp_path_factory: pytest.TempPathFactory) -> orm.InstalledCode:
    """Return the code of the program that answers in a moment."""
    script = tmp_path_factory.mktemp("bin") / "seireact-train"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    script.chmod(0o755)
    return orm.InstalledCode(label="fake-train", computer=this_machine, filepath_executable=str(script)).store()


@pytest.fixture
def inputs(fake_code: orm.InstalledCode, labelled: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Return a factory of the inputs of a training."""

    def make(**settings: Any) -> dict[str, Any]:
        shard = FramesData(labelled(8)).store()
        split = ["train"] * 4 + ["val", "test", "test", "test"]
        return {
            "code": fake_code,
            "dataset": DatasetData([shard.frames], [split]).store(),
            "parameters": orm.Dict({"settings": {**SETTINGS, **settings}}),
            "reference_energies": orm.Dict({"energies_ev": {"Li": 0.0, "S": 0.0}, "source": "test"}),
        }

    return make


def test_a_training_over_three_jobs_has_one_curve_and_each_job_its_checkpoint_in_the_graph(inputs) -> None:
    given = inputs(max_time_s=60)
    outputs, node = run_get_node(TrainWorkChain, **given)
    assert node.is_finished_ok, node.exit_message
    jobs = sorted(node.called, key=lambda job: job.pk)
    assert len(jobs) == 3
    assert outputs["curve"].get_array("epoch").tolist() == [0, 1, 2]
    assert outputs["metrics"]["done"]
    assert outputs["checkpoint"].epoch == 2
    for before, after in itertools.pairwise(jobs):
        assert after.inputs.checkpoint.uuid == before.outputs.checkpoint.uuid
    assert "changes" not in outputs
    # A replay runs nothing.
    with enable_caching():
        _, again = run_get_node(TrainWorkChain, **given)
    assert again.is_finished_ok
    assert all(job.base.caching.is_created_from_cache for job in again.called)


def test_what_handlers_change_is_made_in_the_graph_and_told(inputs) -> None:
    outputs, node = run_get_node(TrainWorkChain, **inputs(lr=0.8, batch_size=8))
    assert node.is_finished_ok, node.exit_message
    # Diverged, then too large a batch, then it went well.
    jobs = sorted((one for one in node.called if isinstance(one, orm.CalcJobNode)), key=lambda job: job.pk)
    assert [job.exit_status for job in jobs] == [421, 422, 0]
    settings = jobs[-1].inputs.parameters["settings"]
    assert (settings["lr"], settings["batch_size"]) == (0.4, 4)
    assert jobs[-1].inputs.parameters.creator.process_label == "smaller_batches"
    assert outputs["changes"]["lr_1"]["settings"]["lr"] == {"from": 0.8, "to": 0.4}
    assert outputs["changes"]["batch_size_1"]["why"] == "the memory was too small"


def test_a_committee_differs_by_its_seeds_and_tells_what_its_disagreement_is_worth(inputs) -> None:
    outputs, node = run_get_node(CommitteeWorkChain, seeds=orm.List([3, 5, 8]), **inputs())
    assert node.is_finished_ok, node.exit_message
    assert {name: one.model_hash for name, one in outputs["members"].items()} == {
        "member_01": "3-3",
        "member_02": "5-3",
        "member_03": "8-3",
    }
    assert set(outputs["metrics"]) == set(outputs["members"])
    std, error = (outputs["calibration"].get_array(name) for name in ("std", "error"))
    spread = outputs["spread"].get_dict()
    assert (spread["n_members"], spread["n_frames"], spread["n_atoms"]) == (3, 3, len(std))
    assert spread["spearman_by_atom"] == pytest.approx(spearmanr(std, error).statistic)
    # Independent noise of 0.1 in each component: that of the mean of three is smaller by the square root of three.
    assert spread["force_rmse_of_mean_ev_per_ang"] == pytest.approx(0.1 / np.sqrt(3), rel=0.3)
    for child in node.called_descendants:
        if child.process_label == "TrainWorkChain":
            maker = child.inputs.parameters.creator
            assert maker.process_label == "with_seeds"
            # Nothing that a step made by itself, which a crash would make twice.
            assert maker.inputs.seeds.uuid == node.inputs.seeds.uuid
            assert child.inputs.dataset.uuid == node.inputs.dataset.uuid


def test_a_member_that_fails_is_named_and_the_others_are_kept(inputs) -> None:
    # To the seed 13 the program says no.
    outputs, node = run_get_node(CommitteeWorkChain, seeds=orm.List([3, 13]), **inputs())
    assert node.exit_status == 455
    assert node.exit_message.startswith("member_02 of the committee failed")
    assert node.exit_message.endswith("given out: member_01.")
    assert list(outputs["members"]) == ["member_01"]


def test_a_committee_of_which_nobody_is_left_names_all(inputs) -> None:
    _, node = run_get_node(CommitteeWorkChain, seeds=orm.List([3, 5]), **inputs(lr=9.0))
    assert node.exit_status == 455
    assert node.exit_message.startswith("member_01 and member_02 of the committee failed in <")
    assert node.exit_message.endswith("given out: none.")


def test_what_members_changed_is_given_out(inputs) -> None:
    outputs, node = run_get_node(CommitteeWorkChain, seeds=orm.List([3, 5]), **inputs(batch_size=8))
    assert node.is_finished_ok, node.exit_message
    assert set(outputs["changes"]) == {"member_01", "member_02"}
    assert outputs["changes"]["member_02"]["batch_size_1"]["settings"] == {"batch_size": {"from": 8, "to": 4}}


@pytest.mark.parametrize(
    ("seeds", "sentence"),
    [
        ([1], "has 2 to 32 members"),
        ([1, 1], "one seed are one member"),
        ([1, -2], "whole numbers"),
        ([True, 2], "whole"),
    ],
)
def test_what_is_no_committee_is_refused(seeds: list[int], sentence: str) -> None:
    assert sentence in str(validate_seeds(orm.List(seeds), None))


def test_a_parent_of_nobody_is_refused() -> None:
    complaint = validate_members({"seeds": orm.List([1, 2]), "parents": {"member_03": None}}, None)
    assert complaint == "parents: member_03 is no member; they are member_01, member_02."


@pytest.mark.parametrize("overrides", [{"data": {"seed": 4}}, {"training_module": {"model": {"seed": 4}}}])
def test_members_of_one_seed_by_overrides_are_refused(aiida_profile, overrides: dict[str, Any]) -> None:
    parameters = orm.Dict({"settings": SETTINGS, "overrides": overrides})
    complaint = validate_members({"seeds": orm.List([1, 2]), "parameters": parameters}, None)
    assert "seed to 4, which another `seed` would not change" in str(complaint)


def test_members_that_were_tested_on_other_frames_can_t_be_compared(aiida_profile) -> None:
    members = {}
    for name in ("a", "b"):
        node = orm.ArrayData()
        node.set_array("frame_ids", np.array([name]))
        members[name] = node
    with pytest.raises(ValueError, match="tested on different frames"):
        committee_against_error(**members)

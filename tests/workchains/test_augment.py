"""One round with the real programs: a model of an alloy runs, learns what it did not know, and says by how much."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching
from ase.build import bulk

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.augment_inputs import PROGRAMS
from tests.workchains.conftest import CARD, alloy, labelled


# ---------------------------------------------------------------- refusals
def potential(kind: str, **changes: Any) -> PotentialData:
    extra = {"target": "pair_allegro", "torch_version": "2", "device": "cpu"} if kind == "allegro-compiled" else {}
    return PotentialData(io.BytesIO(b"model"), card={**CARD, "kind": kind, **extra, **changes})


@pytest.fixture
def complaint(aiida_localhost):
    """Return a function that says what is refused about a round, None if nothing is."""
    codes = {
        name: orm.InstalledCode(label=name, computer=aiida_localhost, filepath_executable="/bin/true")
        for name in PROGRAMS
    }
    dataset = DatasetData([labelled([alloy(), alloy(seed=1)]).frames], [["train", "val"]])
    cell = FramesData.from_ase([alloy()])

    def say(overrides: dict[str, Any] | None = None, **inputs: Any) -> str | None:
        try:
            builder = AugmentWorkChain.get_builder_from_protocol(
                dataset=dataset,
                potential=potential("allegro-package"),
                compiled=potential("allegro-compiled"),
                reference_energies=orm.Dict({"energies_ev": {"Al": 0.0, "Cu": 0.0}, "source": "none"}),
                cells={"production": cell, "training": cell},
                codes=codes,
                # No labeller of this test has the phases of a scorecard.
                overrides={"validate": None, **(overrides or {})},
            )
        except ValueError as error:
            return str(error)
        error = AugmentWorkChain.spec().inputs.validate({**builder._inputs(prune=True), **inputs})
        return None if error is None else str(error)

    return say


def test_the_protocol_itself_passes(complaint):
    assert complaint() is None
    one = {"md": {"training": None}, "select": {"runs": {"training": None}, "min_learned": 1, "min_held_out": 1}}
    assert complaint(one, cells={"production": FramesData.from_ase([alloy()])}) is None


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"select": {"n_block": 3}}, "n_block"),
        ({"select": {"min_learned": 99}}, "min_learned 99"),
        ({"select": {"runs": {"other": {"learned": 1, "held_out": 1}}}}, "'other' has no cells and no md"),
        ({"md": {"training": None}}, "'training' has no md: give"),
        ({"md": {"training": {"md": {"temperature": 3}}}}, "md.training: These parameters don't fit: md.temperature"),
        ({"extend": {"min_learnt": 3}}, "min_learnt"),
        ({"train": {"settings": {"lr": 0}}}, "lr"),
        ({"engine": "seireact.label.abacus"}, "no labelling engine"),
        ({"label": {"task": "dance"}}, "dance"),
        ({"batch_size": 0}, "batch_size"),
        ({"rounds": {"min_rounds": 3, "max_rounds": 2}}, "max_rounds 2 is below min_rounds 3"),
        ({"validate": {}}, "codes.validate is missing"),
    ],
)
def test_each_mistake_is_told_by_name(overrides, words, complaint):
    assert words in complaint(overrides)


def test_models_cells_and_processes_that_do_not_fit_are_refused(complaint):
    cell = FramesData.from_ase([alloy()])
    assert "not made of `potential`" in complaint(compiled=potential("allegro-compiled", model_hash="other"))
    assert "allegro-compiled" in complaint(potential=potential("allegro-compiled"))
    assert "compile it" in complaint(compiled=potential("allegro-package"))
    assert "only a sparse Gaussian" in complaint(gps={"cold": potential("allegro-package")})
    sodium = FramesData.from_ase([bulk("Na", cubic=True)])
    assert "cells.training: The model knows Al, Cu, but the structure holds Na" in complaint(
        cells={"production": cell, "training": sodium}
    )
    two = FramesData.from_ase([alloy(), alloy()])
    assert "cells.production: A segment starts from one frame" in complaint(cells={"production": two, "training": cell})
    assert "'training' has no cells" in complaint(cells={"production": cell})


# ---------------------------------------------------------------- a round
def a_run(n_atoms: int) -> TrajectoryData:
    chunk = {"file": "a", "sha256": "c" * 64, "bytes": 1, "first_step": 0, "last_step": 10}
    facts = {"n_atoms": n_atoms, "species": ["Al", "Cu"], "timestep_fs": 2.0, "steps": 10, "steps_asked": 10}
    return TrajectoryData({}, manifest=[chunk], facts={**facts, "stopped_by": None, "done": True})


def test_runs_that_are_there_already_must_be_of_their_cells(complaint):
    cell = FramesData.from_ase([alloy()])
    cells = {"production": cell, "training": cell}
    right, wrong = a_run(len(alloy())), a_run(2 * len(alloy()))
    assert complaint(cells=cells, runs={"production": right}) is None
    assert "runs.other: there is no such cell" in complaint(cells=cells, runs={"other": right})
    assert "runs.production has" in complaint(cells=cells, runs={"production": wrong})
    labels = {"production": orm.ArrayData(np.zeros(3))}
    assert "labels.production: there is no such run" in complaint(cells=cells, labels=labels)


def test_cells_without_anybody_who_tells_what_is_unknown_are_not_cut(complaint):
    runs = {"production": {"learned": 20, "held_out": 9, "cut": {"core_ang": 4.0}}}
    assert "have no centre: give a classifier" in complaint({"select": {"runs": runs}})


@pytest.fixture(scope="module")
def finished(augment_builder, cold_process):
    with enable_caching():
        _, node = run_get_node(augment_builder(cold=cold_process))
    assert node.is_finished_ok, node.exit_message
    return node


def round_of(node: orm.WorkChainNode, number: int = 1) -> orm.WorkChainNode:
    """Return a round of it."""
    label = f"round_{number:02d}"
    return node.base.links.get_outgoing(link_label_filter=label).one().node


@pytest.mark.slow
def test_frames_of_both_runs_are_learned_and_held_out_by_blocks(finished):
    told, extended = finished.outputs.augmentation, finished.outputs.dataset
    new = set(extended.frame_ids()) - set(finished.inputs.dataset.frame_ids())
    assert told["n_labelled"] == told["n_chosen"] == 12
    assert told["n_learned"] + told["n_val"] + told["n_held_out"] == len(new) == 12 - told["n_dropped"]
    assert told["n_held_out"] >= 3
    assert {name: run["n_chosen"] > 0 for name, run in told["runs"].items()} == {"production": True, "training": True}
    old = finished.inputs.dataset
    for part in ("train", "val", "test"):
        assert set(old.frame_ids(part)) <= set(extended.frame_ids(part))


@pytest.mark.slow
def test_a_run_that_its_stop_rule_ended_is_used(finished):
    production = finished.outputs.augmentation["runs"]["production"]
    assert production["stopped_by"]["message"].startswith("distance")
    assert production["steps"] < production["steps_asked"]
    assert finished.outputs.trajectories.production.base.attributes.get("stopped_by") is not None


@pytest.mark.slow
def test_errors_before_are_those_of_the_parent_and_the_held_out_frames_were_never_learned(finished):
    outputs, told = finished.outputs, finished.outputs.augmentation
    before, after = told["held_out"]["before"]["all"], told["held_out"]["after"]["all"]
    assert before["n_frames"] == after["n_frames"] == told["n_held_out"]
    assert before["force_rms_ev_per_ang"] == after["force_rms_ev_per_ang"]
    assert before["force_rmse_ev_per_ang"] != after["force_rmse_ev_per_ang"]
    assert outputs.parent_metrics["model_hash"] == finished.inputs.potential.model_hash != outputs.potential.model_hash
    # The parent was tested on the old test frames before: its own training told the same error.
    creator = finished.inputs.potential.creator
    then = creator.outputs.metrics["all"]["force_rmse_ev_per_ang"]
    assert told["old_test"]["before"]["all"]["force_rmse_ev_per_ang"] == pytest.approx(then, rel=1e-4)
    assert outputs.potential.card["dataset_hash"] == outputs.dataset.content_hash


@pytest.mark.slow
def test_uncertainty_of_the_process_chose_the_frames(finished):
    rows = finished.outputs.selection
    std, chosen = rows.get_array("max_std"), rows.get_array("chosen")
    assert np.isfinite(std).all()
    assert std[chosen].mean() > std[~chosen].mean()
    assert finished.outputs.augmentation["gps"] == ["cold"]


@pytest.mark.slow
def test_every_node_has_an_origin_and_each_child_its_label(finished):
    links = [link.link_label for link in round_of(finished).base.links.get_outgoing().all()]
    for label in ("run_production", "run_training", "select", "label", "extend", "retrain", "augmentation"):
        assert label in links
    entering = {link.node.pk for link in finished.base.links.get_incoming().all()}
    allowed = {"max_iterations", "clean_workdir"}
    for process in finished.called_descendants:
        for link in process.base.links.get_incoming(node_class=orm.Data).all():
            node = link.node
            known = node.creator is not None or node.pk in entering or isinstance(node, orm.Code)
            assert known or link.link_label in allowed, link


@pytest.mark.slow
def test_the_same_round_again_runs_no_program(finished, augment_builder, cold_process):
    with enable_caching():
        _, again = run_get_node(augment_builder(cold=cold_process))
    assert again.is_finished_ok
    ran = [
        node.process_label
        for node in again.called_descendants
        if isinstance(node, orm.CalculationNode) and not node.base.caching.is_created_from_cache
    ]
    assert not ran
    assert again.outputs.augmentation.get_dict() == finished.outputs.augmentation.get_dict()


@pytest.mark.slow
def test_too_few_labels_end_the_round_with_numbers(augment_builder, cold_process, finished):
    with enable_caching():
        _, node = run_get_node(augment_builder({"extend": {"min_learned": 50}}, cold=cold_process))
    assert node.exit_status == 460
    assert round_of(node).exit_status == 250
    assert "at least 50 are needed: of 12 chosen 12 have labels" in node.exit_message


@pytest.mark.slow
def test_too_short_runs_end_the_round_with_the_sentence_of_the_program(augment_builder, cold_process, finished):
    runs = {"production": {"learned": 90, "held_out": 9}}
    with enable_caching():
        _, node = run_get_node(augment_builder({"select": {"runs": runs, "min_learned": 90}}, cold=cold_process))
    assert node.exit_status == 460
    assert "Stage select failed" in node.exit_message
    assert "at least 90 are needed" in node.exit_message


@pytest.mark.slow
def test_a_run_that_is_there_is_not_made_again_and_cells_are_cut_out_of_it(augment_builder, cold_process, finished):
    runs = {name: finished.outputs.trajectories[name] for name in ("production", "training")}
    # The production cell is 8.1 Å long in one direction, the others 4.05.
    cut = {"core_ang": 2.0, "edge_ang": 6.5, "relax_steps": 5}
    inputs = augment_builder({"select": {"runs": {"production": {"cut": cut}}}}, cold=cold_process)
    inputs.runs = runs
    with enable_caching():
        _, node = run_get_node(inputs)
    assert node.is_finished_ok, node.exit_message
    the_round = round_of(node)
    assert not [child for child in the_round.called if child.process_label == "ProduceWorkChain"]
    assert node.outputs.trajectories.production.uuid == runs["production"].uuid
    shards = the_round.base.links.get_outgoing(link_label_filter="label").one().node.outputs.frames.frames
    cells = [len(atoms) for atoms in shards.iter_atoms() if atoms.info["config_type"] == "augment-production"]
    assert cells
    assert max(cells) < 16
    assert "potential" in the_round.base.links.get_outgoing(link_label_filter="select").one().node.inputs


@pytest.mark.slow
def test_a_second_round_begins_from_the_model_of_the_first_and_its_committee_learns_along(
    augment_builder, alloy_model, finished
):
    """The member is the model of the finished round: another model of the same species and cutoff."""
    inputs = augment_builder({"rounds": {"min_rounds": 2, "max_rounds": 3, "max_labels": 30}})
    inputs.committee = {"other": finished.outputs.potential}
    with enable_caching():
        _, node = run_get_node(inputs)
    assert node.is_finished_ok, node.exit_message
    first, second = round_of(node, 1), round_of(node, 2)
    for name in ("potential", "compiled", "dataset"):
        assert second.inputs[name].uuid == first.outputs[name].uuid
    assert second.inputs.committee.other.uuid == first.outputs.committee.other.uuid
    assert node.outputs.committee.other.uuid == second.outputs.committee.other.uuid
    assert node.outputs.potential.uuid == second.outputs.potential.uuid
    seeds = [run.inputs.md.training["md"].get("velocity_seed") for run in (first, second)]
    assert seeds[1] == seeds[0] + 1
    # Deviations of forces, eV/Å, not parts of a signal.
    rows = second.outputs.selection
    std, chosen = rows.get_array("max_std"), rows.get_array("chosen")
    assert (std > 0).all()
    assert std[chosen].mean() > std[~chosen].mean()
    # A third round could ask for 12 labels more than 30.
    told = node.outputs.rounds
    assert told["n_rounds"] == 2
    assert "labels are used" in told["ended_by"]
    assert [row["cost"]["n_labels"] for row in told["rounds"]] == [12, 12]
    assert all(row["held_out"]["before"] and row["held_out"]["after"] for row in told["rounds"])
    assert {link.link_label for link in node.base.links.get_outgoing(node_class=orm.CalcFunctionNode).all()} == {
        "seeds_02",
        "rounds",
    }
    for process in node.called:
        for link in process.base.links.get_incoming(node_class=orm.Data).all():
            known = link.node.creator is not None or isinstance(link.node, orm.Code)
            assert known or link.node in node.base.links.get_incoming().all_nodes(), link

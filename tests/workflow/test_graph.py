"""The finished small loop: nothing in its graph is without origin, and its numbers agree with each other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.calculations.allegro import AllegroCalculation
from aiida_seireact.cli.replay_plan import plan_of
from aiida_seireact.cli.replay_told import cost_of
from aiida_seireact.cli.tracing import trace
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData

pytestmark = pytest.mark.workflow

OURS = (FramesData, DatasetData, PotentialData, TrajectoryData, PhasesData)

# Data without a creator that is no input of the top process, by class and link label, and why it may be there.
WITHOUT_CREATOR = {
    ("Int", "max_iterations"): "default of BaseRestartWorkChain",
    ("Bool", "clean_workdir"): "default of BaseRestartWorkChain",
}


def data_under(top: orm.WorkChainNode) -> list[orm.Data]:
    nodes = {}
    for process in [top, *top.called_descendants]:
        for link in [*process.base.links.get_incoming().all(), *process.base.links.get_outgoing().all()]:
            if isinstance(link.node, orm.Data):
                nodes[link.node.pk] = link.node
    return list(nodes.values())


def test_every_node_of_ours_has_a_creator_or_enters_at_the_top(finished_loop):
    entering = {link.node.pk for link in finished_loop.base.links.get_incoming().all()}
    orphans = {}
    for process in [finished_loop, *finished_loop.called_descendants]:
        for link in process.base.links.get_incoming(node_class=orm.Data).all():
            node = link.node
            if node.creator is None and node.pk not in entering and not isinstance(node, orm.Code):
                orphans[type(node).__name__, link.link_label] = node.pk
    assert not {key: pk for key, pk in orphans.items() if key not in WITHOUT_CREATOR}


def test_each_kind_of_node_is_in_the_graph(finished_loop):
    kinds = Counter(type(node) for node in data_under(finished_loop))
    assert all(kinds[kind] for kind in OURS)


def test_summary_agrees_with_the_nodes_it_tells_of(finished_loop):
    outputs, summary = finished_loop.outputs, finished_loop.outputs.summary
    assert summary["dataset_hash"] == outputs.dataset.content_hash
    assert summary["model_hash"] == outputs.potential.model_hash
    assert summary["n_frames"] == len(outputs.dataset) == sum(summary["frames_by_type"].values())
    assert summary["md_atoms"] == 58
    assert summary["ps4_intact_start"] == 2
    assert summary["n_label_calls"] >= summary["n_frames"]
    assert summary["force_rmse_ev_per_ang"] == outputs.metrics["all"]["force_rmse_ev_per_ang"]
    for part in ("first", "last", "all"):
        assert sum(summary["phase_fractions"][part].values()) == pytest.approx(1.0)


def called(process: orm.WorkChainNode, link_label: str) -> orm.ProcessNode:
    (link,) = process.base.links.get_outgoing(link_label_filter=link_label).all()
    return link.node


def test_products_are_labelled_before_the_first_training(finished_loop):
    dataset = called(finished_loop, "train").inputs.dataset
    assert dataset.content_hash == finished_loop.outputs.first.dataset.content_hash
    assert dataset.frames().is_labelled
    counts = dataset.base.attributes.get("config_types")
    assert {name: counts.get(name) for name in ("Li2S", "Li3P", "LiCl")} == {"Li2S": 4, "Li3P": 4, "LiCl": 4}
    for split in ("train", "val", "test"):
        assert {"Li2S", "Li3P", "LiCl"} <= set(dataset.frames(split).config_type.tolist())


def test_the_first_set_is_that_of_sample_around_its_relaxed_cell(finished_loop):
    sample, label = called(finished_loop, "sample"), called(finished_loop, "label")
    assert sample.process_label == "SampleWorkChain"
    assert label.inputs.frames.uuid == sample.outputs.frames.uuid
    relaxed = sample.outputs.relaxed.frames
    frames = sample.outputs.frames.frames
    of_interface = np.char.startswith(frames.config_type.astype(str), "interface")
    assert set(frames.parent_id[of_interface]) == {relaxed.frame_ids[0]}
    assert finished_loop.outputs.sample.coverage.uuid == sample.outputs.coverage.uuid


def test_every_type_of_frame_is_held_out(finished_loop):
    assert set(finished_loop.outputs.metrics["by_type"]) == set(finished_loop.outputs.summary["frames_by_type"])


def test_test_frames_were_never_learned_from(finished_loop):
    dataset = finished_loop.outputs.dataset
    groups = {split: set(dataset.frames(split).group.tolist()) for split in ("train", "val", "test")}
    assert not groups["test"] & (groups["train"] | groups["val"])
    assert set(finished_loop.outputs.predictions.get_array("frame_ids")) == set(dataset.frame_ids("test"))


def test_the_card_of_the_model_says_where_its_reference_energies_come_from(finished_loop):
    card = finished_loop.outputs.potential.card
    assert card["reference_energies"]["source"].startswith("least-squares fit to")
    assert card["dataset_hash"] == finished_loop.outputs.dataset.content_hash


def test_each_condition_asked_and_went_on(finished_loop):
    outputs, summary = finished_loop.outputs, finished_loop.outputs.summary
    conditions = outputs.campaigns["conditions"]
    assert sorted(conditions) == sorted(outputs.gps) == ["Li6PS5Cl_300", "interface_300"]
    assert summary["n_flare_legs"] == sum(campaign["n_legs"] for campaign in conditions.values())
    for name, campaign in conditions.items():
        assert campaign["n_legs"] >= 2
        assert campaign["label_steps"] == summary["flare_label_steps"][name]
        assert len(campaign["label_steps"]) >= 1
        assert outputs.gps[name].kind == "sgp"
    assert 0 < summary["canary_force_rmse"] < 10


def test_a_call_is_where_the_uncertainty_first_passes_the_threshold(finished_loop):
    arrays, settings = finished_loop.outputs.campaign_arrays, finished_loop.inputs.conditions
    for name, steps in finished_loop.outputs.summary["flare_label_steps"].items():
        limit = settings[name]["leg"]["call_threshold"]
        leg, step, std = (arrays.get_array(f"{name}__trace_{kind}") for kind in ("leg", "step", "max_std"))
        assert [int(step[leg == number][-1]) for number in range(1, len(steps) + 1)] == steps
        for number in range(1, len(steps) + 1):
            assert std[leg == number][-1] > limit
            assert (std[leg == number][1:-1] <= limit).all()


def test_frames_asked_for_are_learned_from(finished_loop):
    explored = next(node for node in finished_loop.called if node.process_label == "ExploreWorkChain").outputs.frames
    known = set(finished_loop.outputs.first.dataset.frame_ids())
    assert len(explored) >= 4
    assert set(explored.frames.frame_ids) <= known
    assert explored.frames.frame_ids == sorted(explored.frames.frame_ids)


def test_what_augmentation_holds_out_is_never_learned_from(finished_loop):
    outputs = finished_loop.outputs
    before, after = outputs.first.dataset, outputs.dataset
    for split in ("train", "val", "test"):
        assert set(before.frame_ids(split)) <= set(after.frame_ids(split))
    held_out = set(after.frame_ids("test")) - set(before.frame_ids("test"))
    summary = outputs.summary
    assert len(held_out) == outputs.augmentation["n_held_out"] >= 2
    assert len(after) - len(before) == outputs.augmentation["n_labelled"] == summary["n_augmented_frames"]
    blocks = {split: set(after.frames(split).group.tolist()) for split in ("train", "val", "test")}
    assert not blocks["test"] & (blocks["train"] | blocks["val"])


def test_errors_before_and_after_are_those_of_the_two_models_on_the_held_out_frames(finished_loop):
    outputs = finished_loop.outputs
    retrained = next(
        node
        for node in finished_loop.called_descendants
        if node.process_label == "TrainWorkChain"
        and "parent" in node.inputs
        and node.inputs.parent.model_hash == outputs.first.potential.model_hash
    )
    held_out = set(outputs.dataset.frame_ids("test")) - set(outputs.first.dataset.frame_ids("test"))
    for key, node in (("before", retrained.outputs.parent_predictions), ("after", retrained.outputs.predictions)):
        n_atoms = node.get_array("n_atoms")
        rows = np.repeat(np.isin(node.get_array("frame_ids"), sorted(held_out)), n_atoms)
        difference = (node.get_array("forces_predicted") - node.get_array("forces_reference"))[rows]
        told = outputs.summary[f"augmented_force_rmse_{key}"]
        assert np.sqrt(np.mean(difference**2)) == pytest.approx(told, rel=1e-9)
    assert outputs.summary["model_hash"] != outputs.summary["first"]["model_hash"]


def test_what_is_unknown_was_cut_out_and_learned_and_the_run_made_again(finished_loop):
    outputs = finished_loop.outputs
    closed, told = outputs.closed, outputs.summary["closed"]
    assert closed.decision["learn"] is True
    assert told["before"]["unknown"] == outputs.classification["phase_fractions"]["whole_run"]["unknown"]
    assert told["after"]["unknown"] == closed.classified.classification["phase_fractions"]["whole_run"]["unknown"]
    assert told["n_cells_cut_out"] == told["n_labelled"] == len(closed.learned.dataset) - len(outputs.dataset) == 3
    cells = set(closed.learned.dataset.frame_ids()) - set(outputs.dataset.frame_ids())
    frames = closed.learned.dataset.frames()
    atoms = [len(frame) for key, frame in zip(frames.frame_ids, frames.iter_atoms(), strict=True) if key in cells]
    assert max(atoms) < outputs.trajectory.base.attributes.get("n_atoms")
    assert closed.learned.potential.model_hash != outputs.potential.model_hash
    # The clusters are those of the run before: nothing is clustered anew.
    assert closed.classified.phases.classifier()[0].n_clusters == outputs.phases.classifier()[0].n_clusters


def test_an_archive_holds_all_that_reads_dataset_and_model(finished_loop, verdi_environment, tmp_path):
    archive = tmp_path / "study.aiida"
    verdi = str(Path(sys.executable).parent / "verdi")

    def run(*arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [verdi, *arguments], env={**verdi_environment, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("archive", "create", "--nodes", finished_loop.uuid, "--", str(archive))
    script = tmp_path / "read.py"
    script.write_text(
        "import sys\n"
        "from aiida import orm\n"
        "top = orm.load_node(sys.argv[1])\n"
        "dataset, model = top.outputs.dataset, top.outputs.potential\n"
        "print(len(dataset.frames()), dataset.content_hash, model.model_hash, len(model.get_content(mode='rb')))\n"
    )
    empty = {"AIIDA_PATH": str(tmp_path / "empty")}
    (tmp_path / "empty").mkdir()
    run("presto", "--profile-name", "empty", **empty)
    run("archive", "import", str(archive), **empty)
    words = run("run", str(script), finished_loop.uuid, **empty).split()
    outputs = finished_loop.outputs
    expected = [str(len(outputs.dataset)), outputs.dataset.content_hash, outputs.potential.model_hash]
    assert words[:3] == expected
    assert int(words[3]) == len(outputs.potential.get_content(mode="rb"))


@pytest.fixture(scope="module")
def replayed(finished_loop, daemon, seireact):
    """Return what `aiida-seireact replay` planned and what it told, with all scratch gone."""
    # A job that was answered from the cache within the study has the folder of the one that ran.
    folders = {
        process.outputs.remote_folder.get_remote_path()
        for process in finished_loop.called_descendants
        if "remote_folder" in process.outputs
    }
    for folder in folders:
        shutil.rmtree(folder)
    plan = json.loads(seireact("replay", str(finished_loop.pk), "--dry-run", "--json"))
    return plan, json.loads(seireact("replay", str(finished_loop.pk), "--json", "--yes"))


def test_replay_runs_no_program_though_all_scratch_is_gone(finished_loop, replayed):
    _, told = replayed
    replay = orm.load_node(told["pk"])
    assert replay.is_finished_ok
    ran = [
        node
        for node in replay.called_descendants
        if isinstance(node, orm.CalculationNode) and not node.base.caching.is_created_from_cache
    ]
    assert not ran
    assert told["ran"] == told["other_outputs"] == []
    counts = [Counter(node.process_label for node in top.called_descendants) for top in (finished_loop, replay)]
    assert counts[0] == counts[1]
    assert replay.outputs.dataset.content_hash == finished_loop.outputs.dataset.content_hash
    assert replay.outputs.summary.get_dict() == finished_loop.outputs.summary.get_dict()


def test_what_a_replay_would_do_is_what_it_does(finished_loop, replayed):
    plan, told = replayed
    promised = [item for item in plan["processes"] if item["fate"] != "workflow"]
    assert plan["counts"] == {"cache": told["n_from_cache"]} == {"cache": len(promised)}
    assert plan["cost"]["sure"]["n_jobs"] == plan["cost"]["possible"]["n_jobs"] == 0
    made = orm.load_node(told["pk"]).called_descendants
    sources = [node.base.caching.get_cache_source() for node in made if isinstance(node, orm.CalculationNode)]
    assert sorted(sources) == sorted(item["source"] for item in promised)


def test_a_new_version_of_training_is_named_with_all_that_comes_after_it(finished_loop, monkeypatch):
    monkeypatch.setattr(AllegroCalculation, "CACHE_VERSION", 99)
    plan = plan_of(finished_loop)
    assert {item.member.name for item in plan.of("run")} == {"AllegroCalculation"}
    after = {item.member.name for item in plan.of("after")}
    assert {
        "CompileCalculation",
        "LammpsCalculation",
        "ClassifyCalculation",
        "AnalyseCalculation",
        "summarise",
    } <= after
    # What was labelled and explored before the first model hangs on none.
    cached = {item.member.name for item in plan.of("cache")}
    assert {"build_cells", "AseCalculation", "FlareCalculation", "make_dataset"} <= cached
    assert cost_of(plan).sure.n_jobs == len(plan.of("run")) >= 2


def test_each_number_of_the_report_is_walked_back_to_labels(finished_loop, seireact):
    keys = json.loads(seireact("trace", "--in", str(finished_loop.pk), "--json"))
    for key in ("force_rmse_ev_per_ang", "phase_fractions.last", "ps4_intact_end", "canary_force_rmse", "n_frames"):
        assert keys[key]["value"] is not None
        way = trace(orm.load_node(keys[key]["uuid"]))
        assert sum(item.n_frames for item in way.labellings) >= finished_loop.outputs.summary["n_frames"] // 4, key
    told = json.loads(seireact("trace", "phase_fractions.last.unknown", "--in", str(finished_loop.pk), "--json"))
    assert {item["process"] for item in told["labellings"]} == {"AseCalculation"}

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.parsers.allegro import AllegroParser
from tests.checkpoints import checkpoint_file
from tests.parsers.conftest import result

ROW = {"n_frames": 1, "force_rmse_ev_per_ang": 0.1}
OUTPUTS: dict[str, Any] = {
    "errors": {"a": ROW, "all": ROW},
    "errors_before": None,
    "validation": {},
    "best_epoch": 0,
    "n_epochs": 1,
    "done": True,
    "learner": "allegro",
    "n_frames": {},
    "species": ["Li", "S"],
    "r_max_ang": 4.5,
    "model_hash": "new",
    "model_versions": {},
}
CARD = {
    "kind": "allegro-package",
    "species": ["Li", "S"],
    "cutoff_ang": 4.5,
    "model_hash": "old",
    "dataset_hash": "",
    "versions": {},
    "metrics": {},
}


@pytest.fixture
def parsed(labelled, finished_job, tmp_path):
    """Return a factory of the outputs of a training that has ended, with or without a parent."""

    def make(before: dict[str, Any] | None) -> dict[str, orm.Node]:
        frames = labelled(4)
        inputs = {
            "dataset": DatasetData([frames], [["train", "val", "test", "test"]]),
            "reference_energies": orm.Dict({"energies_ev": {"Li": 0.0}, "source": "none"}),
        }
        names = [files.PREDICTIONS]
        if before:
            inputs["parent"] = PotentialData(io.BytesIO(b"zip"), card=CARD)
            names.append(files.PARENT_PREDICTIONS)
        for number, name in enumerate(names):
            columns = {key: getattr(frames, key) + number for key in ("energy", "forces", "stress")}
            references = {f"{key}_reference": getattr(frames, key) for key in ("energy", "forces", "stress")}
            np.savez(
                tmp_path / name,
                offsets=frames.offsets,
                config_type=frames.config_type,
                frame_ids=np.array(frames.frame_ids),
                **columns,
                **references,
            )
        (tmp_path / files.CURVE).write_text(json.dumps({"epoch": [0.0], "lr": [None]}))
        (tmp_path / files.PACKAGE).write_bytes(b"zip")
        checkpoint_file(tmp_path, 2.0, 1.0)
        told = result(outputs={**OUTPUTS, "errors_before": before})
        node = finished_job("seireact.allegro", {files.RESULT: told}, inputs)
        outputs, process = AllegroParser.parse_from_node(
            node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
        )
        assert process.is_finished_ok, process.exit_message
        return outputs

    return make


def test_a_training_from_nothing_has_no_parent_to_tell_of(parsed):
    outputs = parsed(None)
    assert "parent_metrics" not in outputs
    assert outputs["metrics"]["by_type"] == {"a": ROW}
    assert outputs["potential"].model_hash == "new"


def test_errors_and_predictions_of_the_parent_stand_beside_those_of_the_model(parsed):
    before = {"a": {**ROW, "force_rmse_ev_per_ang": 0.4}, "all": {**ROW, "force_rmse_ev_per_ang": 0.4}}
    outputs = parsed(before)
    assert outputs["parent_metrics"].get_dict() == {
        "all": before["all"],
        "by_type": {"a": before["a"]},
        "model_hash": "old",
    }
    own, parent = outputs["predictions"], outputs["parent_predictions"]
    assert own.get_array("frame_ids").tolist() == parent.get_array("frame_ids").tolist()
    np.testing.assert_allclose(parent.get_array("forces_predicted"), own.get_array("forces_predicted") + 1)


def test_the_checkpoint_to_go_on_from_is_a_node_that_knows_its_epoch(parsed):
    checkpoint = parsed(None)["checkpoint"]
    assert (checkpoint.epoch, checkpoint.base.attributes.get("best_epoch")) == (1, 1)


@pytest.mark.parametrize(("kept", "found"), [(None, False), (1.0, True), (0.7, False)])
def test_a_killed_job_leaves_its_checkpoint_if_it_is_whole(finished_job, labelled, tmp_path, kept, found):
    if kept is not None:
        path = checkpoint_file(tmp_path, 2.0, 1.0)
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
    dataset = DatasetData([labelled(3)], [["train", "train", "val"]])
    node = finished_job("seireact.allegro", {}, {"dataset": dataset}, exit_status=120)
    outputs, process = AllegroParser.parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.exit_status == 120
    assert ("checkpoint" in outputs) == found


def test_what_was_best_before_a_training_ran_away_is_kept(finished_job, labelled, trained, tmp_path):
    (tmp_path / files.PACKAGE).write_bytes(trained.package.read_bytes())
    dataset = DatasetData([labelled(3)], [["train", "train", "val"]])
    told = result(status="failed", error={"kind": "diverged", "message": "so it was."})
    node = finished_job("seireact.allegro", {files.RESULT: told}, {"dataset": dataset})
    outputs, process = AllegroParser.parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.exit_status == 421
    assert outputs["potential"].model_hash == trained.outputs["model_hash"]
    assert "metrics" not in outputs


def test_and_told_of_like_any_other_model(finished_job, labelled, trained, tmp_path):
    (tmp_path / files.PACKAGE).write_bytes(trained.package.read_bytes())
    (tmp_path / files.CURVE).write_text(json.dumps({"epoch": [0], "val_total": [0.5], "lr": [None]}))
    rescued = {**OUTPUTS, "errors": None, "errors_before": None, "validation": {"val_total": 0.5}, "done": False}
    (tmp_path / files.RESCUED).write_text(json.dumps(rescued))
    dataset = DatasetData([labelled(3)], [["train", "train", "val"]])
    told = result(status="failed", error={"kind": "diverged", "message": "so it was."})
    energies = orm.Dict({"energies_ev": {}, "source": "test"})
    node = finished_job("seireact.allegro", {files.RESULT: told}, {"dataset": dataset, "reference_energies": energies})
    outputs, process = AllegroParser.parse_from_node(
        node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
    )
    assert process.exit_status == 421
    assert outputs["metrics"]["validation"] == {"val_total": 0.5}
    assert outputs["potential"].model_hash == OUTPUTS["model_hash"]
    assert "checkpoint" not in outputs


@pytest.mark.parametrize(("kind", "status"), [("diverged", 421), ("out_of_memory", 422), ("checkpoint_lost", 423)])
def test_failures_that_a_handler_knows_have_a_status_each(finished_job, labelled, kind, status):
    dataset = DatasetData([labelled(3)], [["train", "train", "val"]])
    told = result(status="failed", error={"kind": kind, "message": "so it was."})
    node = finished_job("seireact.allegro", {files.RESULT: told}, {"dataset": dataset})
    _, process = AllegroParser.parse_from_node(node, store_provenance=False)
    assert process.exit_status == status
    assert process.exit_message.endswith("so it was.")


def test_a_package_of_the_other_learner_is_called_so(parsed, monkeypatch):
    monkeypatch.setitem(OUTPUTS, "learner", "nequip")
    assert parsed(None)["potential"].kind == "nequip-package"

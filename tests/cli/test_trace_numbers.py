"""A number of a report, or a row of a figure, walked back to the labels; a liar and a stranger are told."""

from __future__ import annotations

import csv
import json
from uuid import UUID

import pytest
from aiida.common.links import LinkType

from aiida_seireact.cli import trace_numbers
from tests.graphviz import need_dot

from .conftest import finish, workchain
from .test_status import run


@pytest.fixture(scope="module")
def top(study):
    """Return a finished study that gives out the model of `study` and its errors."""
    node = workchain("ReactWorkChain")
    study.potential.base.links.add_incoming(node, LinkType.RETURN, "potential")
    study.dataset.base.links.add_incoming(node, LinkType.RETURN, "dataset")
    study.train_job.outputs.metrics.base.links.add_incoming(node, LinkType.RETURN, "metrics")
    finish(node)
    node.seal()
    return node


@pytest.fixture(scope="module")
def report(top, tmp_path_factory):
    """Return the folder of its report."""
    folder = tmp_path_factory.mktemp("report")
    assert run("report", top.pk, "-o", folder).exit_code == 0
    return folder


@pytest.mark.parametrize("place", ["pk", "folder", "file"])
def test_a_number_is_walked_back_to_its_labels(study, top, report, place):
    where = {"pk": top.pk, "folder": report, "file": report / "summary.json"}[place]
    result = run("trace", "force_rmse_ev_per_ang", "--in", where)
    assert result.exit_code == 0, result.output
    assert "force_rmse_ev_per_ang = 0.12, all.force_rmse_ev_per_ang of" in result.output
    assert f"LabelCalculation <{study.label_job.pk}>" in result.output
    assert "1 labelling calculations, 4 labelled frames" in result.output


def test_a_number_as_json_holds_the_chain(study, top):
    way = json.loads(run("trace", "frames_by_type.Li", "--in", top.pk, "--json").output)
    assert way["root"]["text"].startswith("frames_by_type.Li = 4")
    assert way["root"]["under"][0]["uuid"] == study.dataset.uuid
    assert [item["uuid"] for item in way["labellings"]] == [study.label_job.uuid]


@pytest.fixture(scope="module")
def other(study):
    """Return a second study, of the same model, without a dataset."""
    node = workchain("ReactWorkChain")
    study.potential.base.links.add_incoming(node, LinkType.RETURN, "potential")
    study.train_job.outputs.metrics.base.links.add_incoming(node, LinkType.RETURN, "metrics")
    finish(node)
    node.seal()
    return node


def test_a_number_of_a_report_of_several_runs_is_walked_back(study, top, other, tmp_path):
    assert run("report", top.pk, other.pk, "-o", tmp_path, "--no-figures").exit_code == 0
    content = json.loads((tmp_path / "summary.json").read_text())
    assert content["schema"] == "seireact-summaries/1"
    for pk in (top.pk, other.pk):
        key = f"runs.{pk}.force_rmse_ev_per_ang"
        result = run("trace", key, "--in", tmp_path)
        assert result.exit_code == 0, result.output
        assert f"{key} = 0.12, all.force_rmse_ev_per_ang of" in result.output
        assert f"LabelCalculation <{study.label_job.pk}>" in result.output
    told = json.loads(run("trace", f"runs.{top.pk}.n_frames", "--in", tmp_path / "summary.json", "--json").output)
    assert told["root"]["text"].startswith(f"runs.{top.pk}.n_frames = 4")
    keys = json.loads(run("trace", tmp_path, "--json").output)
    assert f"runs.{top.pk}.n_frames" in keys
    assert f"runs.{other.pk}.n_frames" not in keys
    # Whose number it is has to be said.
    lost = run("trace", "n_frames", "--in", tmp_path)
    assert lost.exit_code == 1
    assert "has no number 'n_frames' that a node holds" in " ".join(lost.output.split())
    content["runs"][str(other.pk)]["force_rmse_ev_per_ang"] = 0.01
    (tmp_path / "summary.json").write_text(json.dumps(content))
    lying = run("trace", f"runs.{other.pk}.force_rmse_ev_per_ang", "--in", tmp_path)
    assert lying.exit_code == 1
    assert "was changed after it was written" in " ".join(lying.output.split())


def test_keys_that_can_be_traced_are_listed(top, report):
    told = run("trace", "--in", top.pk).output
    assert all(key in told for key in ("force_rmse_ev_per_ang", "n_frames", "frames_by_split.train", "model_hash"))
    assert json.loads(run("trace", report, "--json").output)["n_frames"]["value"] == 4


def test_all_numbers_below_a_key_are_traced_together(top):
    assert "frames_by_split = train 2, val 1, test 1" in run("trace", "frames_by_split", "--in", top.pk).output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("force_rmse", "--in", "{top}"), "has no number 'force_rmse' that a node holds. Near: force_rms"),
        (("exit_status", "--in", "{top}"), "has no number 'exit_status' that a node holds"),
        (("n_frames", "--in", "{dataset}"), "is a DatasetData, not a process"),
        (("force_rmse_ev_per_ang",), "Of the key of a number say where: --in PK"),
        (("n_frames", "--in", "nowhere/summary.json"), "There is no nowhere/summary.json"),
        ((), "Give WHAT to trace"),
        (("abcdef99",), "No frame in this profile has an id that begins with 'abcdef99'"),
        (("nowhere.csv", "--row", "0"), "nowhere.csv can't be read"),
        (("{top}", "--row", "0"), "--row is of the CSV of a figure"),
        (("{top}", "--graph", "way.bmp"), "a graph is written as one of .svg"),
    ],
)
def test_a_question_that_does_not_fit_is_told_in_a_sentence(study, top, words, sentence):
    result = run("trace", *(word.format(top=top.pk, dataset=study.dataset.pk) for word in words))
    assert result.exit_code in (1, 2)
    assert sentence in " ".join(result.output.split())


def test_a_file_that_was_changed_by_hand_is_told(report, tmp_path):
    lying = tmp_path / "summary.json"
    content = json.loads((report / "summary.json").read_text())
    lying.write_text(json.dumps({**content, "force_rmse_ev_per_ang": 0.01}))
    result = run("trace", "force_rmse_ev_per_ang", "--in", lying)
    assert result.exit_code == 1
    assert "says force_rmse_ev_per_ang = 0.01, but all.force_rmse_ev_per_ang of node" in result.output


def test_a_report_of_another_profile_or_another_age_is_told(report, tmp_path):
    content = json.loads((report / "summary.json").read_text())
    stranger = {"uuid": "11111111-2222-4333-8444-555555555555", "path": "n_frames", "is_value": True}
    for change, sentence in (
        ({"sources": {"n_frames": stranger}}, "is not in this profile"),
        ({"schema": "other/1"}, "is no summary.json of a report"),
        ({"sources": None}, "does not tell its sources"),
    ):
        changed = {key: value for key, value in {**content, **change}.items() if value is not None}
        (tmp_path / "summary.json").write_text(json.dumps(changed))
        result = run("trace", "n_frames", "--in", tmp_path)
        assert result.exit_code == 1
        assert sentence in result.output


def test_a_row_of_a_figure_is_walked_back_from_the_nodes_it_names(study, top, tmp_path):
    table = tmp_path / "parity.csv"
    row = f"0.1,0.2,{study.potential.uuid} {study.merged.uuid},{study.train_job.uuid},{top.uuid}"
    table.write_text(f"reference_ev,predicted_ev,node_uuid,process_uuid,run_uuid\n,,,,\n{row}\n")
    told = run("trace", table, "--row", 1).output
    assert "row 1 of parity.csv = reference_ev 0.1, predicted_ev 0.2" in told
    assert f"PotentialData <{study.potential.pk}>" in told
    assert "1 labelling calculations" in told
    assert "names no node" in run("trace", table, "--row", 0).output
    assert "has rows 0 to 1, not 2" in run("trace", table, "--row", 2).output
    assert "has rows 0 to 1, give one" in run("trace", table).output
    table.write_text("a,b\n1,2\n")
    assert "has no column node_uuid" in run("trace", table, "--row", 0).output


def test_a_row_of_thousands_of_nodes_is_read(tmp_path, monkeypatch):
    uuids = [str(UUID(int=number)) for number in range(5000)]
    table = tmp_path / "costs.csv"
    table.write_text(f"value,node_uuid\n1.5,{' '.join(uuids)}\n")
    assert table.stat().st_size > csv.field_size_limit()
    before = csv.field_size_limit()
    monkeypatch.setattr(trace_numbers, "_load", lambda uuid: uuid)  # they are in no profile
    found = trace_numbers.row_of(table, 0)
    assert found.nodes == tuple(uuids)
    assert found.value == "value 1.5"
    assert csv.field_size_limit() == before


def test_a_frame_is_found_by_the_beginning_of_its_id(study, top):
    frame_id = study.dataset.frame_ids()[1]
    for word in (frame_id, frame_id[:12]):
        told = json.loads(run("trace", word, "--json").output)
        assert told["frame_id"] == frame_id
        assert told["split"] == study.dataset.column("split")[1]
        assert told["labelling"]["pk"] == study.label_job.pk
    assert json.loads(run("trace", study.starts.frames.frame_ids[0], "--json").output)["labelling"] is None
    assert "is too short" in run("trace", f"{frame_id[:3]}ff").output


def test_the_chain_is_drawn(top, tmp_path):
    need_dot()
    assert run("trace", "n_frames", "--in", top.pk, "--graph", tmp_path / "way.svg").exit_code == 0
    picture = (tmp_path / "way.svg").read_text()
    assert picture.startswith("<?xml")
    assert all(word in picture for word in ("n_frames = 4", "make_dataset", "LabelCalculation", "4 labelled frames"))


def test_without_graphviz_its_install_command_is_told(top, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("trace", top.pk, "--graph", tmp_path / "way.svg")
    assert result.exit_code == 1
    assert "`apt-get install graphviz`" in result.output
    assert not (tmp_path / "way.svg").exists()
    assert run("trace", top.pk, "--graph", tmp_path / "way.dot").exit_code == 0
    assert (tmp_path / "way.dot").read_text().startswith("digraph")

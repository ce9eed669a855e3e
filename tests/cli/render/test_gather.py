"""Numbers of a report are of sealed processes that ended well, and all of them are in its summary."""

from __future__ import annotations

import copy
import json

import pytest
from aiida import orm

from aiida_seireact.cli.render.gather import gather
from aiida_seireact.cli.render.html import render_html
from aiida_seireact.cli.render.summary import summary_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.publishing.numbers import differences
from tests.cli import loop_graph
from tests.cli.conftest import add_job, call, created, finish, workchain
from tests.cli.report_graph import finished_study

METRICS = {"all": {"n_frames": 2, "force_rmse_ev_per_ang": 0.5, "force_rms_ev_per_ang": 1.0}, "by_type": {}}


@pytest.fixture
def top(aiida_profile) -> orm.WorkChainNode:
    return workchain("ReactWorkChain")


def test_a_model_counts_once_its_training_is_sealed(top):
    train = add_job("train", "seireact.allegro", top, "train")
    created(orm.Dict(METRICS), train, "metrics")
    finish(train)
    data = gather(top)
    assert data.model.metrics == {}
    assert "force_rmse_ev_per_ang" not in data.content
    assert "stage train is not over" in data.missing["metrics"]
    train.seal()
    assert summary_of(gather(top))["force_rmse_ev_per_ang"] == 0.5


def test_campaigns_of_an_exploration_count_once_it_is_sealed(aiida_profile):
    top = loop_graph.study()
    explore = workchain("ExploreWorkChain", top, "explore")
    campaigns, _ = loop_graph.explored()
    campaigns.base.links.add_incoming(explore, loop_graph.LinkType.RETURN, "campaigns")
    finish(explore, 480, "1 of 3 campaigns failed, none may")
    assert gather(top).exploration is None
    explore.seal()
    assert gather(top).exploration is not None


def test_labelled_frames_count_once_their_process_is_sealed(top, study):
    label = orm.CalcFunctionNode()
    label.set_process_label("label")
    call(top, label, "label")
    label.store()
    created(FramesData(study.merged.frames), label, "frames")
    finish(label)
    assert gather(top).n_first_labels == 0
    label.seal()
    assert gather(top).n_first_labels == len(study.merged)


def test_a_leg_that_is_not_sealed_is_not_told(top):
    explore = workchain("ExploreWorkChain", top, "explore")
    campaign = loop_graph.campaign(explore, "interface_300", [46, 90])
    job = add_job("flare", "seireact.flare", campaign, "leg_003")
    created(orm.Dict({"status": "unsure", "step": 170}), job, "leg")
    finish(job)
    (condition,) = gather(top).conditions
    assert (condition.n_legs, condition.step, condition.n_calls) == (2, 90, 2)
    job.seal()
    (condition,) = gather(top).conditions
    assert (condition.n_legs, condition.step) == (3, 170)


@pytest.fixture(scope="module")
def finished(study) -> orm.WorkChainNode:
    return finished_study(study)


@pytest.fixture(scope="module")
def told(finished) -> dict:
    return json.loads(json.dumps(summary_of(gather(finished)), allow_nan=False))


def test_a_number_of_any_table_that_was_spoilt_is_named(told, finished):
    assert list(differences(told, json.loads(json.dumps(summary_of(gather(finished)))))) == []
    spoilt = copy.deepcopy(told)
    spoilt["ledger"][0]["core_hours"]["label"] += 0.5
    spoilt["troubles"][0]["outcome"] = "it was mended"
    spoilt["tables"]["errors"]["last"][0]["force_rmse_ev_per_ang"] = 9.0
    spoilt["tables"]["processes"][0]["seconds"] += 1.0
    named = [line.split(" is told")[0] for line in differences(spoilt, told)]
    assert named == [
        "ledger[0].core_hours.label",
        "tables.errors.last[0].force_rmse_ev_per_ang",
        "tables.processes[0].seconds",
        "troubles[0].outcome",
    ]


def test_every_row_of_costs_and_troubles_on_the_page_is_in_the_summary(told, finished):
    data = gather(finished)
    page = render_html(data)
    costs = page[page.index('<h2 id="costs">') :]
    costs = costs[: costs.index("</table>")]
    assert costs.count("<tr") - 1 == len(told["ledger"]) > 2
    assert {row["uuid"] for row in told["troubles"]} == {trouble.uuid for trouble in data.troubles}
    assert len(told["tables"]["processes"]) == len(data.processes)
    assert told["ledger"][-1]["core_hours"]["all"] == data.ledger[-1].core_hours


def test_what_depends_on_when_the_page_is_made_is_not_in_the_tables(top):
    finish(workchain("LabelWorkChain", top, "label"))
    first, second = (summary_of(gather(top))["tables"] for _ in range(2))
    assert first == second

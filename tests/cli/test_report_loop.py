"""The report of a loop that explored and augmented: finished, half-way, failed, and of its parts alone."""

from __future__ import annotations

import json
import os
import re
from html import unescape
from pathlib import Path

import pytest
from aiida import orm

from aiida_seireact.cli.render.gather import gather
from aiida_seireact.cli.render.html import render_html
from aiida_seireact.cli.render.judged import Judged
from aiida_seireact.cli.render.summary import summary_of
from aiida_seireact.cli.report import key_numbers

from . import loop_graph
from .conftest import add_job, created, finish, workchain


def plain(page: str) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", page)).replace("\u202f", " ")


@pytest.fixture(scope="module")
def loop(aiida_profile) -> orm.WorkChainNode:
    return loop_graph.whole_loop()


@pytest.fixture(scope="module")
def page(loop) -> str:
    text = render_html(gather(loop))
    if keep := os.environ.get("SEIREACT_KEEP_REPORT"):
        Path(keep).write_text(text, encoding="utf-8")
    return text


def test_nothing_of_a_finished_loop_is_missing(loop):
    missing = gather(loop).missing
    # This loop was linked without these; what is asked of here is what they are not.
    assert not set(missing) - {"summary", "reference_plan", "picture", "first.predictions"}


def test_the_scorecard_shows_both_models_each_number_beside_its_target(loop, page):
    data = gather(loop)
    (row,) = data.judged.rows()
    assert (row["first"], row["last"]) == (
        {"passed": False, "value": "331 meV/atom"},
        {"passed": True, "value": "3 meV/atom"},
    )
    text = " ".join(plain(page).split())
    assert "✗ 331 meV/atom ✓ 3 meV/atom" in text
    assert "production: all 1 numbers of the scorecard toy hold" in text
    assert "scorecard: rejected, then production" in text
    assert any(line.startswith("verdict     production") for line in key_numbers(data))
    assert "No further round, since the scorecard holds." in text


def test_a_model_that_was_rejected_is_told_before_its_run(loop):
    data = gather(loop)
    data.judged = Judged(last=data.judged.first)
    text = " ".join(plain(render_html(data)).split())
    assert "rejected: 1 of 1 numbers fail; Li3P: the energy RMSE is 331 meV/atom" in text
    assert "made all the same, because the study was asked to" in text


def test_summary_tells_of_calls_canary_and_augmentation(loop):
    summary = summary_of(gather(loop))
    assert summary["n_flare_legs"] == 8
    assert summary["flare_label_steps"] == {
        "interface_300": [46, 90, 146],
        "interface_600": [20, 41, 66, 90],
        "Li6PS5Cl_300": [],
    }
    assert 0 < summary["canary_force_rmse"] < 1
    assert summary["n_augmented_frames"] == 20
    assert summary["augmented_force_rmse_before"] == pytest.approx(0.435, abs=0.001)
    assert summary["augmented_force_rmse_after"] == pytest.approx(0.243, abs=0.001)
    assert summary["model_hash"] == "c" * 64
    assert summary["first"]["model_hash"] == "b" * 64
    assert summary["first"]["ps4_intact_end"] == 4
    json.dumps(summary, allow_nan=False)


def test_page_tells_how_well_each_condition_has_learned(loop, page):
    told = " ".join(plain(page).split())
    assert "All conditions together: needs more ." in told
    assert "Li6PS5Cl_300 needs more It never called for a label in 300 MD steps." in told
    assert (
        "4 calls, 20 steps apart at first and 24 at last; quiet for 24 MD steps at the end, 150 are asked for." in told
    )
    assert gather(loop).exploration.rank_correlation > 0.5


def test_page_tells_the_loop_in_its_order(page):
    titles = re.findall(r'<h2 id="\w+"><span class="step">(\d)</span>([^<]+)</h2>', page)
    names = ["Label", "Explore", "Learn", "Learn from its own run", "Judge", "Produce", "Recognise"]
    assert titles == [(str(number), name) for number, name in enumerate(names, 1)]


def test_every_figure_of_the_loop_is_there_with_words_and_ids_of_its_own(page):
    for words in (
        'Calls for a label against MD time: [^"]*interface_300, 3 calls in 0.292 ps',
        "Largest uncertainty of an atom along the MD",
        "Force error of the Gaussian process on each new label before learning it",
        "Uncertainty against force error of 1",
        "Frames along the first model",
        "Force error by kind of frame before and after augmentation",
        "Predicted against labelled forces of the held-out frames",
        "first model: Li",
    ):
        assert re.search(rf'aria-label="[^"]*{words}', page), words
    assert page.count('aria-label="Training curve over 4 epochs') == 2
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "url(" not in page.replace("url(#", "")


def test_loop_is_drawn_with_the_counts_of_the_run(page):
    svg = page[page.index('<figure class="wide loop">') :].split("</svg>")[0]
    for words in (
        "3 conditions, 8 legs",
        "7 calls for a label",
        ">56 frames<",
        ">10 frames<",
        "10 learned, 5 held out",
        "error: 0.435 → 0.243 eV/Å",
    ):
        assert words in svg, words
    assert "intact PS₄: 16 → 1" in svg
    assert "first model: 6 frames, force error 0.12 eV/Å" in svg.replace("\u202f", " ")


def test_condition_that_shows_too_little_of_the_loop_says_why(page):
    text = plain(page)
    assert "Li6PS5Cl_300  shows less of the loop than it should. 1 leg only and no label asked for by" in text
    assert "all 300 steps are done" in text
    assert text.count("shows less of the loop") == 1


def test_page_is_honest_about_what_the_numbers_are_worth(page):
    text = re.sub(r"\s+", " ", plain(page))
    for words in (
        "Labels by a universal potential: the loop is real, the numbers are CHGNet's, not DFT.",
        "Do not expect the calls to thin out in so short a run.",
        "gets forces only roughly right",
        "also forgets",
        "ended by its stop rule: the largest hole has a radius of 4.8 Å",
    ):
        assert words in text, words


def test_error_that_did_not_fall_is_told(loop):
    data = gather(loop)
    data.content["augmented_force_rmse_after"] = 2 * data.content["augmented_force_rmse_before"]
    assert "the force error did not fall" in render_html(data)


def test_terminal_tells_calls_and_augmentation(loop):
    lines = "\n".join(key_numbers(gather(loop)))
    assert "8 legs, 7 calls for a label" in lines
    assert "20 frames of its own runs" in lines


def test_exploration_under_way_tells_how_far_each_condition_is(aiida_profile):
    top = loop_graph.study()
    finish(workchain("LabelWorkChain", top, "label"))
    explore = workchain("ExploreWorkChain", top, "explore")
    loop_graph.campaign(explore, "interface_300", [46, 90])
    data = gather(top)
    text = plain(render_html(data))
    assert "interface_300 (running) has reached step 90 in 2 legs, 2 ended by a call for a label" in text
    assert "stage explore is not over" in data.missing["campaigns"]
    assert data.missing["first.metrics"] == "stage train has not begun"
    assert data.missing["metrics"] == "stage augment has not begun"
    assert summary_of(data)["n_flare_legs"] is None


def test_failed_exploration_still_tells_how_its_campaigns_went(aiida_profile):
    top = loop_graph.study()
    explore = workchain("ExploreWorkChain", top, "explore")
    campaigns, _ = loop_graph.explored()
    campaigns.base.links.add_incoming(explore, loop_graph.LinkType.RETURN, "campaigns")
    finish(explore, 480, "1 of 3 campaigns failed, none may")
    finish(top, 460, "Stage explore failed")
    for node in (explore, top):
        node.seal()
    data = gather(top)
    assert summary_of(data)["n_flare_legs"] == 8
    assert "1 of 3 campaigns failed" in plain(render_html(data))


def test_failed_augmentation_shows_the_first_model(aiida_profile):
    top = loop_graph.study()
    train = workchain("TrainWorkChain", top, "train")
    job = add_job("train", "seireact.allegro", train, "iteration_01")
    metrics = created(loop_graph.metrics_of(0.12), job, "metrics")
    metrics.base.links.add_incoming(train, loop_graph.LinkType.RETURN, "metrics")
    augment = workchain("AugmentWorkChain", top, "augment")
    for node in (job, train):
        finish(node)
    finish(augment, 460, "Stage label failed")
    finish(top, 460, "Stage augment failed")
    for node in (job, train, augment, top):
        node.seal()
    data = gather(top)
    text = plain(render_html(data))
    assert "stage augment failed in AugmentWorkChain" in data.missing["metrics"]
    assert "first model, 0.12 of 0.4 eV/Å" in text
    assert summary_of(data)["force_rmse_ev_per_ang"] is None
    assert summary_of(data)["first"]["force_rmse_ev_per_ang"] == 0.12


def test_campaign_alone_has_a_report(aiida_profile):
    top = loop_graph.campaign(None, "", [46])
    parts = loop_graph.campaign_parts([46, 90], done=False)
    told = loop_graph.told_of(orm.Dict({"max_legs": 2}), orm.Dict(loop_graph.LEG), **parts)
    told.base.links.add_incoming(top, loop_graph.LinkType.RETURN, "campaign")
    finish(top)
    top.seal()
    data = gather(top)
    text = render_html(data)
    assert re.findall(r'class="step">\d</span>([^<]+)<', text) == ["Explore"]
    assert "46, 90" in text
    assert summary_of(data)["flare_label_steps"] == {"this condition": [46, 90]}

"""One condition with the real FLARE: it asks, is answered, learns, and tells how it went."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.campaign import CampaignWorkChain
from tests.workchains.conftest import EMT_LABELS, HOT, alloy, labelled, strained

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def campaign(program_code):
    """Return a factory of inputs: a run of the alloy that is unsure every few steps."""
    flare, label = program_code("flare"), program_code("label")

    def make(
        *,
        leg: dict[str, Any] | None = None,
        far: dict[str, Any] | None = None,
        seeds: FramesData | None = None,
        **labeller: Any,
    ) -> dict[str, Any]:
        return {
            "code": flare,
            "start": FramesData.from_ase([alloy(rattle_ang=0.0)]),
            "seeds": seeds or labelled(strained()),
            "parameters": orm.Dict({**HOT, **(leg or {})}),
            "campaign": orm.Dict({"max_legs": 3, **(far or {})}),
            "label": {
                "code": labeller.get("code", label),
                "parameters": orm.Dict(labeller.get("parameters", EMT_LABELS)),
            },
        }

    return make


@pytest.fixture(scope="module")
def finished(campaign):
    """Return a campaign that came to a good end."""
    with enable_caching():
        _, node = run_get_node(CampaignWorkChain, **campaign())
    assert node.is_finished_ok, node.exit_message
    return node


def test_each_call_by_the_threshold_is_told_with_its_step(finished):
    told = finished.outputs.campaign
    assert told["status"] == "unsure"
    assert told["ended_by"] == f"all 3 legs are used, and at step {told['steps']} of 60 it still asked for a label"
    assert len(told["label_steps"]) == told["n_legs"] == 3
    assert told["label_steps"] == sorted(told["label_steps"])
    assert [leg["first_step"] for leg in told["legs"]][1:] == [leg["step"] for leg in told["legs"]][:-1]
    assert 0 < told["canary_force_rmse_ev_per_ang"] < told["canary_force_rms_ev_per_ang"]


def test_every_frame_asked_for_is_labelled_and_pooled_by_its_id(finished):
    frames, told = finished.outputs.frames.frames, finished.outputs.campaign
    assert len(frames) == told["n_asked"] == told["n_labels"]
    assert frames.frame_ids == sorted(frames.frame_ids)
    assert set(told["label_steps"]) <= set(frames.md_step.tolist())
    assert set(frames.config_type.tolist()) == {"alloy"}
    assert set(frames.parent_id.tolist()) == set(finished.inputs.start.frames.frame_ids)


def test_the_frame_it_was_unsure_of_is_learned_and_the_others_measured(finished):
    told = finished.outputs.campaign
    assert [leg["n_frames_added"] for leg in told["legs"]] == [8, 1, 1]
    assert {row["md_step"] for row in told["canary"] if row["learned"]} == set(told["label_steps"][:-1])
    assert finished.outputs.gp.card["dataset_hash"] != finished.inputs.seeds.content_hash
    assert finished.outputs.gp.kind == "sgp"


def test_arrays_tell_the_leg_of_each_row(finished):
    arrays, told = finished.outputs.arrays, finished.outputs.campaign
    step, leg = arrays.get_array("trace_step"), arrays.get_array("trace_leg")
    assert [step[leg == number].max() for number in (1, 2, 3)] == told["label_steps"]
    errors = arrays.get_array("canary_force_error")
    assert np.sqrt(np.mean(errors**2) / 3) == pytest.approx(told["canary_force_rmse_ev_per_ang"])
    assert len(errors) == told["canary_atoms"] == 8 * len(told["canary"])


def test_nothing_in_its_graph_is_without_origin(finished):
    entering = {link.node.pk for link in finished.base.links.get_incoming().all()}
    defaults = {"max_iterations", "clean_workdir"}
    orphans = [
        (process.process_label, link.link_label)
        for process in finished.called_descendants
        for link in process.base.links.get_incoming(node_class=orm.Data).all()
        if link.node.creator is None and link.node.pk not in entering and link.link_label not in defaults
    ]
    assert not [item for item in orphans if item[1] != "code"]


def test_a_second_run_is_answered_from_the_cache(campaign, finished):
    with enable_caching():
        _, again = run_get_node(CampaignWorkChain, **campaign())
    ran = [
        node.process_label
        for node in again.called_descendants
        if isinstance(node, orm.CalculationNode) and not node.base.caching.is_created_from_cache
    ]
    assert not ran
    assert again.outputs.frames.content_hash == finished.outputs.frames.content_hash
    assert again.outputs.campaign.get_dict() == finished.outputs.campaign.get_dict()


def test_a_leg_whose_label_is_lost_is_run_anew_by_another_way(campaign, finished, moody_labeller):
    first = next(node for node in finished.called if node.process_label == "LegWorkChain")
    unsure = first.outputs.asked.to_ase(len(first.outputs.asked) - 1)
    moody = moody_labeller(f"abs(atoms.positions[0, 0] - {unsure.positions[0, 0]!r}) < 1e-12")
    seeds = labelled(strained(), moody.pop("settings_hash"))
    outputs, node = run_get_node(CampaignWorkChain, **campaign(seeds=seeds, far={"max_legs": 2}, **moody))
    assert node.is_finished_ok, node.exit_message
    told = outputs["campaign"]
    assert [leg["given_up"] for leg in told["legs"]] == [True, False, False]
    assert [leg["detour"] for leg in told["legs"]] == [0, 1, 0]
    assert [leg["first_step"] for leg in told["legs"]][:2] == [0, 0]
    assert told["legs"][0]["asked_step"] == finished.outputs.campaign["label_steps"][0]
    assert told["label_steps"] == [leg["asked_step"] for leg in told["legs"][1:] if leg["status"] == "unsure"]
    # The frame without a label is nowhere; those that were labelled beside it stay.
    lost = first.outputs.asked.frames.structure_ids[-1]
    assert lost not in outputs["frames"].frames.structure_ids
    assert set(first.outputs.asked.frames.structure_ids[:-1]) <= set(outputs["frames"].frames.structure_ids)
    assert outputs["failures"]["failures"][0]["job"] == "round_001"
    assert len(outputs["frames"]) == told["n_labels"] == told["n_asked"] - 1
    assert set(outputs["arrays"].get_array("trace_leg").tolist()) == {2, 3}
    second = [child for child in node.called if child.process_label == "LegWorkChain"][1]
    assert "state" not in second.inputs
    assert second.inputs.detour.creator.process_label == "step_back"


def test_a_detour_that_pauses_goes_on_by_the_way_it_took(campaign, finished, moody_labeller):
    first = next(node for node in finished.called if node.process_label == "LegWorkChain")
    unsure = first.outputs.asked.to_ase(len(first.outputs.asked) - 1)
    moody = moody_labeller(f"abs(atoms.positions[0, 0] - {unsure.positions[0, 0]!r}) < 1e-12")
    seeds = labelled(strained(), moody.pop("settings_hash"))
    # The same run, cut into pieces: a pause changes no frame.
    cut = {"leg_steps": finished.outputs.campaign["label_steps"][0] // 2}
    outputs, node = run_get_node(
        CampaignWorkChain, **campaign(leg=cut, seeds=seeds, far={"max_legs": 5, "stop_when_converged": False}, **moody)
    )
    assert node.is_finished_ok, node.exit_message
    legs = outputs["campaign"]["legs"]
    assert [leg["given_up"] for leg in legs].count(True) == 1
    lost = next(number for number, leg in enumerate(legs) if leg["given_up"])
    assert lost >= 1
    assert legs[lost - 1]["status"] == "paused"
    assert legs[lost]["asked_step"] == finished.outputs.campaign["label_steps"][0]
    assert [leg["detour"] for leg in legs] == [int(number == lost + 1) for number in range(len(legs))]
    way = [leg for leg in legs if not leg["given_up"]]
    assert [leg["first_step"] for leg in way] == [0, *(leg["step"] for leg in way[:-1])]


def test_without_the_label_it_needs_a_campaign_ends_with_the_reason(campaign, moody_labeller):
    moody = moody_labeller("next(CALLS) >= 1")
    seeds = labelled(strained(), moody.pop("settings_hash"))
    outputs, node = run_get_node(CampaignWorkChain, **campaign(seeds=seeds, far={"max_detours": 1}, **moody))
    assert node.exit_status == 470
    assert "after 2 tries no detour is left: max_detours is 1" in node.exit_message
    assert "the electrons did not converge" in node.exit_message
    assert "frames" not in outputs
    assert {failure["job"] for failure in outputs["failures"]["failures"]} == {"round_001", "round_002"}
    told = outputs["campaign"]
    assert told["status"] == "failed"
    assert "the frame it was unsure of has no label, after 2 tries: " in told["ended_by"]
    assert told["n_legs"] == 2
    assert told["n_labels"] == 2


def test_labels_of_another_level_of_theory_end_a_campaign(campaign):
    outputs, node = run_get_node(CampaignWorkChain, **campaign(seeds=labelled(strained(), "b" * 64)))
    assert node.exit_status == 260
    assert "The seeds were labelled with settings bbbbbbbbbbbb" in node.exit_message
    assert outputs["campaign"]["ended_by"].endswith("of another level of theory than the first ones")


def test_a_labeller_that_fails_altogether_ends_a_campaign_with_its_words(campaign, moody_labeller):
    moody = moody_labeller("True")
    seeds = labelled(strained(), moody.pop("settings_hash"))
    outputs, node = run_get_node(CampaignWorkChain, **campaign(seeds=seeds, far={"max_detours": 0}, **moody))
    assert node.exit_status == 470
    assert "after one try no detour is left" in node.exit_message
    assert "frames" not in outputs
    assert "the electrons did not converge" in outputs["campaign"]["ended_by"]

"""The loop closed with the real programs: what is unknown in a run of an alloy is cut out, labelled and learned."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.close_loop import CloseLoopWorkChain
from tests.workchains.conftest import alloy

CLASSIFY: dict[str, Any] = {
    "trajectory": {"skip_first": 1},
    "spec": {"species": ["Al", "Cu"], "cutoff_ang": 3.5, "centre": "Al"},
    "n_landmarks": 200,
    "maxk": 30,
    "z": 2.0,
    "keep_variance": None,
    "metal": ["Al"],
    "electrolyte": ["Cu"],
}
CUT = {"core_ang": 2.0, "edge_ang": 6.5, "relax_steps": 5}
OVERRIDES: dict[str, Any] = {
    "md": {"training": None},
    "select": {
        "runs": {"training": None, "production": {"learned": 6, "held_out": 3, "cut": CUT}},
        "reasons": {"unknown": 1.0},
    },
}


@pytest.fixture(scope="module")
def closing(program_code, augment_builder, cold_process):
    """Return the inputs of a loop whose run nobody has a name for, and the process that classified it."""
    with enable_caching():
        _, made = run_get_node(augment_builder(cold=cold_process))
        run = made.outputs.trajectories.production
        _, classified = run_get_node(
            ClassifyWorkChain, code=program_code("classify"), trajectory=run, parameters=orm.Dict(CLASSIFY)
        )
    assert classified.is_finished_ok, classified.exit_message
    given = augment_builder(OVERRIDES)._inputs(prune=True)
    augment = {name: value for name, value in given.items() if name not in ("metadata", "options")}
    augment["cells"] = {"production": FramesData.from_ase([alloy(rattle_ang=0.01).repeat((1, 2, 1))])}
    return {
        "settings": orm.Dict({"unknown_limit": 0.05}),
        "trajectory": run,
        **{name: classified.outputs[name] for name in ("classification", "labels", "phases")},
        "classify": {"code": classified.inputs.code, "parameters": classified.inputs.parameters},
        "augment": augment,
    }


@pytest.mark.slow
def test_what_is_unknown_is_cut_out_labelled_and_learned_and_the_run_made_again(closing):
    with enable_caching():
        outputs, node = run_get_node(CloseLoopWorkChain, **closing)
    assert node.is_finished_ok, node.exit_message
    told = node.outputs.comparison.get_dict()
    assert (
        told["before"]["unknown"] == closing["classification"]["interphase"]["phase_fractions"]["whole_run"]["unknown"]
    )
    assert told["n_cells_cut_out"] == told["n_labelled"] == 9
    assert told["held_out"]["after"]["force_rmse_ev_per_ang"] > 0
    # One classifier for both runs.
    assert outputs["classified"]["phases"].base.attributes.get("n_landmarks") == closing["phases"].base.attributes.get(
        "n_landmarks"
    )
    assert outputs["produced"]["trajectory"].uuid != closing["trajectory"].uuid
    grown = set(outputs["learned"]["dataset"].frame_ids()) - set(closing["augment"]["dataset"].frame_ids())
    assert len(grown) == 9
    cells = node.base.links.get_outgoing(link_label_filter="learned").one().node
    selection = cells.outputs.selection
    assert set(selection.get_array("reason")[selection.get_array("chosen")]) == {"unknown"}
    for process in node.called:
        for link in process.base.links.get_incoming(node_class=orm.Data).all():
            known = link.node.creator is not None or isinstance(link.node, orm.Code)
            entering = link.node in node.base.links.get_incoming().all_nodes()
            assert known or entering or link.link_label in {"max_iterations", "clean_workdir"}, link


@pytest.mark.slow
def test_what_is_known_is_left_alone(closing):
    outputs, node = run_get_node(CloseLoopWorkChain, **{**closing, "settings": orm.Dict({"unknown_limit": 1.0})})
    assert node.is_finished_ok, node.exit_message
    assert list(outputs) == ["decision"]
    assert outputs["decision"]["learn"] is False
    assert [child.process_label for child in node.called] == ["decide_to_learn"]


@pytest.mark.slow
def test_a_run_that_is_not_among_the_cells_is_refused(closing):
    with pytest.raises(ValueError, match="no cell of the run 'other'"):
        run_get_node(CloseLoopWorkChain, **{**closing, "settings": orm.Dict({"run": "other"})})

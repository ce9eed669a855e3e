"""Tables that figures make of those of queries: errors, ends of curves, rates, health."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact.figures import entries_learning
from aiida_seireact.figures.gallery import make
from aiida_seireact.figures.style import lighter, pretty
from aiida_seireact.figures.tables import below_each_other, joined, summed
from tests.figures.tables import ps4
from tests.query.graph import arrays, chain, ends, function, job, trajectory
from tests.verdicts import verdict_on

STEPS = [0, 500, 1000]  # of 2 fs: 0, 1, 2 ps


@pytest.fixture(scope="module")
def rest(aiida_profile: Any) -> orm.WorkChainNode:
    """A run with what the graphs of the queries' tests lack: pace, voids, profiles of phases and templates."""
    top = chain("ReactWorkChain")
    run = trajectory(STEPS).store()
    pace = {
        "break_found": True, "break_ps": 0.6, "break_interval_95_ps": [0.5, 0.7], "rate_before_per_ps": -20.0,
        "rate_after_per_ps": -1.0, "best": "two lines",
    }  # fmt: skip
    counts = [[[1.0, 3.0], [3.0, 1.0], [0.0, 0.0]]] * 2
    found = arrays(
        steps=STEPS, n_intact_ps4=[8, 1, 0], smallest_distance_ang=[2.0, 1.9, 1.8], largest_hole_ang=[np.nan, 3.0, 4.0],
        void_steps=[0, 1000], void_volume_ang3=[0.0, 12.5],
        phase_profile=counts, phase_profile_steps=[0, 500], phase_profile_z_ang=[1.0, 3.0],
        phase_names=["unknown", "Li", "Li2S"], ptm_profile=counts, ptm_profile_steps=[0, 500],
        ptm_profile_z_ang=[1.0, 3.0], ptm_structures=["other", "bcc", "hcp"],
    )  # fmt: skip
    ends(job("seireact.analyse", top, "analyse", trajectory=run), analysis=orm.Dict({"n_p": 8, "ps4_pace": pace}),
         analysis_arrays=found)  # fmt: skip
    region = {"like": "Li2S", "name": "Li2S0.72P0.14Cl0.14", "sulfur": {
        "counted": 0.27, "expected": 0.72**4, "p_value": 0.4}}  # fmt: skip
    regions = [region, {"like": "Li", "name": "Li", "sulfur": None}]
    ends(job("seireact.classify", top, "classify", trajectory=run), discovery_arrays=arrays(steps=[0]),
         discovery=orm.Dict({"groups": [], "regions": regions, "centre": "Li"}))  # fmt: skip
    verdict = verdict_on("m" * 64, 7.0)
    line = verdict["lines"][0]
    more = [
        {"test": "elastic", "subject": "Li", "quantity": "C11", "unit": "GPa", "value": 15.0, "reference": 14.0},
        {"test": "stability", "subject": "Li at 300 K", "quantity": "largest hole over its limit", "value": 0.5},
    ]
    verdict["lines"] += [{**line, "name": f"more {number}", **told} for number, told in enumerate(more)]
    ends(function("judge", top), result=orm.Dict(verdict))
    return top


def test_a_break_is_a_figure_of_two_rates_and_a_time(rest: orm.WorkChainNode) -> None:
    figure = make("regimes", rest)
    rates, times = figure.panels
    assert figure.column(rates.traces[0], "value").tolist() == [-20.0, -1.0]
    assert figure.column(times.traces[0], "low").tolist() == [0.5]


def test_cavities_have_a_panel_with_its_unit_for_each_measure(rest: orm.WorkChainNode) -> None:
    figure = make("cavities", rest)
    assert [panel.y_label for panel in figure.panels] == ["smallest distance (Å)", "largest hole (Å)", "voids (Å³)"]
    assert figure.column(figure.panels[2].traces[0], "value").tolist() == [0.0, 12.5]


def test_li2s_lies_beside_what_chance_gives(rest: orm.WorkChainNode) -> None:
    figure = make("sulfur", rest)
    # 0.72⁴ of the Li of a random mixture of the paper's composition have four S.
    assert {trace.name: figure.column(trace, "value").tolist() for trace in figure.panels[0].traces} == {
        "counted": [0.27], "x_S⁴, by chance": [pytest.approx(0.72**4)],
    }  # fmt: skip


def test_maps_leave_out_what_is_nowhere(rest: orm.WorkChainNode) -> None:
    phases, templates = make("phase_map", rest), make("template_map", rest)
    assert [panel.title for panel in phases.panels] == ["unknown", "Li"]
    assert [panel.title for panel in templates.panels] == ["other", "bcc"]
    x, y, shares = phases.grid(phases.panels[1].traces[0])
    assert (x.tolist(), y.tolist()) == ([0.0, 1.0], [1.0, 3.0])
    assert shares.tolist() == [[0.75, 0.75], [0.25, 0.25]]


def test_numbers_of_a_scorecard_lie_beside_the_labellers(rest: orm.WorkChainNode) -> None:
    elastic = make("elastic", rest)
    assert {trace.name: elastic.column(trace, "value").tolist() for trace in elastic.panels[0].traces} == {
        "label": [14.0], "model": [15.0],
    }  # fmt: skip
    assert "C11 (GPa)" in [panel.title for panel in make("scorecard", rest).panels]
    (trace,) = make("stability", rest).panels[0].traces
    assert make("stability", rest).column(trace, "of").tolist() == ["largest hole"]


def test_errors_before_and_after_are_of_the_same_frames(trained: orm.WorkChainNode) -> None:
    found = entries_learning.before_after(trained)
    # The model is off by 0.5 eV on the one atom of `Li`, its parent by 1; on Li2S neither is.
    assert found[["config_type", "moment", "rmse_mev_per_atom"]].to_numpy().tolist() == [
        ["Li", "before", 1000.0], ["Li2S", "before", 0.0], ["Li", "after", 500.0], ["Li2S", "after", 0.0],
    ]  # fmt: skip
    assert found["n_frames"].tolist() == [1, 1, 1, 1]


def test_a_curve_of_calls_begins_at_zero_and_ends_with_md(explored: orm.WorkChainNode) -> None:
    found = entries_learning.calls_with_ends(explored)
    hot = found[found["condition"] == "hot"]
    assert hot["call"].iloc[0] == 0.0
    assert hot["time_ps"].iloc[0] == 0.0
    assert hot["time_ps"].is_monotonic_increasing
    assert hot["call"].iloc[-1] == hot["call"].max()
    # 500 steps were made, the last call was before.
    assert hot["step"].iloc[-2] < 500


def test_columns_below_each_other_keep_their_nodes() -> None:
    table = ps4("a", [4, 2]).assign(nothing=np.nan)
    found = below_each_other(table, {"n_intact": "intact", "n_p": "all", "nothing": "none", "absent": "none"})
    assert found[["quantity", "value"]].to_numpy().tolist() == [["intact", 4], ["intact", 2], ["all", 4], ["all", 4]]
    assert found["node_uuid"].nunique() == 1
    assert below_each_other(table, {"nothing": "none"}).empty


def test_sums_keep_all_their_nodes() -> None:
    table = ps4("a", [4, 2])
    table["node_uuid"] = ["b a", "c"]
    (row,) = summed(table, ["run", "run_uuid"], ["n_intact"]).to_dict("records")
    assert (row["n_intact"], row["node_uuid"]) == (6, "a b c")
    assert joined(table["node_uuid"]) == "a b c"


def test_words_and_colours() -> None:
    assert [pretty(name) for name in ("Li2S", "Li6PS5Cl", "Li2S0.72P0.14Cl0.14", "cluster 2", "Li")] == [
        "Li₂S", "Li₆PS₅Cl", "Li2S0.72P0.14Cl0.14", "cluster 2", "Li",
    ]  # fmt: skip
    assert lighter("#000000", 0.5) == "#808080"
    assert lighter("#0072b2", 0.0) == "#0072b2"

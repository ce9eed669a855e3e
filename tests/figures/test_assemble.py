"""From tables to figures: what gives a colour, what a panel, and what the mean over seeds is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aiida_seireact.figures.assemble import Words, assemble
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.figure import Figure, FigureError
from aiida_seireact.figures.on_page import to_plotly
from aiida_seireact.figures.on_paper import to_matplotlib
from aiida_seireact.figures.style import PALETTE, PHASE_COLOURS
from tests.figures.tables import facts, phases, ps4, uuid

WORDS = Words("ps4", "Intact PS4", "")
PS4 = Chart("line", "time_ps", "n_intact", x_label="time (ps)", y_label="intact PS4", from_zero=True)
PHASES = Chart("area", "time_ps", "fraction", x_label="t", y_label="share", series="phase", palette="phase")


def together(*tables: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def curves(figure: Figure) -> dict[str, list[float]]:
    return {trace.name: figure.column(trace, trace.y).tolist() for panel in figure.panels for trace in panel.traces}


def colours(figure: Figure) -> list[tuple[str, str]]:
    return [(trace.name, trace.colour) for trace in figure.panels[0].traces]


def n_values(figure: Figure) -> tuple[int, int]:
    """Return traces and points that the page draws."""
    items = [item for item in to_plotly(figure)["data"] if item["meta"]["part"] == "values"]
    return len(items), sum(len(item["x"]) for item in items)


def test_the_numbers_are_those_of_the_table() -> None:
    table = ps4("a", [12, 9, 4])
    figure = assemble(WORDS, table, PS4)
    assert curves(figure) == {"a": [12.0, 9.0, 4.0]}
    pd.testing.assert_frame_equal(figure.table[list(table.columns)], table)
    assert figure.sources == tuple(sorted({uuid("n", "a"), uuid("p", "a"), uuid("r", "a")}))


def test_two_runs_lie_on_one_axis_with_a_colour_each() -> None:
    figure = assemble(WORDS, together(ps4("a", [12, 9]), ps4("b", [8, 8])), PS4)
    assert len(figure.panels) == 1
    assert colours(figure) == [("a", PALETTE[0]), ("b", PALETTE[1])]
    assert n_values(figure) == (2, figure.n_points) == (2, 4)
    assert len(to_matplotlib(figure).axes[0].lines) == 2


def test_a_run_without_a_label_is_called_by_its_uuid_not_its_pk() -> None:
    figure = assemble(WORDS, ps4("a", [1, 2], label="<1234>"), PS4)
    assert list(curves(figure)) == [uuid("r", "a")[:8]]


def test_the_first_model_of_a_study_is_told_apart_from_its_last() -> None:
    figure = assemble(WORDS, together(ps4("a", [4, 3]), ps4("a", [4, 1], part="first")), PS4)
    assert list(curves(figure)) == ["first model", "last model"]


def test_size_gives_the_colour_and_small_comes_first() -> None:
    table = together(ps4("big", [9, 9]), ps4("small", [5, 1]), ps4("other", [6, 2]))
    told = facts(big={"n_atoms": 21120}, small={"n_atoms": 10080}, other={"n_atoms": 10080})
    figure = assemble(WORDS, table, PS4, facts=told, colour="size")
    # Each run keeps its curve; runs of one size share colour and name.
    assert colours(figure) == [
        ("10\u202f080 atoms", PALETTE[0]), ("10\u202f080 atoms", PALETTE[0]), ("21\u202f120 atoms", PALETTE[1]),
    ]  # fmt: skip
    assert [figure.column(trace, "n_intact").tolist() for trace in figure.panels[0].traces] == [[5, 1], [6, 2], [9, 9]]
    assert n_values(figure) == (3, 6)
    shown = [item["showlegend"] for item in to_plotly(figure)["data"]]
    assert shown == [True, False, True]


@pytest.mark.parametrize(
    ("colour", "told", "names"),
    [
        ("temperature", {"a": {"temperature_k": 600.0}, "b": {"temperature_k": 300.0}}, ["300 K", "600 K"]),
        ("coating", {"a": {"coating": "Li2S"}, "b": {"coating": "bare"}}, ["bare", "Li2S"]),
        ("model", {"a": {"model_hash": "f" * 64}, "b": {"model_hash": "0" * 64}}, ["model ffffffff", "model 00000000"]),
    ],
)  # fmt: skip
def test_what_gives_a_colour(colour: str, told: dict, names: list[str]) -> None:
    figure = assemble(WORDS, together(ps4("a", [1]), ps4("b", [2])), PS4, facts=facts(**told), colour=colour)  # type: ignore[arg-type]
    assert list(curves(figure)) == names


def test_the_mean_over_seeds_and_its_spread() -> None:
    table = together(ps4("a", [10, 6]), ps4("b", [10, 9]), ps4("c", [10, 3]))
    told = facts(a={"velocity_seed": 1}, b={"velocity_seed": 2}, c={"velocity_seed": 3})
    figure = assemble(WORDS, table, PS4, facts=told, mean_over="seed")
    (trace,) = figure.panels[0].traces
    assert figure.column(trace, "n_intact").tolist() == [10.0, 6.0]
    # 9, 6, 3: the standard deviation of three values 3 apart is 3.
    assert figure.table["sd"].tolist() == [0.0, 3.0]
    assert figure.column(trace, "mean_minus_sd").tolist() == [10.0, 3.0]
    assert figure.column(trace, "mean_plus_sd").tolist() == [10.0, 9.0]
    assert figure.table["n_runs"].tolist() == [3, 3]
    assert figure.table["node_uuid"][0].split() == [uuid("n", run) for run in "abc"]
    assert set(figure.sources) >= {uuid("r", run) for run in "abc"}
    (band,) = [item for item in to_plotly(figure)["data"] if item["meta"]["part"] == "band"]
    assert band["y"] == [10.0, 9.0, 3.0, 10.0]


def test_means_are_taken_within_a_size_only() -> None:
    table = together(ps4("a", [4, 2]), ps4("b", [4, 4]), ps4("big", [9, 7]))
    told = facts(a={}, b={}, big={"n_atoms": 400})
    figure = assemble(WORDS, table, PS4, facts=told, colour="size", mean_over="seed")
    assert curves(figure) == {"100 atoms": [4.0, 3.0], "400 atoms": [9.0, 7.0]}
    one = figure.table[figure.table["colour"] == "400 atoms"]
    assert one["sd"].isna().all(), "one run has no spread"
    assert figure.notes[-1] == "Mean and standard deviation over runs of unlike seed (100 atoms: 2, 400 atoms: 1)."


def test_a_replay_is_no_second_seed() -> None:
    table = together(ps4("a", [4, 2]), ps4("again", [4, 2]), ps4("b", [4, 4]))
    told = facts(a={"content_hash": "same"}, again={"content_hash": "same"}, b={})
    figure = assemble(WORDS, table, PS4, facts=told, mean_over="seed")
    assert figure.table["n_runs"].tolist() == [2, 2]
    assert figure.table["sd"].tolist() == [0.0, pytest.approx(np.sqrt(2))]
    assert figure.notes[0] == "1 runs are copies of others by content, and count once."


def test_a_mean_ends_with_the_shortest_run() -> None:
    told = facts(a={}, b={})
    figure = assemble(WORDS, together(ps4("a", [4, 2, 1]), ps4("b", [4, 4])), PS4, facts=told, mean_over="seed")
    assert len(figure.table) == 2
    assert "1 points that not all runs of their group have" in figure.notes[0]
    apart = together(ps4("a", [4, 2]), ps4("b", [4, 4]).assign(time_ps=[0.3, 0.4]))
    with pytest.raises(FigureError, match="share no point"):
        assemble(WORDS, apart, PS4, facts=told, mean_over="seed")


def test_phases_of_one_run_have_the_colours_of_phases() -> None:
    table = phases("a", {"Li": [0.6, 0.5], "Li2S": [0.4, 0.5]})
    figure = assemble(WORDS, table, PHASES)
    assert colours(figure) == [("Li", PHASE_COLOURS["Li"]), ("Li₂S", PHASE_COLOURS["Li2S"])]


def test_areas_of_several_runs_are_panels_or_lines() -> None:
    table = together(phases("a", {"Li": [0.6], "Li2S": [0.4]}), phases("b", {"Li": [0.2], "Li2S": [0.8]}))
    stacked = assemble(WORDS, table, replace(PHASES, side_by_side=True))
    assert [panel.title for panel in stacked.panels] == ["a", "b"]
    assert {trace.kind for panel in stacked.panels for trace in panel.traces} == {"area"}
    lines = assemble(WORDS, table, PHASES)
    assert [(trace.kind, trace.name, trace.dash) for trace in lines.panels[0].traces] == [
        ("line", "a, Li", "solid"), ("line", "a, Li₂S", "dashed"), ("line", "b, Li", "solid"),
        ("line", "b, Li₂S", "dashed"),
    ]  # fmt: skip


def test_many_series_of_several_runs_are_panels() -> None:
    shares = {name: [0.25, 0.25] for name in ("Li", "Li2S", "LiCl", "Li3P")}
    figure = assemble(WORDS, together(phases("a", shares), phases("b", shares)), PHASES)
    assert [panel.title for panel in figure.panels] == ["Li", "Li₂S", "LiCl", "Li₃P"]
    assert [trace.name for trace in figure.panels[2].traces] == ["a", "b"]


def test_a_run_that_is_asked_for_twice_is_drawn_once() -> None:
    study, run = ps4("a", [4, 2]), ps4("a", [4, 2]).assign(run="alone", run_uuid=uuid("r", "x"))
    assert curves(assemble(WORDS, together(study, run), PS4)) == {"a": [4.0, 2.0]}


def test_what_cannot_be_told_is_refused() -> None:
    models = ps4("a", [1, 2]).drop(columns=["trajectory_uuid", "n_atoms"])
    with pytest.raises(FigureError, match="Nothing tells the size of these numbers"):
        assemble(WORDS, models, PS4, facts=facts(a={}), colour="size")
    with pytest.raises(FigureError, match="no MD run, so there is no mean over seeds"):
        assemble(WORDS, models, PS4, facts=facts(a={}), mean_over="seed")
    with pytest.raises(FigureError, match="it has no mean over seeds"):
        assemble(WORDS, ps4("a", [1]), replace(PS4, has_mean=False), facts=facts(a={}), mean_over="seed")
    with pytest.raises(FigureError, match="There is nothing to draw in figure ps4"):
        assemble(WORDS, ps4("a", [1])[:0], PS4)

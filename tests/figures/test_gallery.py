"""Every figure of the map, made of small graphs with known numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from aiida import orm

from aiida_seireact import query
from aiida_seireact.figures.figure import UUID_COLUMNS, Figure, FigureError
from aiida_seireact.figures.files import save
from aiida_seireact.figures.gallery import FIGURES, can_be_made, entry_of, make
from aiida_seireact.figures.on_page import to_plotly
from aiida_seireact.figures.on_paper import to_matplotlib
from tests.query.graph import chain

STUDIES = ("analysed", "energies", "interphase", "labels", "explored", "moved", "trained")
# What these graphs have no numbers for.
NOT_IN_THE_GRAPHS = {
    "elastic",
    "scorecard",
    "stability",
    "phase_map",
    "template_map",
    "regimes",
    "cavities",
}
COMPARING = {"sizes", "coatings"}
MADE = [name for name, entry in FIGURES.items() if entry.read and name not in NOT_IN_THE_GRAPHS | COMPARING]


@pytest.fixture(scope="module")
def everything(request: pytest.FixtureRequest) -> list[orm.ProcessNode]:
    return [request.getfixturevalue(name) for name in STUDIES]


class Made(dict[str, Figure]):
    """Figures of some processes, each made when it is asked for first."""

    def __init__(self, what: list[orm.ProcessNode]) -> None:
        self.what = what

    def __missing__(self, name: str) -> Figure:
        return self.setdefault(name, make(name, self.what))


@pytest.fixture(scope="module")
def figures(everything: list[orm.ProcessNode]) -> dict[str, Figure]:
    return Made(everything)


@pytest.mark.parametrize("name", MADE)
def test_paper_and_page_draw_the_same_points(figures: dict[str, Figure], name: str) -> None:
    figure = figures[name]
    page = to_plotly(figure)
    json.dumps(page, allow_nan=False)
    items = [item for item in page["data"] if item["meta"]["part"] == "values"]
    assert len(items) == sum(len(panel.traces) for panel in figure.panels)
    drawn = sum(np.size(item["x"]) for item in items if item["type"] != "heatmap")
    drawn += sum(sum(value is not None for row in item["z"] for value in row) for item in items if "z" in item)
    assert drawn == figure.n_points
    picture = to_matplotlib(figure)
    panels = [axes for axes in picture.axes if axes.get_label() != "<colorbar>"]
    assert len(panels) == len(figure.panels)
    for number, (axes, panel) in enumerate(zip(panels, figure.panels, strict=True)):
        on_page = [item for item in items if item["meta"]["panel"] == number]
        lines = [item for item in on_page if item["type"] == "scatter" and item["mode"].startswith("lines")]
        curves = [line for line in axes.lines if line.get_color() in {trace.colour for trace in panel.traces}]
        if all(trace.kind == "line" for trace in panel.traces):
            assert len(lines) == len(curves) == len(panel.traces)
            for item, line in zip(lines, curves, strict=True):
                np.testing.assert_array_equal(np.array(item["y"], dtype=float), line.get_ydata())


@pytest.mark.parametrize("name", MADE)
def test_every_row_tells_its_nodes(figures: dict[str, Figure], name: str) -> None:
    table = figures[name].table
    assert set(UUID_COLUMNS) <= set(table)
    assert (table["process_uuid"] != "").all()
    assert (table["run_uuid"] != "").all()
    # Neither is the same in the profile an archive is imported into.
    assert not {"pk", "computer"} & set(table)
    for uuid in figures[name].sources:
        assert orm.load_node(uuid).is_stored


@pytest.mark.parametrize("name", [name for name in FIGURES if name not in MADE])
def test_what_cannot_be_made_says_why(everything: list[orm.ProcessNode], name: str) -> None:
    with pytest.raises(FigureError) as refused:
        make(name, everything)
    entry = FIGURES[name]
    assert "compares" if name in COMPARING else (entry.why_not or entry.needs) in str(refused.value)


@pytest.mark.parametrize("name", list(FIGURES))
def test_every_entry_is_whole(name: str) -> None:
    entry = FIGURES[name]
    assert entry.title
    assert entry.shows
    assert all(hasattr(query, of) for of in entry.queries)
    if entry.read is None:
        assert entry.why_not
        assert not entry.chart
    else:
        assert entry.chart
        assert entry.queries
        assert entry.nodes
        assert entry.needs
        assert entry.caption.endswith(".")


def test_a_process_with_nothing_gives_a_sentence_for_every_figure(aiida_profile: Any) -> None:
    nothing = chain("ReactWorkChain")
    told = {name: why for name, n_rows, why in can_be_made(nothing) if n_rows == 0}
    assert set(told) == set(FIGURES)
    assert told["ps4"].startswith("Nothing there to draw: analyse a run")


@pytest.mark.parametrize(
    ("name", "of", "columns"),
    [
        ("ps4", query.ps4, ["step", "n_intact"]),
        ("phases", query.phases, ["phase", "step", "fraction"]),
        ("thickness", query.thickness, ["definition", "side", "thickness_ang"]),
        ("canaries", query.canaries, ["time_ps", "force_rmse_ev_per_ang"]),
        ("calibration", query.canary_atoms, ["std", "force_error_ev_per_ang"]),
        ("hull", query.hull, ["phase", "above_hull_mev_per_atom"]),
        ("gaps", query.gaps, ["name", "gap_ev"]),
        ("speed", query.speeds, ["n_atoms", "ns_per_day"]),
        ("survival", query.survival, ["group", "lag_ps", "staying"]),
        ("far_movers", query.far_movers, ["atom_id", "z_fraction", "moved_ang"]),
    ],
)
def test_the_csv_has_the_numbers_of_the_query(
    everything: list[orm.ProcessNode],
    figures: dict[str, Figure],
    tmp_path: Path,
    name: str,
    of: Any,
    columns: list[str],
) -> None:
    paths = save(figures[name], tmp_path, ["svg"])
    found = pd.read_csv(paths["csv"], float_precision="round_trip")
    keys = ["node_uuid", *columns]
    left, right = (
        table[keys].dropna().sort_values(keys, kind="stable").reset_index(drop=True)
        for table in (found, of(everything))
    )
    pd.testing.assert_frame_equal(left, right, check_dtype=False, check_exact=True)


def test_the_same_figure_is_the_same_bytes(figures: dict[str, Figure], everything: Any, tmp_path: Path) -> None:
    for name in ("ps4", "composition_map", "parity"):
        first = save(figures[name], tmp_path / "a", ["svg", "pdf", "png", "json"])
        second = save(make(name, everything), tmp_path / "b", ["svg", "pdf", "png", "json"])
        for kind in first:
            assert first[kind].read_bytes() == second[kind].read_bytes(), (name, kind)
    told = json.loads((tmp_path / "a" / "ps4.sources.json").read_text())
    assert set(told["nodes"] + told["processes"] + told["runs"]) == set(figures["ps4"].sources)


# ------------------------------------------------------------------------------------ several runs
def curves(figure: Figure) -> dict[str, list[float]]:
    return {trace.name: figure.column(trace, trace.y).tolist() for trace in figure.panels[0].traces}


def test_two_sizes_are_two_colours(runs: dict[str, orm.WorkChainNode]) -> None:
    figure = make("sizes", [runs["large"], runs["small"]])
    assert curves(figure) == {"10 atoms": [1.0, 0.5, 0.25], "400 atoms": [1.0, 1.0, 0.875]}
    assert len({trace.colour for trace in figure.panels[0].traces}) == 2


def test_coated_lies_beside_bare(runs: dict[str, orm.WorkChainNode]) -> None:
    figure = make("coatings", [runs["coated"], runs["small"]])
    assert curves(figure) == {"bare": [1.0, 0.5, 0.25], "Li2S": [1.0, 1.0, 1.0]}


def test_the_mean_over_two_seeds_of_a_group(runs: dict[str, orm.WorkChainNode]) -> None:
    group = orm.Group(label="seeds").store()
    group.add_nodes([runs["small"], runs["again"]])
    figure = make("ps4", "seeds", mean_over="seed")
    assert curves(figure) == {"all runs": [8.0, 5.0, 4.0]}
    # Half the difference of two values times √2: (6 − 4)/√2 and (6 − 2)/√2.
    assert figure.table["sd"].tolist() == pytest.approx([0.0, np.sqrt(2), np.sqrt(8)])
    assert figure.table["n_runs"].tolist() == [2, 2, 2]


def test_a_comparison_of_one_kind_is_refused(runs: dict[str, orm.WorkChainNode]) -> None:
    with pytest.raises(FigureError, match="these numbers have one size only"):
        make("sizes", [runs["small"], runs["again"]])


def test_a_name_that_is_none_gets_the_nearest() -> None:
    with pytest.raises(FigureError, match="Do you mean thickness"):
        entry_of("thicknes")

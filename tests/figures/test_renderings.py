"""Both renderings of a figure draw the same traces with the same points, those of its table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.text import Text

from aiida_seireact.figures.figure import Figure, FigureError, Panel, Reference, Trace, sources_of
from aiida_seireact.figures.files import save
from aiida_seireact.figures.on_page import template, to_plotly
from aiida_seireact.figures.on_paper import to_matplotlib

N = 6
TABLE = pd.DataFrame(
    {
        "time_ps": np.arange(N) * 0.5,
        "share": [0.1, 0.2, np.nan, 0.4, 0.5, 0.6],
        "low": [0.0, 0.1, np.nan, np.nan, 0.4, 0.5],
        "high": [0.2, 0.3, np.nan, np.nan, 0.6, 0.7],
        "z_ang": [0.0, 1.0] * 3,
        "t": [0.0, 0.0, 1.0, 1.0, 2.0, 2.0],
        "phase": ["Li", "Li2S", "LiCl"] * 2,
        "node_uuid": ["a b", "c", "c", "c", "c", "c"],
        "process_uuid": ["p"] * N,
        "run_uuid": ["r"] * N,
    }
)


def every(*places: int) -> np.ndarray:
    return np.array(places or range(N), dtype=np.int64)


def figure_of(*traces: Trace, **panel: object) -> Figure:
    settings = {"x_label": "x", "y_label": "y", **panel}
    return Figure("test", "Test", "A test.", TABLE, (Panel(traces, **settings),), sources_of(TABLE))  # type: ignore[arg-type]


def values(figure: Figure) -> list[dict]:
    page = to_plotly(figure)
    json.dumps(page, allow_nan=False)
    return [item for item in page["data"] if item["meta"]["part"] == "values"]


def test_a_line_with_a_band_is_the_same_on_paper_and_page() -> None:
    figure = figure_of(Trace("line", "one", every(), "time_ps", "share", low="low", high="high"))
    (axes,) = to_matplotlib(figure).axes
    (line,) = axes.lines
    (item,) = values(figure)
    np.testing.assert_array_equal(line.get_xdata(), item["x"])
    np.testing.assert_array_equal(line.get_ydata(), np.array(item["y"], dtype=float))
    assert item["y"][2] is None
    (band,) = [item for item in to_plotly(figure)["data"] if item["meta"]["part"] == "band"]
    # Two stretches are known, of two points each: two polygons with a gap between.
    assert band["x"] == [0.0, 0.5, 0.5, 0.0, None, 2.0, 2.5, 2.5, 2.0]
    assert band["y"] == [0.2, 0.3, 0.1, 0.0, None, 0.6, 0.7, 0.5, 0.4]
    assert len(axes.collections) == 1


def test_points_and_bars_have_their_error_bars_in_both() -> None:
    places = every(0, 1, 4, 5)
    points = figure_of(Trace("scatter", "one", places, "time_ps", "share", low="low", high="high", marker="s"))
    (item,) = values(points)
    assert item["error_y"]["array"] == pytest.approx([0.1] * 4)
    assert item["marker"]["symbol"] == "square"
    assert len(to_matplotlib(points).axes[0].collections[0].get_offsets()) == len(places)

    bars = figure_of(
        Trace("bar", "first", every(0, 1), "phase", "share", low="low", high="high"),
        Trace("bar", "second", every(4, 5), "phase", "share"),
    )
    drawn = [bar.get_height() for bar in to_matplotlib(bars).axes[0].patches]
    assert drawn == [height for item in values(bars) for height in item["y"]] == [0.1, 0.2, 0.5, 0.6]
    # The names along x come in the order of the table, in both.
    assert to_plotly(bars)["layout"]["xaxis"]["categoryarray"] == ["Li", "Li2S", "LiCl"]
    assert [label.get_text() for label in to_matplotlib(bars).axes[0].get_xticklabels()] == ["Li", "Li2S", "LiCl"]


def test_areas_are_stacked_in_their_order() -> None:
    figure = figure_of(Trace("area", "a", every(0, 1), "t", "low"), Trace("area", "b", every(0, 1), "t", "high"))
    assert len(to_matplotlib(figure).axes[0].collections) == 2
    assert {item["stackgroup"] for item in values(figure)} == {"stack0"}
    unlike = figure_of(Trace("area", "a", every(0, 2), "t", "low"), Trace("area", "b", every(0, 1), "t", "high"))
    for draw in (to_matplotlib, to_plotly):
        with pytest.raises(FigureError, match="stacked have different x"):
            draw(unlike)


def test_a_heat_map_has_a_gap_where_the_table_has_no_row() -> None:
    figure = figure_of(Trace("heat", "map", every(0, 1, 3, 4, 5), "t", "z_ang", value="share"))
    (item,) = values(figure)
    assert item["z"] == [[0.1, None, 0.5], [0.2, 0.4, 0.6]]
    (mesh,) = [part for part in to_matplotlib(figure).axes[0].collections if isinstance(part, QuadMesh)]
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), np.nan), np.array(item["z"], dtype=float))
    twice = figure_of(Trace("heat", "map", every(0, 0), "t", "z_ang", value="share"))
    with pytest.raises(FigureError, match="two rows at one place"):
        to_plotly(twice)


def test_reference_lines_are_where_they_are_named() -> None:
    figure = figure_of(
        Trace("scatter", "one", every(0, 1), "time_ps", "share"),
        references=(Reference("horizontal", 0.3, "limit"), Reference("vertical", 0.2), Reference("diagonal")),
    )
    limit, place, perfect = to_plotly(figure)["layout"]["shapes"]
    assert (limit["y0"], limit["y1"], limit["xref"]) == (0.3, 0.3, "x domain")
    assert (place["x0"], place["x1"]) == (0.2, 0.2)
    assert (perfect["x0"], perfect["x1"]) == (perfect["y0"], perfect["y1"]) == (0.0, 0.5)
    assert len(to_matplotlib(figure).axes[0].lines) == 3
    slope = Reference("slope", (1.0, 2.0))
    figure = figure_of(
        Trace("line", "one", every(1, 5), "time_ps", "share"), references=(slope,), x_scale="log", y_scale="log"
    )
    (line,) = to_plotly(figure)["layout"]["shapes"]
    assert (line["x0"], line["y0"], line["x1"], line["y1"]) == (0.5, 1.0, 2.5, 5.0)


def test_only_the_template_knows_whether_the_page_is_dark() -> None:
    page = to_plotly(figure_of(Trace("line", "one", every(), "time_ps", "share")))
    assert page["layout"]["template"] == template()
    assert template(is_dark=True)["layout"]["font"]["color"] != template()["layout"]["font"]["color"]
    # Panels lie within the picture and do not overlap.
    many = Figure(
        "test", "", "", TABLE, tuple(figure_of(Trace("line", "a", every(), "t", "low")).panels * 3), (), columns=2
    )
    layout = to_plotly(many)["layout"]
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]
    assert layout["yaxis3"]["domain"][1] < layout["yaxis"]["domain"][0]


def test_plotly_itself_takes_every_kind() -> None:
    go = pytest.importorskip("plotly.graph_objects")
    figure = figure_of(
        Trace("line", "one", every(), "time_ps", "share", low="low", high="high", dash="dotted", is_step=True),
        Trace("scatter", "two", every(), "time_ps", "share", low="low", high="high", hover=("phase",)),
        Trace("area", "three", every(0, 1), "t", "share"),
        Trace("heat", "four", every(0, 1), "t", "z_ang", value="share"),
        title="panel", references=(Reference("horizontal", 0.3, "limit"),),
    )  # fmt: skip
    go.Figure(to_plotly(figure))
    bars = figure_of(Trace("bar", "one", every(0, 1), "phase", "share", low="low", high="high"))
    go.Figure(to_plotly(bars))


def test_a_trace_of_another_table_is_refused() -> None:
    with pytest.raises(FigureError, match="has no column energy_ev"):
        figure_of(Trace("line", "one", every(), "time_ps", "energy_ev"))
    with pytest.raises(FigureError, match="rows that the table lacks"):
        figure_of(Trace("line", "one", every(0, 6), "time_ps", "share"))


def test_sources_are_all_nodes_each_once() -> None:
    assert sources_of(TABLE) == ("a", "b", "c", "p", "r")


def test_a_picture_does_not_depend_on_the_formats_before_it(tmp_path: Path) -> None:
    lines = [Trace("line", name, every(), "time_ps", "share", low="low", high="high") for name in ("one", "two")]
    for figure in (figure_of(*lines), figure_of(Trace("heat", "one", every(), "t", "z_ang", value="share"))):
        alone = save(figure, tmp_path / "alone", ["svg"])["svg"].read_bytes()
        assert save(figure, tmp_path / "all", ["pdf", "png", "svg"])["svg"].read_bytes() == alone


ODD = ["_hidden", r"a $\frac$", "5 $", r"\$x_1$", "Li$_2$S"]


def test_the_legend_has_every_name_as_it_is_but_those_of_quiet_traces(tmp_path: Path) -> None:
    quiet = Trace("line", "quiet", every(), "time_ps", "share", is_quiet=True)
    limit = (Reference("horizontal", 0.3, "limit"), Reference("vertical", 0.2))
    for kind in ("line", "scatter", "bar", "area"):
        traces = [Trace(kind, name, every(0, 1), "time_ps", "low") for name in ODD]  # type: ignore[arg-type]
        picture = to_matplotlib(figure_of(*traces, quiet, references=limit))
        (legend,) = picture.legends
        assert [shown(text) for text in legend.get_texts()] == [*ODD, "limit"]
        save(figure_of(*traces, quiet), tmp_path, ["svg", "png", "pdf"])


def shown(text: Text) -> str:
    """Return what matplotlib draws of a text: a formula is refused here."""
    drawn, is_formula = text._preprocess_math(text.get_text())  # type: ignore[attr-defined]
    assert not is_formula
    return str(drawn)


@pytest.mark.parametrize("name", ODD)
def test_names_are_no_formulas_on_paper(tmp_path: Path, name: str) -> None:
    table = TABLE.assign(phase=[name, "Li"] * 3)
    panel = Panel((Trace("bar", name, every(0, 1), "phase", "share"),), "x", "$E_0$ (eV)", title=name)
    figure = Figure("test", "Test", "A test.", table, (panel,), sources_of(table))
    (axes,) = to_matplotlib(figure).axes
    assert shown(axes.title if axes.get_title() else axes._left_title) == name
    assert [shown(label) for label in axes.get_xticklabels()] == [name, "Li"]
    assert axes.yaxis.label._preprocess_math("$E_0$ (eV)")[1]  # labels of axes are ours, and may be formulas
    save(figure, tmp_path, ["svg"])


def test_names_are_no_markup_on_the_page() -> None:
    table = TABLE.assign(phase="<b>odd</b> & co")
    odd = "&lt;b&gt;odd&lt;/b&gt; &amp; co"
    trace = Trace("bar", "<b>odd</b> & co", every(0, 1), "phase", "share")
    panel = Panel((trace,), "x", "y", title="<i>odd</i>", references=(Reference("horizontal", 0.3, "<i>limit</i>"),))
    page = to_plotly(Figure("test", "Test", "A test.", table, (panel,), sources_of(table)))
    (item,) = page["data"]
    assert item["name"] == odd
    assert set(item["x"]) == {odd} == set(page["layout"]["xaxis"]["categoryarray"])
    assert page["layout"]["shapes"][0]["label"]["text"] == "&lt;i&gt;limit&lt;/i&gt;"
    assert page["layout"]["annotations"][0]["text"] == "<b>&lt;i&gt;odd&lt;/i&gt;</b>"


@pytest.mark.parametrize(("top", "dtick"), [(5.0, "D1"), (50.0, "D2"), (5000.0, 1)])
def test_a_log_axis_of_many_decades_tells_these_alone(top: float, dtick: str | int) -> None:
    table = TABLE.assign(share=np.geomspace(1.0, top, N))
    panel = Panel((Trace("line", "one", every(), "time_ps", "share"),), "x", "y", y_scale="log")
    layout = to_plotly(Figure("test", "Test", "A test.", table, (panel,), sources_of(table)))["layout"]
    assert (layout["yaxis"]["type"], layout["yaxis"]["dtick"]) == ("log", dtick)
    assert "dtick" not in layout["xaxis"]


def test_the_buttons_have_no_box() -> None:
    for is_dark in (False, True):
        assert template(is_dark=is_dark)["layout"]["modebar"]["bgcolor"] == "rgba(0,0,0,0)"

"""Figures show the arrays they are given."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from aiida_seireact.cli.render import figures, figures_cell
from aiida_seireact.figures import style

TIME = np.linspace(0.0, 4.0, 9)


def every_figure() -> dict[str, Figure]:
    moment = {
        "positions": np.array([[1.0, 1, 1], [2, 2, 2], [3, 3, 9]]),
        "symbols": np.array(["Li", "S", "Li"]),
        "cell": np.diag([4.0, 4, 10]),
        "phases": np.array(["Li", "", "unknown"]),
    }
    return {
        "fractions": figures.fractions_in_time(
            {"first": (TIME, {"unknown": 1 - TIME / 4, "Li": TIME / 4}), "last": (TIME, {"Li": TIME / 4})}, of="Li"
        ),
        "profile": figures.profile(
            [0.5, 1.5], {"start": {"Li": [3, 1]}, "end": {"Li": [1, 1], "unknown": [2, 0]}}, ylabel="Li"
        ),
        "lines": figures.lines(TIME, {"a": TIME, "b": TIME * np.nan}, xlabel="t", ylabel="d"),
        "rdf": figures.pair_distributions([1, 2, 3], {"Li-S": {"start": [0, 2, 1], "end": [0, 1, 1]}}),
        "picture": figures_cell.cell_picture({"start": moment, "end": moment}),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return every_figure()


def test_no_figure_touches_pyplot_or_the_settings_of_the_user() -> None:
    before = dict(matplotlib.rcParams)
    every_figure()
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_every_figure_is_drawn_in_the_ink_that_the_page_replaces(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        for axes in figure.axes:
            assert to_rgb(axes.xaxis.label.get_color()) == to_rgb(style.INK), name
        assert figure.get_facecolor()[3] == 0, f"{name} hides the page's colour"


def test_fractions_stack_to_one(drawn: dict[str, Figure]) -> None:
    axes, _ = drawn["fractions"].axes
    top = axes.collections[-1].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(100.0)


def test_known_phases_have_colours_of_their_own_and_new_ones_others() -> None:
    colours = style.phase_colours(["Li", "unknown", "Li2S0.72P0.14Cl0.14", "Li7P3S11"])
    assert colours["Li"] == style.PHASE_COLOURS["Li"]
    assert len(set(colours.values())) == 4


def test_picture_wraps_atoms_into_the_cell_and_colours_lithium_only(drawn: dict[str, Figure]) -> None:
    moment = {
        "positions": np.array([[1.0, 1.0, 11.0], [1.0, 2.0, 3.0]]),
        "symbols": np.array(["Li", "S"]),
        "cell": np.diag([4.0, 4.0, 10.0]),
        "phases": np.array(["Li2S", ""]),
    }
    (axes,) = figures_cell.cell_picture({"start": moment}).axes
    points = axes.collections[0]
    places = np.asarray(points.get_offsets())
    # The sulfur is farther back along y, so it is drawn first.
    assert places == pytest.approx(np.array([[3.0, 1.0], [1.0, 1.0]]))
    faces = [tuple(face[:3]) for face in points.get_facecolor()]
    assert faces[1] == pytest.approx(to_rgb(style.PHASE_COLOURS["Li2S"]))
    assert faces[0] != faces[1]

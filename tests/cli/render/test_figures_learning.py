"""Figures of exploration and augmentation show the arrays they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from aiida_seireact.cli.render import figures_learning as figures
from aiida_seireact.figures import style

TIME = np.linspace(0.0, 0.4, 41)
PARTS = np.array(["learned"] * 10 + [""] * 3 + ["held_out"] * 10)


def every_figure() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    std = 10 ** rng.uniform(-2, -1, 200)
    run = {"time_ps": np.arange(23.0), "value": std[:23], "part": PARTS, "chosen": np.arange(23) % 4 == 0}
    row = [("production", 0.4, 0.2), ("all", 0.5, 0.3)]
    return {
        "calls": figures.calls({"a": ([0.1, 0.3], 0.4), "b": ([], 0.2)}),
        "along": figures.uncertainty_along({"a": (TIME, TIME / 2, [0.1], 0.15)}),
        "canary": figures.canary({"a": {"force_rmse": [0.2, 0.1], "force_rms": [0.4, 0.4], "asked": [False, True]}}),
        "errors": figures.uncertainty_and_error({"a": (std, 2 * std)}),
        "chosen": figures.chosen_along({"run": run}, of="uncertainty"),
        "changes": figures.before_and_after({"held out": row, "old": row}, xlabel="eV/Å"),
        "parity": figures.parity_twice(std, {"before": std, "after": std}, quantity="forces", unit="eV/Å"),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return every_figure()


def test_every_figure_is_drawn_in_the_ink_that_the_page_replaces(drawn: dict[str, Figure]) -> None:
    assert plt.get_fignums() == []
    for name, figure in drawn.items():
        assert figure.get_facecolor()[3] == 0, f"{name} hides the page's colour"
        for axes in figure.axes:
            assert to_rgb(axes.xaxis.label.get_color()) == to_rgb(style.INK), name


def test_calls_are_counted_up_to_the_end_of_the_md(drawn: dict[str, Figure]) -> None:
    (axes,) = drawn["calls"].axes
    first = axes.lines[0]
    assert first.get_xdata()[-1] == 0.4
    assert list(first.get_ydata()) == [0, 1, 2, 2]


def test_mark_of_a_call_is_at_the_uncertainty_that_called() -> None:
    # A leg begins at the step at which the last one ended, with what was learned between them.
    times, values = np.array([0.0, 0.1, 0.1, 0.2]), np.array([0.05, 0.16, 0.06, 0.08])
    (axes,) = figures.uncertainty_along({"a": (times, values, [0.1], 0.15)}).axes
    assert axes.lines[-1].get_ydata() == pytest.approx([0.16])


def test_median_in_bins_follows_the_points_and_ignores_what_no_log_axis_shows() -> None:
    x = np.concatenate([np.linspace(0.01, 0.1, 120), [0.0, 0.05]])
    y = np.concatenate([3 * x[:120], [1.0, 0.0]])
    centres, median, low, high = figures.binned(x, y)
    assert len(centres) == 10
    assert median == pytest.approx(3 * centres)
    assert (low <= median).all()
    assert (median <= high).all()


def test_too_few_points_have_no_median() -> None:
    centres, *_ = figures.binned(np.array([0.1, 0.2]), np.array([0.1, 0.2]))
    assert len(centres) == 0


def test_chosen_frames_stand_on_the_curve_in_their_part(drawn: dict[str, Figure]) -> None:
    (axes,) = drawn["chosen"].axes
    _, learned, held_out = axes.lines
    assert list(learned.get_xdata()) == [0, 4, 8]
    assert list(held_out.get_xdata()) == [16, 20]
    # One shaded stretch for each block.
    assert len(axes.patches) == 2


def test_models_are_compared_on_the_same_axes(drawn: dict[str, Figure]) -> None:
    first, second = drawn["parity"].axes
    assert first.get_xlim() == second.get_xlim() == second.get_ylim()

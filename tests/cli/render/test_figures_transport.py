"""Figures of how atoms move say what the numbers say, the vague ones too."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.cli.render.figures_transport import diffusion_by_slab, displacements, onsager_matrix
from aiida_seireact.figures.style import INK, MUTED


def test_displacements_have_their_band_and_a_line_of_diffusion() -> None:
    lag = np.arange(50) * 0.1
    msd = 6 * 0.01 * lag
    figure = displacements(lag, {"Li": (msd, msd * 0.5, msd * 2), "S": (0.1 * msd, -msd, msd * np.nan)})
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["Li", "S", "slope 1"]
    assert axes.lines[0].get_xdata()[0] == pytest.approx(0.1)  # lag 0 has no logarithm
    x, y = axes.lines[2].get_data()
    assert np.polyfit(np.log(x), np.log(y), 1)[0] == pytest.approx(1.0)
    assert len(axes.collections) == 2


@pytest.mark.filterwarnings("ignore:Conversion of an array")
def test_a_coefficient_that_is_not_told_from_zero_is_a_bound() -> None:
    z = np.array([5.0, 15.0, 25.0, 35.0])
    value, low, high = [1e-8, 1e-9, 3e-9, np.nan], [5e-9, -1e-9, np.nan, np.nan], [2e-8, 3e-9, np.nan, np.nan]
    figure = diffusion_by_slab(z, {"in the plane": {"Li": (value, low, high)}, "out of it": {"Li": (value, low, high)}})
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "in the plane"
    points = [place for line in axes.lines for place in line.get_xydata().tolist()]
    # Told with an interval; the upper end alone; without any interval.
    assert [5.0, 1e-8] in points
    assert [15.0, 3e-9] in points
    assert [15.0, 1e-9] not in points
    assert [25.0, 3e-9] in points
    assert not any(place[0] == 35.0 for place in points)


def test_onsager_coefficients_within_their_error_are_grey() -> None:
    matrix, error = np.array([[4e-4, 1e-5], [1e-5, 1e-4]]), np.array([[1e-4, 2e-5], [2e-5, np.nan]])
    figure = onsager_matrix(["Li", "S"], matrix, error, charges=None)
    texts = figure.axes[0].texts
    assert [text.get_color() for text in texts] == [INK, MUTED, MUTED, INK]
    assert texts[0].get_text().startswith("0.0004")
    conducting = onsager_matrix(["Li", "S"], matrix, error, charges=[1, -2])
    assert conducting.axes[0].texts[1].get_text().startswith("-0.00032")
    assert "S/cm" in conducting.axes[-1].get_ylabel()

"""The look of every figure, of the report as on paper: colours, marks, text, and small habits of axes.

Every figure has a transparent background and draws its text and axes in :data:`INK`, which the page replaces by its
own text colour, so that one drawing serves light and dark screens. Colours: Okabe and Ito, told apart by all common
forms of colour vision (https://jfly.uni-koeln.de/color); marks differ too where there are more kinds than colours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from itertools import cycle
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

P = ParamSpec("P")

_FORMULA = re.compile(r"(?:[A-Z][a-z]?\d*)+")
INK = "#1b1e22"
"""Replaced by the text colour of the page."""
MUTED = "#8a9099"
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c6d31", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P")
PHASE_COLOURS = {
    "Li": "#8a9099",
    "Li6PS5Cl": "#0072b2",
    "Li2S": "#e69f00",
    "LiCl": "#009e73",
    "Li3P": "#d55e00",
    "unknown": "#cc79a7",
}
SEQUENTIAL, DIVERGENT = "viridis", "RdBu_r"
"""Colour maps of matplotlib; the second is white in its middle."""
ELEMENT_COLOURS = {"Li": "#8a9099", "S": "#e69f00", "P": "#d55e00", "Cl": "#009e73"}
STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": MUTED,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw under our style whatever the user's matplotlib is set to."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, "backend": "agg", **STYLE}
        with matplotlib.rc_context(settings):
            return draw(*args, **kwargs)

    return in_style


def phase_colours(names: Sequence[str]) -> dict[str, str]:
    """Return one colour a phase; phases without a colour of their own take what is left of the palette."""
    return _own_colours(names, PHASE_COLOURS)


def element_colours(names: Sequence[str]) -> dict[str, str]:
    """Return one colour an element; those without a colour of their own take what is left of the palette."""
    return _own_colours(names, ELEMENT_COLOURS)


def _own_colours(names: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    spare = (colour for colour in cycle(PALETTE) if colour not in own.values())
    return {name: own[name] if name in own else next(spare) for name in names}


def pretty(name: str) -> str:
    """Return a formula with its whole numbers below the line; other names, and formulas with fractions, as they are."""
    if not _FORMULA.fullmatch(name) or not any(letter.isdigit() for letter in name):
        return name
    return name.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def lighter(colour: str, share: float) -> str:
    """Return a colour mixed with a share of white, below 1."""
    parts = np.array(to_rgb(colour))
    return to_hex(parts + min(share, 0.8) * (1 - parts))


def looks() -> Iterator[tuple[str, str]]:
    """Yield colours with marks: the mark changes when the colours are used up."""
    for marker in cycle(MARKERS):
        for colour in PALETTE:
            yield colour, marker


def span(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of an axis a little wider than the values."""
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def limits(x: ArrayLike) -> tuple[float, float]:
    """Return the ends of an axis that values fill from end to end."""
    values = np.asarray(x, dtype=float)
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def plain_log(axis: Axis) -> None:
    """Write 0.05, not 5 × 10⁻², on log axes of one or two decades."""
    low, high = sorted(axis.get_view_interval())
    if high / low > 200:
        return
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(LogLocator(subs=()))

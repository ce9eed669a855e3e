"""Figures by matplotlib, for print."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from aiida_seireact.figures.figure import Figure, Panel, Trace
from aiida_seireact.figures.geometry import FEW, categories, counts, in_lines, interval, line_of, stacked_x
from aiida_seireact.figures.style import DIVERGENT, MUTED, SEQUENTIAL, plain_log, styled

DASHES: dict[str, Any] = {"solid": "-", "dashed": "--", "dotted": ":"}
_MANY = 400  # points beyond which a vector file holds them as an image
_BAR_WIDTH = 0.8
_FEW_NAMES = 4  # along x, which have room for several lines


@styled
def to_matplotlib(figure: Figure) -> Picture:
    """Draw a figure for print.

    :raises FigureError: its table does not fit its panels.
    """
    columns = max(1, min(figure.columns, len(figure.panels)))
    rows = -(-len(figure.panels) // columns)
    picture = Picture(figsize=_size(figure, rows, columns), layout="constrained")
    handles: dict[str, Any] = {}
    for number, panel in enumerate(figure.panels):
        axes = picture.add_subplot(rows, columns, number + 1)
        for name, handle in _draw_panel(figure, panel, axes):
            handles.setdefault(name, handle)
    if len(handles) > 1:
        inches = 0.6 + 0.075 * max(map(len, handles))
        ncols = max(1, min(len(handles), int(picture.get_figwidth() / inches)))
        legend = picture.legend(
            list(handles.values()), ["name"] * len(handles), loc="outside lower center", ncols=ncols
        )
        # Afterwards, since matplotlib before 3.10 leaves out names that begin with _ here too.
        for text, name in zip(legend.get_texts(), handles, strict=True):
            text.set_text(_literal(name))
    # Once and for all: each format in which it is saved would find the same places anew, and that is most of its cost.
    if (layout := picture.get_layout_engine()) is not None:
        layout.execute(picture)
        picture.set_layout_engine("none")
    return picture


def _size(figure: Figure, rows: int, columns: int) -> tuple[float, float]:
    """Return inches: one column of a page, or its whole width and more."""
    if any(panel.is_square for panel in figure.panels):
        return (3.9 * columns + 0.4, 3.9 * rows + 0.6)
    width = 6.8 if columns == 1 else 3.6 * columns
    return (width, (3.4 if rows == 1 else 2.5 * rows) + 0.3)


def _literal(name: str) -> str:
    """Return a name that matplotlib draws as it is: a dollar in a user's label begins no formula."""
    return name.replace("$", r"\$")


def _draw_panel(figure: Figure, panel: Panel, axes: Axes) -> list[tuple[str, Any]]:
    """Draw a panel; return name and artist of what stands in the legend.

    By hand, since matplotlib leaves out what is called ``_…``, and so may a user have called a run.
    """
    handles: list[tuple[str, Any]] = []
    places = categories(figure, panel)
    bars = [trace for trace in panel.traces if trace.kind == "bar"]
    n_points = sum(len(trace) for trace in panel.traces)
    areas = [trace for trace in panel.traces if trace.kind == "area"]
    if areas:
        heights = [figure.column(trace, trace.y) for trace in areas]
        stack = axes.stackplot(
            stacked_x(figure, areas), heights, colors=[trace.colour for trace in areas],
            labels=[_label(trace) for trace in areas], linewidth=0, alpha=0.85,
        )  # fmt: skip
        handles += [(trace.name, area) for trace, area in zip(areas, stack, strict=True) if not trace.is_quiet]
    for trace in panel.traces:
        x, y = figure.column(trace, trace.x), figure.column(trace, trace.y)
        if places:
            x = np.array([places[str(name)] for name in x], dtype=float)
        handle: Any = None
        if trace.kind == "line":
            handle = _line(figure, trace, axes, x, y)
        elif trace.kind == "scatter":
            handle = _points(figure, trace, axes, x, y, few=n_points < FEW)
        elif trace.kind == "bar":
            width = _BAR_WIDTH / len(bars)
            place = next(place for place, bar in enumerate(bars) if bar is trace)
            middle = x - _BAR_WIDTH / 2 + (place + 0.5) * width
            handle = axes.bar(middle, y, width=0.94 * width, color=trace.colour, label=_label(trace))
            _error_bars(figure, trace, axes, middle, y)
        elif trace.kind == "heat":
            _heat(figure, panel, trace, axes)
        if handle is not None and not trace.is_quiet:
            handles.append((trace.name, handle))
    handles += _look(figure, panel, axes, places)
    return [(name, handle) for name, handle in handles if name]


def _label(trace: Trace) -> str:
    """Return the label of an artist, for a legend that somebody else draws."""
    return _literal("_" + trace.name if trace.is_quiet else trace.name)


def _line(figure: Figure, trace: Trace, axes: Axes, x: NDArray[Any], y: NDArray[Any]) -> Artist:
    style = "steps-post" if trace.is_step else "default"
    marker = trace.marker if np.isfinite(y.astype(float)).sum() < 2 else ""
    (line,) = axes.plot(
        x, y, color=trace.colour, linestyle=DASHES[trace.dash], drawstyle=style, marker=marker, markersize=4,
        label=_label(trace),
    )  # fmt: skip
    if trace.low is not None:
        low, high = interval(figure, trace)
        axes.fill_between(
            x, low, high, color=trace.colour, alpha=0.22, linewidth=0, step="post" if trace.is_step else None
        )
    return line


def _points(figure: Figure, trace: Trace, axes: Axes, x: NDArray[Any], y: NDArray[Any], *, few: bool) -> Artist:
    size = 24 if few else 8
    points = axes.scatter(
        x, y, s=size, color=trace.colour, marker=trace.marker, alpha=0.75, linewidths=0, rasterized=len(x) > _MANY,
        label=_label(trace),
    )  # fmt: skip
    _error_bars(figure, trace, axes, x, y)
    return points


def _error_bars(figure: Figure, trace: Trace, axes: Axes, x: NDArray[Any], y: NDArray[Any]) -> None:
    if trace.low is None:
        return
    low, high = interval(figure, trace)
    told = np.isfinite(low) & np.isfinite(high)
    value = y.astype(float)[told]
    axes.errorbar(
        x[told], value, yerr=[np.maximum(value - low[told], 0), np.maximum(high[told] - value, 0)], color=trace.colour,
        ecolor=MUTED if trace.kind == "bar" else trace.colour, linestyle="none", capsize=2.5, linewidth=1.1,
    )  # fmt: skip


def _heat(figure: Figure, panel: Panel, trace: Trace, axes: Axes) -> None:
    x, y, grid = figure.grid(trace)
    limits: dict[str, Any] = {}
    if panel.is_divergent:
        most = float(np.nanmax(np.abs(grid), initial=0.0)) or 1.0
        limits = {"vmin": -most, "vmax": most}
    elif panel.value_from_zero:
        limits = {"vmin": 0.0, "vmax": float(np.nanmax(grid, initial=0.0)) or 1.0}
    image = axes.pcolormesh(
        x, y, grid, shading="nearest", rasterized=True, cmap=DIVERGENT if panel.is_divergent else SEQUENTIAL, **limits
    )
    axes.get_figure().colorbar(image, ax=axes, label=panel.value_label)  # type: ignore[union-attr]


def _references(figure: Figure, panel: Panel, axes: Axes) -> list[tuple[str, Artist]]:
    """Draw the lines that are no data; return them with their names."""
    drawn: list[tuple[str, Artist]] = []
    for reference in panel.references:
        x, y = line_of(figure, panel, reference)
        look: dict[str, Any] = {"color": MUTED, "linewidth": 1.0, "label": _literal(reference.name) or "_"}
        if reference.way == "horizontal":
            line = axes.axhline(y[0], linestyle="--", **look)
        elif reference.way == "vertical":
            line = axes.axvline(x[0], linestyle="--", **look)
        else:
            (line,) = axes.plot(x, y, linestyle=":", zorder=1, **look)
        drawn.append((reference.name, line))
    return drawn


def _look(figure: Figure, panel: Panel, axes: Axes, places: dict[str, int]) -> list[tuple[str, Artist]]:
    """Dress the axes; return the lines that are no data, with their names."""
    is_heat = any(trace.kind == "heat" for trace in panel.traces)
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label, xscale=panel.x_scale, yscale=panel.y_scale)
    if panel.title:
        inches = axes.get_figure().get_figwidth() / max(1, figure.columns)  # type: ignore[union-attr]
        axes.set_title(_literal("\n".join(in_lines(panel.title, int(12 * inches)))), fontsize=9.5)
    if places:
        if len(places) <= _FEW_NAMES:
            places = {"\n".join(in_lines(name, 60 // len(places))): place for name, place in places.items()}
        turned = len(places) > _FEW_NAMES and (sum(map(len, places)) > 60 or max(map(len, places)) > 14)
        names = [_literal(name) for name in places]
        axes.set_xticks(list(places.values()), names, rotation=30 if turned else 0, ha="right" if turned else "center")
    elif panel.x_scale == "linear" and not is_heat:
        axes.xaxis.set_major_locator(MaxNLocator(6))
    if panel.y_scale == "linear" and not is_heat and counts(figure, panel):
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    lines = _references(figure, panel, axes)
    if panel.is_square:
        axes.set_aspect("equal", adjustable="datalim")
    if panel.from_zero and panel.y_scale == "linear":
        axes.set_ylim(bottom=0)
    if panel.x_scale == "log":
        plain_log(axes.xaxis)
    if panel.y_scale == "log":
        plain_log(axes.yaxis)
    axes.grid(not is_heat, axis="y" if places else "both")
    axes.set_axisbelow(True)
    return lines

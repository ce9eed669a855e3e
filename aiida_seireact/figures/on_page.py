"""Figures as plotly's JSON, for the page: plain dictionaries and lists, no object of plotly."""

from __future__ import annotations

from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from numpy.typing import NDArray

from aiida_seireact.figures.figure import UUID_COLUMNS, Figure, Panel, Trace
from aiida_seireact.figures.geometry import FEW, categories, in_lines, interval, line_of, stacked_x
from aiida_seireact.figures.page_grid import BOTTOM_PX, TOP_PX, Domains, Grid
from aiida_seireact.figures.style import DIVERGENT, INK, MUTED, SEQUENTIAL

SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross"}
DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot"}
INK_ON_DARK = "#e6e8eb"
FEW_DECADES = (1.0, 2.0)
"""A log axis of less than the first has a label at each digit, of less than the second at 1, 2 and 5."""
_MOST_TOLD = 2000  # points that each tell their node


def to_plotly(figure: Figure) -> dict[str, Any]:
    """Return ``{"data": […], "layout": {…}}`` of plotly.js, ready for `json.dumps`; NaN is None.

    Each item of data has ``meta``: the panel and the trace it draws, and its ``part`` (``values`` or ``band``). What
    depends on a light or dark page is in ``layout.template`` alone, see :func:`template`.

    :raises FigureError: its table does not fit its panels.
    """
    grid = Grid.of(figure)
    layout: dict[str, Any] = {
        "template": template(),
        "height": grid.height_px + TOP_PX + BOTTOM_PX,
        "margin": {"l": 70, "r": grid.right_px, "t": TOP_PX, "b": BOTTOM_PX},
        "barmode": "group",
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "yref": "container", "y": 0, "yanchor": "bottom"},
        "shapes": [],
        "annotations": [],
    }
    data: list[dict[str, Any]] = []
    shown: set[str] = set()
    for number, panel in enumerate(figure.panels):
        key = "" if number == 0 else str(number + 1)
        data += _items(figure, panel, number, key, grid.domains(number), shown)
        _axes(figure, panel, key, grid.domains(number), layout)
        _references(figure, panel, key, layout)
    layout["showlegend"] = len(shown) > 1
    return {"data": data, "layout": layout}


def template(*, is_dark: bool = False) -> dict[str, Any]:
    """Return the template of a light or a dark page; a page that changes its mind sets it by `Plotly.relayout`."""
    ink = INK_ON_DARK if is_dark else INK
    axis = {
        "color": ink, "linecolor": ink, "showline": True, "ticks": "outside", "zeroline": False,
        "gridcolor": f"rgba({_rgb(MUTED)},0.25)", "automargin": True,
    }  # fmt: skip
    clear = "rgba(0,0,0,0)"
    return {
        "layout": {
            "font": {"color": ink, "family": "inherit, sans-serif", "size": 13},
            "paper_bgcolor": clear, "plot_bgcolor": clear, "xaxis": axis, "yaxis": axis,
            "modebar": {"bgcolor": clear, "color": f"rgba({_rgb(MUTED)},0.7)", "activecolor": ink},
        }
    }  # fmt: skip


def _items(
    figure: Figure, panel: Panel, number: int, key: str, domains: Domains, shown: set[str]
) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    areas = [trace for trace in panel.traces if trace.kind == "area"]
    if areas:
        stacked_x(figure, areas)
    for place, trace in enumerate(panel.traces):
        is_new = trace.name not in shown and not trace.is_quiet and trace.kind != "heat"
        common: dict[str, Any] = {
            "name": escaped(trace.name), "legendgroup": trace.name, "xaxis": f"x{key}", "yaxis": f"y{key}",
        }  # fmt: skip
        if trace.kind == "line" and trace.low is not None:
            band = _band(figure, trace)
            meta = {"panel": number, "trace": place, "part": "band"}
            items.append({**common, **band, "showlegend": False, "hoverinfo": "skip", "meta": meta})
        items.append(
            {
                **common,
                **_values(figure, panel, trace, number, domains),
                **({} if trace.kind == "heat" else {"showlegend": is_new}),
                "meta": {"panel": number, "trace": place, "part": "values"},
            }
        )
        if is_new:
            shown.add(trace.name)
    return items


def _values(figure: Figure, panel: Panel, trace: Trace, number: int, domains: Domains) -> dict[str, Any]:
    """Return what one trace draws."""
    if trace.kind == "heat":
        return _heat(figure, panel, trace, domains)
    x, y = figure.column(trace, trace.x), figure.column(trace, trace.y)
    item: dict[str, Any] = {"x": listed(x), "y": listed(y), **_hover(figure, trace)}
    if trace.kind == "bar":
        item |= {"type": "bar", "marker": {"color": trace.colour}, "offsetgroup": trace.name}
    elif trace.kind == "scatter":
        size = 8 if sum(len(each) for each in panel.traces) < FEW else 4
        item |= {
            "type": "scatter", "mode": "markers",
            "marker": {"color": trace.colour, "symbol": SYMBOLS[trace.marker], "size": size, "opacity": 0.75},
        }  # fmt: skip
    elif trace.kind == "area":
        item |= {
            "type": "scatter", "mode": "lines", "stackgroup": f"stack{number}",
            "line": {"color": trace.colour, "width": 0.5}, "fillcolor": trace.colour,
        }  # fmt: skip
    else:
        few = np.isfinite(y.astype(float)).sum() < 2
        item |= {
            "type": "scatter", "mode": "lines+markers" if few else "lines", "connectgaps": False,
            "line": {"color": trace.colour, "dash": DASHES[trace.dash], "shape": "hv" if trace.is_step else "linear"},
        }  # fmt: skip
    if trace.low is not None and trace.kind in ("bar", "scatter"):
        low, high = interval(figure, trace)
        value = y.astype(float)
        item["error_y"] = {
            "type": "data", "symmetric": False, "array": listed(np.maximum(high - value, 0)),
            "arrayminus": listed(np.maximum(value - low, 0)), "color": MUTED if trace.kind == "bar" else trace.colour,
        }  # fmt: skip
    return item


def _hover(figure: Figure, trace: Trace) -> dict[str, Any]:
    """Return what is told under the pointer: numbers, and the node that holds them."""
    said = [f"{name}: %{{customdata[{place}]}}" for place, name in enumerate(trace.hover)]
    columns = [listed(figure.column(trace, name)) for name in trace.hover]
    node = UUID_COLUMNS[0]
    if node in figure.table:
        uuids = [str(uuid).split(" ")[0][:8] for uuid in figure.column(trace, node)]
        if len(set(uuids)) == 1:
            said.append(f"node {uuids[0]}")
        elif len(uuids) <= _MOST_TOLD:
            said.append(f"node %{{customdata[{len(columns)}]}}")
            columns.append(uuids)
    lines = "<br>".join([f"{trace.x}: %{{x}}", f"{trace.y}: %{{y}}", *said])
    item: dict[str, Any] = {"hovertemplate": f"{lines}<extra>%{{fullData.name}}</extra>"}
    if columns:
        item["customdata"] = [list(row) for row in zip(*columns, strict=True)]
    return item


def _band(figure: Figure, trace: Trace) -> dict[str, Any]:
    """Return the band of a line as polygons, one for each stretch where both ends are known."""
    x = figure.column(trace, trace.x).astype(float)
    low, high = interval(figure, trace)
    known = np.isfinite(low) & np.isfinite(high)
    xs: list[float | None] = []
    ys: list[float | None] = []
    for stretch in np.split(np.arange(len(x)), np.flatnonzero(np.diff(known.astype(int))) + 1):
        if len(stretch) == 0 or not known[stretch[0]]:
            continue
        if xs:
            xs.append(None)
            ys.append(None)
        xs += [*x[stretch].tolist(), *x[stretch][::-1].tolist()]
        ys += [*high[stretch].tolist(), *low[stretch][::-1].tolist()]
    fill = f"rgba({_rgb(trace.colour)},0.22)"
    return {
        "type": "scatter", "mode": "lines", "x": xs, "y": ys, "fill": "toself", "fillcolor": fill, "line": {"width": 0},
    }  # fmt: skip


def _heat(figure: Figure, panel: Panel, trace: Trace, domains: Domains) -> dict[str, Any]:
    x, y, grid = figure.grid(trace)
    (_, right), (bottom, top) = domains
    item: dict[str, Any] = {
        "type": "heatmap", "x": listed(x), "y": listed(y), "z": [listed(row) for row in grid],
        "colorscale": _scale(DIVERGENT if panel.is_divergent else SEQUENTIAL),
        "colorbar": {
            "title": {"text": panel.value_label, "side": "right"}, "x": right, "xanchor": "left", "thickness": 12,
            "y": (bottom + top) / 2, "len": top - bottom, "xpad": 4,
        },
        "hovertemplate": f"{trace.x}: %{{x}}<br>{trace.y}: %{{y}}<br>{trace.value}: %{{z}}"
        f"<extra>{escaped(trace.name)}</extra>",
    }  # fmt: skip
    if panel.is_divergent:
        most = float(np.nanmax(np.abs(grid), initial=0.0)) or 1.0
        item |= {"zmin": -most, "zmax": most}
    elif panel.value_from_zero:
        item |= {"zmin": 0.0, "zmax": float(np.nanmax(grid, initial=0.0)) or 1.0}
    return item


def _axes(figure: Figure, panel: Panel, key: str, domains: Domains, layout: dict[str, Any]) -> None:
    x_axis: dict[str, Any] = {"domain": domains[0], "anchor": f"y{key}", "title": {"text": panel.x_label}}
    y_axis: dict[str, Any] = {"domain": domains[1], "anchor": f"x{key}", "title": {"text": panel.y_label}}
    if names := categories(figure, panel):
        x_axis |= {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [escaped(str(name)) for name in names],
            "showgrid": False,
        }
    else:
        x_axis |= _scaled(figure, panel, "x")
    y_axis |= _scaled(figure, panel, "y")
    if panel.from_zero and panel.y_scale == "linear":
        y_axis["rangemode"] = "tozero"
    if panel.is_square:
        x_axis["constrain"] = y_axis["constrain"] = "domain"  # a square, not a longer axis
        y_axis |= {"scaleanchor": f"x{key}", "scaleratio": 1}
    layout[f"xaxis{key}"], layout[f"yaxis{key}"] = x_axis, y_axis
    if panel.title:
        lines = "<br>".join(escaped(line) for line in in_lines(panel.title, 110 // max(1, figure.columns)))
        layout["annotations"].append(
            {
                "text": f"<b>{lines}</b>", "xref": f"x{key} domain", "yref": f"y{key} domain", "x": 0, "y": 1,
                "xanchor": "left", "yanchor": "bottom", "align": "left", "showarrow": False, "font": {"size": 13},
            }
        )  # fmt: skip


def _scaled(figure: Figure, panel: Panel, way: Literal["x", "y"]) -> dict[str, Any]:
    """Return the type of an axis, and of a log axis which digits it tells: all, 1 2 5, or the decades alone."""
    if (panel.x_scale if way == "x" else panel.y_scale) != "log":
        return {"type": "linear"}
    columns = [figure.column(trace, trace.x if way == "x" else trace.y).astype(float) for trace in panel.traces]
    values = np.concatenate(columns) if columns else np.empty(0)
    values = values[np.isfinite(values) & (values > 0)]
    decades = float(np.log10(values.max() / values.min())) if len(values) else 0.0
    dtick = "D1" if decades < FEW_DECADES[0] else "D2" if decades < FEW_DECADES[1] else 1
    # Not 100µ, which is plotly's way to say 0.0001.
    return {"type": "log", "dtick": dtick, "exponentformat": "power"}


def _references(figure: Figure, panel: Panel, key: str, layout: dict[str, Any]) -> None:
    for reference in panel.references:
        x, y = line_of(figure, panel, reference)
        shape: dict[str, Any] = {
            "type": "line", "xref": f"x{key}", "yref": f"y{key}", "x0": x[0], "x1": x[1], "y0": y[0], "y1": y[1],
            "layer": "below", "line": {"color": MUTED, "width": 1.2, "dash": "dash"},
        }  # fmt: skip
        if reference.way == "horizontal":
            shape |= {"xref": f"x{key} domain", "x0": 0, "x1": 1}
        elif reference.way == "vertical":
            shape |= {"yref": f"y{key} domain", "y0": 0, "y1": 1}
        if reference.name:
            shape["label"] = {
                "text": escaped(reference.name),
                "font": {"color": MUTED, "size": 11},
                "textposition": "end",
            }
        layout["shapes"].append(shape)


def listed(values: NDArray[Any]) -> list[Any]:
    """Return an array as a list for JSON: names as text for plotly, what is no number as None."""
    if values.dtype == object:
        return [None if value is None or value != value else escaped(str(value)) for value in values]
    return [value if np.isfinite(value) else None for value in values.astype(float).tolist()]


def escaped(text: str) -> str:
    """Return text that plotly, which reads names and ticks as a kind of HTML, shows as it stands."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _rgb(colour: str) -> str:
    return ",".join(str(round(255 * part)) for part in to_rgb(colour))


def _scale(name: str, n_stops: int = 11) -> list[list[Any]]:
    """Return a colour map of matplotlib as plotly takes it, so that page and paper agree."""
    colours = matplotlib.colormaps[name]
    return [[float(at), to_hex(colours(float(at)))] for at in np.linspace(0, 1, n_stops)]

"""What a figure is, apart from how it is drawn: a table, and panels of traces that are rows and columns of it.

A trace holds no numbers. It names columns and rows of the figure's table, so a picture shows what the CSV says and
nothing else, and every row of the table tells the nodes it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Kind = Literal["line", "scatter", "bar", "area", "heat"]
"""`area` traces of a panel are stacked in their order."""
Way = Literal["horizontal", "vertical", "diagonal", "slope"]
Scale = Literal["linear", "log"]

RUN = "run"
RUN_UUID = "run_uuid"
UUID_COLUMNS = ("node_uuid", "process_uuid", RUN_UUID)
"""In every table; a row made of several has several UUIDs, with a space between."""


class FigureError(ValueError):
    """A figure cannot be made of these nodes; the message says why and what to do."""


class NothingToDraw(FigureError):
    """These nodes have no numbers for the figure, or too few of them: nothing is wrong with any."""


@dataclass(frozen=True, eq=False)
class Trace:
    """Some rows of the table, drawn in one way.

    :param rows: places in the table, in the order they are drawn.
    :param x: column; names in place of numbers make categories.
    :param y: column; of a heat map its second axis.
    :param low: column of the lower ends of an interval: a band along a line, an error bar at a point or a bar.
    :param value: column of a heat map's colours.
    :param hover: columns told on the page beside x and y.
    :param is_quiet: stands in no legend.
    """

    kind: Kind
    name: str
    rows: NDArray[np.int64]
    x: str
    y: str
    low: str | None = None
    high: str | None = None
    value: str | None = None
    colour: str = "#0072b2"
    marker: str = "o"
    dash: Literal["solid", "dashed", "dotted"] = "solid"
    is_step: bool = False
    is_quiet: bool = False
    hover: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Reference:
    """A line that is no data: a threshold, what a perfect model gives, the slope of diffusion.

    :param value: height or place; of a slope the point ``(x, y)`` it goes through on two logarithmic axes.
    """

    way: Way
    value: float | tuple[float, float] = 0.0
    name: str = ""


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes.

    :param value_label: what the colours of a heat map are.
    :param is_divergent: colours of a heat map are white at zero; :param value_from_zero: they begin there.
    :param is_square: x and y have one scale.
    :param from_zero: y begins at zero.
    """

    traces: tuple[Trace, ...]
    x_label: str
    y_label: str
    title: str = ""
    references: tuple[Reference, ...] = ()
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    value_label: str = ""
    is_divergent: bool = False
    value_from_zero: bool = False
    is_square: bool = False
    from_zero: bool = False


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture with its numbers and their sources.

    :param name: its name in the figure map.
    :param table: one row a point, units in the names of columns, with the columns `UUID_COLUMNS`.
    :param sources: UUIDs of all nodes whose numbers are in it, sorted.
    :param columns: panels in a row.
    :param notes: what a reader must know of these data: what was left out, how many seeds.
    """

    name: str
    title: str
    caption: str
    table: pd.DataFrame
    panels: tuple[Panel, ...]
    sources: tuple[str, ...]
    columns: int = 1
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        known = set(self.table.columns)
        for panel in self.panels:
            for trace in panel.traces:
                named = {trace.x, trace.y, trace.low, trace.high, trace.value, *trace.hover} - {None}
                if missing := sorted(str(name) for name in named - known):
                    raise FigureError(f"Figure {self.name}: its table has no column {', '.join(missing)}.")
                if len(trace) and not 0 <= trace.rows.min() <= trace.rows.max() < len(self.table):
                    raise FigureError(f"Figure {self.name}: trace {trace.name} names rows that the table lacks.")

    def column(self, trace: Trace, name: str) -> NDArray[Any]:
        """Return a column of the rows of a trace, ``(n,)``: float64, or object where it holds names."""
        values = self.table[name].to_numpy()[trace.rows]
        if values.dtype.kind in "iufb":
            return np.asarray(values, dtype=np.float64)
        return np.asarray(values, dtype=object)

    def grid(self, trace: Trace) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return x ``(n_x,)``, y ``(n_y,)`` and colours ``(n_y, n_x)`` of a heat map; NaN where the table has no row.

        :raises FigureError: two rows lie at one place.
        """
        if trace.value is None:
            raise FigureError(f"Figure {self.name}: heat map {trace.name} names no column of values.")
        x, column = np.unique(self.column(trace, trace.x).astype(float), return_inverse=True)
        y, row = np.unique(self.column(trace, trace.y).astype(float), return_inverse=True)
        if len(np.unique(row * len(x) + column)) < len(trace):
            raise FigureError(f"Figure {self.name}: heat map {trace.name} has two rows at one place.")
        grid = np.full((len(y), len(x)), np.nan)
        grid[row, column] = self.column(trace, trace.value)
        return x, y, grid

    @property
    def n_points(self) -> int:
        """Points of all traces."""
        return sum(len(trace) for panel in self.panels for trace in panel.traces)


def sources_of(table: pd.DataFrame, columns: Sequence[str] = UUID_COLUMNS) -> tuple[str, ...]:
    """Return the UUIDs in a table, sorted; a cell may hold several with a space between."""
    found: set[str] = set()
    for name in columns:
        if name in table:
            for cell in table[name].dropna().unique():
                found.update(str(cell).split())
    return tuple(sorted(found))

"""From a table of a query and the words of a chart to a figure: groups, panels, traces, colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiida_seireact.figures.chart import Chart, Colour
from aiida_seireact.figures.facts import GROUP, MEMBER, with_groups
from aiida_seireact.figures.figure import (
    RUN_UUID,
    Figure,
    FigureError,
    NothingToDraw,
    Panel,
    Reference,
    Trace,
    sources_of,
)
from aiida_seireact.figures.spread import HIGH, LOW, mean_over_seeds
from aiida_seireact.figures.style import MARKERS, PALETTE, element_colours, lighter, phase_colours, pretty
from aiida_seireact.science.labelling import UNKNOWN

MOST_POINTS = 4000
"""Of one trace; more are thinned evenly in the picture, never in the table."""
THINNED = f"Curves of more than {MOST_POINTS} points are thinned evenly in the picture; the table has all."
MOST_PANELS, MOST_COLUMNS = 24, 4
_DASHES = get_args(Literal["solid", "dashed", "dotted"])
MeanOver = Literal["seed"]


@dataclass(frozen=True)
class Words:
    """What a figure says of itself."""

    name: str
    title: str
    caption: str


def assemble(
    words: Words,
    table: pd.DataFrame,
    chart: Chart,
    *,
    facts: pd.DataFrame | None = None,
    colour: Colour = "run",
    mean_over: MeanOver | None = None,
) -> Figure:
    """Return the figure of a table.

    :param table: with the columns the chart names and those of every query.
    :param facts: of `facts.facts_of`; needed for a colour other than the run, and for a mean.
    :raises FigureError: the table is empty, or colour or mean can't be told of it.
    """
    if table.empty:
        raise NothingToDraw(f"There is nothing to draw in figure {words.name}.")
    ready = with_groups(_once(table), facts, colour, mean_over=mean_over, member=chart.member)
    notes: tuple[str, ...] = ()
    low, high = chart.low, chart.high
    if mean_over is not None:
        if not chart.has_mean:
            raise FigureError(
                f"The points of figure {words.name} are those of one run each: it has no mean over seeds."
            )
        ready, notes = mean_over_seeds(ready, chart.number, chart.places, name=words.name)
        ready[MEMBER] = ready[GROUP]
        low, high = (None, None) if chart.value else (LOW, HIGH)
    builder = _Builder(words.name, ready, chart, low, high)
    if len(builder.groups) < chart.fewest_groups:
        raise NothingToDraw(
            f"Figure {words.name} compares, and these numbers have one {colour} only ({builder.groups[0]}): "
            f"give runs that differ by it."
        )
    panels = tuple(builder.panels())
    if not panels:
        raise NothingToDraw(f"There is nothing to draw in figure {words.name}.")
    return Figure(
        name=words.name,
        title=words.title,
        caption=words.caption,
        table=ready.drop(columns=MEMBER),
        panels=panels,
        sources=sources_of(ready),
        columns=min(builder.n_columns, len(panels)),
        notes=(*notes, *builder.notes),
    )


def _once(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without what it says twice: a run lies under its study as under itself."""
    first = table.groupby("node_uuid", sort=False)[RUN_UUID].transform("first")
    return table[(table[RUN_UUID] == first) | (table["node_uuid"] == "")].reset_index(drop=True)


class _Builder:
    """Panels of a prepared table."""

    def __init__(self, name: str, table: pd.DataFrame, chart: Chart, low: str | None, high: str | None) -> None:
        self.name, self.table, self.chart, self.low, self.high = name, table, chart, low, high
        named = [name for name in (GROUP, MEMBER, chart.series, chart.panel) if name]
        # Places among the values of a column, in the order they come: a million rows are compared by number.
        self.codes, self.values = {}, {}
        for name in named:
            codes, values = pd.factorize(table[name].astype(str))
            self.codes[name], self.values[name] = np.asarray(codes), [str(value) for value in values]
        self.groups = self.values[GROUP]
        self.series = list(self.values[chart.series]) if chart.series else [""]
        if chart.palette == "phase":
            self.series.sort(key=lambda name: name == UNKNOWN)
        self.panel_values = self.values[chart.panel] if chart.panel else [""]
        # One group: colours are free to tell the series apart.
        self.by_series = len(self.groups) == 1 or chart.side_by_side
        self.split_series = not self.by_series and len(self.series) > len(_DASHES)
        self.notes: list[str] = []
        self.n_columns = chart.columns
        # What belongs together is side by side.
        if (chart.side_by_side or self.split_series) and 2 <= len(self.panel_values) <= MOST_COLUMNS:
            self.n_columns = len(self.panel_values)
        named = self.series if self.by_series else self.groups
        self.colours: dict[str, str] = dict(zip(named, cycle(PALETTE), strict=False))
        if self.by_series and chart.palette:
            self.colours = {"phase": phase_colours, "element": element_colours}[chart.palette](named)

    def panels(self) -> Iterator[Panel]:
        """Yield the panels in the order they are read."""
        asked = list(self._cells())
        if len(asked) > MOST_PANELS:
            self.notes.append(f"{len(asked) - MOST_PANELS} of {len(asked)} panels are not drawn; the table has all.")
            asked = asked[:MOST_PANELS]
        for value, title, mask in asked:
            traces = tuple(self._traces(mask))
            if traces:
                yield self._panel(value, title, traces)

    def _cells(self) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
        """Yield for each panel the value of its column, its title, and which rows are in it."""
        chart = self.chart
        if chart.side_by_side:
            for member, group in self._members():
                for value, series in product(self.panel_values, self.series if chart.value else [None]):
                    title = _title(value, series or "", group if len(self.groups) > 1 else "")
                    yield value, title, self._rows(value, series, member)
            return
        for series, value in product(self.series if self.split_series else [None], self.panel_values):
            yield value, _title(value, series or ""), self._rows(value, series)

    def _members(self) -> list[tuple[str, str]]:
        """Return what is drawn by itself, with its group."""
        _, first = np.unique(self.codes[MEMBER], return_index=True)
        groups = self.codes[GROUP][first]
        return list(zip(self.values[MEMBER], [self.groups[group] for group in groups], strict=True))

    def _rows(self, value: str, series: str | None, member: str | None = None) -> NDArray[np.bool_]:
        """Return which rows have these values; None is any, as is each of a column that the chart doesn't name."""
        mask = np.ones(len(self.table), dtype=bool)
        for column, wanted in ((self.chart.panel, value), (self.chart.series, series), (MEMBER, member)):
            if column and wanted is not None:
                mask &= self.codes[column] == self.values[column].index(wanted)
        return mask

    def _traces(self, mask: NDArray[np.bool_]) -> Iterator[Trace]:
        chart = self.chart
        rows = np.flatnonzero(mask & self._drawable())
        none = np.zeros(len(rows), dtype=np.int64)
        order = np.array([self.series.index(name) for name in self.values[chart.series]]) if chart.series else none
        series_of = order[self.codes[chart.series][rows]] if chart.series else none
        keys = np.stack([self.codes[GROUP][rows], self.codes[MEMBER][rows], series_of], axis=1)
        found, which = np.unique(keys, axis=0, return_inverse=True)
        for number, (group_code, _, at) in enumerate(found.tolist()):
            group, series = self.groups[group_code], self.series[at]
            style: dict[str, Any] = {}
            colour = self.colours[series if self.by_series else group]
            if not self.by_series and not self.split_series:
                style = {"dash": _DASHES[at], "marker": MARKERS[at]}
                colour = lighter(colour, 0.5 * at) if chart.kind == "bar" else colour
            elif self.by_series:
                style = {"marker": MARKERS[at // len(PALETTE) % len(MARKERS)]}
            yield Trace(
                kind="line" if chart.kind == "area" and not chart.side_by_side and len(self.groups) > 1 else chart.kind,
                name=self._name(group, series),
                rows=self._thinned(rows[which.ravel() == number]),
                x=chart.x, y=chart.y, low=self.low, high=self.high, value=chart.value, is_step=chart.is_step,
                colour=colour, hover=chart.hover, **style,
            )  # fmt: skip

    def _name(self, group: str, series: str) -> str:
        if self.by_series:
            return pretty(series) if series else group
        return ", ".join(filter(None, (group, "" if self.split_series else pretty(series))))

    def _drawable(self) -> NDArray[np.bool_]:
        """Return which rows have a number to draw, on these axes."""
        chart = self.chart
        if chart.kind in ("line", "area", "heat"):
            return np.ones(len(self.table), dtype=bool)  # a gap in a curve is told by NaN
        return np.asarray(np.isfinite(self.table[chart.y].to_numpy(dtype=float)), dtype=bool)

    def _thinned(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.chart.kind in ("heat", "bar", "area") or len(rows) <= MOST_POINTS:
            return rows
        every = -(-len(rows) // MOST_POINTS)
        if THINNED not in self.notes:
            self.notes.append(THINNED)
        return rows[::every]

    def _panel(self, value: str, title: str, traces: Sequence[Trace]) -> Panel:
        chart = self.chart
        references = list(chart.references)
        if chart.slope_one and (through := self._last_point(traces)) is not None:
            references.append(Reference("slope", through, "slope 1"))
        unit = f" ({chart.units[value]})" if value in chart.units else ""
        return Panel(
            traces=tuple(traces), x_label=chart.x_label + unit,
            y_label=chart.y_labels.get(value, chart.y_label) + unit, title=title,
            references=tuple(references), x_scale=chart.x_scale, y_scale=chart.y_scale, value_label=chart.value_label,
            is_divergent=chart.is_divergent,
            value_from_zero=chart.value_from_zero, is_square=chart.is_square, from_zero=chart.from_zero,
        )  # fmt: skip

    def _last_point(self, traces: Sequence[Trace]) -> tuple[float, float] | None:
        """Return the last point of the highest curve."""
        ends = []
        for trace in traces:
            x = self.table[trace.x].to_numpy(dtype=float)[trace.rows]
            y = self.table[trace.y].to_numpy(dtype=float)[trace.rows]
            known = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
            if known.any():
                ends.append((float(x[known][-1]), float(y[known][-1])))
        return max(ends, key=lambda end: end[1], default=None)


def _title(*parts: str) -> str:
    return ", ".join(pretty(part) for part in parts if part)

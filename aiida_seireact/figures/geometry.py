"""What both renderings must agree on: places of names, ends of intervals, reference lines, stacks."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.figures.figure import Figure, FigureError, Panel, Reference, Trace

FEW = 200
"""Points of a panel that are drawn large."""
Line = tuple[list[float], list[float]]


def categories(figure: Figure, panel: Panel) -> dict[str, int]:
    """Return the names along x with their places, in the order they come; empty where x is a number."""
    names: dict[str, int] = {}
    for trace in panel.traces:
        values = figure.column(trace, trace.x)
        if values.dtype == object:
            for name in values:
                names.setdefault(str(name), len(names))
    return names


def interval(figure: Figure, trace: Trace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the interval of a trace, ``(n,)`` each.

    :raises FigureError: it has one end.
    """
    if trace.low is None or trace.high is None:
        raise FigureError(f"Figure {figure.name}: trace {trace.name} has one end of an interval, not two.")
    return figure.column(trace, trace.low).astype(float), figure.column(trace, trace.high).astype(float)


def in_lines(text: str, width: int) -> list[str]:
    """Return text in lines that fit a width in letters."""
    return wrap(text, width, break_long_words=False) or [""]


def counts(figure: Figure, panel: Panel) -> bool:
    """Whether all y are whole numbers, which want ticks at whole numbers."""
    values = np.concatenate([figure.column(trace, trace.y).astype(float) for trace in panel.traces])
    known = values[np.isfinite(values)]
    return bool(len(known) and known.max() >= 2 and (known == np.round(known)).all())


def stacked_x(figure: Figure, areas: Sequence[Trace]) -> NDArray[np.float64]:
    """Return the common x of traces that are stacked.

    :raises FigureError: they differ, so there is nothing to stand on.
    """
    first, *others = [figure.column(trace, trace.x).astype(float) for trace in areas]
    if not all(np.array_equal(first, other) for other in others):
        raise FigureError(f"Figure {figure.name}: areas that are stacked have different x.")
    return first


def span_of(figure: Figure, panel: Panel, axis: str) -> tuple[float, float]:
    """Return smallest and largest number along ``x`` or ``y`` of a panel, (0, 1) where there is none."""
    named = [(trace, getattr(trace, axis)) for trace in panel.traces]
    found = [values for trace, name in named if (values := figure.column(trace, name)).dtype != object]
    numbers = np.concatenate(found) if found else np.empty(0)
    numbers = numbers[np.isfinite(numbers)]
    scale = panel.x_scale if axis == "x" else panel.y_scale
    if scale == "log":
        numbers = numbers[numbers > 0]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 1.0)


def line_of(figure: Figure, panel: Panel, reference: Reference) -> Line:
    """Return both ends of a reference line in data units; along its axis those of a horizontal one are the data's."""
    x, y = span_of(figure, panel, "x"), span_of(figure, panel, "y")
    if isinstance(reference.value, tuple):
        through_x, through_y = reference.value
        if reference.way != "slope":
            raise FigureError(f"Figure {figure.name}: a line that is {reference.way} goes through no point.")
        return [x[0], x[1]], [through_y * x[0] / through_x, through_y * x[1] / through_x]
    value = float(reference.value)
    if reference.way == "horizontal":
        return [x[0], x[1]], [value, value]
    if reference.way == "vertical":
        return [value, value], [y[0], y[1]]
    ends = [min(x[0], y[0]), max(x[1], y[1])]
    return ends, list(ends)

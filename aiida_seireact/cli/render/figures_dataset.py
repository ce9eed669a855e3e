"""Figures of a dataset: arrays in, a matplotlib Figure out. No pyplot, no file, no graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.figures.style import PALETTE, styled

N_BINS = 40


@styled
def stacked_counts(
    counts: Mapping[str, Mapping[str, int]], *, xlabel: str = "frames", notes: Sequence[str] = ()
) -> Figure:
    """Horizontal bars, one a name, stacked by part.

    :param counts: name -> part -> number.
    :param notes: text at the end of each bar.
    """
    names = list(counts)
    parts = list(dict.fromkeys(part for row in counts.values() for part in row))
    figure = Figure(figsize=(6.4, 1.0 + 0.34 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    left = np.zeros(len(names))
    for part, colour in zip(parts, cycle(PALETTE)):
        lengths = np.array([counts[name].get(part, 0) for name in names], dtype=float)
        axes.barh(range(len(names)), lengths, left=left, color=colour, height=0.7, label=part or None)
        left += lengths
    for row, note in enumerate(notes):
        axes.annotate(note, (left[row], row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.16 if notes else 0.03)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(xlabel)
    if any(parts):
        figure.legend(loc="outside upper right", ncols=len(parts))
    return figure


@styled
def histograms(
    values: Mapping[str, ArrayLike], edges: ArrayLike, *, xlabel: str, ylabel: str = "frames", log: bool = False
) -> Figure:
    """Histograms over the same bins, one line a name.

    :param values: name -> ``(n,)``; :param edges: ``(n_bins + 1,)``.
    """
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, numbers), colour in zip(values.items(), cycle(PALETTE)):
        counts, _ = np.histogram(np.asarray(numbers, dtype=float), np.asarray(edges))
        axes.stairs(counts, np.asarray(edges), color=colour, label=name, linewidth=1.4)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if log:
        axes.set_yscale("log")
    else:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@styled
def scatter_by_class(x: Mapping[str, ArrayLike], y: Mapping[str, ArrayLike], *, xlabel: str, ylabel: str) -> Figure:
    """A point a frame, coloured by class.

    :param x: class -> ``(n,)``; :param y: class -> ``(n,)``.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in zip(x, cycle(PALETTE)):
        points = np.asarray(x[name], dtype=float)
        axes.scatter(
            points, np.asarray(y[name], dtype=float), s=12, color=colour, alpha=0.7, linewidths=0, label=name,
            rasterized=len(points) > 400,
        )  # fmt: skip
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(True)
    figure.legend(loc="outside lower center", ncols=4, markerscale=1.6)
    return figure


def edges_of(values: ArrayLike) -> NDArray[np.float64]:
    """Return the edges of bins that hold all values, ``(41,)``."""
    numbers = np.asarray(values, dtype=float)
    low, high = float(numbers.min()), float(numbers.max())
    return np.linspace(low, high if high > low else low + 1.0, N_BINS + 1)

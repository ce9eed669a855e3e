"""The picture of what a training set covers: numbers in, a matplotlib Figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.figures.style import INK, MUTED, PALETTE, styled
from aiida_seireact.science.sampling.kinds import CLASSES

MOST_NAMES = 10
COLOURS = dict(zip(CLASSES, PALETTE, strict=False))


@styled
def coverage_picture(coverage: Mapping[str, Any], *, places: ArrayLike, classes: Sequence[str]) -> Figure:
    """Frames and environments by class, the composition triangle, nearest distances, the map of descriptors.

    :param coverage: as `science.coverage.coverage_of` gives it.
    :param places: ``(n_frames, 2)`` on the map; :param classes: ``(n_frames,)`` class of each.
    """
    figure = Figure(figsize=(9.2, 7.6), layout="constrained")
    axes = figure.subplots(2, 2)
    _bars(axes[0, 0], coverage["classes"])
    _triangle(axes[0, 1], coverage)
    _distances(axes[1, 0], coverage["nearest_distances"])
    _map(axes[1, 1], np.asarray(places, dtype=float), np.asarray(classes), coverage.get("map_variance", [0.0, 0.0]))
    return figure


def _bars(axes: Axes, rows: Mapping[str, Any]) -> None:
    names = list(rows)
    axes.barh(range(len(names)), [rows[name]["frames"] for name in names], color=[COLOURS[name] for name in names])
    for number, name in enumerate(names):
        row = rows[name]
        note = f"{row['environments']:,} environments" if row["frames"] else "none"
        axes.annotate(note, (row["frames"], number), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.45)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="frames", title="Classes")


def _triangle(axes: Axes, coverage: Mapping[str, Any]) -> None:
    corners, rows = coverage["triangle_corners"], coverage["compositions"]
    axes.set_title("Compositions")
    axes.axis("off")
    if corners is None:
        text = "\n".join(f"{row['formula']}: {row['frames']} frames" for row in rows)
        axes.text(0.0, 1.0, text, transform=axes.transAxes, va="top", fontsize=8.5)
        return
    ends = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    axes.plot(*ends[[0, 1, 2, 0]].T, color=INK, linewidth=0.8)
    for third in (0.25, 0.5, 0.75):
        for one, two, three in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            line = third * ends[one] + (1 - third) * ends[[two, three]]
            axes.plot(*line.T, color=MUTED, alpha=0.25, linewidth=0.6)
    for end, group, (x, y) in zip(ends, corners, ((-0.03, -0.06), (0.03, -0.06), (0.0, 0.03)), strict=True):
        axes.text(end[0] + x, end[1] + y, ", ".join(group), ha="center")
    named = {row["formula"] for row in sorted(rows, key=lambda row: -row["frames"])[:MOST_NAMES]}
    for row in rows:
        shares = np.array([sum(row["fractions"][symbol] for symbol in group) for group in corners])
        x, y = shares @ ends
        # The area tells how many frames; one is still to be seen.
        axes.scatter(x, y, s=12 + 4 * row["frames"], color=PALETTE[0], alpha=0.6, linewidths=0)
        if row["formula"] in named:
            axes.annotate(row["formula"], (x, y), xytext=(5, 3), textcoords="offset points", fontsize=6.5)
    axes.set_aspect("equal")


def _distances(axes: Axes, distances: Mapping[str, Any]) -> None:
    edges = np.array(distances["edges_ang"])
    drawn = {pair: np.array(row["counts"]) for pair, row in distances["pairs"].items() if sum(row["counts"])}
    for (pair, counts), colour, number in zip(drawn.items(), cycle(PALETTE), range(len(drawn)), strict=False):
        style = ("-", "--", ":")[number // len(PALETTE) % 3]
        axes.stairs(counts, edges, color=colour, label=pair, linewidth=1.2, linestyle=style)
    axes.set_yscale("log")
    axes.set(xlabel="distance to the nearest atom (Å)", ylabel="atoms", title="Nearest distances")
    axes.grid(True)
    axes.legend(ncols=2, fontsize=7)


def _map(axes: Axes, places: NDArray[np.float64], classes: NDArray[Any], parts: Sequence[float]) -> None:
    for name in CLASSES:
        mine = classes == name
        if mine.any():
            axes.scatter(
                places[mine, 0], places[mine, 1], s=12, color=COLOURS[name], alpha=0.7, linewidths=0, label=name
            )
    axes.set(
        xlabel=f"first component ({100 * parts[0]:.0f} % of the variance)",
        ylabel=f"second ({100 * parts[1]:.0f} %)",
        title="Descriptors",
    )
    axes.grid(True)
    axes.legend(fontsize=7)

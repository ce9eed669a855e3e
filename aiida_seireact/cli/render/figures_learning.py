"""Figures of the loop's two ways back: learning on the fly, and learning from one's own run. Arrays in, Figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.figures.style import INK, MUTED, PALETTE, limits, plain_log, span, styled

BEFORE, AFTER = "#e69f00", "#0072b2"
FEWEST_IN_A_BIN = 12


@styled
def calls(conditions: Mapping[str, tuple[ArrayLike, float]]) -> Figure:
    """Calls for a label against MD time, one curve a condition.

    :param conditions: for each name the times of its calls ``(n_calls,)`` in ps, and the time its MD reached.
    """
    figure = Figure(figsize=(6.8, 2.9), layout="constrained")
    axes = figure.add_subplot()
    for colour, (name, (times, end)) in zip(cycle(PALETTE), conditions.items(), strict=False):
        at = np.sort(np.asarray(times, dtype=float))
        axes.step([0.0, *at, end], [0, *range(1, len(at) + 1), len(at)], where="post", color=colour, label=name)
        axes.plot(at, np.arange(1, len(at) + 1), linestyle="", marker="o", markersize=4.5, color=colour)
        axes.plot(end, len(at), marker="|", markersize=9, color=colour)
    axes.set(xlabel="MD time (ps)", ylabel="calls for a label", ylim=(0, None))
    axes.set_xlim(left=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True)
    figure.legend(loc="outside lower center", ncols=min(4, len(conditions)))
    return figure


@styled
def uncertainty_along(conditions: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike, float]]) -> Figure:
    """Largest uncertainty of an atom at each MD step, with the threshold; a dot where it called for a label.

    :param conditions: for each name times ``(n_steps,)`` in ps, uncertainties ``(n_steps,)``, times of the calls
        ``(n_calls,)`` in ps, and the threshold.
    """
    figure = Figure(figsize=(6.8, 1.5 * len(conditions) + 0.5), layout="constrained")
    first: Axes | None = None
    for number, (name, (times, largest, called, threshold)) in enumerate(conditions.items()):
        axes = figure.add_subplot(len(conditions), 1, number + 1, sharex=first)
        first = first or axes
        x, y = np.asarray(times, dtype=float), np.asarray(largest, dtype=float)
        colour = PALETTE[number % len(PALETTE)]
        axes.plot(x, y, color=colour, linewidth=1.1)
        axes.axhline(threshold, color=INK, linestyle="--", linewidth=0.9, alpha=0.7)
        at = np.asarray(called, dtype=float)
        if len(at) and len(x):
            axes.plot(
                at, y[_nearest(x, at)], linestyle="", marker="o", markersize=5, color="none", markeredgecolor=colour
            )
        axes.set_title(name, fontsize=9, fontweight="normal")
        axes.set_ylim(0, max(1.25 * threshold, 1.05 * float(np.nanmax(y)) if len(y) else 0.0))
        axes.grid(True)
        axes.tick_params(labelbottom=number == len(conditions) - 1)
    figure.axes[-1].set_xlabel("MD time (ps)")
    figure.supylabel("largest uncertainty of an atom", fontsize=9.5)
    return figure


def _nearest(x: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each time the last row that is not later; of the two of a call, the one that called."""
    return np.asarray([np.flatnonzero(np.abs(x - time) == np.abs(x - time).min())[0] for time in at], dtype=np.int64)


@styled
def canary(conditions: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Force error on each new label before it was learned, beside the size of the forces there.

    :param conditions: for each name ``force_rmse`` and ``force_rms`` ``(n_labels,)`` in eV/Å, in the order of the
        labels, and ``asked`` ``(n_labels,)``, whether the threshold asked for it.
    """
    figure = Figure(figsize=(6.8, 2.9), layout="constrained")
    first: Axes | None = None
    for number, (name, rows) in enumerate(conditions.items()):
        axes = figure.add_subplot(1, len(conditions), number + 1, sharey=first)
        error, size = (np.asarray(rows[key], dtype=float) for key in ("force_rmse", "force_rms"))
        asked, x = np.asarray(rows["asked"], dtype=bool), np.arange(1, len(error) + 1)
        colour = PALETTE[number % len(PALETTE)]
        axes.plot(x, size, color=MUTED, linestyle="", marker="_", markersize=7)
        axes.vlines(x, 0, error, color=colour, alpha=0.35, linewidth=1.2)
        axes.plot(x[~asked], error[~asked], linestyle="", marker="o", markersize=4, color=colour, alpha=0.6)
        axes.plot(x[asked], error[asked], linestyle="", marker="D", markersize=6, color=colour)
        axes.set_title(name, fontsize=9, fontweight="normal")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        axes.set_xlabel("label")
        axes.grid(True, axis="y")
        axes.tick_params(labelleft=number == 0)
        if first is None:
            axes.set_ylabel("eV/Å")
        first = first or axes
    marks = [
        Line2D([], [], linestyle="", marker="D", markersize=6, color=INK, label="force error, asked for"),
        Line2D(
            [], [], linestyle="", marker="o", markersize=4, color=INK, alpha=0.6, label="force error, along the way"
        ),
        Line2D([], [], linestyle="", marker="_", markersize=7, color=MUTED, label="rms force"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    return figure


@styled
def uncertainty_and_error(conditions: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Uncertainty of each atom against the error of its force, both before learning, with the median in bins.

    :param conditions: for each name uncertainties and lengths of the errors of the forces, ``(n_atoms,)`` each, eV/Å.
    """
    figure = Figure(figsize=(5.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    x = np.concatenate([np.asarray(std, dtype=float) for std, _ in conditions.values()])
    y = np.concatenate([np.asarray(error, dtype=float) for _, error in conditions.values()])
    for colour, (name, (std, error)) in zip(cycle(PALETTE), conditions.items(), strict=False):
        axes.scatter(
            np.asarray(std), np.asarray(error), s=7, color=colour, alpha=0.35, linewidths=0, label=name,
            rasterized=len(x) > 400,
        )  # fmt: skip
    centres, medians, low, high = binned(x, y)
    if len(centres):
        axes.fill_between(centres, low, high, color=INK, alpha=0.12, linewidth=0)
        axes.plot(centres, medians, color=INK, marker="o", markersize=3.5, linewidth=1.5, label="median, middle half")
    axes.set(xscale="log", yscale="log", xlabel="uncertainty of the atom", ylabel="error of its force (eV/Å)")
    plain_log(axes.xaxis)
    plain_log(axes.yaxis)
    axes.grid(True)
    figure.legend(loc="outside lower center", ncols=2, markerscale=2)
    return figure


def binned(x: NDArray[np.float64], y: NDArray[np.float64], n_bins: int = 10) -> tuple[NDArray[np.float64], ...]:
    """Return centres of bins of x with as many points each, and median and quartiles of y there, ``(n,)`` each."""
    known = np.flatnonzero((x > 0) & (y > 0))
    parts = np.array_split(known[np.argsort(x[known], kind="stable")], min(n_bins, len(known) // FEWEST_IN_A_BIN) or 1)
    parts = [part for part in parts if len(part) >= FEWEST_IN_A_BIN]
    centres = np.array([np.median(x[part]) for part in parts])
    low, middle, high = (np.array([np.percentile(y[part], share) for part in parts]) for share in (25, 50, 75))
    return centres, middle, low, high


# ------------------------------------------------------------------ augmentation
@styled
def chosen_along(runs: Mapping[str, Mapping[str, Any]], *, of: str) -> Figure:
    """What the model does not know along its own runs, the blocks of time, and the frames that were chosen.

    :param runs: for each title ``time_ps``, ``value`` ``(n,)``, ``chosen`` ``(n,)`` bool, ``part`` ``(n,)``
        (`learned`, `held_out` or empty) of the candidate frames in the order of time.
    :param of: what the value is.
    """
    figure = Figure(figsize=(6.8, 1.9 * len(runs) + 0.7), layout="constrained")
    colours = {"learned": AFTER, "held_out": BEFORE}
    for number, (title, run) in enumerate(runs.items()):
        axes = figure.add_subplot(len(runs), 1, number + 1)
        x, y = np.asarray(run["time_ps"], dtype=float), np.asarray(run["value"], dtype=float)
        part, chosen = np.asarray(run["part"], dtype=str), np.asarray(run["chosen"], dtype=bool)
        for start, stop, name in _stretches(part):
            if name in colours:
                edges = _edges(x)
                axes.axvspan(edges[start], edges[stop], color=colours[name], alpha=0.13, linewidth=0)
        axes.plot(x, y, color=INK, linewidth=0.9, alpha=0.8)
        for name, marker in (("learned", "o"), ("held_out", "s")):
            mine = chosen & (part == name)
            axes.plot(x[mine], y[mine], linestyle="", marker=marker, markersize=5.5, color=colours[name])
        axes.set(xlim=limits(x), ylim=(0, None), ylabel=of)
        axes.set_title(title, fontsize=9, fontweight="normal")
        axes.grid(True, axis="y")
    figure.axes[-1].set_xlabel("time (ps)")
    marks = [
        Line2D([], [], linestyle="", marker="o", color=AFTER, label="chosen, learned"),
        Line2D([], [], linestyle="", marker="s", color=BEFORE, label="chosen, held out"),
        Patch(color=AFTER, alpha=0.13, label="block to learn from"),
        Patch(color=BEFORE, alpha=0.13, label="block held out"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4)
    return figure


def _stretches(names: NDArray[np.str_]) -> list[tuple[int, int, str]]:
    """Return start, stop and name of each run of equal names."""
    bounds = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), len(names)]
    return [(start, stop, str(names[start])) for start, stop in pairwise(bounds) if stop > start]


def _edges(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ``n + 1`` borders half-way between neighbours."""
    half = np.diff(x) / 2 if len(x) > 1 else np.array([0.5])
    return np.concatenate([[x[0] - half[0]], x[: len(half)] + half if len(x) > 1 else [], [x[-1] + half[-1]]])


@styled
def before_and_after(groups: Mapping[str, Sequence[tuple[str, float, float]]], *, xlabel: str) -> Figure:
    """Errors before and after as two dots on a line, a row each; groups stand apart.

    :param groups: for each heading the rows: name, value before, value after.
    """
    n_rows = sum(len(rows) for rows in groups.values()) + 1.3 * len(groups)
    figure = Figure(figsize=(6.8, 0.27 * n_rows + 1.1), layout="constrained")
    axes = figure.add_subplot()
    y, ticks, names = 0.0, [], []
    for heading, rows in groups.items():
        axes.annotate(
            heading, (0, y), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            va="center", fontsize=9, fontweight="bold",
        )  # fmt: skip
        y += 1
        for name, before, after in rows:
            axes.annotate(
                "", (after, y), (before, y), arrowprops={"arrowstyle": "->", "color": MUTED, "linewidth": 1.2}
            )
            axes.plot(before, y, marker="o", markersize=6.5, color=BEFORE)
            axes.plot(after, y, marker="D", markersize=6, color=AFTER)
            ticks.append(y)
            names.append(name)
            y += 1
        y += 0.3
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)
    axes.set(ylim=(y - 0.4, -0.7), xlabel=xlabel)
    axes.set_xlim(left=0)
    axes.grid(True, axis="x")
    marks = [
        Line2D([], [], linestyle="", marker="o", markersize=6.5, color=BEFORE, label="before: first model"),
        Line2D([], [], linestyle="", marker="D", markersize=6, color=AFTER, label="after: the model that learned"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    return figure


@styled
def parity_twice(reference: ArrayLike, predictions: Mapping[str, ArrayLike], *, quantity: str, unit: str) -> Figure:
    """Predicted against reference by two models side by side, on the same axes.

    :param reference: ``(n,)``; :param predictions: for each model's name ``(n,)``.
    """
    x = np.asarray(reference, dtype=float)
    values = {name: np.asarray(found, dtype=float) for name, found in predictions.items()}
    figure = Figure(figsize=(6.8, 3.5), layout="constrained")
    low, high = span(np.concatenate([x, *values.values()]))
    for number, ((name, y), colour) in enumerate(zip(values.items(), (BEFORE, AFTER), strict=False)):
        axes = figure.add_subplot(1, len(values), number + 1)
        axes.plot([low, high], [low, high], color=INK, linewidth=0.8, alpha=0.6, zorder=1)
        axes.scatter(x, y, s=9, color=colour, alpha=0.6, linewidths=0, rasterized=len(x) > 400, zorder=2)
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", xlabel=f"labeller ({unit})")
        axes.set_title(f"{quantity}, {name}", fontsize=9, fontweight="normal")
        axes.grid(True)
        if number == 0:
            axes.set_ylabel(f"model ({unit})")
    return figure

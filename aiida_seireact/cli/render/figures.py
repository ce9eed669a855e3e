"""Figures of a model and of a run: arrays in, a matplotlib Figure out. No pyplot, no file, no graph."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from aiida_seireact.figures.style import INK, MUTED, PALETTE, limits, phase_colours, styled


@styled
def fractions_in_time(
    runs: Mapping[str, tuple[ArrayLike, Mapping[str, ArrayLike]]], *, of: str, xlabel: str = "time (ps)"
) -> Figure:
    """Stacked fractions of each phase against time, a panel a run.

    :param runs: for each run's name the times in ps ``(n,)``, and for each phase ``(n,)``, together 1 in each frame.
    :param of: what they are fractions of.
    """
    figure = Figure(figsize=(6.8, 2.4 * len(runs) + 0.9), layout="constrained")
    names = list(dict.fromkeys(name for _, fractions in runs.values() for name in fractions))
    # What is not recognised stays on top, whichever run knew it first.
    colours = phase_colours(sorted(names, key=lambda name: (name == "unknown", names.index(name))))
    for number, (title, (time_ps, fractions)) in enumerate(runs.items()):
        axes = figure.add_subplot(len(runs), 1, number + 1)
        x = np.asarray(time_ps, dtype=float)
        shown = [name for name in colours if name in fractions]
        values = [100 * np.asarray(fractions[name], dtype=float) for name in shown]
        axes.stackplot(x, values, colors=[colours[name] for name in shown], alpha=0.9, edgecolor=INK, linewidth=0.3)
        axes.set(xlim=limits(x), ylim=(0, 100))
        if len(runs) > 1:
            axes.set_title(title, fontsize=9, fontweight="normal")
    figure.axes[-1].set_xlabel(xlabel)
    figure.supylabel(f"% of {of}", fontsize=9.5)
    figure.legend(
        handles=[Patch(color=colour, label=name) for name, colour in colours.items()],
        loc="outside lower center", ncols=6, columnspacing=1.2, handlelength=1.2,
    )  # fmt: skip
    return figure


@styled
def profile(z_ang: ArrayLike, panels: Mapping[str, Mapping[str, ArrayLike]], *, ylabel: str) -> Figure:
    """Stacked bars along the long axis of the cell, one panel a moment.

    :param z_ang: ``(n_bins,)`` bin centres, Å.
    :param panels: for each panel's title the counts ``(n_bins,)`` of each phase.
    """
    figure = Figure(figsize=(6.8, 2.0 * len(panels) + 0.7), layout="constrained")
    z = np.asarray(z_ang, dtype=float)
    width = float(np.diff(z).mean()) * 0.94 if len(z) > 1 else 1.0
    names = list(dict.fromkeys(name for phases in panels.values() for name in phases))
    colours = phase_colours(names)
    first: Axes | None = None
    for number, (title, phases) in enumerate(panels.items()):
        axes = figure.add_subplot(len(panels), 1, number + 1, sharex=first, sharey=first)
        first = first or axes
        bottom = np.zeros(len(z))
        for name in names:
            height = np.asarray(phases.get(name, np.zeros(len(z))), dtype=float)
            axes.bar(z, height, width, bottom=bottom, color=colours[name], linewidth=0)
            bottom += height
        axes.set_title(title, fontsize=9, fontweight="normal")
        axes.set_ylabel(ylabel)
        axes.set_xlim(z[0] - width / 2, z[-1] + width / 2)
        axes.grid(True, axis="y")
        axes.tick_params(labelbottom=number == len(panels) - 1)
    figure.axes[-1].set_xlabel("z (Å)")
    figure.legend(
        handles=[Patch(color=colours[name], label=name) for name in names],
        loc="outside lower center", ncols=6, columnspacing=1.2, handlelength=1.2,
    )  # fmt: skip
    return figure


@styled
def lines(x: ArrayLike, curves: Mapping[str, ArrayLike], *, xlabel: str, ylabel: str, from_zero: bool = True) -> Figure:
    """Curves over one axis (thickness against time, mean squared displacement).

    :param curves: for each name ``(n,)``; NaN where not defined.
    """
    figure = Figure(figsize=(6.8, 2.9), layout="constrained")
    axes = figure.add_subplot()
    for colour, (name, values) in zip(cycle(PALETTE), curves.items(), strict=False):
        axes.plot(np.asarray(x, dtype=float), np.asarray(values, dtype=float), color=colour, label=name, marker=".")
    axes.set(xlim=limits(x), xlabel=xlabel, ylabel=ylabel)
    if from_zero:
        axes.set_ylim(bottom=0)
    axes.grid(True)
    if len(curves) > 1:
        figure.legend(loc="outside lower center", ncols=len(curves) if max(map(len, curves)) < 12 else 1)
    return figure


@styled
def pair_distributions(r_ang: ArrayLike, pairs: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Partial radial distribution functions, a panel a pair.

    :param r_ang: ``(n_r,)``.
    :param pairs: for each pair ("Li-S") the curves by moment ("start", "end"), each ``(n_r,)``.
    """
    columns = min(3 if len(pairs) <= 6 else 4, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(6.8, 1.7 * rows + 0.5), layout="constrained")
    r = np.asarray(r_ang, dtype=float)
    shown = {}
    for number, (pair, curves) in enumerate(pairs.items()):
        axes = figure.add_subplot(rows, columns, number + 1)
        for index, (name, values) in enumerate(curves.items()):
            style = "--" if index == 0 and len(curves) > 1 else "-"
            (shown[name],) = axes.plot(
                r,
                np.asarray(values, dtype=float),
                color=PALETTE[(len(curves) - 1 - index) % len(PALETTE)],
                linestyle=style,
                linewidth=1.3,
            )
        axes.axhline(1, color=MUTED, linewidth=0.7, linestyle=":")
        axes.set_title(pair, fontsize=9, fontweight="normal")
        axes.set_xlim(0, float(r.max()))
        axes.set_ylim(bottom=0)
        axes.grid(True)
        if number // columns == rows - 1:
            axes.set_xlabel("r (Å)")
        if number % columns == 0:
            axes.set_ylabel("g(r)")
    if len(shown) > 1:
        figure.legend(list(shown.values()), list(shown), loc="outside lower center", ncols=len(shown))
    return figure

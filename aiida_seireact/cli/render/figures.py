"""Figures of the report: arrays in, a matplotlib Figure out. No pyplot, no file, no graph.

Every figure has a transparent background and draws its text and axes in :data:`INK`, which the page replaces by its
own text colour, so that one drawing serves light and dark screens. Colours: Okabe and Ito, told apart by all common
forms of colour vision (https://jfly.uni-koeln.de/color); marks differ too where there are more kinds than colours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import cycle, islice
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

P = ParamSpec("P")

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
SPECIES_SIZE = {"Li": 1.0, "P": 1.05, "S": 1.35, "Cl": 1.4}
"""Drawn radius against that of Li: lithium first, since its colour is what the picture is about."""

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


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw under our style whatever the user's matplotlib is set to."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, "backend": "agg", **STYLE}
        with matplotlib.rc_context(settings):
            return draw(*args, **kwargs)

    return styled


def phase_colours(names: Sequence[str]) -> dict[str, str]:
    """Return one colour a phase; phases without a colour of their own take what is left of the palette."""
    spare = (colour for colour in cycle(PALETTE) if colour not in PHASE_COLOURS.values())
    return {name: PHASE_COLOURS[name] if name in PHASE_COLOURS else next(spare) for name in names}


@_styled
def parity(
    reference: ArrayLike,
    predicted: ArrayLike,
    kinds: Sequence[str],
    *,
    title: str,
    unit: str,
    centred: bool = False,
) -> Figure:
    """Predicted against reference, coloured by kind of frame.

    :param reference: ``(n,)``; :param predicted: ``(n,)``.
    :param kinds: ``(n,)`` config type of each point.
    :param centred: subtract the mean reference value from both, for energies with a large common part.
    """
    x, y = np.asarray(reference, dtype=float), np.asarray(predicted, dtype=float)
    labels = np.asarray(kinds)
    if centred:
        x, y = x - x.mean(), y - np.asarray(reference, dtype=float).mean()
    figure = Figure(figsize=(4.6, 4.5), layout="constrained")
    axes = figure.add_subplot()
    low, high = _span(np.concatenate([x, y]))
    axes.plot([low, high], [low, high], color=INK, linewidth=0.8, alpha=0.6, zorder=1)
    names = sorted(set(labels.tolist()))
    looks = list(islice(zip(cycle(PALETTE), _marker_cycle(), strict=False), len(names)))
    # The largest kind is drawn first, else it hides the others.
    for name in sorted(names, key=lambda name: -int((labels == name).sum())):
        colour, marker = looks[names.index(name)]
        mine = labels == name
        size = 22 if mine.sum() < 200 else 9
        axes.scatter(
            x[mine], y[mine], s=size, color=colour, marker=marker, alpha=0.75, linewidths=0, rasterized=len(x) > 400,
            label=name, zorder=2,
        )  # fmt: skip
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", title=title)
    axes.set_xlabel(f"labeller ({unit})")
    axes.set_ylabel(f"model ({unit})")
    axes.grid(True)
    order = {name: handle for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        [order[name] for name in names], names, loc="outside lower center", ncols=3, markerscale=1.4,
        columnspacing=1.0, handletextpad=0.2,
    )  # fmt: skip
    return figure


@_styled
def training_curve(epoch: ArrayLike, panels: Mapping[str, ArrayLike], *, best: float | None = None) -> Figure:
    """Errors on the validation frames, and the training loss, against the epoch.

    :param panels: for each panel's title (quantity with unit) ``(n_epochs,)``; NaN where not known.
    :param best: epoch whose weights were kept.
    """
    figure = Figure(figsize=(6.8, 2.7 if len(panels) < 4 else 4.6), layout="constrained")
    columns = min(3, len(panels)) if len(panels) < 4 else 2
    rows = -(-len(panels) // columns)
    x = np.asarray(epoch, dtype=float)
    for number, (name, values) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, number + 1)
        y = np.asarray(values, dtype=float)
        axes.plot(x, y, color=PALETTE[number % len(PALETTE)])
        if (y[np.isfinite(y)] > 0).all() and np.isfinite(y).any():
            axes.set_yscale("log")
            _plain_log(axes)
        if best is not None:
            axes.axvline(best, color=MUTED, linestyle=":", linewidth=1.0)
            if number == 0:
                axes.annotate(
                    "kept", (best, 1), xycoords=("data", "axes fraction"), ha="right", va="top", color=MUTED,
                    xytext=(-3, 0), textcoords="offset points",
                )  # fmt: skip
        axes.set_title(name, fontsize=9, fontweight="normal")
        axes.set_xlabel("epoch")
        axes.grid(True)
    return figure


@_styled
def time_series(
    time_ps: ArrayLike, series: Mapping[str, ArrayLike], *, marks: Mapping[str, float] | None = None
) -> Figure:
    """Quantities of one run below each other, against time.

    :param series: for each axis label (quantity with unit) ``(n,)``.
    :param marks: for an axis label a value drawn as a dashed line (the thermostat's temperature).
    """
    figure = Figure(figsize=(6.8, 1.65 * len(series) + 0.4), layout="constrained")
    x = np.asarray(time_ps, dtype=float)
    first: Axes | None = None
    for number, (name, values) in enumerate(series.items()):
        axes = figure.add_subplot(len(series), 1, number + 1, sharex=first)
        first = first or axes
        axes.plot(x, np.asarray(values, dtype=float), color=PALETTE[number % len(PALETTE)])
        if marks and name in marks:
            axes.axhline(marks[name], color=MUTED, linestyle="--", linewidth=1.0)
        axes.set_title(name, fontsize=9, fontweight="normal")
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.grid(True)
        axes.tick_params(labelbottom=number == len(series) - 1)
        axes.set_xlim(_limits(x))
    if first is not None:
        figure.axes[-1].set_xlabel("time (ps)")
    return figure


@_styled
def counts_in_time(time_ps: ArrayLike, counts: ArrayLike, *, total: int, label: str) -> Figure:
    """Step curve of a count (intact PS4) against time.

    :param total: number there could be at most; the upper end of the axis.
    """
    figure = Figure(figsize=(6.8, 2.8), layout="constrained")
    axes = figure.add_subplot()
    x, y = np.asarray(time_ps, dtype=float), np.asarray(counts, dtype=float)
    axes.fill_between(x, y, step="post", color=PALETTE[0], alpha=0.18, linewidth=0)
    axes.step(x, y, where="post", color=PALETTE[0])
    axes.set(xlim=_limits(x), ylim=(0, max(total, 1) * 1.05), xlabel="time (ps)", ylabel=label)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True)
    return figure


@_styled
def fractions_in_time(time_ps: ArrayLike, fractions: Mapping[str, ArrayLike], *, of: str) -> Figure:
    """Stacked fractions of each phase against time.

    :param fractions: for each phase ``(n,)``, together 1 in each frame.
    :param of: what they are fractions of.
    """
    figure = Figure(figsize=(6.8, 3.3), layout="constrained")
    axes = figure.add_subplot()
    x = np.asarray(time_ps, dtype=float)
    colours = phase_colours(list(fractions))
    values = [100 * np.asarray(values, dtype=float) for values in fractions.values()]
    axes.stackplot(
        x, values, labels=list(fractions), colors=list(colours.values()), alpha=0.9, edgecolor=INK, linewidth=0.3
    )
    axes.set(xlim=_limits(x), ylim=(0, 100), xlabel="time (ps)", ylabel=f"% of {of}")
    figure.legend(loc="outside lower center", ncols=6, columnspacing=1.2, handlelength=1.2)
    return figure


@_styled
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


@_styled
def lines(x: ArrayLike, curves: Mapping[str, ArrayLike], *, xlabel: str, ylabel: str, from_zero: bool = True) -> Figure:
    """Curves over one axis (thickness against time, mean squared displacement).

    :param curves: for each name ``(n,)``; NaN where not defined.
    """
    figure = Figure(figsize=(6.8, 2.9), layout="constrained")
    axes = figure.add_subplot()
    for colour, (name, values) in zip(cycle(PALETTE), curves.items(), strict=False):
        axes.plot(np.asarray(x, dtype=float), np.asarray(values, dtype=float), color=colour, label=name, marker=".")
    axes.set(xlim=_limits(np.asarray(x, dtype=float)), xlabel=xlabel, ylabel=ylabel)
    if from_zero:
        axes.set_ylim(bottom=0)
    axes.grid(True)
    if len(curves) > 1:
        figure.legend(loc="outside lower center", ncols=len(curves) if max(map(len, curves)) < 12 else 1)
    return figure


@_styled
def pair_distributions(r_ang: ArrayLike, pairs: Mapping[str, Mapping[str, ArrayLike]]) -> Figure:
    """Partial radial distribution functions, a panel a pair.

    :param r_ang: ``(n_r,)``.
    :param pairs: for each pair ("Li-S") the curves by moment ("start", "end"), each ``(n_r,)``.
    """
    columns = min(3 if len(pairs) <= 6 else 4, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(6.8, 1.7 * rows + 0.5), layout="constrained")
    r = np.asarray(r_ang, dtype=float)
    looks = {}
    for number, (pair, curves) in enumerate(pairs.items()):
        axes = figure.add_subplot(rows, columns, number + 1)
        for index, (name, values) in enumerate(curves.items()):
            style = "--" if index == 0 and len(curves) > 1 else "-"
            (looks[name],) = axes.plot(
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
    if len(looks) > 1:
        figure.legend(list(looks.values()), list(looks), loc="outside lower center", ncols=len(looks))
    return figure


@_styled
def cell_picture(moments: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The cell seen along y: lithium coloured by phase, the other atoms pale, the front ones last.

    :param moments: for each title a mapping with ``positions`` ``(n_atoms, 3)`` Å, ``symbols`` ``(n_atoms,)``,
        ``cell`` ``(3, 3)`` Å, ``phases`` ``(n_atoms,)`` (the phase of each labelled atom, '' for the others).
    """
    heights = [float(np.linalg.norm(np.asarray(moment["cell"])[2])) for moment in moments.values()]
    widths = [float(np.linalg.norm(np.asarray(moment["cell"])[0])) for moment in moments.values()]
    # Long cells lie on their side: z runs to the right, and the moments stand below each other.
    scale = 6.6 / max(heights)
    panel = max(widths) * scale
    figure = Figure(figsize=(6.8, (panel + 0.45) * len(moments) + 0.75), layout="constrained")
    names: dict[str, None] = {}
    kinds: dict[str, None] = {}
    for moment in moments.values():
        names.update(dict.fromkeys(sorted({str(name) for name in moment["phases"] if name})))
        kinds.update(dict.fromkeys(sorted({str(symbol) for symbol in moment["symbols"]} - {"Li"})))
    colours = phase_colours(list(names))
    pale = {"S": "#f3e6b3", "Cl": "#cdebd9", "P": "#f6cdb2"}
    for number, (title, moment) in enumerate(moments.items()):
        axes = figure.add_subplot(len(moments), 1, number + 1)
        positions = _wrapped(moment["positions"], moment["cell"])
        cell = np.asarray(moment["cell"], dtype=float)
        symbols, phases = np.asarray(moment["symbols"]), np.asarray(moment["phases"])
        order = np.argsort(-positions[:, 1], kind="stable")
        radius = 0.62 * np.array([SPECIES_SIZE.get(str(symbol), 1.3) for symbol in symbols])
        faces = [
            colours[str(phase)] if phase else pale.get(str(symbol), "#e3e5e8")
            for phase, symbol in zip(phases, symbols, strict=True)
        ]
        # Points are 1/72 inch; an area in points² is what scatter wants.
        sizes = (2 * radius * scale * 72 * 0.9) ** 2
        axes.scatter(
            positions[order, 2], positions[order, 0], s=sizes[order], c=[faces[index] for index in order],
            edgecolors="#00000066", linewidths=0.4,
        )  # fmt: skip
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
        outline = corners[:, :1] * cell[2, [2, 0]] + corners[:, 1:] * cell[0, [2, 0]]
        axes.plot(outline[:, 0], outline[:, 1], color=INK, linewidth=0.8)
        axes.set_title(title, fontsize=9, fontweight="normal")
        axes.set(aspect="equal", xlim=(-1.5, max(heights) + 1.5), ylim=(-1.5, max(widths) + 1.5))
        axes.set_yticks([])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0, labelbottom=number == len(moments) - 1)
    figure.axes[-1].set_xlabel("z (Å)")
    handles = [_dot(colours[name], f"Li in {name}" if name != "Li" else "Li metal") for name in names]
    handles += [_dot(pale.get(kind, "#e3e5e8"), kind) for kind in kinds]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.0, handletextpad=0.1)
    return figure


def _dot(colour: str, label: str) -> Any:
    return Line2D(
        [], [], linestyle="", marker="o", markersize=8, color=colour, markeredgecolor="#00000066", label=label
    )


def _wrapped(positions: ArrayLike, cell: ArrayLike) -> NDArray[np.float64]:
    lattice = np.asarray(cell, dtype=float)
    fractions = np.asarray(positions, dtype=float) @ np.linalg.inv(lattice)
    return np.asarray((fractions % 1.0) @ lattice, dtype=np.float64)


def _marker_cycle() -> Any:
    for marker in cycle(MARKERS):
        for _ in PALETTE:
            yield marker


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _limits(x: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(x.min()), float(x.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _plain_log(axes: Axes) -> None:
    """Write 0.05, not 5 × 10⁻², on log axes of one or two decades."""
    low, high = axes.get_ylim()
    if high / low > 200:
        return
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(LogLocator(subs=()))

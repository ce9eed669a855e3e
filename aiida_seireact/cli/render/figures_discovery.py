"""Figures of what was found: a page of panels for each unknown cluster, and one for each region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.figures.style import INK, MUTED, PALETTE, element_colours, limits, styled
from aiida_seireact.formats.discovery import DiscoveryCurves


@styled
def group_page(group: Mapping[str, Any], curves: DiscoveryCurves, row: int) -> Figure:
    """Draw what is known of a group: composition, distances, diffraction, place and time.

    :param group: an item of ``groups`` of ``discovery.json``, of which something was measured.
    :param row: its place there, as in `curves`.
    """
    figure = Figure(figsize=(6.8, 7.2), layout="constrained")
    grid = figure.add_gridspec(3, 2)
    _composition(figure.add_subplot(grid[0, 0]), group)
    _shells(figure.add_subplot(grid[0, 1]), group)
    _distances(figure.add_subplot(grid[1, 0]), curves, row)
    _along_z(figure.add_subplot(grid[1, 1]), curves, row)
    best = (group.get("nearest_by_diffraction") or [None])[0]
    _diffraction(figure.add_subplot(grid[2, 0]), curves.two_theta_deg, curves.xrd[row], curves.xrd_nearest[row], best)
    _in_time(figure.add_subplot(grid[2, 1]), curves, row)
    figure.suptitle(f"{group['id']}: {group['name']}", fontsize=11, fontweight="bold", x=0.01, ha="left")
    return figure


@styled
def region_page(region: Mapping[str, Any], curves: DiscoveryCurves, row: int) -> Figure:
    """Draw a region: its composition, its diffraction pattern, and its all-sulfur environments beside chance.

    :param region: an item of ``regions`` of ``discovery.json``; :param row: its place there.
    """
    sulfur = region.get("sulfur")
    figure = Figure(figsize=(6.8, 2.7), layout="constrained")
    grid = figure.add_gridspec(1, 3 if sulfur else 2, width_ratios=(1.0, 1.6, 1.0) if sulfur else (1.0, 1.6))
    _composition(figure.add_subplot(grid[0, 0]), region)
    best = (region["nearest_by_diffraction"] or [None])[0]
    _diffraction(
        figure.add_subplot(grid[0, 1]), curves.two_theta_deg, curves.region_xrd[row], curves.region_xrd_nearest[row],
        best,
    )  # fmt: skip
    if sulfur:
        _sulfur(figure.add_subplot(grid[0, 2]), sulfur)
    figure.suptitle(f"{region['like']} region: {region['name']}", fontsize=11, fontweight="bold", x=0.01,
                    ha="left")  # fmt: skip
    return figure


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, fontweight="normal")


def _colours(symbols: list[str]) -> list[str]:
    return list(element_colours(symbols).values())


def _composition(axes: Axes, group: Mapping[str, Any]) -> None:
    amounts: Mapping[str, float] = group["composition"]
    centre = next(iter(amounts))
    anions = sum(amount for symbol, amount in amounts.items() if symbol != centre)
    symbols = list(amounts)
    heights = [amounts[symbol] / (anions or amounts[centre]) for symbol in symbols]
    axes.bar(symbols, heights, color=_colours(symbols), width=0.65)
    for place, height in enumerate(heights):
        axes.text(place, height, f"{height:.2f}", ha="center", va="bottom", fontsize=8)
    axes.set_ylim(0, 1.18 * max(heights))
    axes.set_ylabel("atoms for each anion" if anions else "share")
    _titled(axes, "composition")


def _shells(axes: Axes, group: Mapping[str, Any]) -> None:
    shells: Mapping[str, float] = group["anion_shells"]
    names = list(shells)[::-1]
    axes.barh(names, [100 * shells[name] for name in names], color=PALETTE[4], height=0.65)
    axes.set_xlim(0, 105)
    axes.set_ylim(-2.5 if len(names) < 3 else -0.6, len(names) - 0.4)
    axes.set_xlabel("% of its environments")
    order = group["crystallinity"]["value"]
    _titled(axes, "nearest anions" + ("" if order is None else f"; crystallinity {order:.2f}"))


def _distances(axes: Axes, curves: DiscoveryCurves, row: int) -> None:
    symbols = curves.elements.tolist()
    highest = 1.0
    for symbol, colour, g in zip(symbols, _colours(symbols), curves.rdf[row], strict=True):
        if np.isfinite(g).all() and g.any():
            axes.plot(curves.r_ang, g, color=colour, linewidth=1.2, label=symbol)
            highest = max(highest, float(g.max()))
    axes.axhline(1, color=MUTED, linewidth=0.7, linestyle=":")
    axes.set(xlim=(0, float(curves.r_ang[-1])), ylim=(0, 1.05 * highest), xlabel="r (Å)", ylabel="g(r)")
    axes.legend(ncols=2, loc="upper right", handlelength=1.0, columnspacing=0.8)
    axes.grid(True)
    _titled(axes, "distances from its centres")


def _along_z(axes: Axes, curves: DiscoveryCurves, row: int) -> None:
    edges = curves.z_edges_ang
    axes.stairs(curves.all_along_z, edges, color=MUTED, linewidth=0.9, label="all")
    axes.stairs(curves.along_z[row], edges, color=PALETTE[0], fill=True, label="these")
    axes.set(xlim=(edges[0], edges[-1]), xlabel="z (Å)", ylabel="environments")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", handlelength=1.0)
    _titled(axes, "place, late in the run")


def _diffraction(
    axes: Axes, angles: ArrayLike, own: NDArray[np.float64], near: NDArray[np.float64], best: Mapping[str, Any] | None
) -> None:
    # Every other point is enough for the eye, and half the page.
    x, own, near = np.asarray(angles, dtype=float)[::2], own[::2], near[::2]
    if np.isfinite(own).all():
        axes.plot(x, own, color=PALETTE[0], linewidth=1.1, label="these")
    if best is not None and np.isfinite(near).all():
        axes.fill_between(x, -near, color=MUTED, alpha=0.7, linewidth=0)
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.text(0.98, 0.03, f"{best['name']}, lattice × {best['stretch']:.2f}, r = {best['value']:.2f}", fontsize=8,
                  transform=axes.transAxes, ha="right", va="bottom")  # fmt: skip
    axes.set(xlim=(x[0], x[-1]), ylim=(-1.3, 1.08), xlabel="2θ (°)", yticks=[])
    axes.set_ylabel("intensity")
    _titled(axes, "diffraction; below: the nearest known")


def _in_time(axes: Axes, curves: DiscoveryCurves, row: int) -> None:
    shares = 100 * curves.in_time[row] / np.maximum(curves.n_centres, 1)
    axes.plot(curves.steps, shares, color=PALETTE[0], marker="." if len(shares) < 60 else "")
    axes.set(xlim=limits(curves.steps), xlabel="step", ylabel="% of all centres")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.grid(True)
    _titled(axes, "appearance in time")


def _sulfur(axes: Axes, sulfur: Mapping[str, Any]) -> None:
    heights = [100 * sulfur["counted"], 100 * sulfur["expected"]]
    axes.bar(["counted", "x$_S^4$"], heights, color=[PALETTE[1], MUTED], width=0.6)
    for place, height in enumerate(heights):
        axes.text(place, height, f"{height:.1f}", ha="center", va="bottom", fontsize=8)
    axes.set_ylim(0, 1.2 * max(*heights, 1.0))
    axes.set_ylabel("% with four S")
    _titled(axes, f"together: p = {sulfur['p_value']:.2g}")

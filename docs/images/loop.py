"""Draw ``loop.svg``: the nodes of a study, and the processes that lead from one to the next.

Run ``python docs/images/loop.py [FILE]``; the same bytes come out each time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

HERE = Path(__file__).parent
INK, SOFT, BLUE, GREEN, ORANGE = "#1b1e22", "#5a626c", "#0072b2", "#00694b", "#a13d00"

# name, what it holds, place of its centre
NODES = {
    "cells": ("structures", "interface, references", (0.0, 1.0)),
    "process": ("sparse GP", "one for each condition", (3.0, 2.9)),
    "frames": ("frames", "energy, forces, stress", (3.0, 1.0)),
    "dataset": ("dataset", "train, validation, test", (6.0, 1.0)),
    "potential": ("potential", "package and compiled file", (9.0, 1.0)),
    "trajectory": ("trajectory", "thermo table, dump", (9.0, -0.9)),
    "phases": ("phases", "clusters, names, unknown", (6.0, -0.9)),
    "summary": ("summary", "numbers of the report", (3.0, -0.9)),
}
# from, to, process, program
ARROWS = (
    ("cells", "frames", "label", "seireact-label"),
    ("frames", "dataset", "dataset", "split by group"),
    ("dataset", "potential", "train", "seireact-train"),
    ("potential", "trajectory", "produce", "seireact-lmp"),
    ("trajectory", "phases", "classify", "seireact-classify"),
    ("phases", "summary", "analyse", "seireact-analyse"),
)
WIDTH, HEIGHT = 1.75, 0.72


def draw(path: Path) -> None:
    """Write the picture to ``path`` as SVG whose text stays text."""
    style = {"svg.fonttype": "none", "svg.hashsalt": "seireact", "font.family": "sans-serif", "font.size": 10}
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(11.2, 4.9))
        axes.set_xlim(-1.0, 10.6)
        axes.set_ylim(-1.5, 3.5)
        axes.set_aspect("equal")
        axes.axis("off")
        for title, content, (x, y) in NODES.values():
            box = FancyBboxPatch(
                (x - WIDTH / 2, y - HEIGHT / 2),
                WIDTH,
                HEIGHT,
                boxstyle="round,pad=0.02,rounding_size=0.12",
                facecolor="#f4f5f6",
                edgecolor=BLUE,
                linewidth=1.2,
            )
            axes.add_patch(box)
            axes.text(x, y + 0.12, title, ha="center", va="center", weight="bold", color=INK)
            axes.text(x, y - 0.17, content, ha="center", va="center", color=SOFT, fontsize=6.8)
        for start, end, process, program in ARROWS:
            connect(axes, NODES[start][2], NODES[end][2], process, program)
        explore(axes)
        augment(axes)
        figure.savefig(
            path, format="svg", bbox_inches="tight", facecolor="white", metadata={"Date": None, "Creator": None}
        )
        plt.close(figure)


def connect(axes: plt.Axes, start: tuple[float, float], end: tuple[float, float], process: str, program: str) -> None:
    """Draw an arrow between two boxes, with the process above it and the program below it."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        side = 1 if x1 > x0 else -1
        first, last = (x0 + side * (WIDTH / 2 + 0.03), y0), (x1 - side * (WIDTH / 2 + 0.03), y1)
        above, below = ((x0 + x1) / 2, y0 + 0.14), ((x0 + x1) / 2, y0 - 0.15)
        align = "center"
    else:
        first, last = (x0, y0 - HEIGHT / 2 - 0.03), (x1, y1 + HEIGHT / 2 + 0.03)
        above, below = (x0 + 0.1, (y0 + y1) / 2 + 0.12), (x0 + 0.1, (y0 + y1) / 2 - 0.14)
        align = "left"
    axes.add_patch(FancyArrowPatch(first, last, arrowstyle="-|>", mutation_scale=12, color=GREEN, linewidth=1.6))
    axes.text(*above, process, ha=align, va="center", color=GREEN, fontsize=9)
    axes.text(*below, program, ha=align, va="center", color=SOFT, fontsize=6.2)


def explore(axes: plt.Axes) -> None:
    """Draw the small loop: a process drives MD, asks for labels, and learns them."""
    (x, y), (_, frames_y) = NODES["process"][2], NODES["frames"][2]
    low, high = frames_y + HEIGHT / 2 + 0.03, y - HEIGHT / 2 - 0.03
    for shift, start, end in ((-0.35, low, high), (0.35, high, low)):
        arrow = FancyArrowPatch(
            (x + shift, start), (x + shift, end), arrowstyle="-|>", mutation_scale=12, color=ORANGE, linewidth=1.6
        )
        axes.add_patch(arrow)
    middle = (low + high) / 2
    for side, process, program in ((-1, "learn", "seireact-flare"), (1, "MD asks for labels", "seireact-label")):
        place, align = x + side * 0.5, "right" if side < 0 else "left"
        axes.text(place, middle + 0.12, process, ha=align, va="center", color=ORANGE, fontsize=9)
        axes.text(place, middle - 0.14, program, ha=align, va="center", color=SOFT, fontsize=6.2)


def augment(axes: plt.Axes) -> None:
    """Draw the large loop: from the model's own run back to labels."""
    (start_x, start_y), (end_x, end_y) = NODES["trajectory"][2], NODES["frames"][2]
    start_x, level = start_x - 0.5, (start_y + end_y) / 2
    first, tip = start_y + HEIGHT / 2 + 0.03, end_y - HEIGHT / 2 - 0.03
    axes.plot([start_x, start_x, end_x, end_x], [first, level, level, tip - 0.15], color=ORANGE, linewidth=1.6)
    head = FancyArrowPatch(
        (end_x, tip - 0.2), (end_x, tip), arrowstyle="-|>", mutation_scale=12, color=ORANGE, linewidth=1.6
    )
    axes.add_patch(head)
    middle = (start_x + end_x) / 2
    text = "augment: what no GP knows is labelled and learned"
    axes.text(middle, level + 0.14, text, ha="center", va="center", color=ORANGE, fontsize=9)
    axes.text(middle, level - 0.15, "seireact-select", ha="center", va="center", color=SOFT, fontsize=6.2)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "loop.svg")

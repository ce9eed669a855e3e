"""The cell as a picture: where the atoms are, and as what each lithium is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from ase.data.colors import jmol_colors
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.figures.style import INK, phase_colours, styled

SPECIES_SIZE = {"Li": 1.0, "P": 1.05, "S": 1.35, "Cl": 1.4}
"""Drawn radius against that of Li: lithium first, since its colour is what the picture is about."""

PALE = {"S": "#f3e6b3", "Cl": "#cdebd9", "P": "#f6cdb2"}
"""Colours of elements beside lithium; others have those of Jmol, made as pale."""
VECTORS = 3000
"""Most atoms that are drawn as shapes; more are one image, so that a file of vectors stays small."""


@styled
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
    for number, (title, moment) in enumerate(moments.items()):
        axes = figure.add_subplot(len(moments), 1, number + 1)
        positions = _wrapped(moment["positions"], moment["cell"])
        cell = np.asarray(moment["cell"], dtype=float)
        symbols, phases = np.asarray(moment["symbols"]), np.asarray(moment["phases"])
        order = np.argsort(-positions[:, 1], kind="stable")
        radius = 0.62 * np.array([SPECIES_SIZE.get(str(symbol), 1.3) for symbol in symbols])
        faces = [
            colours[str(phase)] if phase else pale(str(symbol)) for phase, symbol in zip(phases, symbols, strict=True)
        ]
        # Points are 1/72 inch; an area in points² is what scatter wants.
        sizes = (2 * radius * scale * 72 * 0.9) ** 2
        axes.scatter(
            positions[order, 2], positions[order, 0], s=sizes[order], c=[faces[index] for index in order],
            edgecolors="#00000066", linewidths=0.4, rasterized=len(order) > VECTORS,
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
    handles += [_dot(pale(kind), kind) for kind in kinds]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.0, handletextpad=0.1)
    return figure


def pale(symbol: str) -> str:
    """Return the colour of an element that is not what the picture is about."""
    if symbol in PALE or symbol not in atomic_numbers:
        return PALE.get(symbol, "#e3e5e8")
    return str(to_hex(0.4 * jmol_colors[atomic_numbers[symbol]] + 0.6))


def _dot(colour: str, label: str) -> Any:
    return Line2D(
        [], [], linestyle="", marker="o", markersize=8, color=colour, markeredgecolor="#00000066", label=label
    )


def _wrapped(positions: ArrayLike, cell: ArrayLike) -> NDArray[np.float64]:
    lattice = np.asarray(cell, dtype=float)
    fractions = np.asarray(positions, dtype=float) @ np.linalg.inv(lattice)
    return np.asarray((fractions % 1.0) @ lattice, dtype=np.float64)

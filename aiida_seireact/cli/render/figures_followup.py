"""Figure of the follow-up of a composition: its orderings above the hull, and what their disorder is worth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase.units import kB
from matplotlib.figure import Figure

from aiida_seireact.figures.style import INK, MUTED, PALETTE, styled
from aiida_seireact.science.mixing import ensemble

HOTTEST_K = 1000.0


@styled
def above_the_hull(followup: Mapping[str, Any]) -> Figure:
    """Draw each ordering above the hull of what it would become, and free energies against temperature.

    :param followup: the output `followup` of `seireact.followup`.
    """
    made, found = followup["composition"], followup["stability"]
    rows, n_atoms = found["orderings"], made["n_atoms"]
    above = np.array([row["above_hull_mev_per_atom"] for row in rows])
    counts = np.array([row["degeneracy"] for row in rows])
    figure = Figure(figsize=(7.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.3))

    left.axhline(0.0, color=INK, linewidth=1.2)
    order = np.argsort(above, kind="stable")
    left.scatter(
        np.arange(len(rows)), above[order], s=14 + 160 * counts[order] / counts.sum(), color=PALETTE[0], zorder=3
    )
    for place, index in enumerate(order[:12]):
        left.annotate(
            f"{counts[index]}×",
            (place, above[index]),
            xytext=(0, -17),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    left.set_xlim(-0.7, len(rows) - 0.3)
    left.set_xticks([])
    left.set_xlabel(f"orderings, {made['n_arrangements']} arrangements")
    left.set_ylabel("above the hull (meV/atom)")
    left.text(
        0.02, 0.0, " + ".join(_subscripts(row["formula"]) for row in found["decomposition"]), fontsize=8.5,
        transform=left.get_yaxis_transform(), va="bottom",
    )  # fmt: skip

    temperatures = np.linspace(0.0, HOTTEST_K, 101)
    energies = above * n_atoms / 1000.0
    cell = [ensemble(energies, counts, float(t)).free_energy_ev * 1000 / n_atoms for t in temperatures]
    ideal = found["mean_above_hull_mev_per_atom"] - 1000 * kB * temperatures * found["mixing_entropy_kb_per_atom"]
    right.axhline(0.0, color=INK, linewidth=1.2)
    right.plot(temperatures, cell, color=PALETTE[0], label=f"ensemble of this cell ({n_atoms} atoms)")
    right.plot(temperatures, ideal, color=PALETTE[1], linestyle="--", label="ideal mixing")
    for row in found["temperatures"]:
        right.axvline(row["temperature_k"], color=MUTED, linewidth=0.8, linestyle=":")
    right.set_xlim(0.0, HOTTEST_K)
    right.set_xlabel("temperature (K)")
    right.legend(loc="best")
    top = max(float(above.max()), float(ideal.max()), 5.0)
    bottom = min(0.0, float(above.min()), float(min(cell)), float(ideal.min()))
    left.set_ylim(bottom - 0.12 * (top - bottom), top + 0.15 * (top - bottom))
    left.set_title(_subscripts(made["composition"]))
    return figure


def _subscripts(formula: str) -> str:
    """Return a formula with whole numbers below the line; fractions stay as they are, since no point is there."""
    if "." in formula:
        return formula
    return re.sub(r"\d", lambda digit: "₀₁₂₃₄₅₆₇₈₉"[int(digit[0])], formula)

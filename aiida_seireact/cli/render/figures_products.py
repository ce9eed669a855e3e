"""Figure of a prediction of products: the energy that two phases give away, along the mixing fraction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from aiida_seireact.figures.style import INK, MUTED, PALETTE, styled


@styled
def reaction_energies(products: Mapping[str, Any]) -> Figure:
    """Draw the energy of reaction against the mixing fraction, with the products at each kink.

    :param products: `Products.to_dict`.
    """
    kinks: Sequence[Mapping[str, Any]] = products["kinks"]
    end = products["lithiation_end"]
    fractions = [kink["mixing_fraction"] for kink in kinks]
    energies = [kink["energy_ev_per_atom"] for kink in kinks]
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y")
    axes.axhline(0.0, color=MUTED, linewidth=0.8)
    axes.plot(fractions, energies, color=PALETTE[0], marker="o", markersize=4, zorder=3)
    if end is not None:
        axes.plot(fractions[end], energies[end], color=PALETTE[1], marker="o", markersize=8, zorder=4)
    depth = min([*energies, -0.05])
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(1.32 * depth, -0.12 * depth)
    numbered = [index for index, kink in enumerate(kinks) if 0.0 < kink["mixing_fraction"] < 1.0]
    for number, index in enumerate(numbered, start=1):
        axes.annotate(
            str(number), (fractions[index], energies[index]), xytext=(0, -16), textcoords="offset points",
            ha="center", fontsize=8.5,
        )  # fmt: skip
    if numbered:
        lines = [f"{number}  {_products_of(kinks[index])}" for number, index in enumerate(numbered, start=1)]
        if end in numbered:
            lines[numbered.index(end)] += "  (lithiation end)"
        right = fractions[min(range(len(kinks)), key=lambda index: energies[index])] < 0.5
        axes.text(
            0.98 if right else 0.02, 0.03, "\n".join(lines), transform=axes.transAxes, fontsize=8.5, color=INK,
            ha="right" if right else "left", va="bottom", multialignment="left",
        )  # fmt: skip
    axes.set_xlabel(f"fraction of atoms from {_subscripts(products['first'])}, the rest from "
                    f"{_subscripts(products['second'])}")  # fmt: skip
    axes.set_ylabel("energy of reaction (eV/atom)")
    return figure


def _products_of(kink: Mapping[str, Any]) -> str:
    """Return the products with their amounts."""
    return " + ".join(
        _subscripts(name) if f"{amount:.3g}" == "1" else f"{amount:.3g} {_subscripts(name)}"
        for name, amount in kink["products"].items()
    )


def _subscripts(formula: str) -> str:
    return re.sub(r"\d", lambda digit: "₀₁₂₃₄₅₆₇₈₉"[int(digit[0])], formula)

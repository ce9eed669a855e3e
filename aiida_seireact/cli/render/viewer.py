"""The classified cell for the 3D view of the page: atoms as small numbers, a colour for each kind of atom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.cli.render.figures_cell import SPECIES_SIZE, pale
from aiida_seireact.figures.style import phase_colours

if TYPE_CHECKING:
    from aiida_seireact.cli.render.runs import Moment

LI_RADIUS_ANG = 0.95


def scene_of(moments: Mapping[str, Moment]) -> dict[str, Any]:
    """Return what the page's viewer draws: kinds of atoms, and for each moment which atom is where.

    Axes are turned in a circle, so that z of the cell runs to the right and y goes into the screen, as in the picture.
    """
    labels = sorted({label for moment in moments.values() for label in _labels(moment)}, key=_order)
    phases = phase_colours([label[1:] for label in labels if label.startswith("=")])
    kinds = [
        {
            "name": _name(label),
            "colour": phases[label[1:]] if label.startswith("=") else pale(label),
            "radius": round(LI_RADIUS_ANG * SPECIES_SIZE.get("Li" if label.startswith("=") else label, 1.3), 2),
        }
        for label in labels
    ]
    return {"kinds": kinds, "moments": [_moment(title, moment, labels) for title, moment in moments.items()]}


def _labels(moment: Moment) -> NDArray[Any]:
    """Return for each atom its phase behind an equals sign, or its element where it has none."""
    return np.array(
        [f"={phase}" if phase else str(symbol) for phase, symbol in zip(moment.phases, moment.symbols, strict=True)]
    )


def _order(label: str) -> tuple[bool, bool, str]:
    return (not label.startswith("="), label == "=unknown", label)


def _name(label: str) -> str:
    if not label.startswith("="):
        return label
    return "Li metal" if label == "=Li" else f"Li in {label[1:]}"


def _moment(title: str, moment: Moment, labels: list[str]) -> dict[str, Any]:
    cell = np.asarray(moment.cell, dtype=float)
    turned = np.asarray(moment.positions)[:, [2, 0, 1]]
    return {
        "title": title,
        "atoms": moment.n_atoms,
        "shown": len(turned),
        "xyz": np.round(turned, 2).ravel().tolist(),
        "kind": [labels.index(label) for label in _labels(moment)],
        "cell": np.round(cell[[2, 0, 1]][:, [2, 0, 1]], 3).tolist(),
    }

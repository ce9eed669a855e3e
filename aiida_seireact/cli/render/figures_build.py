"""The picture of a planned cell, seen from the side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from aiida_seireact.cli.render.figures_cell import cell_picture
from aiida_seireact.figures.saving import save_picture
from aiida_seireact.science.structures.plan import CellPlan

DRAWN_ATOMS = 20_000
"""Of a larger cell only its front is drawn, as deep as this many atoms reach: those behind would be hidden."""


def draw_cell(plan: CellPlan, path: Path) -> None:
    """Draw a cell along y, z to the right; lithium has the colour of its phase. The same cell gives the same bytes.

    :param path: .svg, .png or .pdf.
    :raises OSError: the folder is not writable.
    """
    title, seen = side_of(plan)
    figure = cell_picture({title: seen})
    save_picture(figure, path, bbox_inches="tight")


def side_of(plan: CellPlan) -> tuple[str, dict[str, Any]]:
    """Return a title, and what `cell_picture` draws: positions, symbols, cell and the phase of each lithium."""
    share = min(1.0, DRAWN_ATOMS / plan.n_atoms)
    phases = np.array([slab.spec.name for slab in plan.slabs])
    # Atoms come slab by slab.
    ends = np.cumsum([slab.n_atoms for slab in plan.slabs])
    kept: list[tuple[Any, ...]] = []
    first = 0
    for block in plan.blocks():
        front = block.positions[:, 1] <= share * plan.cell[1, 1]
        slabs = np.searchsorted(ends, first + np.flatnonzero(front), side="right")
        kept.append((block.positions[front], block.numbers[front], phases[slabs]))
        first += len(front)
    positions, numbers, of = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    symbols = np.array(chemical_symbols)[numbers]
    names = " | ".join(slab.spec.name for slab in plan.slabs)
    part = "" if share == 1.0 else f", its front {share * plan.cell[1, 1]:.1f} Å"
    seen = {
        "positions": positions,
        "symbols": symbols,
        "cell": plan.cell,
        "phases": np.where(symbols == "Li", of, ""),
    }
    return f"{names}: {plan.n_atoms:,} atoms{part}", seen

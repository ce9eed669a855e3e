"""The side view of a cell: each lithium in its phase, and of a large cell the front."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.cli.render import figures_build
from aiida_seireact.cli.render.figures_build import side_of
from aiida_seireact.cli.render.figures_cell import pale
from aiida_seireact.formats.recipe import Recipe
from aiida_seireact.science.structures.plan import CellPlan


@pytest.fixture(scope="module")
def plan() -> CellPlan:
    return Recipe.read(
        {
            "phases": {"Li2S": {"name": "Li2S"}, "Li": {"name": "Li"}},
            "slabs": [
                {"phase": "Li2S", "hkl": [1, 0, 0], "matrix": [[5, 0], [0, 5]], "layers": 4},
                {"phase": "Li", "hkl": [1, 0, 0], "matrix": [[6, 0], [0, 6]], "layers": 6},
            ],
        }
    ).plan()


def test_every_lithium_is_in_its_phase(plan: CellPlan) -> None:
    title, seen = side_of(plan)
    assert title == f"Li2S | Li: {plan.n_atoms} atoms"
    heights = seen["positions"][:, 2]
    top = heights[seen["phases"] == "Li2S"].max()
    assert top < heights[seen["phases"] == "Li"].min()
    assert (seen["phases"] == "Li").sum() == plan.slabs[1].n_atoms
    assert set(seen["phases"][seen["symbols"] == "S"]) == {""}
    assert np.allclose(seen["positions"], plan.to_ase().positions)


def test_of_a_large_cell_the_front_is_drawn(plan: CellPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures_build, "DRAWN_ATOMS", plan.n_atoms // 2)
    title, seen = side_of(plan)
    depth = 0.5 * plan.cell[1, 1]
    assert title.endswith(f", its front {depth:.1f} Å")
    assert seen["positions"][:, 1].max() <= depth + 1e-9
    assert 0.4 * plan.n_atoms < len(seen["positions"]) < 0.75 * plan.n_atoms
    assert set(seen["phases"]) == {"Li2S", "Li", ""}


def test_an_element_that_has_no_colour_of_ours_has_a_pale_one_of_its_own() -> None:
    colours = {pale(symbol) for symbol in ("S", "Cl", "P", "In", "O", "Zr", "La", "I")}
    assert len(colours) == 8
    assert all(sum(int(colour[i : i + 2], 16) for i in (1, 3, 5)) > 450 for colour in colours)

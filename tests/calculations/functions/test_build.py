"""Small cells inside the graph: content decides them, and one that is too large is refused before an atom is made."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from aiida.manage.caching import enable_caching

from aiida_seireact.calculations.functions.build import build_cell
from aiida_seireact.formats.cell_forms import SMALL_CELL
from aiida_seireact.formats.recipe import Recipe
from aiida_seireact.programs import build
from tests.programs.conftest import call
from tests.programs.test_build import N_ATOMS, RECIPE

pytestmark = pytest.mark.usefixtures("aiida_profile")


def test_a_cell_is_that_of_the_program(tmp_path: Any) -> None:
    found = build_cell(orm.Dict(RECIPE))
    _, result, _ = call(build.main, tmp_path, {"recipe": RECIPE, "outputs": ["frames"]})
    told = {key: value for key, value in result["outputs"].items() if key != "files"}
    assert found["report"].get_dict() == told
    assert found["report"]["n_atoms"] == found["frames"].base.attributes.get("n_atoms") == N_ATOMS
    (atoms,) = found["frames"].iter_ase()
    assert (atoms.info["config_type"], atoms.info["group"]) == ("interface", "cell/interface")


def test_the_same_recipe_is_not_built_twice_and_another_seed_is() -> None:
    with enable_caching(identifier="aiida_seireact.calculations.functions.*"):
        recipe = {"phases": {"SE": {"name": "Li6PS5Cl"}}, "slabs": [{"phase": "SE", "hkl": [1, 0, 0], "layers": 2}]}
        first, _ = build_cell.run_get_node(orm.Dict(recipe))
        again, node = build_cell.run_get_node(orm.Dict(recipe))
        assert node.base.caching.is_created_from_cache
        assert again["frames"].content_hash == first["frames"].content_hash
        other, node = build_cell.run_get_node(orm.Dict({**recipe, "seed": 1}))
        assert not node.base.caching.is_created_from_cache
        assert other["frames"].content_hash != first["frames"].content_hash


def test_too_large_a_cell_is_refused_before_an_atom_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_is_made(self: Any) -> None:
        raise AssertionError("an atom was made")

    monkeypatch.setattr("aiida_seireact.science.structures.plan.CellPlan.blocks", none_is_made)
    recipe = {
        "phases": {"Li": {"name": "Li"}},
        "slabs": [{"phase": "Li", "hkl": [1, 0, 0], "layers": 40}],
        "match": {"repeat": [28, 28]},
    }
    assert Recipe.read(recipe).plan().n_atoms == 40 * 28**2 > SMALL_CELL
    with pytest.raises(ValueError, match=r"31,360 atoms, and up to 30,000 .* by `seireact.build` \(`--submit`"):
        build_cell(orm.Dict(recipe))

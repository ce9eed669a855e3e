"""Recipes as files: what is written is read as the same recipe, and short enough to be edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.recipe import Recipe
from aiida_seireact.formats.recipe_files import read_recipe, write_recipe

CIF = "data_Li\n_cell_length_a 3.5\n# it's: a {trap} for YAML\n\nloop_\n _atom_site_label\n Li1\n"
RECIPE = Recipe.read(
    {
        "phases": {"Li": {"cif": CIF, "occupancies": {"Li1": {"Li": 0.5}}, "charges": {"Li": 1}}},
        "slabs": [{"phase": "Li", "hkl": [1, 1, 0], "matrix": [[1, 0], [0, 2]], "layers": 3, "cut": 0.25}],
        "gaps_ang": [12.5],
        "match": {"choose": 3},
    }
)


@pytest.mark.parametrize("name", ["recipe.yaml", "recipe.json", "recipe.yml"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    write_recipe(tmp_path / name, RECIPE)
    assert read_recipe(tmp_path / name) == RECIPE


def test_defaults_are_left_out_but_the_seed_and_a_cif_stays_in_lines(tmp_path: Path) -> None:
    write_recipe(tmp_path / "recipe.yaml", RECIPE)
    text = (tmp_path / "recipe.yaml").read_text()
    assert text.startswith("# A cell of aiida-seireact")
    assert "seed: 0" in text
    assert "      _cell_length_a 3.5\n" in text
    assert "bonds" not in text
    assert "keep_volume" not in text


def test_a_node_holds_every_choice() -> None:
    content = RECIPE.content()
    assert {"seed", "bonds", "match", "lattice_of", "config_type", "target"} <= set(content)
    assert "keep_volume" in content["slabs"][0]
    assert Recipe.read(content) == RECIPE
    # Nobody asked for a match, and there is none: its defaults would say that there was.
    unasked = Recipe.read({key: value for key, value in content.items() if key != "match"})
    assert "match" not in unasked.content()
    assert Recipe.read(unasked.content()) == unasked


def test_a_file_that_holds_none_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("{phases: {Li: {name: Li}}, slabs: [{phase: SE, hkl: [1, 0, 0]}], lattice: 3}")
    with pytest.raises(InvalidInput, match=r"recipe.yaml: .*lattice: Extra inputs"):
        read_recipe(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match=r"recipe.yaml is no YAML or JSON"):
        read_recipe(path)
    with pytest.raises(InvalidInput, match=r"\.yaml, \.yml, \.json, by the end of the name"):
        write_recipe(tmp_path / "recipe.toml", RECIPE)

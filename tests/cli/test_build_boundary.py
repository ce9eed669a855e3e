"""`aiida-seireact build boundary`: what it writes, and how it says what can't be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from click.testing import CliRunner, Result

from aiida_seireact.cli.build import build
from aiida_seireact.formats.recipe_files import read_recipe

CRYSTALS = Path(__file__).parents[1] / "science" / "structures" / "crystals"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build, ["boundary", *arguments])


def test_a_tilt_boundary_is_written_with_its_recipe_and_the_recipe_is_the_cell(tmp_path):
    cell, recipe = tmp_path / "tilt.extxyz", tmp_path / "tilt.yaml"
    result = run("Li:a=3.42", "--sigma", "5", "--plane", "2 1 0", "--thickness", "15", "--repeat", "2", "1",
                 "-o", str(cell), "--write-recipe", str(recipe))  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "Σ5 53.13° [0 0 1] (2 1 0), tilt: (2 1 0) on (2 -1 0), 26.2 Å²" in result.output
    atoms, again = read(cell), read_recipe(recipe).plan().to_ase()
    assert len(atoms) == 2 * 2 * 20
    assert atoms.positions == pytest.approx(again.positions, abs=1e-6)


def test_a_boundary_says_which_it_is_in_recipe_and_report_and_no_atom_moves(tmp_path):
    kept = tmp_path / "tilt.yaml"
    words = ("Li", "--sigma", "5", "--plane", "2 1 0", "--layers", "20", "--write-recipe", str(kept))
    assert run(*words, "--closest", "0.8").exit_code == 0
    recipe = read_recipe(kept)
    assert recipe.boundary is not None
    plan, facts = recipe.plan(), recipe.boundary.model_dump(mode="json")
    assert facts.pop("angle_deg") == pytest.approx(2 * np.degrees(np.arctan(1 / 2)), abs=1e-4)
    assert facts == {"axis": [0, 0, 1], "sigma": 5, "kind": "tilt", "plane": [2, 1, 0], "strain": 0.0, "closest": 0.8}
    assert plan.report["boundary"] == plan.report["recipe"]["boundary"] == recipe.boundary.model_dump(mode="json")
    unnamed = recipe.model_copy(update={"boundary": None}).plan()
    assert "boundary" not in unnamed.report
    assert (unnamed.to_ase().positions == plan.to_ase().positions).all()
    assert run(*words, "--gap", "1.0").exit_code == 0
    told = read_recipe(kept).boundary
    assert told is not None
    assert told.closest is None


def test_a_cif_does_as_well_and_the_gap_is_as_told():
    text = run("Li", "--sigma", "5", "--layers", "4", "--gap", "2.5", "--shift", "0.5", "0", "--dry-run").output
    assert "twist" in text
    assert "2.5" in text
    refused = run(str(CRYSTALS / "Li7P3S11.cif"), "--sigma", "5", "--layers", "2")
    assert refused.exit_code == 1
    assert "this one is triclinic" in refused.output


def test_sigmas_are_listed():
    assert "36.87  53.13  126.87  143.13" in run("Li", "--sigmas").output
    assert "70.53  109.47" in run("Li", "--sigmas", "--axis", "110").output


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--layers", "4"], "--sigma or by --angle: give one of them"),
        (["--sigma", "5"], "as thick as --layers or --thickness tell"),
        (["--sigma", "6", "--layers", "4"], "There is no Σ6 about [0 0 1]: the smallest are Σ5 (36.87°"),
        (["--angle", "30", "--layers", "4"], "the nearest are 30.51° (Σ65)"),
        (["--sigma", "5", "--layers", "4", "--gap", "2", "--closest", "0.8"], "--closest finds the gap"),
        (["--sigma", "5", "--layers", "4", "--gap", "-1"], "--gap"),
        (["--sigma", "5", "--thickness", "-3"], "--thickness is a thickness above 0 Å"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(given, sentence):
    result = run("Li", *given)
    assert result.exit_code != 0
    assert sentence in result.output
    assert "Traceback" not in result.output

"""seireact-build: what a dry run foretells is written, the same bytes each time; and why a cell is not built."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.manifest import verify
from aiida_seireact.formats.recipe import Recipe
from aiida_seireact.programs import build
from tests.docs._pages import DOCS, blocks
from tests.programs.conftest import call

RECIPE: dict[str, Any] = {
    "phases": {"Li2S": {"name": "Li2S"}, "Li": {"name": "Li", "lattice": {"a": 3.42}}},
    "slabs": [
        {"phase": "Li2S", "hkl": [1, 0, 0], "matrix": [[5, 0], [0, 5]], "layers": 4},
        {"phase": "Li", "hkl": [1, 0, 0], "matrix": [[6, 0], [0, 6]], "layers": 6},
    ],
    "lattice_of": "Li2S",
}
N_ATOMS = 3 * 25 * 4 + 36 * 6


def test_what_is_foretold_is_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"recipe": RECIPE, "outputs": ["lammps"]}
    monkeypatch.chdir(tmp_path)
    Path("job.json").write_text(json.dumps(job))
    dry = CliRunner().invoke(build.main, ["job.json", "--dry-run"])
    assert dry.exit_code == 0
    told = json.loads(dry.stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]
    status, result, _ = call(build.main, tmp_path, job)
    outputs = result["outputs"]
    assert status == 0
    assert outputs["n_atoms"] == N_ATOMS
    for key in ("n_atoms", "counts", "cell_ang", "species", "report"):
        assert outputs[key] == told[key]
    assert told["bytes"] == {"lammps": outputs["files"]["lammps"]["bytes"]}


def test_files_are_what_the_result_says_and_the_same_again(tmp_path: Path) -> None:
    found = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        _, result, progress = call(build.main, tmp_path / name, {"recipe": RECIPE})
        found.append(result["outputs"])
        verify(tmp_path / name, result["outputs"]["files"].values())
        assert f"{N_ATOMS} atoms built and written in" in progress
    assert found[0] == found[1]  # no time, no path
    frames = Frames.load(tmp_path / "once" / files.CELL_FRAMES)
    assert frames.structure_ids == [found[0]["structure_id"]]
    frames.validate(min_distance_ang=1.9)


def test_a_recipe_that_no_cell_follows_is_refused(tmp_path: Path) -> None:
    slabs = [{**RECIPE["slabs"][0], "matrix": None, "in_plane": [[1, 0, 0], [0, 1, 0]]}]
    status, result, _ = call(build.main, tmp_path, {"recipe": {**RECIPE, "slabs": slabs}})
    assert (status, result["error"]["kind"]) == (2, "invalid_input")
    assert "does not lie in the plane" in result["error"]["message"]


def test_types_that_lack_an_element_are_refused(tmp_path: Path) -> None:
    status, result, _ = call(build.main, tmp_path, {"recipe": RECIPE, "species": ["Li", "P"]})
    assert (status, result["error"]["kind"]) == (2, "invalid_input")
    assert "The cell holds S" in result["error"]["message"]


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(recipe: Recipe) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Recipe, "plan", full)
    status, result, _ = call(build.main, tmp_path, {"recipe": RECIPE})
    assert (status, result["error"]["kind"]) == (4, "disk_full")
    assert "make room and run it again" in result["error"]["message"]
    assert not (tmp_path / files.CELL_DATA).exists()


def published(which: str) -> dict[str, Any]:
    """Return the recipe of the 0.26 µm cell from its page."""
    block = next(block for block in blocks(DOCS / "howto" / "build_a_large_cell.md") if block.comment == "job: build")
    return json.loads(block.text)[which]


def test_the_cell_of_a_quarter_micrometre_is_known_before_it_is_made() -> None:
    plan = Recipe.model_validate(published("recipe")).plan()
    per_unit, atoms = plan.report["targets"]
    # Whole cells and whole layers near the published 3,412,960 at 8 : 1.
    assert plan.n_atoms == atoms["found"] == 3_413_970
    assert abs(atoms["residual"]) < 5e-4
    assert per_unit["found"] == pytest.approx(1_300_950 / 162_540, abs=1e-6)
    metal = plan.report["slabs"][1]
    # A published fact of the match: -0.4 % along Li [1-11], -1.4 % along Li [1-1-2].
    assert metal["mismatch"] == pytest.approx([-0.0038, -0.0138], abs=1e-4)
    assert plan.report["lengths_ang"][2] == pytest.approx(2474, abs=1)


@pytest.mark.slow
def test_the_cell_of_a_quarter_micrometre_is_written_within_its_memory(tmp_path: Path) -> None:
    job = {"recipe": published("recipe"), "outputs": ["lammps", "frames"]}
    (tmp_path / "job.json").write_text(json.dumps(job))
    program = Path(sys.executable).parent / "seireact-build"
    done = subprocess.Popen([program, "job.json"], cwd=tmp_path)
    _, status, usage = os.wait4(done.pid, 0)
    assert status == 0
    assert usage.ru_maxrss < 4e6  # kB
    outputs = json.loads((tmp_path / files.RESULT).read_text())["outputs"]
    verify(tmp_path, outputs["files"].values())
    assert Frames.load(tmp_path / files.CELL_FRAMES).n_atoms.tolist() == [3_413_970]

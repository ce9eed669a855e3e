"""A cell of seireact.build: recipe and checksum in the graph, the files where they were made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_seireact.calculations.build import BuildCalculation
from aiida_seireact.calculations.lammps import LammpsCalculation
from aiida_seireact.calculations.remote_cell import validate_cell
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.lammps_input import DATA_FILE
from aiida_seireact.workchains.build import BuildWorkChain
from tests.programs.test_build import N_ATOMS, RECIPE


def test_the_files_stay_and_the_graph_knows_them_by_their_sha256(program_code: Any) -> None:
    inputs = {"code": program_code("build"), "recipe": orm.Dict(RECIPE)}
    outputs, node = run_get_node(BuildWorkChain, **inputs)
    assert node.is_finished_ok, node.exit_message
    report, job = outputs["report"], node.called[0]
    assert report["n_atoms"] == N_ATOMS
    assert sorted(job.outputs.retrieved.base.repository.list_object_names()) == [
        "_scheduler-stderr.txt",
        "_scheduler-stdout.txt",
        files.JOB,
        files.RESULT,
    ]
    folder = Path(outputs["remote_folder"].get_remote_path())
    for told in report["files"].values():
        assert hashlib.sha256((folder / told["file"]).read_bytes()).hexdigest() == told["sha256"]
    assert Frames.load(folder / files.CELL_FRAMES).structure_ids == [report["structure_id"]]
    # What seireact.lammps asks of a cell to start from.
    cell = {"folder": outputs["remote_folder"], "report": report}
    assert validate_cell(cell, inputs["code"].computer, "lammps") is None
    assert str(folder) not in str(report.get_dict())


def test_a_stash_keeps_the_cell_where_scratch_is_not_purged(program_code: Any, tmp_path: Path) -> None:
    stash = {"source_list": [files.CELL_DATA], "target_base": str(tmp_path), "stash_mode": "copy"}
    outputs, node = run_get_node(
        BuildWorkChain,
        code=program_code("build"),
        recipe=orm.Dict(RECIPE),
        parameters=orm.Dict({"outputs": ["lammps"]}),
        options={"stash": stash},
    )
    assert node.is_finished_ok, node.exit_message
    kept = Path(outputs["remote_stash"].target_basepath) / files.CELL_DATA
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == outputs["report"]["files"]["lammps"]["sha256"]
    assert list(outputs["report"]["files"]) == ["lammps"]


def test_a_recipe_that_no_cell_follows_ends_with_its_sentence(program_code: Any) -> None:
    recipe = {**RECIPE, "slabs": [{**RECIPE["slabs"][0], "matrix": None, "in_plane": [[1, 0, 0], [0, 1, 0]]}]}
    _, node = run_get_node(BuildWorkChain, code=program_code("build"), recipe=orm.Dict(recipe))
    assert node.exit_status == 430
    assert "does not lie in the plane" in node.exit_message
    assert len(node.called) == 1  # a restart would only repeat it


@pytest.mark.parametrize(
    ("port", "content", "message"),
    [
        ("recipe", {**RECIPE, "strain": 1}, "strain: Extra inputs"),
        ("parameters", {"outputs": ["cif"]}, "outputs.0: Input should be 'lammps' or 'frames'"),
        ("parameters", {"outputs": ["lammps", "lammps"]}, "stands there twice"),
        ("parameters", {"outputs": []}, "outputs"),
    ],
)
def test_what_the_program_would_refuse_is_refused_before(port: str, content: dict[str, Any], message: str) -> None:
    assert message in BuildCalculation.spec().inputs[port].validator(orm.Dict(content), None)


@pytest.fixture
def segment(program_code: Any, tmp_path: Path) -> Any:
    """Return a function that starts MD from a build and gives its last words; its model is none, so MD ends there."""
    compiled = tmp_path / files.COMPILED
    compiled.write_bytes(b"no model")
    card = {
        "kind": "allegro-compiled",
        "target": "pair_allegro",
        "species": ["Li", "S"],
        **{"cutoff_ang": 4.5, "model_hash": "m", "dataset_hash": "d", "versions": {}, "metrics": {}},
        **{"torch_version": "2.13.0", "device": "cpu"},
    }

    def start(outputs: dict[str, Any]) -> str:
        _, node = run_get_node(
            LammpsCalculation,
            code=program_code("lmp"),
            potential=PotentialData(compiled, card=card),
            cell={"folder": outputs["remote_folder"], "report": outputs["report"]},
            parameters=orm.Dict({"md": {"ensemble": "nve", "steps": 1}}),
        )
        assert not (set(node.base.repository.list_object_names()) & {DATA_FILE})  # it never passed through here
        return str(node.exit_message)

    return start


def test_md_finds_the_cell_and_refuses_another_one(program_code: Any, segment: Any) -> None:
    outputs, _ = run_get_node(BuildCalculation, code=program_code("build"), recipe=orm.Dict(RECIPE))
    # The cell passes, LAMMPS reads it, and the model is what it stumbles over.
    assert "not a whole compiled model" in segment(outputs)
    cell = Path(outputs["remote_folder"].get_remote_path()) / files.CELL_DATA
    whole = cell.read_bytes()
    cell.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])  # another last digit
    assert "sha256 differs" in segment(outputs)
    cell.unlink()
    assert "build it again: the same recipe gives the same bytes" in segment(outputs)

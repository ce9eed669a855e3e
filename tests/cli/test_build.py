"""How every command with a recipe ends: said, written in every form, drawn, kept, stored, submitted, or refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml
from aiida import orm
from aiida.manage import get_manager
from aiida.manage.caching import enable_caching
from ase import Atoms
from ase.io import read
from click.testing import CliRunner, Result

from aiida_seireact.cli.build import COMMANDS
from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats import cell_forms
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.recipe import Recipe

RECIPE = """
phases: {Li2S: {name: Li2S}, Li: {name: Li, lattice: {a: 3.42}}}
slabs:
  - {phase: Li2S, hkl: [1, 1, 0], layers: 2}
  - {phase: Li, hkl: [1, 1, 0], thickness_ang: 9.0}
lattice_of: Li2S
match: {max_strain: 0.2, max_area_ang2: 60}
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(RECIPE)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["build", *map(str, arguments)])

    return run


def planned() -> Any:
    return Recipe.read(yaml.safe_load(RECIPE)).plan()


def by_place(atoms: Atoms) -> np.ndarray:
    """Return elements and places in an order of their own, wrapped, to 1e-6 Å."""
    fractions = atoms.get_scaled_positions() % 1.0 % 1.0
    rows = np.column_stack([atoms.numbers, (fractions @ atoms.cell.array).round(6)])
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("name", ["cell.extxyz", "cell.cif", "cell.vasp", "POSCAR", "cell.data", "cell.npz"])
def test_every_form_holds_the_same_cell(call: Any, name: str) -> None:
    result = call("cell", "recipe.yaml", "-o", name)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == name
    if name.endswith(".npz"):
        found = Frames.load(name).to_atoms(0)
    elif name.endswith(".data"):
        found = read(name, format="lammps-data", atom_style="atomic")
    else:
        found = read(name)
    wanted = planned().to_ase()
    assert np.abs(found.cell.array - wanted.cell.array).max() < 1e-6
    assert np.abs(by_place(found) - by_place(wanted)).max() < 2e-6
    if name.endswith((".extxyz", ".npz")):
        assert found.info["config_type"] == "interface"


def test_a_dry_run_tells_all_and_writes_nothing(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_is_made(self: Any) -> None:
        raise AssertionError("an atom was made")

    monkeypatch.setattr("aiida_seireact.science.structures.plan.CellPlan.blocks", none_is_made)
    before = sorted(Path().iterdir())
    result = call(
        "cell", "recipe.yaml", "--dry-run", "-o", "cell.cif", "--picture", "a.svg", "--write-recipe", "b.yaml"
    )
    assert result.exit_code == 0, result.output
    plan = planned()
    assert f"{plan.n_atoms} atoms: Li {plan.counts['Li']}, S {plan.counts['S']}" in result.output
    for length in plan.report["lengths_ang"]:
        assert f"{length:.2f}" in result.output
    for strain in plan.report["slabs"][1]["principal"]:
        assert f"{100 * strain:+.2f}" in result.output
    assert re.search(r"thickness of Li \(Å\): [\d.]+, where 9 was wanted \([-+][\d.]+ %\)", result.output)
    assert re.search(r"bytes|kB", result.output)
    assert sorted(Path().iterdir()) == before


def test_the_recipe_that_is_kept_searches_for_nothing_and_gives_the_same_bytes(call: Any) -> None:
    assert call("cell", "recipe.yaml", "-o", "one.extxyz", "--write-recipe", "kept.yaml").exit_code == 0
    kept = yaml.safe_load(Path("kept.yaml").read_text())
    assert "match" not in kept
    assert all("matrix" in slab and "layers" in slab for slab in kept["slabs"])
    assert call("cell", "kept.yaml", "-o", "two.extxyz", "--write-recipe", "again.json").exit_code == 0
    assert call("cell", "again.json", "-o", "three.extxyz").exit_code == 0
    assert Path("one.extxyz").read_bytes() == Path("two.extxyz").read_bytes() == Path("three.extxyz").read_bytes()


def test_a_seed_is_another_draw_of_the_same_composition(call: Any) -> None:
    Path("se.yaml").write_text(
        "phases: {SE: {name: Li6PS5Cl}}\nslabs: [{phase: SE, hkl: [1, 0, 0], layers: 2}]\nmatch: {repeat: [2, 2]}\n"
    )
    frames = []
    for seed in (1, 1, 2):
        assert call("cell", "se.yaml", "--seed", seed, "-o", "x.extxyz", "--write-recipe", "r.yaml").exit_code == 0
        frames.append(read("x.extxyz"))
        assert yaml.safe_load(Path("r.yaml").read_text())["seed"] == seed
    assert frames[0] == frames[1]
    assert frames[0] != frames[2]
    assert frames[0].symbols.formula.count() == frames[2].symbols.formula.count()


def test_species_are_the_types_of_lammps(call: Any) -> None:
    assert call("cell", "recipe.yaml", "-o", "c.data", "--species", "S,Cl,Li").exit_code == 0
    text = Path("c.data").read_text()
    assert "3 atom types" in text
    assert re.search(r"^1 .* # S$", text, re.MULTILINE)
    assert "The cell holds Li, but the types" in call("cell", "recipe.yaml", "-o", "c.data", "--species", "S").output


def test_a_job_file_of_the_program_is_a_recipe(call: Any) -> None:
    Path("job.json").write_text('{"recipe": {"phases": {"Li": {"name": "Li"}}, "slabs": [{"phase": "Li", '
                                '"hkl": [1, 0, 0], "layers": 4}]}, "outputs": ["lammps"]}')  # fmt: skip
    assert "4 atoms: Li 4" in call("cell", "job.json", "--dry-run").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "There is no file nowhere.yaml."),
        (["list.yaml"], "list.yaml holds no recipe: it is a mapping with phases and slabs"),
        (["broken.yaml"], "broken.yaml is no YAML or JSON: .* line 1"),
        (["gap.yaml"], "gap.yaml: gaps_ang: a gap is a distance between atoms, above 0 Å, not -2: 2.0 is usual"),
        (["odd.yaml"], "(?i)no site has the label 4a: the labels are Li, P, S1, X1, X2"),
        (["over.yaml"], "the shares of X1 \\(Cl 1.4\\) are not those of one site: .* add up to 1 at most"),
        (["twice.yaml"], "layers, cells and thickness_ang all tell the height: give one of them"),
        (["vector.yaml"], r"\[0 0.5 0\] is not a lattice vector: 2 times it is"),
        (["tilted.yaml"], r"\[1 0 0\] does not lie in the plane \(1 0 0\)"),
        (["unknown.yaml"], "The library has no phase 'Li6PS5Br': did you mean Li6PS5Cl"),
        (["recipe.yaml", "-o", "c.pdb"], r"A cell is written as \.data, \.npz, .* not c.pdb"),
        (["recipe.yaml", "-o", "no/c.cif"], "There is no folder no for c.cif"),
        (["recipe.yaml", "--picture", "c.gif"], "--picture draws .png, .svg, .pdf"),
        (["recipe.yaml", "--write-recipe", "c.txt"], "--write-recipe writes .yaml, .yml, .json"),
        (["recipe.yaml", "--store", "--submit"], "choose one"),
        (["recipe.yaml", "--submit", "-o", "c.data"], "lies where it was built"),
        (["recipe.yaml", "--code", "x@y"], "give --submit with it"),
        (["recipe.yaml", "--species", "Li", "-o", "c.cif"], "give --out FILE.data"),
        (["recipe.yaml", "--species", "Xx,Li,S", "-o", "c.data"], "names each element once, as Li,P,S,Cl; Xx does not"),
        (["recipe.yaml", "--species", "Li,Li,S", "-o", "c.data"], "names each element once"),
        (["recipe.yaml", "-p", "nowhere", "--store"], "There is no AiiDA profile 'nowhere'"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(call: Any, arguments: list[str], message: str) -> None:
    li = "{phases: {Li: {name: Li}}, slabs: [{phase: Li, hkl: [1, 0, 0], %s}]%s}"
    argyrodite = "{phases: {SE: {name: Li6PS5Cl, occupancies: %s}}, slabs: [{phase: SE, hkl: [1, 0, 0], layers: 1}]}"
    contents = {
        "list": "[1, 2]",
        "broken": "{phases: [",
        "gap": li % ("layers: 2", ", gaps_ang: -2"),
        "odd": argyrodite % "{4a: {Cl: 1}}",
        "over": argyrodite % "{X1: {Cl: 1.4}}",
        "twice": li % ("layers: 2, thickness_ang: 9", ""),
        "vector": li % ("layers: 2, in_plane: [[0, 0.5, 0], [0, 0, 1]]", ""),
        "tilted": li % ("layers: 2, in_plane: [[1, 0, 0], [0, 0, 1]]", ""),
        "unknown": "{phases: {SE: {name: Li6PS5Br}}, slabs: [{phase: SE, hkl: [1, 0, 0], layers: 1}]}",
    }
    for name, content in contents.items():
        Path(f"{name}.yaml").write_text(content)
    result = call("cell", *arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    said = " ".join(result.output.split())
    assert re.search(message, said), said
    assert said.endswith((".", "?"))
    assert not list(Path().glob("c.*"))


def test_a_form_that_is_written_whole_is_refused_for_too_many_atoms(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_forms, "WHOLE_ATOMS", 10)
    result = call("cell", "recipe.yaml", "-o", "c.cif", "--write-recipe", "c.yaml")
    assert "would be written as a whole" in result.output
    assert "take .data or .npz" in result.output
    assert not list(Path().glob("c.*"))  # nothing is half done
    assert call("cell", "recipe.yaml", "-o", "c.npz").exit_code == 0


@pytest.fixture
def profile(aiida_profile: Any) -> str:
    return str(get_manager().get_profile().name)


def test_a_stored_cell_comes_of_a_process_and_is_known_the_second_time(call: Any, profile: str) -> None:
    said = []
    with enable_caching(identifier="aiida_seireact.calculations.functions.*"):
        for _ in range(2):
            result = call("cell", "recipe.yaml", "-p", profile, "--store", "-o", "c.extxyz")
            assert result.exit_code == 0, result.output
            said.append(result.output)
    assert "taken from the cache" in said[1]
    found = re.search(r"build_cell <\d+>: FramesData <(\d+)>, report <(\d+)>", said[0])
    assert found
    frames, report = orm.load_node(int(found[1])), orm.load_node(int(found[2]))
    assert isinstance(frames, FramesData)
    assert frames.frames.structure_ids == Frames.from_extxyz("c.extxyz").structure_ids == [report["structure_id"]]
    assert report["n_atoms"] == planned().n_atoms
    asked = frames.creator.inputs.recipe.get_dict()
    assert Recipe.read(asked) == Recipe.read(yaml.safe_load(RECIPE))  # nothing that was asked is lost
    assert asked["match"]["choose"] == "area"  # every choice is written out
    found_recipe = report["report"]["recipe"]
    assert not {"match", "in_plane"} & {key for key in found_recipe if found_recipe[key] is not None}
    built = Recipe.read(found_recipe).plan().to_ase()
    assert (built.positions == frames.frames.to_atoms(0).positions).all()


def test_a_stored_target_is_told_with_what_was_found(call: Any, profile: str) -> None:
    result = call("interface", "Li6PS5Cl", "Li", "--layers-a", 1, "--ratio", 8, "--max-strain", 0.09, "--match",
                  "strain", "--max-area", 150, "-p", profile, "--store")  # fmt: skip
    assert result.exit_code == 0, result.output
    report = orm.load_node(int(re.findall(r"report <(\d+)>", result.output)[0]))
    asked = Recipe.read(report.creator.inputs.recipe.get_dict())
    assert asked.target is not None
    assert (asked.target.metal_per_formula_unit, asked.match.choose, asked.match.max_strain) == (8, "strain", 0.09)
    assert [slab.layers for slab in asked.slabs] == [1, None]
    told = report["report"]
    assert told["targets"][0]["wanted"] == 8
    assert told["match"]
    assert [slab["layers"] for slab in told["recipe"]["slabs"]] == [slab["layers"] for slab in told["slabs"]]
    assert told["recipe"]["target"] is None
    assert "match" not in told["recipe"]


def test_too_large_a_cell_is_refused_before_an_atom_is_made(
    call: Any, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_is_made(self: Any) -> None:
        raise AssertionError("an atom was made")

    monkeypatch.setattr("aiida_seireact.science.structures.plan.CellPlan.blocks", none_is_made)
    Path("large.yaml").write_text(
        "phases: {Li: {name: Li}}\nslabs: [{phase: Li, hkl: [1, 0, 0], layers: 40}]\nmatch: {repeat: [30, 30]}\n"
    )
    result = call("cell", "large.yaml", "-p", profile, "--store", "-o", "c.data")
    assert result.exit_code == 1
    assert "The cell has 36,000 atoms, and up to 30,000 are built inside the profile" in result.output
    assert "`--submit`" in result.output
    assert not Path("c.data").exists()


def test_submit_gives_recipe_and_species_to_the_daemon(
    call: Any, profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    class Node:
        process_label, pk = "BuildWorkChain", 7

    def submit(builder: Any) -> Node:
        given.append(builder)
        return Node()

    monkeypatch.setattr("aiida.engine.submit", submit)
    computer = orm.Computer(label="here-build", hostname="localhost", transport_type="core.local",
                            scheduler_type="core.direct", workdir=str(tmp_path)).store()  # fmt: skip
    orm.InstalledCode(label="build", computer=computer, filepath_executable=str(Path(sys.executable))).store()
    words = ("cell", "recipe.yaml", "-p", profile, "--submit", "--code", "build@here-build", "--species", "Li,S,P")
    result = call(*words)
    assert result.exit_code == 0, result.output
    assert "Submitted BuildWorkChain <7>.  aiida-seireact status 7 --follow" in result.output
    (builder,) = given
    assert builder.parameters.get_dict() == {"species": ["Li", "S", "P"]}
    assert Recipe.read(builder.recipe.get_dict()) == Recipe.read(yaml.safe_load(RECIPE))
    assert "There is no single code 'x@y'" in call(*words[:6], "x@y").output


def test_the_picture_shows_the_cell_and_is_the_same_twice(call: Any) -> None:
    for name in ("one.svg", "two.svg", "three.png"):
        result = call("cell", "recipe.yaml", "--picture", name)
        assert result.exit_code == 0, result.output
    assert Path("one.svg").read_bytes() == Path("two.svg").read_bytes()
    drawn = Path("one.svg").read_text()
    for word in (f"Li2S | Li: {planned().n_atoms} atoms", "Li metal", "Li in Li2S", "z (Å)"):
        assert word in drawn
    assert Path("three.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_by_examples(name: str) -> None:
    result = CliRunner().invoke(cli, ["build", name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"aiida-seireact build {name}" in result.output.split("Examples:")[1]
    assert "--profile" in result.output


def test_the_examples_of_the_helps_are_commands_that_work(call: Any) -> None:
    """Dry, and without those that need a file of the reader's own."""
    from aiida_seireact.cli.build import build

    context = click.Context(build)
    texts = [build.help, *((build.get_command(context, name) or build).help for name in COMMANDS)]
    lines = {re.split(r"\s{2,}|>", line.strip())[0] for text in texts for line in (text or "").splitlines()
             if line.strip().startswith("aiida-seireact")}  # fmt: skip
    tried = 0
    for line in sorted(lines):
        words = line.split()[2:]
        if {"mine.cif", "cell.extxyz"} & set(words) or (words[0] == "match" and len(words) == 3):
            continue
        dry = [] if words[0] in ("library", "match") else ["--dry-run"]
        assert call(*words, *dry).exit_code == 0, (line, call(*words, *dry).output)
        tried += 1
    assert tried > 10


def test_the_help_of_the_group_imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from aiida_seireact.cli.main import cli;"
        "assert CliRunner().invoke(cli, ['build', '--help']).exit_code == 0;"
        "print([name for name in sys.modules if name in ('aiida', 'numpy', 'pymatgen', 'pydantic')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

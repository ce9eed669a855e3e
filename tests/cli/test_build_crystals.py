"""Library, matches, interfaces and slabs from the command line: what is told is what is built."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ase.io import read
from click.testing import CliRunner, Result

from aiida_seireact.cli.main import cli
from aiida_seireact.formats.recipe_files import read_recipe
from aiida_seireact.science.structures import library


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["build", *map(str, arguments)])

    return run


def recipe_of(call: Any, *arguments: object) -> dict[str, Any]:
    """Return the recipe that a command keeps."""
    result = call(*arguments, "--write-recipe", "kept.yaml")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = yaml.safe_load(Path("kept.yaml").read_text())
    return found


# ------------------------------------------------------------------------------------ library
def test_the_library_lists_every_phase_with_space_group_and_lattice(call: Any) -> None:
    said = call("library").output
    for name in library.names():
        assert re.search(rf"│ {name} +│ {re.escape(library.entry(name).space_group)} ", said), name
    assert "9.859" in said


def test_one_phase_is_told_whole(call: Any) -> None:
    said = " ".join(call("library", "Li6PS5Cl").output.split())
    entry = library.entry("Li6PS5Cl")
    for words in (
        "F-43m (216), a 9.859, 52 atoms",
        "Cl 0.5, S 0.5",
        " ".join(entry.source.split()),
        "each cell is a draw",
    ):
        assert words in said


@pytest.mark.parametrize("name", library.names())
def test_a_phase_printed_as_cif_is_read_as_the_same_crystal(call: Any, name: str) -> None:
    result = call("library", name, "--cif")
    assert result.exit_code == 0, result.output
    back, wanted = library.from_cif(result.output), library.structure(name)
    assert back.lattice.parameters == pytest.approx(wanted.lattice.parameters, abs=1e-9)
    sites = [
        sorted((str(s.label), sorted(map(str, s.species)), *(s.frac_coords % 1.0).round(5) % 1.0) for s in c)
        for c in (back, wanted)
    ]
    for mine, theirs in zip(*sites, strict=True):
        assert mine[:2] == theirs[:2]
        assert mine[2:] == pytest.approx(theirs[2:], abs=1e-4)


# ------------------------------------------------------------------------------------ match
def test_a_row_of_the_table_is_what_the_interface_takes(call: Any) -> None:
    given = ("Li6PS5Cl", "Li", "--max-area", 400)
    planes = ("--hkl-a", "100", "--hkl-b", "100")
    rows = json.loads(call("match", *given, *planes, "--json").output)
    assert [row["row"] for row in rows] == list(range(1, len(rows) + 1))
    areas = [row["area_ang2"] for row in rows]
    assert areas == sorted(areas)
    # 9.859/√2 = 6.971 Å of argyrodite lie on 2 x 3.5093 Å of lithium.
    assert rows[0]["area_ang2"] == pytest.approx(9.859**2 / 2, abs=1e-4)
    assert rows[0]["strain_b"] == pytest.approx([9.859 / 2**0.5 / 3.5093 / 2 - 1] * 2, abs=1e-6)
    assert (rows[0]["atoms_a"], rows[0]["atoms_b"]) == (13.0, 4.0)
    other = next(row for row in rows if row["twist_deg"] > 1)
    kept = recipe_of(call, "interface", *given, *planes, "--match", other["row"], "--layers-a", 1, "--layers-b", 1)
    assert [slab["matrix"] for slab in kept["slabs"]] == [other["matrix_a"], other["matrix_b"]]
    table = call("match", *given, *planes).output
    assert f"{len(rows) - 5} rows more: --rows N shows them." in table
    assert re.search(
        r"│ \(1 0 0\) \(1 0 0\) │ +1 │ +48.6 │ +\+0.68 \+0.68 │ +-0.67 -0.67 │ +90.0 │ +0.0 │ +13 │ +4 │", table
    )


def test_pairs_of_planes_without_a_match_are_told_with_the_nearest(call: Any) -> None:
    said = call("match", "Li2S", "Li", "--hkl-b", "110", "--max-area", 60, "--max-strain", 0.05).output
    assert "(1 1 1) on (1 1 0): No match below 5.0% strain and 60 Å²; the nearest is" in said
    least = re.search(r"raise --max-strain to ([\d.]*\d)", said.split("(1 1 1) on (1 1 0)")[1])
    assert least
    again = call("match", "Li2S", "Li", "--hkl-a", "111", "--hkl-b", "110", "--max-area", 60, "--max-strain", least[1])
    assert again.exit_code == 0
    assert "(1 1 1) (1 1 0)" in again.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["Li2S", "Li", "--hkl-a", "111", "--hkl-b", "110", "--max-area", 60],
            "the nearest is 12.3%.*raise --max-strain to 0.123",
        ),
        (["Li2S", "Li", "--max-area", 5], "no supercell is below 5 Å²: .* raise --max-area to"),
        (["Li2S", "Lix"], "The library has no phase 'Lix': did you mean Li"),
        (["Li2S", "my.cif"], "There is no file my.cif"),
        (["Li2S", "bad.cif"], "This is no CIF"),
        (["Li2S", "Li", "--hkl-a", "11"], "a plane has three whole indices"),
        (["Li2S", "Li", "--hkl-a", "000"], "not all zero"),
        (["Li2S", "Li", "--max-strain", 0.7], "--max-strain is a fraction above 0 and below 0.5, such as 0.05"),
        (["Li2S:a=big", "Li"], "after the colon stand values as a=9.91 or Li=1"),
        (["Li2S:c=5", "Li"], r"has no free lattice parameter c: give a\."),
        (["Li2S:Zr=4", "Li"], "a charge is given for Zr, which the crystal does not hold"),
    ],
)
def test_a_match_that_can_not_be_is_said(call: Any, arguments: list[Any], message: str) -> None:
    Path("bad.cif").write_text("hello")
    result = call("match", *arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert re.search(f"(?i){message}", " ".join(result.output.split())), result.output


@pytest.mark.parametrize(
    ("told", "plane"),
    [
        ("110", (1, 1, 0)),
        ("1-10", (1, -1, 0)),
        ("1 -1 0", (1, -1, 0)),
        ("(10, 1, 0)", (10, 1, 0)),
        ("10-10", (1, 0, 0)),
    ],
)
def test_planes_are_told_as_people_do(call: Any, told: str, plane: tuple[int, int, int]) -> None:
    assert tuple(recipe_of(call, "slab", "Li3P", "--hkl", told, "--layers", 1)["slabs"][0]["hkl"]) == plane


# ------------------------------------------------------------------------------------ interface
LI2S_LI = ("interface", "Li2S", "Li", "--max-strain", "0.2", "--max-area", "40")


@pytest.mark.parametrize("side", ["A", "B", "both"])
def test_the_side_that_is_strained_takes_all(call: Any, side: str) -> None:
    recipe_of(call, *LI2S_LI, "--strained", side, "--layers-a", 2, "--layers-b", 2)
    strains = [np.abs(slab["principal"]).max() for slab in read_recipe("kept.yaml").plan().report["slabs"]]
    assert [strain > 1e-6 for strain in strains] == [side != "B", side != "A"]


def test_lattice_charge_and_cif_are_what_was_told(call: Any) -> None:
    Path("mine.cif").write_text(call("library", "Li6PS5Cl", "--cif").output)
    kept = recipe_of(call, "interface", "mine.cif:Li=1", "Li:a=3.42", "--layers-a", 2, "--layers-b", 6)
    assert kept["phases"]["Li"] == {"name": "Li", "lattice": {"a": 3.42}}
    assert kept["phases"]["mine"]["charges"] == {"Li": 1}
    assert kept["phases"]["mine"]["cif"].startswith("# generated")
    plan = read_recipe("kept.yaml").plan()
    assert plan.report["slabs"][1]["layer_spacing_unstrained_ang"] == pytest.approx(1.71)
    # The crystal of her own is cut and filled as that of the library.
    theirs = recipe_of(call, "interface", "Li6PS5Cl", "Li:a=3.42", "--layers-a", 2, "--layers-b", 6)
    assert plan.counts == read_recipe("kept.yaml").plan().counts
    assert [slab["matrix"] for slab in kept["slabs"]] == [slab["matrix"] for slab in theirs["slabs"]]


def test_a_coating_lies_on_both_boundaries(call: Any) -> None:
    given = ("--layers-a", 2, "--layers-b", 8, "--gap", 2.5, "--coating", "LiCl", "--coating-cells", 2)
    result = call("interface", "Li6PS5Cl", "Li", *given, "-o", "coated.extxyz", "--write-recipe", "kept.yaml")
    assert result.exit_code == 0, result.output
    assert result.output.count("cells of LiCl: 2, as wanted") == 1
    plan = read_recipe("kept.yaml").plan()
    assert [slab.spec.name for slab in plan.slabs] == ["Li6PS5Cl", "LiCl", "Li", "LiCl"]
    assert plan.slabs[1].counts == plan.slabs[3].counts == {"Li": 16, "Cl": 16}
    # Atoms come slab by slab, so that each gap can be measured.
    atoms, ends = read("coated.extxyz"), np.cumsum([slab.n_atoms for slab in plan.slabs])
    slabs = np.split(atoms.positions[:, 2], ends[:-1])
    above = [*slabs[1:], slabs[0] + atoms.cell[2, 2]]
    assert [upper.min() - lower.max() for lower, upper in zip(slabs, above, strict=True)] == pytest.approx([2.5] * 4)


def test_gaps_are_between_outermost_atoms_and_one_above_each_slab(call: Any) -> None:
    words = (*LI2S_LI, "--layers-a", 2, "--layers-b", 3)
    assert call(*words, "--gap", 3, "--gap", 12, "-o", "c.extxyz").exit_code == 0
    atoms = read("c.extxyz")
    heights = np.unique(atoms.positions[:, 2].round(4))
    steps = np.diff([*heights, atoms.cell[2, 2] + heights[0]])
    assert sorted(steps)[-2:] == pytest.approx([3.0, 12.0], abs=1e-3)
    said = " ".join(call(*words, "--gap", 3, "--gap", 3, "--gap", 3).output.split())
    assert "2 slabs have 2 gaps, the last across the cell's boundary; 3 are given" in said


def test_the_ratio_decides_the_heights_that_are_open(call: Any) -> None:
    said = call("interface", "Li6PS5Cl", "Li", "--layers-a", 2, "--ratio", 8, "--dry-run").output
    assert "Li a formula unit of Li6PS5Cl: 8, as wanted" in said
    turned = call("interface", "Li", "Li6PS5Cl", "--layers-b", 2, "--ratio", 8, "--dry-run").output
    assert "Li a formula unit of Li6PS5Cl: 8, as wanted" in turned


def test_the_cell_of_the_paper_is_one_command(call: Any) -> None:
    """21,120 atoms of arXiv:2506.10944, whose ratio is 16.33 (`tests/science/structures/test_paper_cell.py`)."""
    said = call(
        "interface", "Li6PS5Cl:a=9.91", "Li:a=3.42", "--hkl-b", 110, "--in-plane-a", "0 3 0 / 0 0 6",
        "--in-plane-b", "5 -5 5 / 7 -7 -14", "--ratio", 16.333, "--atoms", 21120, "--dry-run",
    ).output  # fmt: skip
    assert "21,120 atoms: Cl 720, Li 16,080, P 720, S 3,600" in said


def test_cuts_are_listed_and_chosen(call: Any) -> None:
    said = call("slab", "Li2S", "--hkl", "111", "--terminations").output
    assert re.search(r"│ +1 │ 0.5000 │ +1.65 │ +0.00 │ Li +│ Li +│ nonpolar", said)
    assert re.search(r"│ +2 │ 0.1250 │ +0.82 │ +-3.30 │ S +│ Li +│ polar|│ +2 │ 0.1250 │ +0.83", said)
    polar = call("slab", "Li2S", "--hkl", "111", "--layers", 3, "--cut", 2, "-o", "polar.extxyz")
    assert "The faces of Li2S are polar, -3.30 e Å a layer" in polar.output
    atoms = read("polar.extxyz")
    assert atoms.symbols[atoms.positions[:, 2].argmax()] == "S"
    best = call("slab", "Li2S", "--hkl", "111", "--layers", 3, "-o", "best.extxyz")
    assert "polar" not in best.output
    atoms = read("best.extxyz")
    assert atoms.symbols[atoms.positions[:, 2].argmax()] == atoms.symbols[atoms.positions[:, 2].argmin()] == "Li"
    both = call("interface", "Li2S", "Li", "--terminations").output
    assert "cuts of Li2S along (1 0 0)" in both
    assert "cuts of Li along (1 0 0)" in both


def test_a_free_slab_has_vacuum_above_it_and_its_own_type(call: Any) -> None:
    assert call("slab", "Li", "--hkl", "110", "--layers", 8, "--vacuum", 20, "-o", "slab.extxyz").exit_code == 0
    atoms = read("slab.extxyz")
    assert len(atoms) == 8
    assert atoms.info["config_type"] == "Li-slab"
    assert np.ptp(atoms.positions[:, 2]) == pytest.approx(7 * 3.5093 / 2**0.5, abs=1e-4)
    assert atoms.cell[2, 2] - np.ptp(atoms.positions[:, 2]) == pytest.approx(20.0, abs=1e-6)


BOTH = ("--layers-a", 2, "--layers-b", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Li6PS5Cl", "Li"], "Nothing tells how thick the slab of Li6PS5Cl is: give --layers-a or --cells-a or"),
        (["Li6PS5Cl", "Li", "--layers-a", 2], "Nothing tells how thick the slab of Li is: give --layers-b"),
        (["Li6PS5Cl", "Li", "--ratio", 8], "a ratio alone does not tell how thick .* --layers, --cells or --thickness"),
        (["Li6PS5Cl", "Li", "--atoms", 800], "give --ratio with it"),
        (["Li2S", "LiCl", "--ratio", 8], "the side that is one element, and none is"),
        (["Li6PS5Cl", "Li", "--layers-a", 2, "--thickness-a", 9], "all tell the height: give one of them"),
        (["Li6PS5Cl", "Li", "--thickness-a", -3, "--layers-b", 2], "--thickness-a is above 0, not -3"),
        (["Li6PS5Cl", "Li", *BOTH, "--gap", -1], "--gap: a gap .* not -1: 2.0 is usual"),
        (["Li", "Li", *BOTH], "a grain boundary of one is `build boundary`"),
        (["Li6PS5Br", "Li", "--layers-a", 2], "no phase 'Li6PS5Br': did you mean Li6PS5Cl"),
        (["Li6PS5Cl", "Li", *BOTH, "--max-strain", 0.001], "the nearest is 0.7%.*to 0.007"),
        (["Li6PS5Cl", "Li", *BOTH, "--match", 99, "--max-area", 60], "take one of 1 to 1"),
        (["Li6PS5Cl", "Li", *BOTH, "--match", "best"], "is area, strain or a row"),
        (["Li6PS5Cl", "Li", *BOTH, "--in-plane-a", "0 1 / 1"], "are told as '0 3 0 / 0 0 6'"),
        (["Li6PS5Cl", "Li", *BOTH, "--in-plane-a", "0 0.25 0 / 0 0 1"], "4 times it is"),
        (["Li6PS5Cl", "Li", *BOTH, "--in-plane-a", "1 0 0 / 0 0 1"], "does not lie in the plane"),
        (["Li6PS5Cl", "Li", *BOTH, "--cut-a", 9], "has 4 cuts along .1 0 0., so none is number 9"),
        (["Li6PS5Cl", "Li", *BOTH, "--coating", "Li"], "joins different crystals"),
        (["Li6PS5Cl", "Li", *BOTH, "--coating", "LiCl", "--coating-cells", 0], "is above 0, not 0"),
    ],
)  # fmt: skip
def test_an_interface_that_can_not_be_is_said(call: Any, arguments: list[Any], message: str) -> None:
    result = call("interface", *arguments, "-o", "cell.cif")
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    assert re.search(message, " ".join(result.output.split()), re.IGNORECASE), result.output
    assert not Path("cell.cif").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Li"], "give --layers, --cells or --thickness"),
        (["Li", "--layers", 2, "--cells", 2], "give one of them"),
        (["Li", "--layers", 2, "--vacuum", -5], "--vacuum: a gap is a distance between atoms, above 0 Å, not -5"),
        (["Li", "--layers", 2, "--hkl", "1 1"], "a plane has three whole indices"),
    ],
)
def test_a_slab_that_can_not_be_is_said(call: Any, arguments: list[Any], message: str) -> None:
    result = call("slab", *arguments)
    assert result.exit_code != 0
    assert message in " ".join(result.output.split()), result.output


def test_atoms_too_near_across_a_gap_are_told_with_the_gap_that_mends_it(call: Any) -> None:
    words = ("interface", "Li6PS5Cl", "Li", "--layers-a", 1, "--layers-b", 4)
    said = call(*words, "--gap", 0.3, "-o", "near.extxyz").output
    told = re.findall(
        r"Warning: across the gap of 0.3 Å between (\w+) and \w+, (\w+) and (\w+) are ([\d.]+) Å apart, allowed from "
        r"[\d.]+ Å: raise the gap to ([\d.]+) Å", said
    )  # fmt: skip
    assert "Li6PS5Cl" in [row[0] for row in told]
    distances = read("near.extxyz").get_all_distances(mic=True)
    np.fill_diagonal(distances, 9.0)
    assert min(float(row[3]) for row in told) == pytest.approx(distances.min(), abs=5.1e-3)
    mended = max(float(row[4]) for row in told)
    assert mended > 0.3
    assert "Warning" not in call(*words, "--gap", mended, "--dry-run").output
    assert "Warning" in call(*words, "--gap", mended - 0.03, "--dry-run").output
    assert "Warning" not in call(*words, "--dry-run").output


def test_a_twist_is_told_where_there_is_one(call: Any) -> None:
    words = ("interface", "Li6PS5Cl", "Li", "--layers-a", 1, "--layers-b", 4, "--dry-run")
    assert "is turned by" not in call(*words).output
    turned = call(*words, "--hkl-b", "110", "--match", "strain", "--max-area", 200).output
    assert re.search(r"Li is turned by [\d.]+° in plane, its nearest rows by [\d.]+°\.", turned)

"""``aiida-seireact build disorder`` and ``build orderings``: tables, files, the profile, and refusals in a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from ase.io import read
from click.testing import CliRunner, Result
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure
from pymatgen.io.cif import CifWriter

from aiida_seireact.cli.build_disorder import disorder, orderings
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.structures import library

MIXED = ("Li2S:P=-3,Cl=-1", "--occupancy", "S:S=0.75,P=0.125,Cl=0.125")


def call(command: Any, *arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def said(command: Any, *arguments: str) -> str:
    result = call(command, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_lowest_draws_are_written_with_their_seeds(tmp_path: Path) -> None:
    out = tmp_path / "low.extxyz"
    told = said(disorder, "Li6PS5Cl", "-n", "6", "--seed", "4", "--rank", "ewald", "--keep", "2", "-o", str(out))
    assert "52 atoms: Li 24, P 4, S 20, Cl 4; 6 draws" in told
    images: Any = read(out, index=":")
    assert len(images) == 2
    assert images[0].info["ewald_ev"] < images[1].info["ewald_ev"]
    assert {atoms.info["seed"] for atoms in images} <= set(range(4, 10))
    # The keys for people are not content: the file is read as any other.
    assert len(set(Frames.from_extxyz(out).group)) == 2


def test_the_same_command_writes_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.extxyz" for name in "ab"]
    for path in paths:
        said(disorder, "Li6PS5Cl", "-n", "2", "--repeat", "2", "1", "1", "-o", str(path))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_dry_run_tells_the_composition_and_makes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "none.extxyz"
    told = said(
        disorder, "Li6PS5Cl", "--occupancy", "X1:Cl=0.75,S=0.25", "--occupancy", "X2:S=0.75,Cl=0.25", "--repeat", "28",
        "28", "83", "--dry-run", "-o", str(out),
    )  # fmt: skip
    assert "3,383,744 atoms" in told
    assert "nothing was written (--dry-run)" in told
    assert not out.exists()


def test_numbers_that_only_rounding_makes_neutral_are_told() -> None:
    told = said(disorder, "Li6PS5Cl", "--occupancy", "X1:Cl=0.7,S=0.3")
    assert "X1 holds 2 Cl where its occupancy says 2.8" in told
    assert "Nothing was written: -o FILE.extxyz writes the frames" in told


def test_the_orderings_of_the_paper_are_listed_and_written(tmp_path: Path) -> None:
    out = tmp_path / "orderings.extxyz"
    told = said(orderings, *MIXED, "--repeat", "1", "1", "2", "-o", str(out))
    assert "24 atoms: Li 16, P 1, S 6, Cl 1; 56 arrangements, 4 distinct orderings" in told
    images: Any = read(out, index=":")
    assert [atoms.info["ordering"] for atoms in images] == [1, 2, 3, 4]
    assert sum(atoms.info["degeneracy"] for atoms in images) == 56
    assert "2 distinct orderings" in said(orderings, *MIXED, "--primitive", "--supercell", "2", "2", "2")
    skewed = ("--matrix", "1", "0", "0", "0", "1", "0", "1", "1", "2")
    assert "4 distinct orderings" in said(orderings, *MIXED, *skewed, "--rank", "none")


def test_a_cif_is_a_phase(tmp_path: Path) -> None:
    path = tmp_path / "mine.cif"
    CifWriter(library.structure("Li6PS5Cl")).write_file(path)
    assert "52 atoms: Li 24, P 4, S 20, Cl 4; 1 draw" in said(disorder, str(path))


def test_files_alone_need_no_aiida() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from aiida_seireact.cli.build_disorder import disorder;"
        "result = CliRunner().invoke(disorder, ['Li6PS5Cl', '--dry-run']);"
        "assert result.exit_code == 0, result.output; assert 'aiida' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        (disorder, ("Li6PS5Cl", "--keep", "2"), "give --rank ewald too"),
        (disorder, ("Li6PS5Cl", "-n", "2", "--rank", "ewald", "--keep", "3"), "--keep is 3, and only 2 are drawn"),
        (disorder, ("Li6PS5C",), "did you mean Li6PS5Cl"),
        (disorder, ("no.cif",), "There is no file no.cif"),
        (disorder, ("Li6PS5Cl", "--occupancy", "X1"), "such as X1:Cl=0.75,S=0.25: not 'X1'"),
        (disorder, ("Li6PS5Cl", "--occupancy", "X9:S=1"), "No site has the label X9: the labels are Li, P, S1, X1, X2"),
        (disorder, ("Li6PS5Cl", "--occupancy", "X1:Xx=1"), "Xx is no chemical element"),
        (disorder, ("Li6PS5Cl", "--occupancy", "X1:Br=1"), "Br is new to the crystal: give its charge too"),
        (disorder, ("Li6PS5Cl", "--occupancy", "X1:S=1", "--occupancy", "X1:Cl=1"), "of X1 are told twice"),
        (disorder, ("Li6PS5Cl", "--occupancy", "X1:Cl=0.75,S=0.25"), "give Li on Li the occupancy 0.479167"),
        (disorder, ("Li6PS5Cl", "--min-distance", "6"), "take a --min-distance of at most"),
        (disorder, ("Li6PS5Cl", "-o", "frames.cif"), "call the file .extxyz, not frames.cif"),
        (disorder, ("Li6PS5Cl", "-o", "no/where.extxyz"), "There is no folder no"),
        (orderings, ("Li6PS5Cl", "--max-arrangements", "100"), "draw an ensemble instead"),
        (orderings, (*MIXED,), "S would hold 0.5 Cl in this supercell"),
        (orderings, (*MIXED, "--matrix", *"110110001"), "has no volume"),
        (orderings, (*MIXED, "--repeat", *"112", "--matrix", *"100010002"), "both tell the supercell"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(command: Any, arguments: tuple[str, ...], sentence: str) -> None:
    result = call(command, *arguments)
    assert result.exit_code != 0
    assert sentence in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_stored_frames_are_those_of_the_files(aiida_profile_clean: Any, tmp_path: Path) -> None:
    out = tmp_path / "both.extxyz"
    told = said(disorder, "Li6PS5Cl", "-n", "2", "-o", str(out), "--store")
    assert "ensemble <" in told
    (node,) = orm.QueryBuilder().append(orm.CalcFunctionNode).all(flat=True)
    frames = node.outputs.frames
    assert frames.frames.content_hash == Frames.from_extxyz(out).content_hash
    assert "distinct_orderings <" in said(orderings, *MIXED, "--repeat", "1", "1", "2", "--store")
    result = call(disorder, "Li6PS5Cl", "-n", "2000", "--store")
    assert "by `seireact.build`" in " ".join(result.output.split())


def test_a_crystal_without_charges_is_refused_with_a_word_that_helps(tmp_path: Path) -> None:
    alloy = Structure(Lattice.cubic(3.4), [{"Li": 0.5, "In": 0.25}], [[0, 0, 0]])
    CifWriter(alloy).write_file(tmp_path / "alloy.cif")
    result = call(disorder, str(tmp_path / "alloy.cif"))
    assert "has no oxidation state: give the charge of each element, such as NAME:" in result.output
    assert "1 draw" in said(disorder, f"{tmp_path / 'alloy.cif'}:Li=0,In=0", "--repeat", "2", "2", "1")

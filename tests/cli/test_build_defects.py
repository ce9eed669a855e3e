"""``aiida-seireact build defects``: of phases and of cells in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from ase.io import read, write
from click.testing import CliRunner, Result

from aiida_seireact.cli.build_defects import defects
from aiida_seireact.formats.frames import Frames
from aiida_seireact.science.structures import crystal


def call(*arguments: str) -> Result:
    return CliRunner().invoke(defects, list(arguments))


def said(*arguments: str) -> str:
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def cell(tmp_path: Path) -> str:
    path = tmp_path / "host.extxyz"
    write(path, crystal("Li2S"))
    return str(path)


def test_all_three_kinds_in_a_disordered_phase(tmp_path: Path) -> None:
    out = tmp_path / "defects.extxyz"
    told = said(
        "Li6PS5Cl", "--vacancy", "Li=1", "--interstitial", "Li=1", "--antisite", "S:Cl=3", "--neutral", "-n", "3",
        "-o", str(out),
    )  # fmt: skip
    assert told.count("Cl4Li24P4S20") == 3
    images: Any = read(out, index=":")
    assert [atoms.info["seed"] for atoms in images] == [0, 1, 2]
    assert len(set(Frames.from_extxyz(out).group)) == 3


def test_cells_of_a_file_are_hosts(cell: str, tmp_path: Path) -> None:
    out = tmp_path / "vacancies.extxyz"
    said(cell, "--vacancy", "Li=2", "--vacancy", "S=1", "--neutral", "--repeat", "2", "1", "1", "-o", str(out))
    frames = Frames.from_extxyz(out)
    assert frames.n_atoms.tolist() == [21]
    assert frames.config_type.tolist() == ["host-defects"]
    assert frames.parent_id.tolist() == Frames.from_extxyz(cell).frame_ids
    write(tmp_path / "POSCAR", crystal("LiCl"))
    assert "Cl4Li3" in said(str(tmp_path / "POSCAR"), "--vacancy", "Li=1", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "There is no defect to make"),
        (("--vacancy", "Li"), "told as WHAT=NUMBER, such as Li=2: not 'Li'"),
        (("--vacancy", "Li=0"), "not 'Li=0'"),
        (("--vacancy", "Li=1", "--vacancy", "Li=2"), "The vacancies of Li are told twice: give their sum"),
        (("--antisite", "S=3"), "of two elements, such as S:Cl, not 'S'"),
        (("--vacancy", "Li=2", "--neutral"), "1 S vacancy or 2 Cl vacancies or 2 Li interstitials more would balance"),
        (("--interstitial", "Xx=1"), "'Xx' is no element"),
        (("--interstitial", "Li=1", "--min-distance", "5"), "lower --min-distance, or expand the cell"),
        (("--vacancy", "Li=60"), "60 Li can't be drawn from a cell of"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    result = call("Li6PS5Cl", *arguments)
    assert result.exit_code != 0
    assert sentence in " ".join(result.output.split())


def test_an_unknown_host_is_refused() -> None:
    assert "did you mean Li6PS5Cl" in call("Li6PS5C", "--vacancy", "Li=1").output


def test_a_stored_host_is_an_input(cell: str, aiida_profile_clean: Any) -> None:
    assert "defects <" in said(cell, "--vacancy", "Li=1", "-n", "2", "--store")
    (node,) = orm.QueryBuilder().append(orm.CalcFunctionNode).all(flat=True)
    assert node.outputs.frames.frames.parent_id.tolist() == node.inputs.cells.frames.frame_ids * 2

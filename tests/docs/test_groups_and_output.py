"""The settings of the page are settings, and what it says of their output holds."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

import numpy as np

from aiida_seireact.formats.compute_tables import Table
from aiida_seireact.formats.lammps_input import lammps_input
from aiida_seireact.formats.lammps_settings import MdSettings
from tests.docs._pages import DOCS, all_blocks

BLOCKS = [block for block in all_blocks("python") if block.where.startswith("docs/howto/groups_and_output.md")]


def test_the_page_is_there_to_be_tested() -> None:
    assert (DOCS / "howto" / "groups_and_output.md").is_file()
    assert len(BLOCKS) == 4


def test_its_settings_make_an_input() -> None:
    found: dict[str, Any] = {}
    for block in BLOCKS:
        names = [one.targets[0] for one in ast.parse(block.text).body if isinstance(one, ast.Assign)]
        if {"md", "field"} & {name.id for name in names if isinstance(name, ast.Name)}:
            exec(block.text, found)
    settings = MdSettings.model_validate({**found["md"], "user_block": found["field"]})
    text = lammps_input(settings, species=["Li", "P", "S", "Cl"], model="model.nequip.pt2")
    assert "group           marked id 1 100:120" in text
    assert "fix push all addforce 0 0 v_force" in text


def test_its_average_is_one() -> None:
    values = np.arange(45.0).reshape(3, 5, 3)
    table = Table(np.array([0, 200_000, 300_000]), values, ["r", "g", "n"])
    block = next(block for block in BLOCKS if "around_li" in block.text and "table" in block.text)
    found: dict[str, Any] = {"trajectory": SimpleNamespace(computed={"around_li": table})}
    exec(block.text, found)
    assert found["r"].tolist() == [0, 3, 6, 9, 12]
    assert found["g"].tolist() == [23.5, 26.5, 29.5, 32.5, 35.5]

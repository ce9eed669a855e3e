"""*Build a grain boundary*, executed: its commands, what they tell, the recipe it keeps and the Python."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from ase.io import read
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from tests.docs._pages import DOCS, blocks

PAGE = DOCS / "howto" / "grain_boundary.md"


def words(line: str) -> list[str]:
    return line.replace("│", " ").split()


def run(line: str) -> str:
    result = CliRunner().invoke(cli, shlex.split(line.removeprefix("$ ").removeprefix("aiida-seireact ")))
    assert result.exit_code == 0, f"{line}: {result.output}"
    return result.output


def test_the_commands_tell_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = [
        words(line)
        for block in blocks(PAGE)
        if block.info == "console"
        for command in block.text.splitlines()
        for line in run(command).splitlines()
    ]
    for block in blocks(PAGE):
        if block.info == "text":
            for line in block.text.splitlines():
                assert words(line) in said, line
    assert {path.name for path in tmp_path.iterdir()} == {"tilt.extxyz", "tilt.yaml", "twist.extxyz"}
    again = re.search(r"`(aiida-seireact build cell tilt.yaml)`", PAGE.read_text())
    assert again
    run(f"{again[1]} -o again.extxyz")
    first, second = read("tilt.extxyz"), read("again.extxyz")
    assert np.allclose(first.positions, second.positions)


def test_its_python_runs() -> None:
    (python,) = [block.text for block in blocks(PAGE) if block.info == "python"]
    found: dict[str, object] = {}
    exec(compile(python, str(PAGE), "exec"), found)
    assert found["twin"].name == "Σ3 70.53° [1 1 0] (1 -1 2)"
    gaps = found["gaps"]
    # A twin is densest where the lattices coincide or nearly so: the gap depends on the shift.
    assert len(set(gaps.values())) > 1

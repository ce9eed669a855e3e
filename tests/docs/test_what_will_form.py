"""*What will form?*, executed: its table is what the command says, its picture what its script draws."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from tests.docs._pages import DOCS, blocks

PAGE = DOCS / "howto" / "what_will_form.md"
ENTRIES = PAGE.with_name("li-p-s-cl.json")
SCRIPT = DOCS / "images" / "products.py"


def words(line: str) -> list[str]:
    return line.replace("│", " ").replace("┃", " ").split()


def test_the_table_is_what_the_command_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    shutil.copy(ENTRIES, tmp_path)
    commands = [block.text.removeprefix("$ ").strip() for block in blocks(PAGE) if block.info == "console"]
    (command,) = [line for line in commands if "--entries" in line]
    result = CliRunner().invoke(cli, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    said = [words(line) for line in result.output.splitlines()]
    (told,) = [block.text for block in blocks(PAGE) if block.info == "text"]
    for line in told.splitlines():
        assert words(line) in said


def test_the_picture_is_what_its_script_draws(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("products_picture", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.draw(tmp_path / "products.svg")
    assert (tmp_path / "products.svg").read_bytes() == (DOCS / "images" / "products.svg").read_bytes()


def test_its_python_runs(
    aiida_profile_clean: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ENTRIES, tmp_path)
    monkeypatch.chdir(tmp_path)
    for block in [block.text for block in blocks(PAGE) if block.info == "python"]:
        found: dict[str, Any] = {}
        exec(compile(block, str(PAGE), "exec"), found)
    assert found["node"].is_finished_ok, found["node"].exit_message
    said = capsys.readouterr().out
    assert "Li3InCl6" in said
    assert "8 Li + Li6PS5Cl → 5 Li2S + Li3P + LiCl" in said

"""*Follow up a phase*, executed: plan and table are what the command says, the picture what its script draws."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from click.testing import CliRunner

from aiida_seireact.cli.followup import tell
from aiida_seireact.cli.main import cli
from tests.docs._pages import DOCS, blocks

PAGE = DOCS / "howto" / "follow_up.md"
RESULT = PAGE.with_name("follow_up.json")
SCRIPT = DOCS / "images" / "follow_up.py"


def words(line: str) -> list[str]:
    return line.replace("│", " ").replace("┃", " ").split()


def told(comment: str) -> list[str]:
    """Return the lines of the block after a comment."""
    (text,) = [block.text for block in blocks(PAGE) if block.comment == comment]
    return text.splitlines()


def test_the_plan_is_what_the_command_tells(
    aiida_profile_clean: Any, aiida_localhost: orm.Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    orm.InstalledCode(
        label="seireact-label-0",
        computer=aiida_localhost,
        filepath_executable=str(Path(sys.executable).parent / "seireact-label"),
    ).store()
    (command, *_) = [block.text.removeprefix("$ ").strip() for block in blocks(PAGE) if block.info == "console"]
    profile = get_manager().get_profile().name
    result = CliRunner().invoke(cli, ["-p", profile, *shlex.split(command)[1:]])
    assert result.exit_code == 0, result.output
    said = result.output.splitlines()
    for line in told("plan"):
        assert line in said


def test_the_table_is_what_the_command_tells(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    tell(json.loads(RESULT.read_text(encoding="utf-8")))
    said = [words(line) for line in capsys.readouterr().out.splitlines()]
    for line in told("told"):
        assert words(line) in said


def test_the_picture_is_what_its_script_draws(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("follow_up_picture", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.draw(tmp_path / "follow_up.svg")
    assert (tmp_path / "follow_up.svg").read_bytes() == (DOCS / "images" / "follow_up.svg").read_bytes()


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for block in [block.text for block in blocks(PAGE) if block.info == "python"]:
        exec(compile(block, str(PAGE), "exec"), {})
    said = capsys.readouterr().out
    assert "19.0 meV a shared site, 6.3 meV/atom" in said
    assert "2 orderings in the primitive cell" in said

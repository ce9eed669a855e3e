"""*Draw disorder and defects*, executed: its tables are what the commands say, and its Python runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from ase.io import read
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from tests.docs._pages import DOCS, blocks

PAGE = DOCS / "howto" / "disorder_and_defects.md"


def words(line: str) -> list[str]:
    return line.replace("│", " ").replace("┃", " ").split()


def test_the_tables_are_what_the_commands_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = []
    for line in [block.text.removeprefix("$ ").strip() for block in blocks(PAGE) if block.info == "console"]:
        result = CliRunner().invoke(cli, shlex.split(line)[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"
        said += [words(told) for told in result.output.splitlines()]
    for block in blocks(PAGE):
        if block.info == "text":
            for told in block.text.splitlines():
                assert words(told) in said, told
    sizes = {path.stem: len(read(path, index=":")) for path in tmp_path.iterdir()}
    assert sizes == {"low": 3, "orderings": 4, "defects": 5, "vacancies": 6}


def test_its_python_runs(aiida_profile_clean: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (python,) = [block.text for block in blocks(PAGE) if block.info == "python"]
    found: dict[str, Any] = {}
    exec(compile(python, str(PAGE), "exec"), found)
    assert len(found["drawn"]["frames"]) == 3
    assert "[8, 32, 8, 8]" in capsys.readouterr().out

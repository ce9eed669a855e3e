"""*Build an interface*, executed: every command, what it tells, the recipe it keeps, the picture and the Python."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiida.manage import get_manager
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from tests.docs._pages import DOCS, blocks

PAGE = DOCS / "howto" / "build_an_interface.md"
LARGE = DOCS / "howto" / "build_a_large_cell.md"
SCRIPT = DOCS / "images" / "interface.py"


def words(line: str) -> list[str]:
    return line.replace("│", " ").replace("┃", " ").split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def said(aiida_profile: Any, folder: Path) -> dict[str, str]:
    """Run every command of the page, in order, and return what each told."""
    told = {}
    profile = str(get_manager().get_profile().name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks(PAGE):
            if block.info != "console":
                continue
            for line in block.text.splitlines():
                command, _, file = line.removeprefix("$ aiida-seireact ").partition(" > ")
                result = CliRunner().invoke(cli, ["--profile", profile, *shlex.split(command)])
                assert result.exit_code == 0, f"{line}: {result.output}"
                if file:
                    Path(file).write_text(result.stdout)
                told[command] = result.output
    return told


def test_the_tables_are_what_the_commands_tell(said: dict[str, str]) -> None:
    lines = [words(line) for text in said.values() for line in text.splitlines()]
    for block in blocks(PAGE):
        if block.info == "text":
            for line in block.text.splitlines():
                assert words(line) in lines, line


def test_the_recipe_of_the_page_is_what_is_kept(said: dict[str, str], folder: Path) -> None:
    (told,) = [block.text for block in blocks(PAGE) if block.info == "yaml"]
    kept = (folder / "interface.yaml").read_text()
    assert [line for line in kept.splitlines() if not line.startswith("#")] == told.splitlines()
    assert yaml.safe_load(kept) == yaml.safe_load(told)


def test_every_file_of_the_page_is_there(said: dict[str, str], folder: Path) -> None:
    written = {path.name for path in folder.iterdir()}
    assert written == {"joined.extxyz", "apart.extxyz", "second.extxyz", "slab.extxyz", "interface.yaml",
                       "interface.svg", "mine.cif"}  # fmt: skip


def test_the_picture_is_what_its_script_and_its_command_draw(
    said: dict[str, str], folder: Path, tmp_path: Path
) -> None:
    spec = importlib.util.spec_from_file_location("interface_picture", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.draw(tmp_path / "interface.svg")
    drawn = (DOCS / "images" / "interface.svg").read_bytes()
    assert (tmp_path / "interface.svg").read_bytes() == (folder / "interface.svg").read_bytes() == drawn


def test_its_python_runs(
    said: dict[str, str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name in ("interface.yaml", "joined.extxyz", "apart.extxyz"):
        shutil.copy(folder / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    for block in [block.text for block in blocks(PAGE) if block.info == "python"]:
        exec(compile(block, str(PAGE), "exec"), {})
    told = capsys.readouterr().out
    assert "'Cl': 2" in told
    stands = re.search(r"([\d.]+) J/m² here", PAGE.read_text())
    assert stands
    assert f"{stands[1]} J/m²" in told


def test_the_large_cell_is_told_as_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first part of *Build a large cell*, dry; `tests/programs/test_build.py` has the numbers of the plan."""
    monkeypatch.chdir(tmp_path)
    (job,) = [block.text for block in blocks(LARGE) if block.comment == "job: build"]
    Path("job.json").write_text(job)
    found = re.search(r"`(aiida-seireact build cell job.json --dry-run)`", LARGE.read_text())
    assert found
    result = CliRunner().invoke(cli, shlex.split(found[1])[1:])
    assert result.exit_code == 0, result.output
    numbers = re.search(r"give ([\d,]+ atoms), ([\d.]+) Li a formula unit, (\d+) Å long", LARGE.read_text())
    assert numbers
    assert f"{numbers[1]}: Cl" in result.output
    ratio = re.search(r"Li a formula unit of SE: ([\d.]+),", result.output)
    length = re.search(r"x ([\d.]+) Å", result.output)
    assert ratio
    assert length
    assert (f"{float(ratio[1]):.3f}", f"{float(length[1]):.0f}") == (numbers[2], numbers[3])
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]

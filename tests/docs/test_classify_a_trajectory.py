"""*Classify a trajectory*, executed: its tables are what the command says, its pictures what their script draws."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from tests.docs._pages import DOCS, blocks

PAGE = DOCS / "howto" / "classify_a_trajectory.md"
PICTURES = ("classification_z", "classification_time")


def words(line: str) -> list[str]:
    return re.sub("[│┃]", " ", line).split()


def script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder in which the commands on files ran, and what each said."""
    folder = tmp_path_factory.mktemp("classify")
    script(PAGE.with_name("mixing_run.py")).main(folder)
    said = {}
    commands = "".join(block.text for block in blocks(PAGE) if block.info == "console").splitlines()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "120")
        for line in (line.removeprefix("$ aiida-seireact ") for line in commands if "run.npz" in line):
            result = CliRunner().invoke(cli, shlex.split(line))
            assert result.exit_code == 0, result.output
            said[line.split()[0] + (" --classifier" if "--classifier" in line else "")] = result.output
    return folder, said


def test_the_tables_are_what_the_command_tells(executed: tuple[Path, dict[str, str]]) -> None:
    told = [words(line) for line in executed[1]["classify"].splitlines()]
    tables = [block.text for block in blocks(PAGE) if block.info == "text"]
    assert len(tables) == 2
    for line in "".join(tables).splitlines():
        assert words(line) in told, line


def test_the_pictures_are_what_their_script_draws(executed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    script(DOCS / "images" / "classification.py").draw(executed[0] / "run.npz.phases", tmp_path)
    for name in PICTURES:
        assert (tmp_path / f"{name}.svg").read_bytes() == (DOCS / "images" / f"{name}.svg").read_bytes()


def test_what_was_unknown_has_a_name_and_the_rest_keeps_its_own(executed: tuple[Path, dict[str, str]]) -> None:
    from aiida_seireact.formats.environments import Labels

    folder, said = executed
    before = Labels.load(folder / "run.npz.phases" / "labels.npz")
    after = Labels.load(folder / "run.npz.phases-Li2S-mixed" / "labels.npz")
    known = before.labels > 0
    assert (after.labels[known] == before.labels[known]).all()
    assert (after.label_names[after.labels[-1]] == "Li2S-mixed").mean() > 0.2
    assert "unknown -> Li2S-mixed" in said["adopt"]
    assert "LiCl -> unknown" not in said["relabel"]  # it had no cluster
    assert "Nothing was written" in said["relabel"]
    late = Labels.load(folder / "late" / "labels.npz")
    assert late.steps.tolist() == before.steps[4:].tolist()
    # Landmarks are known there, here they are found: the same to the last environment.
    assert (late.labels == after.labels[4:]).mean() > 0.99


def test_its_python_runs(
    executed: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(executed[0])
    for block in [block.text for block in blocks(PAGE) if block.info == "python"]:
        exec(compile(block, str(PAGE), "exec"), {})
    assert "6000]" in capsys.readouterr().out

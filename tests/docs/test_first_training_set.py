"""*Draw a first training set*, executed: its plan, its commands and its Python; its table names every kind."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from aiida import orm
from ase.io import read
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from aiida_seireact.formats.jobs import sample
from aiida_seireact.science.sampling.kinds import CLASS_OF_KIND
from tests.docs._pages import DOCS, blocks, table

PAGE = DOCS / "howto" / "first_training_set.md"


def test_the_table_names_every_kind_with_its_class() -> None:
    rows = {row[0].strip("`"): row[1] for row in table(PAGE, "kinds")}
    assert rows == dict(CLASS_OF_KIND)
    schemas = get_args(get_args(sample.AnyEntry)[0])
    assert set(rows) == {get_args(schema.model_fields["kind"].annotation)[0] for schema in schemas}


def test_the_plan_is_drawn_as_the_page_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (plan,) = [block.text for block in blocks(PAGE) if block.info == "yaml"]
    Path("plan.yaml").write_text(plan)
    lines = [
        line.removeprefix("$ ") for block in blocks(PAGE) if block.info == "console" for line in block.text.splitlines()
    ]
    drawn = [line for line in lines if "plan.yaml --labeller" in line]
    assert len(drawn) == 2
    said = ""
    for line in drawn:
        result = CliRunner().invoke(cli, shlex.split(line)[1:])
        assert result.exit_code == 0, result.output
        said = result.output
    (told,) = [block.text for block in blocks(PAGE) if block.info == "text"]
    for sentence in told.splitlines():
        assert sentence in said.splitlines()
    assert len(read("pool.extxyz", index=":")) == 90
    assert "No frame is an interface." in Path("coverage.html").read_text()


def test_its_python_runs(aiida_profile_clean: Any, aiida_localhost: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("sample", "label"):
        script = Path(sys.executable).parent / f"seireact-{name}"
        orm.InstalledCode(
            label=f"seireact-{name}-test", computer=aiida_localhost, filepath_executable=str(script)
        ).store()
    (python,) = [block.text for block in blocks(PAGE) if block.info == "python"]
    found: dict[str, Any] = {}
    exec(compile(python, str(PAGE), "exec"), found)
    assert found["node"].is_finished_ok, found["node"].exit_message
    assert len(found["outputs"]["frames"]) == 12
    assert "No frame is a surface." in capsys.readouterr().out

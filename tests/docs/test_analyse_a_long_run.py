"""*Analyse a long run*, executed: its commands on the run of its pictures, its Python, its table."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from aiida import orm
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.analyse import AnalyseJob
from aiida_seireact.programs.analyse import main
from aiida_seireact.programs.analyses import ANALYSES
from aiida_seireact.science.template_limit import RMSD_MAX
from tests.docs._pages import DOCS, blocks, table
from tests.programs.test_adhesion import copper, labelled
from tests.programs.test_analyse import sandwich

PAGE = DOCS / "howto" / "analyse_a_long_run.md"
IMAGES = DOCS / "images"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("analysis_picture", IMAGES / "analysis.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def commands(program: str) -> list[list[str]]:
    lines = [block.text.removeprefix("$ ").strip() for block in blocks(PAGE) if block.info == "console"]
    return [shlex.split(line)[1:] for line in lines if line.startswith(program)]


def test_the_commands_run_and_say_what_the_page_tells(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script.write_run(tmp_path / "run.dump")
    Frames.from_atoms([copper(0.0)]).to_extxyz("cell.extxyz")
    said = []
    for command in commands("aiida-seireact"):
        if command[0] == "label":  # by an engine that needs no profile
            labelled(Frames.from_extxyz(command[1])).to_extxyz(command[-1])
            continue
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 0, result.output
        said += result.output.splitlines()
    (told,) = [block.text for block in blocks(PAGE) if block.info == "text"]
    for line in told.splitlines():
        assert line in said
    assert any(line.startswith("over 2 interface(s)") for line in said)
    (job,) = [block.text for block in blocks(PAGE) if block.info == "json"]
    Path("job.json").write_text(job)
    (arguments,) = commands("seireact-analyse")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["clusters"]["species"] == ["In"]


def test_the_pictures_are_what_their_script_draws(script: ModuleType, tmp_path: Path) -> None:
    script.draw(tmp_path)
    for name in script.DRAWN:
        file = f"analysis_{name}.svg"
        assert (tmp_path / file).read_bytes() == (IMAGES / file).read_bytes()


def test_the_choices_of_the_paper_are_settings() -> None:
    """Li by its template, bcc and hcp among them, and slab; windows of 2 ns, as in arXiv:2506.10944."""
    (told,) = [block.text for block in blocks(PAGE) if block.info == "yaml"]
    job = AnalyseJob.model_validate({"trajectory": {"files": ["run.dump"]}, "timestep_fs": 2.0, **yaml.safe_load(told)})
    assert job.windows is not None
    assert (job.windows.by, job.windows.phase_from, job.windows.length_ps) == ("both", "ptm", 2000.0)
    assert job.ptm is not None
    assert job.ptm.rmsd_max == job.windows.rmsd_max == RMSD_MAX


def test_the_table_names_every_analysis_and_what_is_on() -> None:
    rows = {row[0].strip("`"): row[1] for row in table(PAGE, "analyses")}
    assert list(rows) == list(ANALYSES)
    for name, state in rows.items():
        assert bool(state) == (AnalyseJob.model_fields[name].default_factory is not None), name


def test_its_python_runs(
    aiida_profile_clean: Any, aiida_localhost: orm.Computer, capsys: pytest.CaptureFixture[str]
) -> None:
    aiida_localhost.set_minimum_job_poll_interval(0)
    path = str(Path(sys.executable).parent / "seireact-analyse")
    orm.InstalledCode(label="seireact-analyse-docs", computer=aiida_localhost, filepath_executable=path).store()
    profile, adhesion = (block.text for block in blocks(PAGE) if block.info == "python")
    found: dict[str, Any] = {"trajectory": FramesData(Frames.from_atoms([sandwich(0), sandwich(2)]))}
    exec(compile(profile, str(PAGE), "exec"), found)
    assert found["node"].is_finished_ok, found["node"].exit_message
    assert found["intact"].tolist() == [3, 2]
    exec(compile(adhesion, str(PAGE), "exec"), {})
    told = capsys.readouterr().out
    assert "over 1 interface" in told
    # Twice the surface energy of Cu(111) by EMT, about 0.9 J/m².
    assert 1.5 < float(told.split()[0]) < 2.2

"""*Training* and *Use another learner*, executed: with a stand-in for the program, and for real."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from aiida_seireact.cli.train import WALLTIME_LEFT_S, WALLTIME_SHARE
from aiida_seireact.cli.training_cost import MEASURED_MS
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.programs._training import CHECKPOINT_EVERY_S
from aiida_seireact.workchains.train import MAX_JOBS
from aiida_seireact.workchains.train_handlers import MAX_CHANGES, MAX_LOST
from tests.docs._pages import DOCS, blocks
from tests.programs.conftest import labelled_frames

PAGE = DOCS / "howto" / "training.md"
FAKE = Path(__file__).parents[1] / "fake_train.py"


@pytest.fixture
def dataset(aiida_profile_clean: Any, aiida_localhost: orm.Computer) -> DatasetData:
    """Return the dataset of the page; codes of programs lie beside it."""
    aiida_localhost.set_minimum_job_poll_interval(0)
    shard = FramesData(labelled_frames(15)).store()
    return DatasetData([shard.frames], [["train"] * 10 + ["val"] * 2 + ["test"] * 3]).store()


def codes(computer: orm.Computer, folder: Path, *, real: bool) -> None:
    folder.mkdir()
    script = folder / "seireact-train"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    script.chmod(0o755)
    beside = Path(sys.executable).parent
    paths = {"train": beside / "seireact-train" if real else script, "compile": beside / "seireact-compile"}
    for name, path in paths.items():
        orm.InstalledCode(
            label=f"seireact-{name}-docs",
            computer=computer,
            filepath_executable=str(path),
            prepend_text="export OMP_NUM_THREADS=1",
        ).store()


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_page_runs_as_it_is_told(
    dataset: DatasetData,
    aiida_localhost: orm.Computer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    real: bool,
) -> None:
    codes(aiida_localhost, tmp_path / "bin", real=real)
    found: dict[str, Any] = {"dataset": dataset}
    for block in blocks(PAGE):
        if block.info == "python":
            exec(compile("\n" * block.line + block.text, str(PAGE), "exec"), found)
    # Three jobs, and the fit of the energies of the atoms.
    assert "4 jobs and fits, 3 epochs, done: True" in capsys.readouterr().out
    assert found["results"]["checkpoint"].epoch == 2


def test_the_dry_run_says_what_the_page_says(
    dataset: DatasetData, aiida_localhost: orm.Computer, tmp_path: Path
) -> None:
    codes(aiida_localhost, tmp_path / "bin", real=False)
    block = next(block for block in blocks(PAGE) if block.info == "console")
    command, *told = block.text.strip().splitlines()
    arguments = command.removeprefix("$ aiida-seireact ").replace("812", str(dataset.pk)).split()
    output = CliRunner().invoke(cli, ["-p", get_manager().get_profile().name, *arguments]).output
    assert output.splitlines() == told


def test_the_numbers_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"{100 * WALLTIME_SHARE:.0f} % of the walltime less two minutes" in text
    assert WALLTIME_LEFT_S == 120
    assert f"`max_iterations` jobs are run, {MAX_JOBS} by default" in text
    assert (CHECKPOINT_EVERY_S, MAX_CHANGES, MAX_LOST) == (300, 2, 4)
    measured = re.search(r"`fast` ([\d.]+), `balanced` ([\d.]+), `paper` ([\d.]+) ms", text)
    assert measured is not None
    assert [f"{value:.2g}" for value in MEASURED_MS.values()] == list(measured.groups())
    assert MEASURED_MS["balanced"] == pytest.approx(MEASURED_MS["paper"] / 10, rel=0.2)


def test_a_given_package_becomes_a_parent(trained: Any, aiida_profile_clean: Any, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("given.nequip.zip").write_bytes(trained.package.read_bytes())
    found: dict[str, Any] = {}
    for block in blocks(DOCS / "howto" / "another_learner.md"):
        if block.info == "python":
            exec(block.text, found)
    assert found["parent"].store().kind == "allegro-package"
    assert found["parent"].model_hash == trained.outputs["model_hash"]

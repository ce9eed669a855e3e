"""Labels from the command line: what is told before anything is submitted, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage import get_manager
from ase.build import bulk
from ase.io import read, write
from click.testing import CliRunner, Result

from aiida_seireact.cli import label as module
from aiida_seireact.cli.main import cli
from aiida_seireact.data.frames import FramesData
from tests.computers import local_computer

EMT = "parameters: {calculator: {name: emt, kwargs: {}}}\n"


@pytest.fixture
def machine(aiida_profile: Any, tmp_path: Path) -> orm.Computer:
    """Return this machine, with the code of seireact-label."""
    computer = local_computer(tmp_path / "scratch")
    orm.InstalledCode(
        label="labeller",
        computer=computer,
        filepath_executable=str(Path(sys.executable).parent / "seireact-label"),
        prepend_text="export OMP_NUM_THREADS=1",
    ).store()
    return computer


@pytest.fixture
def call(machine: orm.Computer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that calls the command with EMT; what it submits runs in this process."""
    monkeypatch.chdir(tmp_path)
    images = [bulk("Cu", a=constant, cubic=True) for constant in (3.5, 3.6, 3.7)]
    write("frames.extxyz", images)
    Path("emt.yaml").write_text(EMT)
    monkeypatch.setattr("aiida.engine.submit", lambda builder: run_get_node(builder).node)
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: [])
    profile = get_manager().get_profile().name

    def run(*arguments: object) -> Result:
        given = ["--code", f"labeller@{machine.label}", "--overrides", "emt.yaml", *map(str, arguments)]
        return CliRunner().invoke(cli, ["-p", profile, "label", *given])

    return run


def test_a_file_is_labelled_and_the_second_time_known(call: Any) -> None:
    first = call("frames.extxyz", "--wait", "-o", "labelled.extxyz")
    assert first.exit_code == 0, first.output
    assert "3 frames of Cu4 (no type 3)" in first.output
    assert "0 labelled already, 0 given twice, 3 to compute in 1 batches" in first.output
    assert "3 frames labelled, 0 not" in first.output
    images = read("labelled.extxyz", index=":")
    assert all({"energy", "forces", "stress"} <= set(atoms.calc.results) for atoms in images)

    again = call("frames.extxyz", "--dry-run")
    assert again.exit_code == 0, again.output
    assert "3 labelled already, 0 given twice, 0 to compute in 0 batches" in again.output
    assert "Nothing was submitted" in again.output
    assert "3 to compute" in call("frames.extxyz", "--dry-run", "--no-reuse").output


def test_a_daemon_that_does_not_run_is_told(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiida_seireact.cli.watchdog.signs_of_trouble", lambda: ["The daemon is not running."])
    result = call("frames.extxyz")
    assert result.exit_code == 0, result.output
    assert "The daemon is not running. `aiida-seireact doctor --mend`" in result.output


def test_a_node_of_the_profile_is_labelled_too(call: Any) -> None:
    node = FramesData.from_ase([bulk("Al", cubic=True)] * 2).store()
    result = call(node.pk, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "0 labelled already, 1 given twice, 1 to compute in 1 batches" in result.output


def test_what_can_not_be_labelled_is_refused_before_it_is_submitted(call: Any) -> None:
    Path("torn.extxyz").write_text('2\nLattice="3 0 0 0 3 0 0 0 3"\nCu 0 0')
    near = bulk("Cu", cubic=True)
    near.positions[1] = near.positions[0] + [0, 0, 0.1]
    write("near.extxyz", near)
    Path("bad.yaml").write_text("parameters: {calculator: {name: emt}, tusk: label}\n")
    for arguments, words in (
        (["nowhere.extxyz"], "There is no file nowhere.extxyz"),
        (["torn.extxyz"], "torn.extxyz can't be read by ASE"),
        (["near.extxyz"], "only 0.10 Å apart"),
        (["frames.extxyz", "--overrides", "bad.yaml"], "tusk"),
        (["frames.extxyz", "--code", "nobody@nowhere"], "There is no single code 'nobody@nowhere'"),
        (["frames.extxyz", "--protocol", "slow"], "slow"),
        (["frames.extxyz", "-o", "out.extxyz"], "give both"),
    ):
        result = call(*arguments)
        assert result.exit_code != 0, result.output
        assert words in " ".join(result.output.split()), result.output


def test_failures_are_told_with_their_frame(capsys: pytest.CaptureFixture[str]) -> None:
    failures = {"failures": [{"index": 4, "structure_id": "s", "reason": "it has no stress"}]}
    node = SimpleNamespace(
        outputs=_Outputs(failures=failures),
        is_finished_ok=False,
        exit_message="1 of 1 batches of labels failed",
        process_state=SimpleNamespace(value="finished"),
    )
    with pytest.raises(module.click.ClickException, match="1 of 1 batches"):
        module.conclude(node, None)  # type: ignore[arg-type]
    assert "frame 4: it has no stress" in capsys.readouterr().err


class _Outputs(SimpleNamespace):
    def __contains__(self, name: str) -> bool:
        return name in vars(self)


def test_the_protocols_are_listed() -> None:
    result = CliRunner().invoke(cli, ["label", "--protocols"])
    assert result.exit_code == 0, result.output
    assert "fast (default): CHGNet" in result.output

"""Overrides of the demo: read from YAML, refused with one sentence each."""

from __future__ import annotations

from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner

from aiida_seireact.cli.demo import demo
from aiida_seireact.cli.demo_overrides import read_overrides, refuse_misplaced, with_labeller


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def dry_run(folder: Path, text: str, *options: str) -> tuple[int, str]:
    arguments = ["--folder", str(folder / "demo"), "--dry-run", "--overrides", str(write(folder, text)), *options]
    result = CliRunner().invoke(demo, arguments)
    assert not (folder / "demo").exists()
    return result.exit_code, result.output


def test_any_value_is_overridden_at_any_depth(tmp_path: Path) -> None:
    text = "sampling: {li: {count: 1000}}\ntrain: {settings: {max_epochs: 3}}\nproduce: {md: {steps: 77}}\n"
    status, told = dry_run(tmp_path, text)
    assert status == 0, told
    assert "Allegro, 3 epochs" in told
    assert "77 steps of 2 fs at 300 K" in told
    assert "1160 frames drawn" in told
    assert "overridden  sampling, train, produce" in told
    assert "minutes on two cores" not in told


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read_overrides(write(tmp_path, "# nothing yet\n")) == {}
    assert read_overrides(None) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is no YAML"),
        ("- 1\n- 2\n", "must hold values by name"),
        ("1: {md: {}}", "must hold values by name"),
        ("nonsense: {}", "Unknown in overrides: nonsense"),
        ("produce: 3", "`produce` of the overrides is 3; the protocol has a group of values there"),
        ("sampling: {li: 3}", "`sampling.li` of the overrides is 3; the protocol has a group of values there: count"),
        ("produce: {md: 7}", "`produce.md` of the overrides is 7"),
        ("sampling: {li: {count: many}}", "another type"),
    ],
)
def test_what_does_not_fit_is_refused_with_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    status, told = dry_run(tmp_path, text)
    assert status == 1
    assert words in told
    assert told.startswith("Error: ")
    assert len(told.splitlines()) == 1


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo, ["--dry-run", "--overrides", str(tmp_path / "no.yaml")])
    assert result.exit_code == 2
    assert "no.yaml" in result.output


def test_a_group_may_be_left_out_and_a_calculator_be_a_name() -> None:
    refuse_misplaced({"explore": None, "calculator": "emt"}, {"explore": {"a": 1}, "calculator": {"name": "chgnet"}})
    with pytest.raises(ClickException):
        refuse_misplaced({"explore": [1]}, {"explore": {"a": 1}})


def test_a_labeller_takes_the_place_of_another_with_its_settings() -> None:
    chgnet = {"name": "chgnet", "kwargs": {"model_name": "0.3.0"}}
    assert with_labeller({"seed": 1}, "emt", chgnet) == {"seed": 1, "calculator": {"name": "emt"}}
    assert with_labeller({"seed": 1}, "chgnet", chgnet) == {"seed": 1}
    assert with_labeller({"seed": 1}, None, chgnet) == {"seed": 1}


def test_labeller_and_overrides_show_in_the_plan(tmp_path: Path) -> None:
    assert ", by emt" in dry_run(tmp_path, "calculator: {name: emt}")[1]
    assert ", by lj" in dry_run(tmp_path, "calculator: {name: emt}", "--labeller", "lj")[1]

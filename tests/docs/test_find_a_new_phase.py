"""*Find a new phase*, executed: its run, its commands, its numbers and its pictures."""

from __future__ import annotations

import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from ase.io import read
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from tests.docs._pages import DOCS, blocks

PAGE = DOCS / "howto" / "find_a_new_phase.md"
SCRIPT = DOCS / "images" / "new_phase.py"
NAME = "Li2S0.72P0.14Cl0.14"
PICTURES = ("region", "cluster", "fractions")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = spec_from_file_location("new_phase_pictures", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("new_phase")


@pytest.fixture(scope="module")
def said(script: ModuleType, folder: Path) -> tuple[str, str]:
    first, second = script.find(folder)
    return first, second


def told(comment: str) -> str:
    (text,) = [block.text for block in blocks(PAGE) if block.comment == comment]
    return text


def percents(line: str) -> list[float]:
    return [float(word) for word in re.findall(r"([\d.]+)[ \u202f]%", line)]


def by_name(text: str) -> dict[str, list[float]]:
    """Shares by suggested name; numbers of clusters are another run's affair."""
    rows = [re.fullmatch(r"(?:cluster \d+|Li2S) .*%  +[\d.–]+  (.*)", line) for line in text.splitlines()]
    return {row[1]: percents(row[0]) for row in rows if row}


def test_the_tables_are_what_the_command_tells(said: tuple[str, str]) -> None:
    shown, found = by_name(told("found")), by_name(said[0])
    assert len(shown) == 7
    for name, shares in shown.items():
        assert found[name] == pytest.approx(shares, abs=2.0), name


def test_the_region_is_the_phase_that_was_made_and_no_domains_are_needed(
    script: ModuleType, folder: Path, said: object
) -> None:
    region = script.region(folder)
    anions = {symbol: region["composition"][symbol] for symbol in ("S", "P", "Cl")}
    assert anions["S"] / sum(anions.values()) == pytest.approx(0.72, abs=0.02)
    assert anions["P"] / sum(anions.values()) == pytest.approx(0.14, abs=0.02)
    assert region["sulfur"]["p_value"] > 0.01
    text = told("together")
    assert percents(text.splitlines()[0]) == pytest.approx(
        [100 * region["share_of_all"], 100 * region["unknown_share"]], abs=2.0
    )
    assert percents(text.splitlines()[2]) == pytest.approx(
        [100 * region["sulfur"]["counted"], 100 * region["sulfur"]["expected"]], abs=2.0
    )


def test_adopting_moves_the_unknown_and_leaves_the_known(said: tuple[str, str]) -> None:
    def interphase(text: str) -> dict[str, float]:
        rows = [line.replace("│", "|").strip("|").split("|") for line in text.splitlines() if line.count("│") == 8]
        return {row[0].strip(): percents(row[5])[0] for row in rows if percents(row[5])}

    before, after = interphase(said[0]), interphase(said[1])
    assert after["Li2S"] == pytest.approx(before["Li2S"], abs=0.5)
    assert after["LiCl"] == after["Li3P"] == 0.0
    assert after[NAME] + after["unknown"] == pytest.approx(before["unknown"], abs=0.5)
    rows = {line.split()[0]: percents(line) for line in told("adopted").splitlines()[1:]}
    assert rows["Li2S"] == pytest.approx([before["Li2S"], after["Li2S"]], abs=2.0)
    assert rows[NAME] == pytest.approx([after[NAME]], abs=2.0)
    assert rows["unknown"] == pytest.approx([before["unknown"], after["unknown"]], abs=2.0)


def test_by_the_new_classifier_the_region_is_tested_for_domains_without_anything_unknown(
    folder: Path, said: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    command = [block.text.split() for block in blocks(PAGE) if block.info == "console"][3]
    result = CliRunner().invoke(cli, command[2:])
    assert result.exit_code == 0, result.output
    text = told("anew")
    rows = {line.split()[0]: percents(line) for line in text.splitlines()[:2]}
    outputs = json.loads((folder / "named" / "result.json").read_text(encoding="utf-8"))["outputs"]["discovery"]
    for name, shares in rows.items():
        (group,) = [group for group in outputs["groups"] if group["id"] == name]
        found = [100 * group["share_of_all"], 100 * group["share_of_interphase"]]
        assert shares == pytest.approx(found, abs=2.0), name
    (region,) = [region for region in outputs["regions"] if region["like"] == "antifluorite"]
    assert region["unknown_clusters"] == []
    assert {"Li2S", NAME} <= set(region["groups"])
    sulfur = region["sulfur"]
    assert sulfur["p_value"] > 0.01
    line = next(line for line in text.splitlines() if "x_S⁴" in line)
    assert percents(line) == pytest.approx([100 * sulfur["counted"], 100 * sulfur["expected"]], abs=2.0)
    # `adopt`, which reads no frame, repeats the test as it was.
    (before,) = [line for line in said[1].splitlines() if line.startswith("  four S around")]
    assert before in said[0].splitlines()


def test_the_commands_of_the_page_are_those_that_ran() -> None:
    commands = [block.text.removeprefix("$ ").split() for block in blocks(PAGE) if block.info == "console"]
    assert commands[1][1:] == ["classify", "run.npz", "--reference", "references", "--z", "2.5"]
    assert commands[2][1:3] == ["adopt", "run.npz.phases"]
    assert commands[2][-2:] == ["--name", NAME]
    numbers = told("together").splitlines()[1].split(":")[1].split()
    assert commands[2][3:-2] == numbers


def test_the_pictures_are_what_its_script_draws(script: ModuleType, folder: Path, said: object, tmp_path: Path) -> None:
    script.draw(tmp_path, folder)
    for name in PICTURES:
        file = f"new_phase_{name}.svg"
        drawn = (tmp_path / file).read_text(encoding="utf-8")
        shown = (DOCS / "images" / file).read_text(encoding="utf-8")
        # Labels and titles; the curves are those of the numbers above.
        for words in re.findall(r">([A-Za-zθ][^<>]{6,})<", shown):
            if not re.search(r"\d", words):
                assert words in drawn, f"{file}: draw it again, {words!r} is not in it"


def test_its_examples_become_a_file_for_a_viewer(folder: Path, said: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (block,) = [block.text for block in blocks(PAGE) if block.info == "python"]
    exec(compile(block, str(PAGE), "exec"), {})
    assert len(read("examples.extxyz", ":")) > 10

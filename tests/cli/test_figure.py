"""The command `figure`: what it draws, what it tells, and its sentences for what cannot be drawn."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from aiida_seireact.figures import files
from aiida_seireact.figures.figure import Figure, FigureError
from aiida_seireact.figures.gallery import FIGURES
from tests.figures.conftest import run_of

from .test_status import run


@pytest.fixture(scope="module")
def studies(aiida_profile: Any) -> list[orm.WorkChainNode]:
    return [run_of("small", [8, 4, 2]), run_of("large", [8, 8, 7], n_atoms=400)]


def test_a_figure_is_pictures_numbers_and_sources(studies: list[orm.WorkChainNode], tmp_path: Path) -> None:
    result = run("figure", "sizes", *[one.pk for one in studies], "-o", tmp_path, "--format", "svg", "--format", "json")
    assert result.exit_code == 0, result.output
    assert "sizes: 6 rows, 2 curves" in result.output
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"sizes.svg", "sizes.json", "sizes.csv", "sizes.sources.json"}
    rows = list(csv.DictReader((tmp_path / "sizes.csv").open()))
    assert [float(row["intact_fraction"]) for row in rows] == [1.0, 0.5, 0.25, 1.0, 1.0, 0.875]
    sources = json.loads((tmp_path / "sizes.sources.json").read_text())
    assert sources["runs"] == sorted(one.uuid for one in studies)


def test_all_makes_what_there_is_and_counts_the_rest(studies: list[orm.WorkChainNode], tmp_path: Path) -> None:
    result = run("figure", "--all", studies[0].uuid, "-o", tmp_path / "new" / "folder", "--format", "svg")
    assert result.exit_code == 0, result.output
    made = {path.stem for path in (tmp_path / "new" / "folder").glob("*.svg")}
    assert {"ps4", "traces"} <= made
    assert "sizes" not in made
    assert "figures have nothing to draw here" in result.output


def test_all_by_size_draws_what_has_no_size_as_it_is(studies: list[orm.WorkChainNode], tmp_path: Path) -> None:
    result = run(
        "figure", "--all", studies[1].pk, studies[0].pk, "--colour", "size", "-o", tmp_path, "--format", "json"
    )
    assert result.exit_code == 0, result.output
    names = {item["name"] for item in json.loads((tmp_path / "ps4.json").read_text())["data"]}
    assert names == {"10 atoms", "400 atoms"}
    assert {item["name"] for item in json.loads((tmp_path / "costs.json").read_text())["data"]} == {"large", "small"}
    assert "Drawn without the colour or mean asked for" in result.output


def test_a_dry_run_tells_what_could_be_made_and_what_is_missing(studies: list[orm.WorkChainNode]) -> None:
    result = run("figure", "--dry-run", studies[0].pk)
    assert result.exit_code == 0, result.output
    lines = {line.split()[1]: line for line in result.output.splitlines()}
    assert lines["ps4"].split()[0] == "●"
    assert "3 rows" in lines["ps4"]
    assert lines["xrd"].endswith("analyse a run with `xrd`.")
    assert "in 3D" in lines["cell"]
    only = run("figure", "ps4", "xrd", "--dry-run", studies[0].pk).output
    assert [line.split()[1] for line in only.splitlines()] == ["ps4", "xrd"]


def test_the_list_needs_no_profile() -> None:
    result = run("figure", "--list")
    assert result.exit_code == 0, result.output
    assert "arXiv:2506.10944" in result.output
    # What cannot be made says why; what can names the tables it is drawn from.
    told = " ".join(result.output.split())
    assert told.count("cannot be made: ") == sum(bool(entry.why_not) for entry in FIGURES.values())
    assert all(name in told for name in ("health", "sulfur", "far_movers", "paces"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ps4"], "Name processes"),
        (["pz4", "{pk}"], "'pz4' is no figure (do you mean ps4?)"),
        (["--all", "ps4", "{pk}"], "--all makes every figure: name none"),
        (["ps4", "999999"], "There is no node with the PK 999999"),
        (["ps4", "no-such-group"], "no-such-group"),
        (["sizes", "{pk}"], "these numbers have one size only"),
        (["xrd", "{pk}"], "Nothing there to draw: analyse a run with `xrd`"),
        (["cell", "{pk}"], "a picture of atoms has no table"),
        (["hull", "{pk}", "--mean-over", "seed"], "Nothing there to draw"),
        (["ps4", "{data}"], "not a process"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_gets_a_sentence(
    studies: list[orm.WorkChainNode], tmp_path: Path, words: list[str], said: str
) -> None:
    data = studies[0].called[1].outputs.trajectory.pk
    given = [word.format(pk=studies[0].pk, data=data) for word in words]
    result = run("figure", *given, "-o", tmp_path)
    assert result.exit_code in (1, 2)
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_label_with_dollars_is_drawn_as_it_is(aiida_profile: Any, tmp_path: Path) -> None:
    odd = [run_of(r"a $\frac$", [8, 4, 2]), run_of("_hidden", [8, 8, 7])]
    result = run("figure", "ps4", *[one.pk for one in odd], "-o", tmp_path, "--format", "svg")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "ps4.svg").stat().st_size


def test_what_cannot_be_drawn_after_all_gets_a_sentence_and_the_rest_is_drawn(
    studies: list[orm.WorkChainNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = files.to_matplotlib

    def refusing(figure: Figure) -> Any:
        if figure.name == "ps4":
            raise FigureError("Figure ps4: areas that are stacked have different x.")
        return draw(figure)

    monkeypatch.setattr(files, "to_matplotlib", refusing)
    for names in (["ps4", "traces"], ["--all"]):
        result = run("figure", *names, studies[0].pk, "-o", tmp_path / names[0], "--format", "svg")
        assert result.exit_code == 1
        assert "Error: Figure ps4: areas that are stacked have different x." in result.output
        assert "Traceback" not in result.output
        assert (tmp_path / names[0] / "traces.svg").exists()
        assert not list((tmp_path / names[0]).glob("ps4*"))


def test_a_full_disk_gets_a_sentence_and_leaves_no_half_file(
    studies: list[orm.WorkChainNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "save_picture", full)
    result = run("figure", "ps4", studies[0].pk, "-o", tmp_path)
    assert result.exit_code == 1
    assert f"Nothing more can be written to {tmp_path}: No space left on device." in result.output
    assert not list(tmp_path.iterdir())

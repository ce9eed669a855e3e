"""*Draw the figures of a paper* and *Figure map*, executed: the Python on small runs, the map against the code."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from aiida_seireact.figures.assemble import MOST_POINTS
from aiida_seireact.figures.gallery import FIGURES
from tests.docs._pages import DOCS, blocks, prose
from tests.figures.conftest import run_of

sys.path.insert(0, str(DOCS / "_ext"))

HOWTO, MAP = DOCS / "howto" / "figures.md", DOCS / "topics" / "figure_map.md"


def test_its_python_runs(
    aiida_profile_clean: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    group = orm.Group(label="reaction").store()
    runs = run_of("small", [8, 4, 2]), run_of("again", [8, 6, 6], seed=2), run_of("large", [8, 8, 7], n_atoms=400)
    group.add_nodes(list(runs))
    found: dict[str, Any] = {}
    for block in blocks(HOWTO):
        if block.info == "python":
            exec(compile("\n" * block.line + block.text, str(HOWTO), "exec"), found)
    (told,) = [block.text for block in blocks(HOWTO) if block.comment == "told"]
    said = capsys.readouterr().out.replace("\u202f", " ")
    assert [line.split() for line in told.strip().splitlines()] == [line.split() for line in said.strip().splitlines()]
    assert {path.name for path in tmp_path.rglob("*.*")} == {
        "ps4.svg", "ps4.csv", "ps4.sources.json", "ps4_one_column.pdf", "volume.svg", "volume.csv",
        "volume.sources.json",
    }  # fmt: skip
    assert len(found["mine"].panels[0].traces) == len(runs)


def test_the_map_has_every_figure_and_no_line_is_broken() -> None:
    from from_code import FigureMap

    lines = FigureMap.markdown(None, FIGURES)
    text = "\n".join(lines)
    for name, entry in FIGURES.items():
        assert len(re.findall(rf"`{name}`", text)) >= 1
        assert not entry.why_not or entry.why_not.split(":")[0][:30] in text
    marked = {name for name in FIGURES if f"`{name}` ±" in text}
    assert marked == {name for name, entry in FIGURES.items() if entry.chart and entry.chart.has_mean}
    rows = [line for line in lines if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}


def test_its_figures_exist() -> None:
    page = HOWTO.read_text(encoding="utf-8")
    named = re.findall(r"aiida-seireact figure ((?:[a-z]\w+ )*)", page)
    words = {word for line in named for word in line.split()} - {"reaction"}
    assert words <= set(FIGURES)
    assert f"{MOST_POINTS:,}" in prose(MAP)

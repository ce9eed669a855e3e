"""The page about queries is executed on two small studies; what plain QueryBuilder finds is what the tables have."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from aiida_seireact import query
from benchmarks._bulk import Bulk
from benchmarks._study import Sizes, Study
from tests.docs._pages import DOCS, all_blocks
from tests.query.graph import here

PAGE = "docs/howto/query.md"
BLOCKS = [block for block in all_blocks("python") if block.where.startswith(PAGE)]
SIZES = Sizes(labels=30, models=2, legs=2, thermo_rows=50, frames=20)


@pytest.fixture(scope="module")
def found(aiida_profile: Any) -> dict[str, Any]:
    """Run all blocks of the page, one after another, and return their names."""
    computer = here()
    bulk = Bulk()
    tops = [Study(bulk, number, SIZES, computer.pk).build() for number in range(2)]
    pks = bulk.store()[0]
    names: dict[str, Any] = {"load_profile": lambda: None, "print": lambda *_: None}
    for block in BLOCKS:
        text = block.text.replace("from aiida import load_profile\n", "")
        for shown, top in zip(("1234", "1235"), tops, strict=True):
            text = re.sub(rf"\b{shown}\b", str(pks[top]), text)
        exec(text, names)
    return names


def test_the_page_is_there_to_be_tested() -> None:
    assert len(BLOCKS) == 8


def test_the_first_table_has_the_course_of_a_phase(found: dict[str, Any]) -> None:
    assert len(found["lithium"]) == SIZES.frames


def test_runs_of_unlike_size_lie_on_one_axis(found: dict[str, Any]) -> None:
    assert sorted(found["by_size"].index.get_level_values("n_atoms").unique()) == [10_000, 10_001]


def test_plain_queries_find_the_same_labels(found: dict[str, Any]) -> None:
    table = query.labels(found["study"])
    assert sorted(found["energies"]) == sorted(zip(table["job_uuid"], table["energy_ev_per_atom"], strict=True))


def test_plain_queries_find_the_same_phases(found: dict[str, Any]) -> None:
    table = query.phases(found["study"]).query("phase == 'Li2S'")
    assert np.array_equal(found["by_name"]["Li2S"], table["fraction"])


def test_plain_queries_find_the_same_errors(found: dict[str, Any]) -> None:
    table = query.models(found["study"]).query("config_type == 'all'")
    assert found["errors"] == dict(zip(table["model_hash"], table["force_rmse_ev_per_ang"], strict=True))


def test_the_page_names_every_table() -> None:
    page = (DOCS / "howto" / "query.md").read_text(encoding="utf-8")
    tables = {name for name in query.__all__ if name[0].islower()} - {"walked"}
    named = set(re.findall(r"`(\w+)`", page.split("| of what | tables |")[1].split("## What it cost")[0]))
    assert named == tables

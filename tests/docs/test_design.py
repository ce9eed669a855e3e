"""The floors that *Design* and CONTRIBUTING tell are those that the code is held to."""

from __future__ import annotations

import re

from tests.docs._pages import DOCS, ROOT, table
from tests.test_layers import FLOORS, LOOKS_BACK, RUNS, WITHOUT_AIIDA

ROWS = {row[0].strip("`"): row[2] for row in table(DOCS / "design.md", "floors")}


def test_the_floors_are_told_from_top_to_bottom() -> None:
    assert tuple(ROWS) == FLOORS
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", contributing.split("## Floors")[1].split("## Tests")[0], re.M) == list(ROWS)


def test_what_a_floor_may_not_know_is_told() -> None:
    assert {name for name, hidden in ROWS.items() if hidden == "AiiDA"} == set(WITHOUT_AIIDA)
    assert {name for name, hidden in ROWS.items() if hidden == "what looks back"} == RUNS
    assert {name for name, hidden in ROWS.items() if hidden == "what runs"} == LOOKS_BACK

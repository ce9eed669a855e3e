"""*Install*: its table of extras is that of pyproject.toml, and each program stands beside the extra it asks for."""

from __future__ import annotations

import re
import tomllib

from aiida_seireact.cli.programs import PROGRAMS
from tests.docs._pages import DOCS, ROOT, table

ROWS = table(DOCS / "get_started" / "install.md", "extras")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_every_extra_is_told() -> None:
    told = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])}
    assert told == set(EXTRAS)


def test_every_program_stands_beside_its_extra() -> None:
    for card in PROGRAMS:
        (row,) = [row for row in ROWS if row[0].strip("`") == (card.extra or "none")]
        assert f"`{card.script}`" in row[2], card.script


def test_all_is_all_but_what_the_table_says() -> None:
    (everything,) = EXTRAS["all"]
    inside = set(re.findall(r"\[(.*)\]", everything)[0].split(","))
    (row,) = [row for row in ROWS if row[0] == "`all`"]
    assert set(EXTRAS) - inside - {"all"} == set(re.findall(r"`(\w+)`", row[1]))

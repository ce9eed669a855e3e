"""The API reference: each package that a script may import has its page, and each page a package that exists."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import aiida_seireact.science
from tests.docs._pages import DOCS

FOLDER = DOCS / "reference" / "api"


def told() -> list[str]:
    """Return the names of packages and modules on the pages."""
    pages = "".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md")))
    return re.findall(r"^```\{package-api\} (\S+)$", pages, re.M)


def test_every_package_of_science_has_a_page() -> None:
    inside = [f"aiida_seireact.science.{item.name}" for item in pkgutil.iter_modules(aiida_seireact.science.__path__)
              if item.ispkg]  # fmt: skip
    assert set(inside) <= set(told())


def test_what_is_told_once_exists() -> None:
    assert len(told()) == len(set(told()))
    for name in told():
        import_module(name)
    floors = {name.split(".")[1] for name in told()}
    assert {"science", "data", "query", "figures", "publishing", "workchains"} <= floors

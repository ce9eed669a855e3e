"""Links lead somewhere, and the picture and the code of the pages are what they claim."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs._pages import DOCS, PAGES, ROOT, Block, all_blocks, prose

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PYTHON = [*all_blocks("python"), *all_blocks("{code-cell} python")]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for target in LINK.findall(prose(page)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}: no such heading"


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = {DOCS / "index.md"}
    for page in PAGES:
        for toctree in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            names = [line for line in toctree.splitlines() if line and not line.startswith(":")]
            listed |= {page.parent / f"{name}.md" for name in names}
    assert listed == {page for page in PAGES if DOCS in page.parents}


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.where)
def test_python_parses_and_imports_what_exists(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = import_module(node.module)
            for alias in node.names:
                # A module of a package is no attribute of it before somebody has imported it.
                there = hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}")
                assert there, f"{block.where}: {node.module} has no {alias.name}"


@pytest.mark.parametrize(
    ("picture", "word"),
    [("loop", "seireact-label"), ("dataset", "interface-expanded"), ("training_coverage", "amorphous")],
)
def test_a_picture_is_what_its_script_draws(tmp_path: Path, picture: str, word: str) -> None:
    drawn = tmp_path / f"{picture}.svg"
    subprocess.run([sys.executable, str(DOCS / "images" / f"{picture}.py"), str(drawn)], check=True)

    def words(path: Path) -> list[str]:
        return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))

    assert words(drawn) == words(DOCS / "images" / f"{picture}.svg")
    assert word in words(drawn)


def test_make_targets_of_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    assert {"demo", "test"} <= named <= targets

"""What the tests of the documentation read: its pages, their code blocks and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*(path for path in DOCS.rglob("*.md") if "_build" not in path.parts), ROOT / "README.md"])


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, what is named after the fence, and the comment before it."""

    page: Path
    line: int
    info: str
    comment: str
    text: str

    @property
    def where(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


FENCE = re.compile(
    r"(?:^<!-- (?P<comment>[^\n]*?) -->\n)?^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    content = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(content):
        line = content.count("\n", 0, match.start("info")) + 1
        yield Block(page, line, match["info"].strip(), match["comment"] or "", match["text"])


def all_blocks(info: str) -> list[Block]:
    """Return the blocks of all pages whose fence names ``info``."""
    return [block for page in PAGES for block in blocks(page) if block.info == info]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def table(page: Path, marker: str) -> list[list[str]]:
    """Return the rows of the table between ``<!-- marker -->`` and ``<!-- /marker -->``, without its head."""
    content = page.read_text(encoding="utf-8")
    body = content.split(f"<!-- {marker} -->")[1].split(f"<!-- /{marker} -->")[0]
    rows = [line.strip().strip("|").split("|") for line in body.strip().splitlines()]
    return [[item.strip() for item in row] for row in rows[2:]]

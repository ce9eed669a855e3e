"""A directive that shows every figure of the figure map: its command, its picture, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from aiida_seireact.figures.entry import PAPERS, Entry
from aiida_seireact.figures.gallery import FIGURES

PICTURES = Path(__file__).parents[1] / "images" / "gallery"
"""Drawn by ``docs/images/gallery.py`` from the demo."""


class Gallery(SphinxDirective):
    """All figures, in the order of the study, one section a figure."""

    def run(self) -> list[nodes.Node]:
        return [self.section(name, entry) for name, entry in FIGURES.items()]

    def section(self, name: str, entry: Entry) -> nodes.section:
        """Return what is told of a figure."""
        section = nodes.section(ids=[nodes.make_id(f"figure-{name}")], names=[f"figure-{name}"])
        section += nodes.title(entry.title, entry.title)
        self.state.nested_parse(StringList(list(lines_of(name, entry)), source=name), self.content_offset, section)
        return section


def lines_of(name: str, entry: Entry) -> Iterator[str]:
    """Yield what is told of a figure, as Markdown."""
    picture = picture_of(name)
    if picture is not None:
        yield from (f"![{entry.title}](images/gallery/{picture.name})", "")
    yield from (entry.caption, "")
    if entry.read is None:
        yield from (f"Cannot be made yet: {entry.why_not}", "")
        return
    yield from ("```console", f"$ aiida-seireact figure {name} PK", "```", "")
    if picture is None:
        yield from (f"Not in the demo: {entry.needs}.", "")
    queries = ", ".join(f"`query.{query}`" for query in entry.queries)
    yield from (f"Numbers: {queries}. Shown so in {PAPERS[entry.paper]}: {entry.shows}.", "")


def picture_of(name: str) -> Path | None:
    """Return the picture of a figure, None where the demo gives none."""
    return next((path for path in sorted(PICTURES.glob(f"{name}.*")) if path.suffix in (".svg", ".png")), None)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

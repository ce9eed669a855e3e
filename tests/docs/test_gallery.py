"""*Gallery*: each figure of the figure map is there with its command, and with a picture or why there is none."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from aiida_seireact.figures.gallery import FIGURES
from tests.docs._pages import DOCS


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_gallery", DOCS / "_ext" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_told_with_its_command_and_its_picture_or_why_there_is_none(gallery: ModuleType, name: str) -> None:
    entry = FIGURES[name]
    told = "\n".join(gallery.lines_of(name, entry))
    if entry.read is None:
        assert entry.why_not
        assert f"Cannot be made yet: {entry.why_not}" in told
        return
    assert f"$ aiida-seireact figure {name} PK" in told
    assert entry.caption in told
    picture = gallery.picture_of(name)
    assert f"(images/gallery/{name}." in told if picture else f"Not in the demo: {entry.needs}" in told
    assert picture or entry.needs


def test_every_picture_is_of_a_figure_and_small(gallery: ModuleType) -> None:
    pictures = list(gallery.PICTURES.iterdir())
    assert {path.stem for path in pictures} <= set(FIGURES)
    assert pictures
    assert sum(path.stat().st_size for path in pictures) < 3_000_000

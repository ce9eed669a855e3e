"""*Publish*, executed: its commands, and what they say."""

from __future__ import annotations

import os
import re
import shlex

import pytest
from aiida import orm
from click.testing import CliRunner

from aiida_seireact.cli.main import cli
from aiida_seireact.publishing.bundle import BundleError
from aiida_seireact.publishing.metadata import Metadata
from tests.docs._pages import DOCS, blocks
from tests.publishing.fixtures import Published, page_lines

PAGE = DOCS / "howto" / "publish.md"
TEXT = PAGE.read_text(encoding="utf-8")


def shown(comment: str) -> str:
    (text,) = [block.text for block in blocks(PAGE) if block.comment == comment]
    return text


def test_look_and_write_say_what_the_page_tells(published: Published) -> None:
    looked, wrote = published.said.values()
    assert "Nothing is missing" not in looked
    assert "--license is missing" in looked
    assert "aiida-seireact verify bundle" in wrote


def test_every_part_that_the_page_names_is_there_and_none_else(published: Published) -> None:
    table = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    named = {word.rstrip("/") for cell in table for word in re.findall(r"`([^`]+)`", cell)}
    assert named == {path.name for path in published.folder.iterdir()}


def test_a_bundle_is_what_it_says_in_an_empty_profile_elsewhere(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(published.folder.parent)
    n_nodes, path = orm.QueryBuilder().append(orm.Node).count(), os.environ.get("AIIDA_PATH")
    (line,) = [line for line in page_lines() if " verify " in line]
    result = CliRunner().invoke(cli, shlex.split(line)[1:], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (orm.QueryBuilder().append(orm.Node).count(), os.environ.get("AIIDA_PATH")) == (n_nodes, path)

    def plain(text: str) -> list[str]:
        return [re.sub(r"\d+", "N", line) for line in text.splitlines()[1:]]

    assert plain(result.output) == plain(shown("verified"))


def test_metadata_of_the_page_are_taken() -> None:
    for line in page_lines():
        words = shlex.split(line)
        if "--title" in words:
            given = {name: words[words.index(f"--{name}") + 1] for name in ("title", "creator", "license")}
            doi = words[words.index("--trajectory-doi") + 1] if "--trajectory-doi" in words else None
            Metadata.of(given["title"], [given["creator"]], given["license"], trajectory_doi=doi)
    with pytest.raises(BundleError):
        Metadata.of("t", ["Doe"], "CC-BY-4.0")
    assert "hold what nobody may pass on: a POTCAR, by VASP's licence" in shown("refused")

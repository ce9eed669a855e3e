"""What *From laptop to cluster* says is run by tests/services, and each of its files has its place on the page."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.docs._pages import DOCS, ROOT, blocks

PAGE = DOCS / "howto" / "from_laptop_to_cluster.md"
FILES = sorted((DOCS / "howto" / "cluster").iterdir())
SERVICES = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "services").glob("*.py"))
OURS = ("aiida-seireact ", "verdi ")


def test_every_command_of_ours_or_of_aiida_is_run() -> None:
    for block in blocks(PAGE):
        if block.info == "console" and any(
            line.removeprefix("$ ").startswith(OURS) for line in block.text.splitlines()
        ):
            name = block.comment.removeprefix("run: ")
            assert f'page.run("{name}"' in SERVICES, f"{block.where}: no test runs it"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_is_linked_and_readable(file) -> None:
    text = file.read_text(encoding="utf-8")
    assert f"(cluster/{file.name})" in PAGE.read_text(encoding="utf-8")
    if file.suffix == ".yaml":
        assert isinstance(yaml.safe_load(text), dict)
        # The first line is the command that takes it, as it stands on the page.
        command = text.splitlines()[0].removeprefix("# ")
        page = PAGE.read_text(encoding="utf-8")
        assert f"$ {command}\n" in page, f"{file.name}: `{command}` is not on the page"


def test_what_could_not_be_run_is_marked() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for word in (
        r"Two-factor authentication\*\* \(\*unverified\*",
        r"GPU is \*unverified\*",
        r"unit itself is \*unverified\*",
    ):
        assert re.search(word, text), word

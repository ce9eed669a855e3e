"""Every tutorial is executed by the tests of workflows, and says so."""

from __future__ import annotations

import pytest

from tests.docs._pages import DOCS, ROOT

TUTORIALS = sorted(path.stem for path in (DOCS / "tutorials").glob("*.md") if path.stem != "index")
EXECUTED = ROOT / "tests" / "workflow" / "test_tutorial.py"


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_is_executed_and_says_where(name: str) -> None:
    assert f'run("{name}", cells("{name}"), {{}})' in EXECUTED.read_text(encoding="utf-8")
    assert f"`{EXECUTED.relative_to(ROOT)}`" in (DOCS / "tutorials" / f"{name}.md").read_text(encoding="utf-8")


def test_the_integration_runs_what_the_tutorials_say() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "pytest tests/workflow" in makefile
    assert "test-workflow" in makefile.split("\ntest: ")[1].split("\n\n")[0]

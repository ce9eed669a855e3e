"""The tutorial of the docs, executed cell by cell beside a daemon."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from tests.workflow.loop import SMALL

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "loop.md"
TOP_WORKCHAINS = ("react", "label", "train", "produce", "classify", "analyse")


def cells() -> list[tuple[int, str]]:
    """Return the code cells with the line each begins at."""
    text = TUTORIAL.read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, match.start(1)) + 1, match.group(1))
        for match in re.finditer(r"^```\{code-cell\} python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def run(found: list[tuple[int, str]], namespace: dict[str, Any]) -> dict[str, Any]:
    """Execute cells in one namespace; a failure names its line in the tutorial."""
    for line, source in found:
        exec(compile("\n" * (line - 1) + source, str(TUTORIAL), "exec"), namespace)
    return namespace


def test_the_tutorial_has_the_settings_of_the_small_loop() -> None:
    """Else the cache would not answer, and the cells would take minutes."""
    (cell,) = [(line, source) for line, source in cells() if "\nsmall = {" in source]
    assert run([cell], {})["small"] == SMALL


@pytest.mark.workflow
def test_every_cell_of_the_tutorial_runs(finished_loop: orm.WorkChainNode) -> None:
    found = run(cells(), {})

    for name in TOP_WORKCHAINS:
        assert found[name].is_finished_ok, f"{name}: {found[name].exit_message}"
    assert found["react"].outputs.dataset.content_hash == finished_loop.outputs.dataset.content_hash
    # Frames nobody labelled before are labelled; all else is known from the loop before.
    assert found["computed"](found["label"]) == ["AseCalculation"]
    for name in ("react", "train", "produce", "classify", "analyse"):
        assert found["computed"](found[name]) == [], name

    assert found["labelled"].frames.forces.shape == (4 * 8, 3)
    error = finished_loop.outputs.metrics["all"]["force_rmse_ev_per_ang"]
    assert error in [row[-1] for row in found["force_errors"]]
    jobs = found["label_jobs"]
    # The relaxation labels its two cells too, but its frames are no part of the dataset.
    assert sum(n_frames for _, n_frames in jobs) >= finished_loop.outputs.summary["n_label_calls"]

"""The tutorials of the docs, executed cell by cell beside a daemon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from aiida import orm

from tests.workflow.loop import SMALL

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
TOP_WORKCHAINS = ("react", "label", "explore", "train", "produce", "augment", "classify", "analyse")


def cells(tutorial: str) -> list[tuple[int, str]]:
    """Return the code cells of a tutorial with the line each begins at."""
    text = (TUTORIALS / f"{tutorial}.md").read_text(encoding="utf-8")
    return [
        (text.count("\n", 0, match.start(1)) + 1, match.group(1))
        for match in re.finditer(r"^```\{code-cell\} python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def run(tutorial: str, found: list[tuple[int, str]], namespace: dict[str, Any]) -> dict[str, Any]:
    """Execute cells in one namespace; a failure names its line in the tutorial."""
    for line, source in found:
        exec(compile("\n" * (line - 1) + source, str(TUTORIALS / f"{tutorial}.md"), "exec"), namespace)
    return namespace


@pytest.fixture
def figures() -> Iterator[None]:
    """Draw without a screen, and keep no figure."""
    before = matplotlib.get_backend()
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    yield
    plt.close("all")
    matplotlib.use(before)


def test_the_tutorial_has_the_settings_of_the_small_loop() -> None:
    """Else the cache would not answer, and the cells would take minutes."""
    (cell,) = [(line, source) for line, source in cells("loop") if "\nsmall = {" in source]
    assert run("loop", [cell], {})["small"] == SMALL


@pytest.mark.workflow
def test_every_cell_of_the_tutorial_runs(finished_loop: orm.WorkChainNode) -> None:
    found = run("loop", cells("loop"), {})

    for name in TOP_WORKCHAINS:
        assert found[name].is_finished_ok, f"{name}: {found[name].exit_message}"
    assert found["react"].outputs.dataset.content_hash == finished_loop.outputs.dataset.content_hash
    # Frames nobody labelled before are labelled; all else is known from the loop before.
    assert found["computed"](found["label"]) == ["AseCalculation"]
    for name in set(TOP_WORKCHAINS) - {"label"}:
        assert found["computed"](found[name]) == [], name

    assert found["labelled"].frames.forces.shape == (4 * 8, 3)
    error = finished_loop.outputs.metrics["all"]["force_rmse_ev_per_ang"]
    assert error in [row[-1] for row in found["force_errors"]]
    jobs = found["label_jobs"]
    # The relaxation labels its two cells too, but its frames are no part of the dataset.
    assert sum(n_frames for _, n_frames in jobs) >= finished_loop.outputs.summary["n_label_calls"]


@pytest.mark.workflow
def test_active_learning_in_ten_minutes_runs(daemon: Any, figures: None) -> None:
    found = run("active_learning", cells("active_learning"), {})

    for name in ("label", "campaign", "longer"):
        assert found[name].is_finished_ok, f"{name}: {found[name].exit_message}"
    told, longer = found["told"], found["longer"].outputs.campaign.get_dict()
    assert told["n_legs"] == len(told["label_steps"]) == 2
    assert (longer["n_legs"], longer["label_steps"][:2]) == (3, told["label_steps"])
    # The first two legs and their labels were known.
    assert sorted(found["computed"](found["longer"])) == ["AseCalculation", "FlareCalculation"]

    threshold = found["builder"].parameters["call_threshold"]
    called = np.isin(found["step"], told["label_steps"][-1])
    assert (found["uncertainty"][called] > threshold).all()
    assert told["n_labels"] > len(told["label_steps"])
    assert [row["learned"] for row in told["canary"]].count(True) == 1
    assert 0 <= found["standard_deviations"](found["gp"], found["cell"]).max() < threshold
    assert found["standard_deviations"](found["gp"], found["squeezed"]).max() > threshold

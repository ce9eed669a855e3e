"""The live view: the time it says is left."""

from __future__ import annotations

import pytest

from aiida_seireact.cli.progress import Stage
from aiida_seireact.cli.render.live import time_left


def test_time_left_follows_the_speed_of_this_machine() -> None:
    def stage(name: str, state: str, seconds: float | None, n_from_cache: int = 0) -> Stage:
        return Stage(name, state, 4, 4, n_from_cache, seconds, "")

    expected = {"label": 60.0, "train": 120.0}
    waiting = stage("train", "waiting", None)
    assert time_left([stage("label", "done", 60), waiting], expected) == pytest.approx(120)
    assert time_left([stage("label", "done", 180), waiting], expected) == pytest.approx(240)
    # Half of a stage is over; one that takes longer than planned never has nothing left.
    assert time_left([stage("label", "done", 60), stage("train", "running", 60)], expected) == pytest.approx(60)
    assert time_left([stage("label", "done", 60), stage("train", "running", 900)], expected) == pytest.approx(12)
    # What came from the cache says nothing about speed.
    assert time_left([stage("label", "done", 1, 4), waiting], expected) == pytest.approx(120)
    assert time_left([waiting], {}) is None

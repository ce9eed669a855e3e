"""A threshold that always or never asks is noticed, with a value that would work; a usual leg is left in peace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiida_seireact.science.thresholds import ThresholdHealth, judge_threshold


def judged(max_std: Any, threshold: float = 0.1, *, at_once: int = 0, steps: int | None = None) -> ThresholdHealth:
    largest = np.atleast_1d(np.asarray(max_std, dtype=float))
    return judge_threshold(
        largest,
        largest / 2,
        threshold,
        unsure_at_once=at_once,
        steps_since_learning=len(largest) - 1 if steps is None else steps,
    )


def test_a_usual_leg_is_left_in_peace() -> None:
    assert judged(np.linspace(0.02, 0.11, 40)) == ThresholdHealth("works")
    # Unsure at once, twice, but the mean atom is known: it was a surprise.
    assert judged([0.12, 0.15], at_once=2).verdict == "works"


def test_unsure_at_once_after_three_learnings_is_always() -> None:
    health = judged([0.08, 0.12], at_once=3)
    assert (health.verdict, health.suggested) == ("always", 0.24)
    assert health.message == (
        "The threshold 0.1 asks always (after each of the last 3 learnings the run was unsure at once): set "
        "call_threshold to about 0.24, 2 times the largest uncertainty seen, or add labelled frames of this system to "
        "the seeds."
    )


def test_it_shows_in_the_first_leg_when_even_the_mean_atom_is_above() -> None:
    health = judged(0.01, 1e-4, at_once=1)
    assert (health.verdict, health.suggested) == ("always", 0.02)
    assert "even the mean atom with 0.005" in health.message


def test_where_nothing_is_known_no_threshold_would_do() -> None:
    health = judged(0.9, at_once=1)
    assert (health.verdict, health.suggested) == ("always", None)
    assert "the first labels do not show this system" in health.message


def test_far_below_the_threshold_for_long_is_never() -> None:
    health = judged(np.linspace(0.0, 0.0099, 101))
    assert (health.verdict, health.suggested) == ("never", 0.0098)
    assert health.message.startswith("The threshold 0.1 never asks: the largest uncertainty in 100 steps is 0.0099.")
    assert "call_threshold to about 0.0098" in health.message


def test_a_leg_too_short_to_tell_or_once_near_the_threshold_is_not() -> None:
    assert judged(np.full(50, 0.005)).verdict == "works"
    assert judged(np.full(51, 0.005)).verdict == "never"
    # Cut by a pause: what counts is how long ago it learned.
    assert judged(np.full(10, 0.005), steps=60).verdict == "never"
    assert judged([*np.full(60, 0.005), 0.011]).verdict == "works"


def test_a_run_that_blew_up_says_nothing_of_the_threshold() -> None:
    assert judged([0.01, np.nan], at_once=3).verdict == "works"


def test_no_step_is_refused() -> None:
    with pytest.raises(ValueError, match="without a step"):
        judged([])

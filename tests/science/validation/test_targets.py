"""Targets: each bound, NaN and a missing reference miss, forgiven standard errors."""

from __future__ import annotations

import math

import pytest

from aiida_seireact.science.validation.targets import Measured, Target, misses


def number(value: float, **more: float | None) -> Measured:
    return Measured(subject="Li3P", quantity="energy", value=value, unit="meV/atom", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measured", "target", "why"),
    [
        (number(5.0), Target(max=5.0), ""),
        (number(5.1), Target(max=5.0), "it is too large"),
        (number(-1.0), Target(min=0.0), "it is too small"),
        (number(12.0, reference=10.0), Target(relative=0.2), ""),
        (number(12.1, reference=10.0), Target(relative=0.2), "it is too far from the labeller"),
        (number(-12.1, reference=-10.0), Target(deviation=2.0), "it is too far from the labeller"),
        (number(12.1), Target(deviation=2.0), "there is no number of the labeller"),
        (number(12.1, reference=math.nan), Target(deviation=2.0), "there is no number of the labeller"),
        (number(6.0, error=0.6), Target(max=5.0, sigmas=2), ""),
        (number(6.0, error=0.4), Target(max=5.0, sigmas=2), "it is too large"),
        (number(6.0), Target(max=5.0, sigmas=2), "it is too large"),
        (number(6.0, error=math.nan), Target(max=5.0, sigmas=2), "its error is not known"),
        (number(13.0, error=0.3, reference=10.0, reference_error=0.4), Target(deviation=2.0, sigmas=2), ""),
        (number(math.nan), Target(max=5.0), "there is no number"),
        (number(math.nan), Target(min=5.0), "there is no number"),
        (number(-math.inf), Target(max=5.0), "there is no number"),
    ],
)
def test_a_value_misses_what_it_must(measured: Measured, target: Target, why: str) -> None:
    assert misses(measured, target) == why


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({}, "needs max, min"),
        ({"max": math.nan}, "finite"),
        ({"max": 1.0, "min": 2.0}, "no value"),
        ({"relative": -0.1}, "0 or larger"),
    ],
)
def test_a_target_that_none_or_all_meet_is_refused(bounds: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Target(**bounds)


def test_it_is_said_as_a_clause() -> None:
    assert Target(max=5.0).text("meV/atom") == "at most 5 meV/atom"
    assert Target(relative=0.1).text("GPa") == "within 0.1 of the labeller's value"

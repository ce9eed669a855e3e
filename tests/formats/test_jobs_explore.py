"""Settings of exploration: ladders stand on the ground, and a verdict's limits are limits."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from aiida_seireact.formats.jobs.explore import (
    CampaignSettings,
    ConditionSettings,
    ConvergenceSettings,
    ladders,
)
from aiida_seireact.science.convergence import ConvergenceLimits

LEG = {"temperature_k": 300.0, "steps": 100}
CONDITION = {"system": "Li", "seeds": {"types": ["Li"]}, "leg": LEG}


def test_conditions_without_a_rung_below_stand_alone():
    assert ladders({"b": None, "a": None}) == [["a"], ["b"]]


def test_a_rung_stands_behind_the_one_it_waits_for():
    assert ladders({"Li_900": "Li_600", "Li_600": "Li_300", "Li_300": None, "P": None}) == [
        ["Li_300", "Li_600", "Li_900"],
        ["P"],
    ]
    assert ladders({"a": None, "c": "a", "b": "a", "d": "b"}) == [["a", "b", "c", "d"]]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"b": "a", "c": None}, "condition 'b' waits for 'a', which is none of them: there is c"),
        ({"a": "a"}, "conditions wait for each other: a after a"),
        ({"a": "c", "b": "a", "c": "b", "d": None}, "a after c after b after a"),
        ({"a": "b", "b": "c", "c": "b"}, "b after c after b"),
    ],
)
def test_rungs_that_stand_on_nothing_are_refused(after, words):
    with pytest.raises(ValueError, match=words):
        ladders(after)


def test_the_defaults_are_those_of_the_verdict():
    assert ConvergenceSettings().limits == ConvergenceLimits()
    assert set(ConvergenceSettings.model_fields) == set(vars(ConvergenceLimits()))


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (CampaignSettings, {"convergence": {"window": 0}}),
        (CampaignSettings, {"convergence": {"patience": 3}}),
        (CampaignSettings, {"max_labels": 0}),
        (ConditionSettings, {**CONDITION, "strain": -0.9}),
        (ConditionSettings, {**CONDITION, "before": "Li_600"}),
    ],
)
def test_what_can_be_none_is_refused(model, given):
    with pytest.raises(ValidationError):
        model.model_validate(given)

"""Verdicts: on one model, with a decision that follows from their lines, and sentences with subject, number, target."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from aiida_seireact.formats.scorecard import read_scorecard
from aiida_seireact.formats.scores import ScoresError, scores_from_dict, scores_to_dict
from aiida_seireact.formats.verdict import Verdict, VerdictError, content_of, judged, read_verdict
from aiida_seireact.science.validation.targets import Measured

SCORECARD = read_scorecard(
    {
        "name": "small",
        "lines": {
            "products": {"test": "energies", "target": {"max": 5.0}},
            "forces": {"test": "errors", "of": "force", "of_rms": True, "target": {"max": 0.4}},
        },
    }
)
FORCES = [Measured(subject="all", quantity="force RMSE of rms", value=0.3)]


def energy(phase: str, value: float, **more: Any) -> Measured:
    return Measured(subject=phase, quantity="energy RMSE", value=value, unit="meV/atom", frames=("f" * 64,), **more)


def verdict(*products: Measured) -> Verdict:
    return judged(SCORECARD, {"products": list(products), "forces": FORCES}, model_hash="a" * 64)


def test_a_model_that_meets_every_line_is_for_production() -> None:
    found = verdict(energy("Li3P", 3.0), energy("LiCl", 1.0))
    assert found.decision == "production"
    assert found.lines[0].message == ("Li3P: the energy RMSE is 3 meV/atom, within the target: at most 5 meV/atom.")
    content = json.loads(json.dumps(content_of(found)))
    assert read_verdict(content, "a" * 64) == found
    assert content["scorecard_hash"] == SCORECARD.content_hash


def test_one_phase_is_enough_to_reject_and_is_named() -> None:
    found = verdict(energy("LiCl", 1.0), energy("Li3P", 331.0))
    assert found.decision == "rejected"
    (failed,) = found.failed
    assert failed.message == "Li3P: the energy RMSE is 331 meV/atom, allowed: at most 5 meV/atom."
    assert (failed.name, failed.value, failed.bounds) == ("products", 331.0, {"max": 5.0})
    assert failed.frames == ["f" * 64]


@pytest.mark.parametrize(
    "products",
    [
        [],
        [energy("Li3P", math.nan, note="the model gave no energy")],
        [energy("Li3P", 1.0, error=math.nan)],
        [energy("Li3P", math.inf)],
    ],
)
def test_what_was_not_measured_never_passes_also_through_a_node(products: list[Measured]) -> None:
    measured = {"products": products, "forces": FORCES}
    through = scores_from_dict(json.loads(json.dumps(scores_to_dict(measured), allow_nan=False)))
    for scores in (measured, through, {"forces": FORCES}):
        found = judged(SCORECARD, scores, model_hash="a" * 64)
        assert found.decision == "rejected"
        assert [line.name for line in found.failed] == ["products"]


def test_scores_that_are_none_are_refused() -> None:
    with pytest.raises(ScoresError, match="no scores"):
        scores_from_dict({"products": [{"subject": "Li3P"}]})


def test_a_verdict_is_on_one_model() -> None:
    content = content_of(verdict(energy("Li3P", 3.0)))
    with pytest.raises(VerdictError, match="on model aaaaaaaaaaaa, the run is of model bbbbbbbbbbbb"):
        read_verdict(content, "b" * 64)


@pytest.mark.parametrize("change", [{"decision": "perhaps"}, {"schema": "other/1"}, {"line": []}])
def test_what_is_no_verdict_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(VerdictError, match=next(iter(change))):
        read_verdict({**content_of(verdict(energy("Li3P", 3.0))), **change}, "a" * 64)


def test_a_decision_that_its_lines_contradict_is_refused() -> None:
    rejected = content_of(verdict(energy("Li3P", 331.0)))
    with pytest.raises(VerdictError, match="production, though line products failed"):
        read_verdict({**rejected, "decision": "production"}, "a" * 64)
    with pytest.raises(VerdictError, match="no line was looked at"):
        read_verdict({**rejected, "decision": "production", "lines": []}, "a" * 64)
    unknown = {**rejected["lines"][0], "value": None, "passed": True}
    with pytest.raises(VerdictError, match="pass without a number"):
        read_verdict({**rejected, "decision": "production", "lines": [unknown]}, "a" * 64)

"""Scorecards: what is refused and in which words, dropped lines, and a hash of what decides."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_seireact.formats.scorecard import ScorecardError, read_scorecard

FORCES = {"test": "errors", "of": "force", "of_rms": True, "target": {"max": 0.4}}


def card(**lines: Any) -> dict[str, Any]:
    return {"name": "mine", "lines": lines}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (card(), "would pass any model"),
        (card(forces=None), "would pass any model"),
        (card(forces={**FORCES, "test": "error"}), "'error' found using 'test' does not match"),
        (card(forces={**FORCES, "targets": 1}), "lines.forces.errors.targets"),
        (card(forces={**FORCES, "target": {}}), "a target needs max"),
        (card(forces={**FORCES, "of": "energy"}), "no zero"),
        (card(**{"for/ces": FORCES}), "without '/'"),
        ({"lines": []}, "dictionary"),
    ],
)
def test_a_scorecard_that_can_not_be_used_is_refused_in_a_sentence(content: dict[str, Any], says: str) -> None:
    with pytest.raises(ScorecardError, match=says):
        read_scorecard(content)


def test_the_hash_is_of_what_decides() -> None:
    one = read_scorecard(card(forces=FORCES, energies=None))
    assert list(one.lines) == ["forces"]
    assert one.content_hash == read_scorecard({"lines": {"forces": {**FORCES, "why": "so"}}}).content_hash
    assert one.content_hash != read_scorecard(card(forces={**FORCES, "target": {"max": 0.5}})).content_hash
    assert one.needs_held_out == ["forces"]
    # A job file has its keys sorted.
    energies = {"test": "errors", "of": "energy", "target": {"max": 5.0}}
    both = [read_scorecard(card(**lines)) for lines in ({"f": FORCES, "e": energies}, {"e": energies, "f": FORCES})]
    assert both[0].content_hash == both[1].content_hash

"""Settings of a leg: impossible ones are refused with the reason, and the hash names what must not change in a run."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from aiida_seireact.formats.jobs.flare import FlareJob, LegSettings

SETTINGS: dict[str, Any] = {"temperature_k": 300, "steps": 100}


@pytest.mark.parametrize("name", ["call_threshold", "learn_threshold"])
@pytest.mark.parametrize("value", [0, 1, 1.0, 1.5, -0.15])
def test_a_threshold_lies_between_0_and_1(name: str, value: float) -> None:
    with pytest.raises(ValidationError, match="relative to the signal, so it is at most 1"):
        LegSettings(**{**SETTINGS, name: value})


def test_what_stops_the_run_is_learned() -> None:
    with pytest.raises(ValidationError, match="learn_threshold 0.2 is above call_threshold 0.1"):
        LegSettings(**SETTINGS, call_threshold=0.1, learn_threshold=0.2)


def test_first_noises_lie_within_their_bounds() -> None:
    with pytest.raises(ValidationError, match="noise_force_ev_per_ang 2 is outside its bounds 0.005 to 1"):
        LegSettings(**SETTINGS, gp={"noise_force_ev_per_ang": 2.0})


def test_gp_and_state_belong_together() -> None:
    with pytest.raises(ValidationError, match="give both or none"):
        FlareJob.model_validate({"settings": SETTINGS, "labels": ["a.npz"], "start": "s.npz", "gp": "sgp.npz"})


def test_a_longer_run_or_one_cut_otherwise_is_the_same_run_and_all_else_is_not() -> None:
    first = LegSettings(**SETTINGS)
    for same in ({"steps": 500}, {"leg_steps": 7}, {"seconds_max": 60.0}, {"memory_gb": 1.0}):
        assert LegSettings(**{**SETTINGS, **same}).content_hash == first.content_hash
    assert LegSettings(**{**SETTINGS, "temperature_k": 300.0}).content_hash == first.content_hash
    others = [{"seed": 1}, {"temperature_k": 600}, {"call_threshold": 0.1}, {"gp": {"n_max": 5}}, {"ensemble": "npt"}]
    assert len({first.content_hash, *(LegSettings(**{**SETTINGS, **other}).content_hash for other in others)}) == 6

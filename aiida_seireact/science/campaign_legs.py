"""What the legs of a course tell: where the last call was, what was asked for since, and what that lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# A leg that only paused is no event: nothing is labelled, judged or counted until the call or end that follows.
PAUSED = "paused"

Row = dict[str, Any]


def since_call(legs: Sequence[Row]) -> list[int]:
    """Return the numbers, from 1, of the last leg and of those before it that only paused: one leg, cut into pieces."""
    first = len(legs)
    while first > 1 and legs[first - 2]["status"] == PAUSED and not legs[first - 2]["given_up"]:
        first -= 1
    return list(range(first, len(legs) + 1))


def asked_since_call(legs: Sequence[Row]) -> int:
    """Return how many frames the last leg and its pieces before pauses asked for."""
    return sum(legs[number - 1]["n_asked"] for number in since_call(legs))


def detours_of(legs: Sequence[Row]) -> int:
    """Return the number of the detour that the last leg is part of; 0 of none."""
    return max(int(legs[number - 1]["detour"]) for number in since_call(legs))


def lacks_label(legs: Sequence[Row], failures: Sequence[Row]) -> bool:
    """Whether the frame at which the last leg was unsure, the last one asked for, has no label."""
    return legs[-1]["status"] == "unsure" and asked_since_call(legs) - 1 in {failure["index"] for failure in failures}


def call_steps(legs: Sequence[Row]) -> list[int]:
    """Return the MD steps of the calls; a leg that was given up is not part of the run."""
    return [leg["asked_step"] for leg in legs if leg["status"] == "unsure" and not leg["given_up"]]


def over_atoms(values: Any, n_atoms: Any) -> float | None:
    """Return the rms over all atoms of rms values ``(n_frames,)`` of frames of so many atoms; None of no frame."""
    return float(np.sqrt(n_atoms @ values**2 / n_atoms.sum())) if len(values) else None

"""Whether the threshold of an on-the-fly run does its work, or asks for a label always or never."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["works", "always", "never"]

ALWAYS_AFTER = 3
NEVER_STEPS = 50
NEVER_BELOW = 0.1
# A new threshold lies so far above what a run that just learned shows.
ROOM = 2.0
RARE = 0.99


@dataclass(frozen=True)
class ThresholdHealth:
    """What a leg tells of its threshold.

    :param verdict: ``works``, ``always`` or ``never``.
    :param message: a sentence with what to change; empty when it works.
    :param suggested: a better threshold from the leg's own uncertainties; None when it works or none would do.
    """

    verdict: Verdict
    message: str = ""
    suggested: float | None = None


def judge_threshold(
    max_std: NDArray[np.float64],
    mean_std: NDArray[np.float64],
    call_threshold: float,
    *,
    unsure_at_once: int,
    steps_since_learning: int,
) -> ThresholdHealth:
    """Judge the threshold of a leg by the uncertainties of its steps.

    - ``always``: in the last `ALWAYS_AFTER` learnings in a row the run was unsure again at the frame just learned or
      the next one; or, which shows in the very first leg, it was so once and even the mean atom is above the threshold.
    - ``never``: at least `NEVER_STEPS` steps since the last learning, and none of this leg had an atom above
      `NEVER_BELOW` of the threshold.
    - ``works``: all else; also a leg too short to tell.

    The threshold proposed in place of one that always asks is `ROOM` times the largest uncertainty seen; in place
    of one that never does, the `RARE` quantile over the steps of the largest.

    :param max_std: ``(n_steps,)`` largest uncertainty of an atom, of the first step of the leg to the last.
    :param mean_std: ``(n_steps,)`` mean over the atoms.
    :param unsure_at_once: learnings in a row, this leg's included, after which the run was unsure at once.
    :raises ValueError: no step.
    """
    if not len(max_std):
        raise ValueError("A leg without a step tells nothing of its threshold.")
    largest = float(max_std.max())
    if not np.isfinite(largest):
        return ThresholdHealth("works")
    if unsure_at_once >= ALWAYS_AFTER or (unsure_at_once and mean_std[-1] > call_threshold):
        how_often = (
            f"after each of the last {unsure_at_once} learnings the run was unsure at once"
            if unsure_at_once >= ALWAYS_AFTER
            else f"unsure at once, and even the mean atom with {mean_std[-1]:.2g}"
        )
        value = _rounded(ROOM * largest)
        if value >= 1:
            return ThresholdHealth(
                "always",
                f"The threshold {call_threshold:g} asks always ({how_often}; the largest uncertainty is "
                f"{largest:.2g} of 1): the first labels do not show this system, or the descriptor tells all apart; "
                "add labelled frames of it to the seeds, or lower n_max.",
            )
        return ThresholdHealth(
            "always",
            f"The threshold {call_threshold:g} asks always ({how_often}): set call_threshold to about {value:g}, "
            f"{ROOM:g} times the largest uncertainty seen, or add labelled frames of this system to the seeds.",
            value,
        )
    if steps_since_learning >= NEVER_STEPS and largest < NEVER_BELOW * call_threshold:
        value = _rounded(float(np.quantile(max_std, RARE)))
        return ThresholdHealth(
            "never",
            f"The threshold {call_threshold:g} never asks: the largest uncertainty in {len(max_std) - 1} steps is "
            f"{largest:.2g}. Set call_threshold to about {value:g}, which one step in a hundred is above, and "
            "learn_threshold below it; or go to a condition that is not known yet.",
            value,
        )
    return ThresholdHealth("works")


def _rounded(value: float) -> float:
    """Return two significant digits."""
    return float(f"{value:.2g}")

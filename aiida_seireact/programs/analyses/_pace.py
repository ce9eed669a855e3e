"""Whether a series of a run has a fast and a slow stretch, in the words of the result."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from aiida_seireact.programs.analyses._protocol import IntArray
from aiida_seireact.science.transport.breaks import find_break


def pace(steps: IntArray, values: ArrayLike, timestep_fs: float | None) -> dict[str, Any] | None:
    """Return the break of a series and the kinetics that describes it best; None where the series is too short.

    :param steps: ``(n,)`` MD steps of the values.
    :param values: ``(n,)``, NaN where not defined.
    :param timestep_fs: None: the times of the break are in steps.
    """
    unit, per, scale = ("steps", "step", 1.0) if timestep_fs is None else ("ps", "ps", timestep_fs * 1e-3)
    try:
        found = find_break(steps * scale, values)
    except ValueError:
        return None
    return {
        "break_found": found.found,
        f"break_{unit}": found.time,
        f"break_interval_95_{unit}": list(found.interval),
        f"rate_before_per_{per}": found.rate_before,
        f"rate_after_per_{per}": found.rate_after,
        "best": found.best,
        "bic": found.bic,
    }

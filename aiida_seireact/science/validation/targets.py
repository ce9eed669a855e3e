"""What a line of a scorecard has measured, and whether it is good enough: targets are checked here and nowhere else."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One number.

    :param subject: what it is of: a phase, a config type, a species, a run.
    :param quantity: what it is, in words for a table: ``force RMSE``, ``bulk modulus``.
    :param value: the model's number; NaN where it could not be measured.
    :param unit: as ``meV/atom``; empty for a ratio.
    :param error: standard error of the value, where it has one.
    :param reference: the labeller's number in the same unit, where there is one.
    :param reference_error: standard error of that.
    :param frames: names of the frames that show it worst first, a few.
    :param note: a clause for the message: why there is no number, or what to look at.
    """

    subject: str
    quantity: str
    value: float
    unit: str = ""
    error: float | None = None
    reference: float | None = None
    reference_error: float | None = None
    frames: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a value must fulfil: each bound that is given.

    :param max: largest value.
    :param min: smallest value.
    :param deviation: largest distance from the labeller's number, in the unit of the value.
    :param relative: the same over the size of the labeller's number.
    :param sigmas: how many standard errors (of value and reference together) are forgiven.
    """

    max: float | None = None
    min: float | None = None
    deviation: float | None = None
    relative: float | None = None
    sigmas: float = 0.0

    def __post_init__(self) -> None:
        bounds = (self.max, self.min, self.deviation, self.relative)
        if all(bound is None for bound in bounds):
            raise ValueError("a target needs max, min, deviation or relative")
        if any(bound is not None and not math.isfinite(bound) for bound in (*bounds, self.sigmas)):
            raise ValueError("a target is a finite number")
        if any(bound is not None and bound < 0 for bound in (self.deviation, self.relative, self.sigmas)):
            raise ValueError("deviation, relative and sigmas are 0 or larger")
        if self.max is not None and self.min is not None and self.max < self.min:
            raise ValueError(f"no value is at most {self.max:g} and at least {self.min:g}")

    @property
    def needs_reference(self) -> bool:
        """Whether it compares with the labeller's number."""
        return self.deviation is not None or self.relative is not None

    def text(self, unit: str = "") -> str:
        """Return it as a clause: ``at most 5 meV/atom``."""
        unit = f" {unit}" if unit else ""
        parts = []
        if self.max is not None:
            parts.append(f"at most {self.max:g}{unit}")
        if self.min is not None:
            parts.append(f"at least {self.min:g}{unit}")
        if self.deviation is not None:
            parts.append(f"within {self.deviation:g}{unit} of the labeller")
        if self.relative is not None:
            parts.append(f"within {self.relative:.3g} of the labeller's value")
        if self.sigmas:
            parts[-1] += f", {self.sigmas:g} standard errors forgiven"
        return " and ".join(parts)


def misses(measured: Measured, target: Target) -> str:
    """Return why a value misses its target, empty if it meets it. NaN, and a lacking reference, miss any."""
    if not math.isfinite(measured.value):
        return "there is no number"
    if measured.error is not None and not math.isfinite(measured.error):
        return "its error is not known"
    own = target.sigmas * (measured.error or 0.0)
    if target.max is not None and measured.value - own > target.max:
        return "it is too large"
    if target.min is not None and measured.value + own < target.min:
        return "it is too small"
    if not target.needs_reference:
        return ""
    if measured.reference is None or not math.isfinite(measured.reference):
        return "there is no number of the labeller"
    if measured.reference_error is not None and not math.isfinite(measured.reference_error):
        return "the error of the labeller's number is not known"
    forgiven = target.sigmas * math.hypot(measured.error or 0.0, measured.reference_error or 0.0)
    off = abs(measured.value - measured.reference) - forgiven
    if target.deviation is not None and off > target.deviation:
        return "it is too far from the labeller"
    if target.relative is not None and off > target.relative * abs(measured.reference):
        return "it is too far from the labeller"
    return ""

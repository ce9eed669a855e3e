"""The verdict on a model (schema ``seireact-verdict/1``): may it be used for a long run, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from aiida_seireact.formats.jobs.base import Job, readable
from aiida_seireact.formats.scorecard import Scorecard
from aiida_seireact.science.validation.targets import Measured, Target, misses

SCHEMA: Literal["seireact-verdict/1"] = "seireact-verdict/1"
PRODUCTION: Literal["production"] = "production"
REJECTED: Literal["rejected"] = "rejected"


class VerdictError(ValueError):
    """A verdict that can't be understood, or is none on this model; the message says why."""


class VerdictLine(Job):
    """One number, its target, and whether it meets it."""

    name: str = Field(min_length=1, description="of the line of the scorecard")
    test: str = Field(description="kind of the line")
    subject: str = Field(description="what the number is of: a phase, a config type, a run")
    quantity: str = Field(description="what was measured")
    value: float | None = Field(description="null where there is no number")
    error: float | None = Field(None, description="its standard error, where it has one")
    reference: float | None = Field(None, description="the labeller's number, where there is one")
    reference_error: float | None = Field(None, description="its standard error, where it has one")
    unit: str = Field("", description="of value, error and reference; empty for a ratio")
    target: str = Field(description="as a clause")
    bounds: dict[str, float] = Field(description="the numbers of the target")
    passed: bool = Field(description="whether the value meets it; without a number never")
    frames: list[str] = Field([], description="ids of a few frames that show it, worst first")
    message: str = Field(description="one sentence: subject, number and target")

    @model_validator(mode="after")
    def _a_number_passes(self) -> Self:
        if self.passed and (self.value is None or not math.isfinite(self.value)):
            raise ValueError(f"line {self.name} is said to pass without a number")
        if self.passed and (why := self._missed()):
            raise ValueError(f"line {self.name} is said to pass, but {why}")
        return self

    def _missed(self) -> str:
        """Return why the numbers miss the bounds; a line that failed may know more than its numbers, as lost errors."""
        try:
            target = Target(**self.bounds)
        except (TypeError, ValueError) as error:
            return f"its bounds are no target: {error}"
        found = Measured(
            subject=self.subject,
            quantity=self.quantity,
            value=math.nan if self.value is None else self.value,
            error=self.error,
            reference=self.reference,
            reference_error=self.reference_error,
        )
        return misses(found, target)


class Verdict(Job):
    """What validation has found."""

    schema_name: Literal["seireact-verdict/1"] = Field(alias="schema", description="of this content")
    model_hash: str = Field(min_length=1, description="of the model that was judged")
    decision: Literal["production", "rejected"] = Field(description="may it be used")
    lines: list[VerdictLine] = Field([], description="each number with its target, in the order of the scorecard")
    scorecard: str = Field("", description="name of the scorecard")
    scorecard_hash: str = Field("", description="of its lines and targets")
    settings_hash: str = Field("", description="level of theory it was compared with")
    dataset_hash: str = Field("", description="of the dataset whose held-out frames were looked at")

    @model_validator(mode="after")
    def _decision_follows(self) -> Self:
        failed = [line.name for line in self.lines if not line.passed]
        if self.decision == PRODUCTION and (failed or not self.lines):
            why = f"line {failed[0]} failed" if failed else "no line was looked at"
            raise ValueError(f"the decision is production, though {why}")
        return self

    @property
    def failed(self) -> list[VerdictLine]:
        """The lines that were not met."""
        return [line for line in self.lines if not line.passed]


def read_verdict(content: Mapping[str, Any], model_hash: str) -> Verdict:
    """Return a verdict on a model.

    :raises VerdictError: it does not fit the schema, or is on another model.
    """
    try:
        verdict = Verdict.model_validate(dict(content))
    except ValidationError as error:
        raise VerdictError(f"This is not a verdict: {readable(error)}.") from error
    if verdict.model_hash != model_hash:
        raise VerdictError(
            f"This verdict is on model {verdict.model_hash[:12]}, the run is of model {model_hash[:12]}: "
            "validate that one."
        )
    return verdict


def judged(
    scorecard: Scorecard,
    measured: Mapping[str, Sequence[Measured]],
    *,
    model_hash: str,
    settings_hash: str = "",
    dataset_hash: str = "",
) -> Verdict:
    """Return the verdict: production where every line has numbers and each meets its target.

    :param measured: by line; a line that is not there, or has measured nothing, fails.
    """
    lines = []
    for name, line in scorecard.lines.items():
        nothing = Measured(subject="the model", quantity="anything", value=math.nan, note="nothing was measured")
        for found in measured.get(name) or [nothing]:
            lines.append(_checked(name, line.test, found, line.target))
    passed = bool(lines) and all(line.passed for line in lines)
    return Verdict.model_validate(
        {
            "schema": SCHEMA,
            "model_hash": model_hash,
            "decision": PRODUCTION if passed else REJECTED,
            "lines": [line.model_dump() for line in lines],
            "scorecard": scorecard.name,
            "scorecard_hash": scorecard.content_hash,
            "settings_hash": settings_hash,
            "dataset_hash": dataset_hash,
        }
    )


def content_of(verdict: Verdict) -> dict[str, Any]:
    """Return it as plain values, as a node holds it."""
    return verdict.model_dump(mode="json", by_alias=True)


def _checked(name: str, test: str, found: Measured, target: Target) -> VerdictLine:
    why = misses(found, target)
    bounds = {key: value for key, value in vars(target).items() if value is not None}
    return VerdictLine(
        name=name,
        test=test,
        subject=found.subject,
        quantity=found.quantity,
        value=_number(found.value),
        error=_number(found.error),
        reference=_number(found.reference),
        reference_error=_number(found.reference_error),
        unit=found.unit,
        target=target.text(found.unit),
        bounds={key: value for key, value in bounds.items() if key != "sigmas" or value},
        passed=not why,
        frames=list(found.frames),
        message=_sentence(found, target, why),
    )


def _sentence(found: Measured, target: Target, why: str) -> str:
    unit = f" {found.unit}" if found.unit else ""
    if _number(found.value) is None:
        told = f"{found.subject}: there is no {found.quantity}"
    else:
        told = f"{found.subject}: the {found.quantity} is {found.value:.4g}"
        told += f" ± {found.error:.2g}" if _number(found.error) is not None else ""
        told += unit
    if _number(found.reference) is not None:
        told += f" (labeller {found.reference:.4g}{unit})"
    told += f", {'allowed' if why else 'within the target'}: {target.text(found.unit)}"
    return f"{told}; {found.note}." if found.note else f"{told}."


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)

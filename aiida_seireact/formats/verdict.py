"""The verdict on a model (schema ``seireact-verdict/1``): may it be used for a long run, and why."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError

from aiida_seireact.formats.jobs.base import Job, readable


class VerdictError(ValueError):
    """A verdict that can't be understood, or is none on this model; the message says why."""


class Verdict(Job):
    """What validation has found."""

    schema_name: Literal["seireact-verdict/1"] = Field(alias="schema", description="of this content")
    model_hash: str = Field(min_length=1, description="of the model that was judged")
    decision: Literal["accepted", "rejected"] = Field(description="may it be used")
    lines: list[str] = Field([], description="what was found, a sentence each")


def read_verdict(content: dict[str, Any], model_hash: str) -> Verdict:
    """Return a verdict on a model.

    :raises VerdictError: it does not fit the schema, or is on another model.
    """
    try:
        verdict = Verdict.model_validate(content)
    except ValidationError as error:
        raise VerdictError(f"This is not a verdict: {readable(error)}.") from error
    if verdict.model_hash != model_hash:
        raise VerdictError(
            f"This verdict is on model {verdict.model_hash[:12]}, the run is of model {model_hash[:12]}: "
            "validate that one."
        )
    return verdict

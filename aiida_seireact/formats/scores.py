"""Numbers that validation has measured, as plain values.

What is no number here is ``nan`` there, a string, since JSON has no word for it; null is what was not given. To take
one for the other would let a value with an unknown error pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.science.validation.targets import Measured

NAN = "nan"
_MEASURED: TypeAdapter[Measured] = TypeAdapter(Measured)


class ScoresError(ValueError):
    """Scores that can't be read."""


def scores_to_dict(measured: Mapping[str, Sequence[Measured]]) -> dict[str, list[dict[str, Any]]]:
    """Return the numbers of each line as plain values."""
    return {name: [_plain(one) for one in found] for name, found in measured.items()}


def scores_from_dict(content: Mapping[str, Any]) -> dict[str, list[Measured]]:
    """Return the numbers of each line.

    :raises ScoresError: they are not those of `scores_to_dict`.
    """
    try:
        return {name: [_MEASURED.validate_python(one) for one in found] for name, found in content.items()}
    except (ValidationError, AttributeError, TypeError) as error:
        told = readable(error) if isinstance(error, ValidationError) else str(error)
        raise ScoresError(f"These are no scores of a validation: {told}.") from error


def _plain(one: Measured) -> dict[str, Any]:
    values = asdict(one)
    values["frames"] = list(one.frames)
    return {
        key: NAN if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()
    }

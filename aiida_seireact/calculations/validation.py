"""Port validators that use the very schema the program reads: what is refused there is refused before queueing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aiida import orm
from pydantic import ValidationError

from aiida_seireact.formats.jobs.base import Job, readable

_LINK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")


def link_name_complaint(name: str, what: str) -> str | None:
    """Return why a name can't be that of a link in the graph, None if it can.

    :param what: of what, as `a condition`.
    """
    if _LINK_NAME.fullmatch(name):
        return None
    return f"{name!r} can't be the name of {what}: use letters, digits and single underscores."


def job_validator(model: type[Job], /, **filled: Any) -> Callable[[orm.Dict | None, Any], str | None]:
    """Return a validator of a ``parameters`` port.

    :param filled: keys that the CalcJob adds itself (file names); the user must not give them.
    """

    def validate(parameters: orm.Dict | None, _: Any) -> str | None:
        if parameters is None:
            return None
        given = parameters.get_dict()
        own = sorted(set(given) & set(filled))
        if own:
            return f"{', '.join(own)} is filled in by the calculation: remove it from the parameters."
        try:
            model.model_validate({**given, **filled})
        except ValidationError as error:
            return f"These parameters don't fit: {readable(error)}."
        return None

    return validate

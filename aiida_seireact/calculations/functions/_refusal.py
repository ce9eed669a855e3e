"""Bad input to a calcfunction becomes an exit code with a sentence, not a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from aiida.engine import ExitCode

P = ParamSpec("P")
R = TypeVar("R")

REFUSED = 230


def refusing(function: Callable[P, R]) -> Callable[P, R | ExitCode]:
    """Return ``function`` with exit code 230 and the message in place of every ``ValueError``."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | ExitCode:
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            return ExitCode(REFUSED, str(error), invalidates_cache=True)

    return guarded

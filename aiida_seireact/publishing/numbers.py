"""Whether two reports tell the same numbers; PKs apart, which differ from profile to profile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

_PK = re.compile(r"<\d+>|\b(?:pk|node|process)(?: |=|: )\d+\b(?!\.\d)", re.IGNORECASE)
_TOLD = 80  # letters of a value


def differences(shipped: Any, found: Any, path: str = "") -> Iterator[str]:
    """Yield each place where what was shipped is not what was found: equal to the last digit, or told."""
    if isinstance(shipped, dict) and isinstance(found, dict):
        for key in sorted({*shipped, *found}, key=str):
            if _is_pk(key):
                continue
            place = f"{path}.{key}" if path else str(key)
            if key not in found:
                yield f"{place} is told, but the archive does not give it"
            elif key not in shipped:
                yield f"{place} is not told, but the archive gives it"
            else:
                yield from differences(shipped[key], found[key], place)
    elif isinstance(shipped, list) and isinstance(found, list) and len(shipped) == len(found):
        for number, (mine, other) in enumerate(zip(shipped, found, strict=True)):
            yield from differences(mine, other, f"{path}[{number}]")
    elif isinstance(shipped, str) and isinstance(found, str):
        if _PK.sub("", shipped) != _PK.sub("", found):
            yield f"{path} is told as {_short(shipped)}, the archive gives {_short(found)}"
    elif isinstance(shipped, list) and isinstance(found, list):
        same = takewhile(lambda pair: not any(differences(*pair)), zip(shipped, found, strict=False))
        yield (
            f"{path} is a list of {len(shipped)}, the archive gives {len(found)}; they part at [{sum(1 for _ in same)}]"
        )
    elif type(shipped) is not type(found) or shipped != found:
        yield f"{path} is told as {_short(shipped)}, the archive gives {_short(found)}"


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= _TOLD else f"{told[:_TOLD]}…"


def by_uuid(told: Any) -> Any:
    """Return the summary of several runs with their UUIDs as keys, which it has under their PKs; any other as it is."""
    runs = told.get("runs") if isinstance(told, dict) else None
    if not isinstance(runs, dict):
        return told
    names = {key: str(run["react_uuid"]) for key, run in runs.items() if isinstance(run, dict) and "react_uuid" in run}
    parts = {part: told[part] for part in ("runs", "sources") if isinstance(told.get(part), dict)}
    renamed = {part: {_renamed(key, names): value for key, value in keyed.items()} for part, keyed in parts.items()}
    return {**told, **renamed}


def _renamed(key: str, names: dict[str, str]) -> str:
    """Replace the PK that a key is or begins with, with ``runs.`` before it or not."""
    head, dot, rest = key.partition("runs.") if key.startswith("runs.") else ("", "", key)
    pk, point, name = rest.partition(".")
    return f"{head}{dot}{names.get(pk, pk)}{point}{name}"


def n_numbers(told: Any) -> int:
    """Return how many numbers there are in a summary, PKs apart."""
    if isinstance(told, dict):
        return sum(n_numbers(value) for key, value in told.items() if not _is_pk(key))
    if isinstance(told, list):
        return sum(map(n_numbers, told))
    return int(isinstance(told, int | float) and not isinstance(told, bool))


def _is_pk(key: Any) -> bool:
    return str(key) == "pk" or str(key).endswith("_pk")

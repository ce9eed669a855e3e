"""What labelling refuses, the name of what has none, and what a name may be."""

from __future__ import annotations

UNKNOWN = "unknown"
LONGEST_NAME = 80
"""Letters of a name at most: it becomes part of names of folders."""


class LabellingError(ValueError):
    """References, clusters or points that can't be used; the message says which and why."""


def require_name(name: str) -> str:
    """Return the name of a phase if it is one: it is a label in tables, and part of the names of folders.

    :raises LabellingError: it means "unknown", is blank, too long, or no name that a folder can bear.
    """
    if name == UNKNOWN:
        reason = "that is the name of what has none"
    elif not name.strip() or name != name.strip():
        reason = "it is blank, or begins or ends with a blank"
    elif "/" in name or "\\" in name or not name.isprintable():
        reason = "it holds a slash or a sign that can't be printed, and folders are named after it"
    elif name.startswith((".", "-")):
        reason = f"it begins with {name[0]!r}, and folders are named after it"
    elif len(name) > LONGEST_NAME:
        reason = f"it has {len(name)} letters, and folders are named after it: at most {LONGEST_NAME}"
    else:
        return name
    raise LabellingError(f"A phase can't be named {name!r}: {reason}.")

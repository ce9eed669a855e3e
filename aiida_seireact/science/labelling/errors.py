"""What labelling refuses, and the name of what has none."""

from __future__ import annotations

UNKNOWN = "unknown"


class LabellingError(ValueError):
    """References, clusters or points that can't be used; the message says which and why."""

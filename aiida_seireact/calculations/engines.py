"""Names of engines: an engine of MD bears the name of the labelling engine of the same program."""

from __future__ import annotations

LABEL_PREFIX = "seireact.label."
MD_PREFIX = "seireact.aimd."


def md_engine(engine: str) -> str:
    """Return the engine of MD of the same program as a labelling engine."""
    return f"{MD_PREFIX}{engine.removeprefix(LABEL_PREFIX)}"

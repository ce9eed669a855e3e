"""A scorecard: the tests a model must pass, with their targets, as YAML, JSON or a node.

```yaml
name: fast
lines:
  forces: {test: errors, of: force, of_rms: true, target: {max: 0.45}, why: "forces decide every step of MD"}
```
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field, ValidationError, field_validator

from aiida_seireact.formats.jobs.base import Job, readable
from aiida_seireact.science.validation.kinds import KINDS
from aiida_seireact.science.validation.lines import Asked, AskedRun, Line, Phases

if TYPE_CHECKING:
    AnyLine = Line
else:
    AnyLine = Annotated[Union[KINDS], Field(discriminator="test")]  # noqa: UP007
NO_LINE = "none of the lines is left"


class ScorecardError(ValueError):
    """A scorecard that can't be used; the message says which line, and why."""


class Scorecard(Job):
    """Lines by their names, in the order of the report."""

    name: str = Field("own", min_length=1, description="of the protocol, or what you call it")
    lines: dict[str, AnyLine] = Field(description="by name: `test`, its parameters, `target` and `why`")

    @field_validator("lines", mode="before")
    @classmethod
    def _without_dropped(cls, lines: Any) -> Any:
        """A line that is null is left out: that is how an override drops one."""
        if not isinstance(lines, Mapping):
            return lines
        kept = {name: line for name, line in lines.items() if line is not None}
        if not kept:
            raise ValueError(f"{NO_LINE}: a scorecard without a test would pass any model")
        for name in kept:
            if "/" in name or not name:
                raise ValueError(f"a line can't be called {name!r}: give a name without '/'")
        return kept

    @property
    def content_hash(self) -> str:
        """Hash of all lines with their targets; their order, the name and the reasons told are no part of it."""
        content = self.model_dump(mode="json")["lines"]
        bare = {name: {key: value for key, value in line.items() if key != "why"} for name, line in content.items()}
        text = json.dumps(bare, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def needs_held_out(self) -> list[str]:
        """Names of the lines that look at held-out frames of a dataset."""
        return [name for name, line in self.lines.items() if line.needs_held_out]

    def static(self, phases: Phases) -> dict[str, list[Asked]]:
        """Return by line the cells it asks for.

        :raises ScorecardError: a phase that is not there.
        """
        return {name: _asked(name, line, "static", phases) for name, line in self.lines.items()}

    def alone(self, phases: Phases) -> dict[str, list[Asked]]:
        """Return by line the cells that only the model is asked about.

        :raises ScorecardError: a phase that is not there.
        """
        return {name: _asked(name, line, "alone", phases) for name, line in self.lines.items()}

    def runs(self, phases: Phases) -> dict[str, list[AskedRun]]:
        """Return by line the MD runs it asks for.

        :raises ScorecardError: a phase that is not there, or one name for two unlike runs.
        """
        found = {name: _asked(name, line, "runs", phases) for name, line in self.lines.items()}
        known: dict[str, tuple[str, AskedRun]] = {}
        for name, runs in found.items():
            for run in runs:
                other, before = known.setdefault(run.name, (name, run))
                if not same_run(before, run):
                    raise ScorecardError(
                        f"The lines {other} and {name} ask for unlike runs by the same name {run.name}: "
                        "give both the same settings."
                    )
        return found


def read_scorecard(content: Mapping[str, Any]) -> Scorecard:
    """Return a scorecard.

    :raises ScorecardError: it does not fit; the message names each line and key.
    """
    try:
        return Scorecard.model_validate(dict(content))
    except ValidationError as error:
        raise ScorecardError(f"This scorecard can't be used: {readable(error)}.") from error


def same_run(one: AskedRun, other: AskedRun) -> bool:
    """Whether two requests are for one run."""
    settings = [
        {key: value for key, value in vars(run).items() if key not in ("atoms", "subject")} for run in (one, other)
    ]
    if settings[0] != settings[1] or (one.atoms is None) != (other.atoms is None):
        return False
    return one.atoms is None or bool(one.atoms == other.atoms)


def _asked(name: str, line: Line, what: str, phases: Phases) -> list[Any]:
    try:
        return list(getattr(line, what)(phases))
    except ValueError as error:
        raise ScorecardError(f"Line {name}: {error}.") from error

"""What every job and result file of our programs has in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class InvalidInput(ValueError):
    """The job or its data can't be used as they are; the user mends the input."""

    kind = "invalid_input"
    exit_status = 2


class MissingPackage(RuntimeError):
    """A package or program is not installed; the message holds the command that installs it."""

    kind = "missing_package"
    exit_status = 3


class ProgramFailed(RuntimeError):
    """The run itself went wrong: diverged, killed, out of disk."""

    kind = "failed"
    exit_status = 4


class Diverged(ProgramFailed):
    """The loss of a training is no number any more; gentler steps may help."""

    kind = "diverged"


class OutOfMemory(ProgramFailed):
    """The machine, or its GPU, has too little memory; smaller pieces may help."""

    kind = "out_of_memory"


class CheckpointLost(ProgramFailed):
    """The state to go on from can't be read; an older one may."""

    kind = "checkpoint_lost"


class DiskFull(ProgramFailed):
    """There is no room for the output; only a person can make some."""

    kind = "disk_full"


class TooLittleMemory(ProgramFailed):
    """What is to be computed will not fit into memory, as is known before it begins."""

    kind = "too_little_memory"


class Job(BaseModel):
    """Base of a job file: unknown keys are errors, so that a misspelt knob is never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


JobT = TypeVar("JobT", bound=Job)


def readable(error: ValidationError) -> str:
    """Return the complaints of pydantic as one line: key, what is wrong, what was given."""
    lines = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"]) or "the job"
        # What was wrong between keys is told without repeating them all.
        told = item["type"] in ("missing", "extra_forbidden") or isinstance(item["input"], dict)
        given = "" if told else f" (given: {item['input']!r})"
        lines.append(f"{key}: {item['msg'].removeprefix('Value error, ')}{given}")
    return "; ".join(lines)


def read_job(path: str | Path, model: type[JobT]) -> JobT:
    """Read and validate a job file.

    :raises InvalidInput: missing file, broken JSON, or keys that don't fit; the message names each.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"There is no job file {path}.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not JSON: {error}.") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(f"{path}: {readable(error)}.") from error

"""The one harness of our programs: read the job, run, write the result; tell failures apart by exit status."""

from __future__ import annotations

import errno
import importlib.metadata
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from aiida_seireact import __version__
from aiida_seireact.formats import files
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.jobs.base import DiskFull, InvalidInput, Job, MissingPackage, ProgramFailed, read_job

JobT = TypeVar("JobT", bound=Job)
Progress = Callable[[str], None]


def say(line: str) -> None:
    """Write one line of progress to stderr at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def versions_of(packages: Sequence[str]) -> dict[str, str]:
    """Return the installed version of each distribution, ``absent`` for those that are not there."""
    found = {"aiida-seireact": __version__}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def execute(
    name: str,
    folder: Path,
    packages: Sequence[str],
    work: Callable[[], dict[str, Any]],
    *,
    schema: str | None = None,
    leftovers: Sequence[str] = (),
    passed: tuple[type[Exception], ...] = (),
) -> int:
    """Run ``work`` in ``folder``, write ``result.json`` whatever happens, and return the exit status.

    :param passed: exceptions that are the caller's: no result is written.
    :param leftovers: files that only a run cut short leaves to the next; removed once the result is there.

    0: done; 2: the input can't be used; 3: a package is missing; 4: the run failed.
    """
    start = time.perf_counter()
    outcome: dict[str, Any] = {"status": "ok", "error": None, "outputs": {}}
    status = 0
    (folder / files.RESULT).unlink(missing_ok=True)
    try:
        found = work()
        # A NaN would else end the program while it writes its result, and leave none.
        json.dumps(found, sort_keys=True, allow_nan=False)
        outcome["outputs"] = found
    except passed:
        raise
    except (InvalidInput, FramesError) as error:
        outcome.update(status="failed", error={"kind": InvalidInput.kind, "message": str(error)})
        status = InvalidInput.exit_status
    except (MissingPackage, ProgramFailed) as error:
        outcome.update(status="failed", error={"kind": error.kind, "message": str(error)})
        status = error.exit_status
    except OSError as error:
        kind, message = ProgramFailed.kind, f"{type(error).__name__}: {error}."
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            kind = DiskFull.kind
            message = f"The disk of {folder} is full ({error.strerror}): make room and run it again."
        else:
            traceback.print_exc()
            message += " The traceback is in the standard error of this job."
        outcome.update(status="failed", error={"kind": kind, "message": message})
        status = ProgramFailed.exit_status
    except Exception as error:
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}. The traceback is in the standard error of this job."
        outcome.update(status="failed", error={"kind": ProgramFailed.kind, "message": message})
        status = ProgramFailed.exit_status
    result = {
        "schema": schema or f"{name}/1",
        "program": name,
        "versions": versions_of(packages),
        "seconds": round(time.perf_counter() - start, 3),
        **outcome,
    }
    write_json(folder / files.RESULT, result)
    for name in leftovers if status == 0 else ():
        (folder / name).unlink(missing_ok=True)
    if outcome["error"]:
        say(f"{name}: {outcome['error']['message']}")
    return status


def program(
    name: str,
    model: type[JobT],
    run: Callable[[JobT, Path, Progress], dict[str, Any]],
    *,
    packages: Sequence[str] = (),
    example: str = "",
    leftovers: Sequence[str] = (),
    foretell: Callable[[JobT], dict[str, Any]] | None = None,
) -> click.Command:
    """Return the command ``name JOB.json [--dry-run]`` around ``run(job, folder, progress) -> outputs``.

    :param packages: distributions whose versions the result records.
    :param example: text of a job file shown by ``--help``.
    :param leftovers: see `execute`.
    :param foretell: what a dry run prints in place of the job.
    """
    fields = "\n".join(f"  {key}: {field.description or field.annotation}" for key, field in model.model_fields.items())
    description = (run.__doc__ or "").strip().split("\n\n")[0]

    def command(job_file: Path, dry_run: bool) -> None:
        folder = Path.cwd()
        if dry_run:
            try:
                job = read_job(job_file, model)
                text = job.model_dump_json(indent=2) if foretell is None else json.dumps(foretell(job), indent=2)
            except InvalidInput as error:
                say(f"{name}: {error}")
                raise SystemExit(InvalidInput.exit_status) from None
            click.echo(text)
            raise SystemExit(0)
        raise SystemExit(
            execute(name, folder, packages, lambda: run(read_job(job_file, model), folder, say), leftovers=leftovers)
        )

    command.__doc__ = (
        f"{description}\n\nReads files.JOB and the data files it names, relative to the working folder; writes "
        f"{files.RESULT} and data files there.\n\n\b\nKeys of the job file:\n{fields}"
        + (f"\n\n\b\nExample:\n{example.strip()}" if example else "")
        + "\n\n\b\nExit status: 0 done, 2 the input can't be used, 3 a package is missing, 4 the run failed."
    )
    decorated: Any = command
    dry = "print it with its defaults" if foretell is None else "print what would come of it"
    decorated = click.option("--dry-run", is_flag=True, help=f"Validate the job, {dry}, stop.")(decorated)
    decorated = click.argument("job_file", type=click.Path(path_type=Path))(decorated)
    decorated = click.version_option(__version__, prog_name=name)(decorated)
    return click.command(name, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})(
        decorated
    )

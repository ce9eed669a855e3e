"""A segment that a LAMMPS of its own runs, on one rank or many: what seireact-lmp does before and after it.

``begin`` checks what the segment starts from and takes over what a killed try has done. ``check`` compares the energy
of one rank with that of all. ``end`` makes of what LAMMPS left what it would have made of its own run. A step that
refuses takes the input away, so that LAMMPS ends at once, and its reason stays the result.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from aiida_seireact.formats import files
from aiida_seireact.formats.halt import read_halt
from aiida_seireact.formats.jobs.base import InvalidInput, ProgramFailed
from aiida_seireact.formats.jobs.lmp import NativeJob
from aiida_seireact.formats.killed_segment import read_past
from aiida_seireact.formats.lammps_command import CommandError, refuse_other_devices
from aiida_seireact.formats.lammps_log import LogFacts, read_log
from aiida_seireact.formats.thermo import ThermoError, load_thermo, read_thermo
from aiida_seireact.programs._fix_external import FlewApart
from aiida_seireact.programs._program import Progress
from aiida_seireact.programs._segment import check_start, conclude, counted, restart_of, take_over_killed

BEGUN = "begun"
# Energies of one rank and of several are sums in another order: float32 noise is 2e-6 eV/Å of a force.
ENERGY_DIFFERENCE_MAX_EV_PER_ATOM = 1e-5


class WasKilled(RuntimeError):
    """LAMMPS came to no end of its own; the next try goes on from its last restart file."""


def begin(job: NativeJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Make the folder ready for LAMMPS.

    :raises InvalidInput: it starts from another file than it should, or the GPUs of this node are others.
    """
    if job.gpus:
        check_devices(job)
    if job.start_file is not None:
        check_start(job.start_file, folder)
    if take_over_killed(job, folder, progress) is not None:
        shutil.copyfile(folder / files.LAMMPS_RESUME_INPUT, folder / files.LAMMPS_INPUT)
    (folder / BEGUN).write_text(f"{time.time():.3f}\n", encoding="utf-8")
    return {}


def check_devices(job: NativeJob) -> None:
    """Look at the GPUs of this node before LAMMPS does.

    :raises InvalidInput: they are not those that the job counts on.
    """
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise InvalidInput(
            f"The job counts on {job.gpus} GPUs, and this node has no nvidia-smi, so none: ask the scheduler for some."
        ) from None
    try:
        refuse_other_devices(done.stdout, ranks_per_node=job.ranks // job.nodes, sliced=job.sliced)
    except CommandError as error:
        raise InvalidInput(str(error)) from error


def check(job: NativeJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Compare the energy of the first step on one rank with that on all.

    :raises ProgramFailed: they differ, or one of the two did not come to it.
    """
    energies = []
    for log in files.CHECK_LOGS:
        try:
            table = read_thermo(folder / log)
        except ThermoError as error:
            reason = read_log(folder / log).error or str(error)
            raise ProgramFailed(f"The first step could not be computed for the check of ranks: {reason}") from error
        energies.append(float(table["PotEng"][0]))
    n_atoms = read_log(folder / files.CHECK_LOGS[0]).n_atoms
    difference = abs(energies[0] - energies[1]) / n_atoms
    if not np.isfinite(difference) or difference > ENERGY_DIFFERENCE_MAX_EV_PER_ATOM:
        raise ProgramFailed(
            f"One rank gives {energies[0]:.6f} eV, {job.ranks} ranks give {energies[1]:.6f} eV for the same "
            f"{n_atoms} atoms: ranks share a GPU, or this LAMMPS and this model don't fit. Run on one rank, or mend "
            "the binding of ranks to GPUs (docs: Run LAMMPS itself)."
        )
    progress(f"one rank and {job.ranks} give the same energy, to {difference:.0e} eV/atom")
    return {}


def end(job: NativeJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Describe what LAMMPS left, as seireact-lmp does of its own runs.

    :raises ProgramFailed: LAMMPS did not begin, or ended with an error.
    :raises WasKilled: it did not end by itself.
    """
    if not (folder / files.LAMMPS_LOG).is_file():
        raise ProgramFailed(
            f"LAMMPS did not begin: it left no {files.LAMMPS_LOG}. What the shell said is in _scheduler-stderr.txt; "
            "mostly the path of the code is wrong, or its modules are not loaded in `prepend_text`."
        )
    facts = read_log(folder / files.LAMMPS_LOG)
    past = read_past(folder)
    begun = job.first_step if past is None else past.step
    # A wish that comes with the last step changes nothing.
    stopped = None if facts.last_step == job.end_step else read_halt(folder, files.LAMMPS_LOG)
    restart = None
    if facts.error is not None:
        stopped = _stopped_by(facts, job)
    else:
        restart = restart_of(folder, facts.last_step)
        if restart is None or not facts.is_whole:
            raise WasKilled(f"LAMMPS was killed after step {facts.last_step}, before its restart file was written")
    left = conclude(list(job.dumps), folder, files.LAMMPS_LOG, past, job, mend=facts.error is not None)
    steps = facts.last_step - begun
    own = {
        "first_step": begun,
        "last_step": facts.last_step,
        "n_atoms": facts.n_atoms,
        "steps_done": steps,
        "steps_asked": job.end_step - begun,
        "done": stopped is None and facts.last_step == job.end_step,
        "stopped_by": stopped,
        "reference_volume_ang3": job.reference_volume_ang3 or _first_volume(folder),
        "lammps_version": facts.version,
        "gpu": None,
        "performance": {
            "steps": steps,
            "ps": steps * job.timestep_fs * 1e-3,
            "md_seconds": facts.loop_seconds,
            "ranks": facts.ranks,
            "threads": facts.threads,
            "gpus": job.gpus,
            "seconds": round(time.time() - float((folder / BEGUN).read_text(encoding="utf-8")), 3),
        },
    }
    return {**counted(own, job, past), **left, "restart": restart}


def _stopped_by(facts: LogFacts, job: NativeJob) -> dict[str, Any]:
    """Take a structure that flew apart for stopped, if there is a stop rule at all.

    :raises ProgramFailed: any other error, or no stop rule.
    :raises InvalidInput: LAMMPS did not come to its first step.
    """
    if facts.last_step < 0:
        raise InvalidInput(f"LAMMPS refuses the input: {facts.error}")
    flew_apart = FlewApart.told_by(str(facts.error), facts.last_step)
    if flew_apart is None:
        raise ProgramFailed(f"LAMMPS stopped at step {facts.last_step}: {facts.error}")
    if job.stop is None:
        raise flew_apart
    return flew_apart.as_stop(facts.last_step)


def _first_volume(folder: Path) -> float | None:
    try:
        return float(load_thermo(folder / files.THERMO)["Volume"][0])
    except (OSError, KeyError, IndexError):
        return None

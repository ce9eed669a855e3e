"""MD of one leg by a LAMMPS that was built with FLARE's plugin. Unverified: there is no such LAMMPS to test with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.formats.lammps_input import write_data
from aiida_seireact.formats.lammps_leg import (
    DATA,
    DUMP,
    INPUT,
    LOG,
    LammpsLegError,
    leg_input,
    look_every,
    read_frames,
    require_styles,
)
from aiida_seireact.formats.thermo import ThermoError, read_thermo
from aiida_seireact.programs._leg_watch import LegRun, follow

ANG_PER_PS = 1 / (1e3 * units.fs)
LARGEST_SEED = 900_000_000


def check_lammps(command: str) -> None:
    """Refuse a LAMMPS that is not there or lacks FLARE's styles, before anything is learned.

    :raises MissingPackage: the message says how to get one.
    """
    try:
        told = subprocess.run([command, "-h"], capture_output=True, text=True, check=False).stdout
        require_styles(told, command)
    except (OSError, LammpsLegError) as error:
        raise MissingPackage(f"The engine lammps needs a LAMMPS with FLARE's plugin: {error}") from error


def check_start(settings: LegSettings, atoms: Atoms) -> None:
    """Refuse what this engine does not do.

    :raises InvalidInput: a cell that is not orthogonal, or lengths that do not fit the steps at which LAMMPS looks.
    """
    every = look_every(settings)
    for name in ("steps", "leg_steps"):
        value = getattr(settings, name)
        if value is not None and value % every:
            raise InvalidInput(
                f"The engine lammps looks at every {every}th step (visit_every {settings.visit_every}, label_every "
                f"{settings.label_every}): {name} {value} must be a multiple of it."
            )
    if not atoms.cell.orthorhombic or (atoms.cell.array != np.diag(np.diag(atoms.cell.array))).any():
        raise InvalidInput("The engine lammps takes orthogonal cells along x, y, z only: take the engine ase.")


def run_lammps_leg(
    atoms: Atoms,
    energies_ev: Mapping[str, float],
    settings: LegSettings,
    rng: np.random.Generator,
    command: str,
    folder: Path,
    *,
    reference_volume_ang3: float,
    first_step: int,
    learned_step: int,
    resumed: bool,
    just_learned: bool,
    progress: Callable[[str], None],
) -> LegRun:
    """Run LAMMPS, then look at its frames as at the steps of our own MD.

    Looks at every `look_every` steps only. The files of the coefficients lie in ``folder``.

    :param energies_ev: energy of an atom of each species, in the order of the GP, which LAMMPS knows nothing of.
    :param atoms, settings, reference_volume_ang3, first_step, learned_step, resumed, just_learned: see `run_leg`.
    :raises ProgramFailed: LAMMPS ended with an error, or left no whole frames.
    """
    species = list(energies_ev)
    last_step = settings.steps
    if settings.leg_steps is not None:
        last_step = min(last_step, first_step + settings.leg_steps)
    seed = int(rng.integers(1, LARGEST_SEED))
    for name in (DUMP, LOG):
        (folder / name).unlink(missing_ok=True)
    write_data(folder / DATA, atoms, species)
    (folder / INPUT).write_text(
        # No step left to make: LAMMPS still computes the first one.
        leg_input(settings, species, first_step=first_step, last_step=max(last_step, first_step), seed=seed),
        encoding="utf-8",
    )
    done = subprocess.run(
        [command, "-in", INPUT, "-log", LOG, "-screen", "none"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ProgramFailed(f"{command} ended with status {done.returncode}: {_last_words(folder, done.stderr)}")
    own = sum(energies_ev[symbol] for symbol in atoms.get_chemical_symbols())
    try:
        table = read_thermo(folder / LOG)
        energies = dict(zip(table["Step"].astype(int).tolist(), table["PotEng"].tolist(), strict=True))
        return follow(
            _replay(atoms, folder, energies, own, settings.gp.cutoff_ang),
            atoms,
            settings,
            reference_volume_ang3=reference_volume_ang3,
            learned_step=learned_step,
            resumed=resumed,
            just_learned=just_learned,
            progress=progress,
        )
    except (LammpsLegError, ThermoError) as error:
        raise ProgramFailed(str(error)) from error


def _replay(
    atoms: Atoms, folder: Path, energies: Mapping[int, float], own_ev: float, cutoff_ang: float
) -> Iterator[int]:
    """Put each frame of LAMMPS into ``atoms`` and give its step."""
    from matscipy.neighbours import neighbour_list

    for frame in read_frames(folder / DUMP):
        if frame.step not in energies:
            raise LammpsLegError(f"{LOG} has no energy of step {frame.step}: it is torn.")
        atoms.calc = None
        atoms.set_cell(np.diag(frame.lengths))
        atoms.positions = frame.positions
        atoms.set_velocities(frame.velocities * ANG_PER_PS)
        centres = neighbour_list("i", atoms, float(cutoff_ang))
        atoms.calc = _Told(
            energy=energies[frame.step] + own_ev,
            forces=frame.forces,
            stds=frame.stds,
            neighbours=np.bincount(centres, minlength=len(atoms)),
        )
        yield frame.step


class _Told(Calculator):
    """Holds what LAMMPS has computed."""

    def __init__(self, **results: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.results = results


def _last_words(folder: Path, stderr: str) -> str:
    log = folder / LOG
    lines: Sequence[str] = stderr.strip().splitlines()
    if log.is_file():
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("ERROR")] or lines
    return lines[-1] if lines else "it said nothing."

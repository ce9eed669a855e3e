"""Settings of MD by the engines of other codes: their level of theory for labels, and how each is told to run MD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import units
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, field_validator

from aiida_seireact.formats.jobs.label_cp2k import GAMMA, Cp2kSettings
from aiida_seireact.formats.jobs.label_cp2k import Mesh as Cp2kMesh
from aiida_seireact.formats.jobs.label_qe import Parameters, QeSettings
from aiida_seireact.formats.jobs.label_vasp import Incar, VaspSettings
from aiida_seireact.formats.jobs.md import MdSettings
from aiida_seireact.science.velocities import drawn_momenta

# Atomic units of Rydberg, in which pw.x counts time and velocities.
RYDBERG_FS = 4.8377687e-2
# AiiDA stores a float in 14 digits: what is asked must be what is found again.
DIGITS = ".10g"
# The largest first number of VASP's RANDOM_SEED; CP2K takes as much.
SEEDS = 900_000_000


def only(thermostat: str, program: str) -> Any:
    """Return a validator of ``md`` that refuses thermostats which a program lacks."""

    def check(md: MdSettings) -> MdSettings:
        if md.thermostat != thermostat:
            raise ValueError(f"{program} runs with the thermostat {thermostat} here, not {md.thermostat}")
        return md

    return field_validator("md")(staticmethod(check))


class VaspMdSettings(VaspSettings):
    """The level of theory of labels by VASP, and the run; a label of a step has the hash of a single point."""

    md: MdSettings = Field(description="the runs, one from each frame")
    _thermostat = only("nose-hoover", "VASP")

    def md_tags(self, cell: ArrayLike, n_atoms: int, structure_id: str) -> Incar:
        """Return the INCAR of the run from a structure.

        ``SMASS`` is the mass of Nosé in u times the square of the first lattice vector: VASP takes the frequency of
        the thermostat as √(2 g k T / (SMASS u a₁²)) (`main.F`; OUTCAR prints it). With Q = g k T τ² and g = 3 N - 3,
        SMASS = g k T τ² / (u a₁²).
        """
        md = self.md
        first = float(np.linalg.norm(np.asarray(cell, dtype=np.float64)[0]))
        mass = (3 * n_atoms - 3) * units.kB * md.temperature_k * (md.damping_fs * units.fs / first) ** 2
        return {
            **self.tags(),
            # The start is the first of VASP's ionic steps.
            "nsw": md.steps + 1,
            "ibrion": 0,
            "mdalgo": 2,
            "potim": md.timestep_fs,
            "tebeg": md.temperature_k,
            "teend": md.temperature_k,
            "smass": float(f"{mass:{DIGITS}}"),
            "random_seed": f"{md.number_of(structure_id, SEEDS)} 0 0",
        }


class QeMdSettings(QeSettings):
    """The level of theory of labels by pw.x, and the run; a label of a step has the hash of a single point.

    pw.x 6.7 has no Nosé-Hoover thermostat, and those that rescale velocities (``svr``, ``berendsen``, ``rescaling``)
    divide by a temperature that it does not know yet where velocities are given: NaN at the first step. Andersen's is
    canonical too, and takes them. Its collisions come from pw.x's own random numbers, the same in each run.
    """

    md: MdSettings = Field(description="the runs, one from each frame")
    _thermostat = only("andersen", "pw.x")

    def md_parameters(self, symbols: Sequence[str]) -> Parameters:
        """Return the namelists of a run from a cell of these atoms."""
        md, namelists = self.md, self.parameters(symbols)
        control = {
            "calculation": "md",
            "nstep": md.steps + 1,
            "dt": float(f"{md.timestep_fs / RYDBERG_FS:{DIGITS}}"),
        }
        ions = {
            "ion_dynamics": "verlet",
            "ion_velocities": "from_input",
            "ion_temperature": "andersen",
            "tempw": md.temperature_k,
            # An atom collides at each step with a probability of one in `nraise`.
            "nraise": round(md.damping_fs / md.timestep_fs),
        }
        return {**namelists, "CONTROL": {**namelists["CONTROL"], **control}, "IONS": ions}

    def velocities(self, symbols: Sequence[str], structure_id: str) -> list[list[float]]:
        """Return the first velocities ``(n_atoms, 3)`` of the run from a structure, in atomic units of Rydberg."""
        masses = atomic_masses[[atomic_numbers[symbol] for symbol in symbols]]
        rng = np.random.Generator(np.random.PCG64(self.md.seed_of(structure_id)))
        momenta = drawn_momenta(masses, self.md.temperature_k, rng)
        velocities: NDArray[np.float64] = momenta / masses[:, None] / units.Bohr * (RYDBERG_FS * units.fs)
        # pw.x gets ten decimals.
        return [[round(value, 10) for value in row] for row in velocities.tolist()]


class Cp2kMdSettings(Cp2kSettings):
    """The level of theory of labels by CP2K, and the run; a label of a step has the hash of a single point."""

    NO_IDENTITY: ClassVar[frozenset[str]] = Cp2kSettings.NO_IDENTITY | {"md"}

    md: MdSettings = Field(description="the runs, one from each frame")
    _thermostat = only("nose-hoover", "CP2K")

    def md_parameters(self, symbols: Sequence[str], structure_id: str, *, mesh: Cp2kMesh = GAMMA) -> dict[str, Any]:
        """Return the input of CP2K for the run from a structure.

        Each step begins with the densities of its atoms, as a single point does. The first thermostat of the chain has
        the mass g k T TIMECON² (CP2K 2023.1, its restart file): TIMECON is ``damping_fs``.
        """
        md, asked = self.md, self.parameters(symbols, mesh=mesh)
        motion = {
            "ENSEMBLE": "NVT",
            "STEPS": md.steps,
            "TIMESTEP": f"[fs] {md.timestep_fs:{DIGITS}}",
            "TEMPERATURE": f"[K] {md.temperature_k:{DIGITS}}",
            "THERMOSTAT": {"TYPE": "NOSE", "NOSE": {"TIMECON": f"[fs] {md.damping_fs:{DIGITS}}", "LENGTH": 3}},
        }
        return {
            **asked,
            "GLOBAL": {**asked["GLOBAL"], "SEED": md.number_of(structure_id, SEEDS)},
            "MOTION": {**asked["MOTION"], "MD": motion},
        }

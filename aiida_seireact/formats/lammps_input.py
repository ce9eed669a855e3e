"""The LAMMPS input and data file of one MD segment with an Allegro model; the same for a native ``lmp`` and
seireact-lmp.

LAMMPS units metal live only here and behind: Å, ps, eV, bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from ase import Atoms
from ase.io.lammpsdata import write_lammps_data
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.halt import halt_lines

DATA_FILE = "structure.data"
START_RESTART_FILE = "start.restart"
DUMP_FILE = "traj.dump"
FINAL_DATA_FILE = "final.data"
FINAL_RESTART_FILE = "final.restart"
# LAMMPS writes them in turn, so that one is whole while the other is being written.
TURN_RESTART_FILES = ("restart.1", "restart.2")
BAR_PER_GPA = 1e4
FS_PER_PS = 1e3
THERMO_KEYWORDS = (
    *("step", "temp", "pe", "ke", "etotal", "econserve", "press", "vol"),
    *("lx", "ly", "lz", "xy", "xz", "yz", "pxx", "pyy", "pzz", "pxy", "pxz", "pyz"),
)

PositiveFloat = Annotated[float, Field(gt=0)]
Positive = Annotated[int, Field(gt=0)]


class MdSettings(BaseModel):
    """A run of molecular dynamics, which several segments may make up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ensemble: Literal["nve", "nvt", "npt"] = "nvt"
    steps: Positive = Field(2000, description="the step at which the run ends, whatever it continues from")
    timestep_fs: PositiveFloat = 2.0
    temperature_k: PositiveFloat = 300.0
    temperature_end_k: PositiveFloat | None = Field(None, description="end of a ramp; null: constant")
    pressure_gpa: float = Field(0.0, description="target pressure, npt only")
    barostat: Literal["iso", "aniso", "tri"] = Field("aniso", description="which cell parameters may change, npt only")
    tau_t_ps: PositiveFloat = Field(0.1, description="Nosé-Hoover damping time of the temperature")
    tau_p_ps: PositiveFloat = Field(1.0, description="Nosé-Hoover damping time of the pressure")
    velocity_seed: int | None = Field(
        1, gt=0, description="seed of new Maxwell velocities; null: those of the data or restart file"
    )
    dump_every: Positive = 50
    dump_velocities: bool = False
    thermo_every: Positive = 10
    restart_every: Positive | None = Field(
        None, description="steps between restart files, two in turn: what a kill costs at most; null: only at the end"
    )
    neighbor_skin_ang: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _damping_is_resolved(self) -> MdSettings:
        if self.tau_t_ps * FS_PER_PS < 5 * self.timestep_fs:
            raise ValueError(f"tau_t_ps {self.tau_t_ps} is shorter than 5 time steps of {self.timestep_fs} fs")
        if self.tau_p_ps < self.tau_t_ps:
            raise ValueError("tau_p_ps must not be shorter than tau_t_ps")
        return self


def lammps_input(
    settings: MdSettings,
    *,
    species: Sequence[str],
    model: str,
    start: Literal["data", "restart"] = "data",
    start_file: str = DATA_FILE,
    end_step: int | None = None,
    seconds_max: float | None = None,
) -> str:
    """Return the input script of a segment.

    Steps are counted from the first structure on, and a restart file brings its step: a segment says where it ends,
    not how long it is, so none can do a step twice. A ramp spans the whole run.

    :param species: element of each LAMMPS type, in the order of the data file; elements of the model.
    :param model: compiled model beside the input, ``*.nequip.pt2``.
    :param start: begin from a data file, or continue from a restart file with its thermostat, step and
        velocities.
    :param end_step: where this segment ends; default: where the run does.
    :param seconds_max: end the segment cleanly after so many seconds; None: never.
    """
    names = " ".join(species)
    first = settings.temperature_k
    last = settings.temperature_end_k or first
    triclinic = settings.ensemble == "npt" and settings.barostat == "tri" and start == "data"
    lines = opening(settings, start=start, start_file=start_file, model=model, species=species, triclinic=triclinic)
    if seconds_max is not None:
        lines.insert(0, f"timer           timeout {clock(seconds_max)} every 10")
    lines += [
        "",
        f"thermo          {settings.thermo_every}",
        f"thermo_style    custom {' '.join(THERMO_KEYWORDS)}",
        "thermo_modify   line yaml format float %.12g flush yes",
    ]
    columns = "id element xu yu zu" + (" vx vy vz" if settings.dump_velocities else "")
    lines += [
        f"dump            traj all custom {settings.dump_every} {DUMP_FILE} {columns}",
        f"dump_modify     traj sort id element {names} format float %.6f flush yes",
    ]
    if start == "restart":
        # The frame of the first step is the last one of the segment before.
        lines += ["variable        seam equal step<=$(step)", "dump_modify     traj skip v_seam"]
    if settings.restart_every is not None:
        lines.append(f"restart         {settings.restart_every} {' '.join(TURN_RESTART_FILES)}")
    lines.append("")
    if start == "data" and settings.velocity_seed is not None:
        lines.append(f"velocity        all create {first:g} {settings.velocity_seed} mom yes rot no dist gaussian")
    # The fix has the same name in every segment, so that a restart gives it its state back.
    lines += [
        f"fix             md all {integrator(settings, first, last)}",
        *halt_lines(),
        f"run             {end_step or settings.steps} upto start 0 stop {settings.steps}",
        "",
        f"write_restart   {FINAL_RESTART_FILE}",
        f"write_data      {FINAL_DATA_FILE} nocoeff",
    ]
    return "\n".join(lines) + "\n"


def check_input(
    settings: MdSettings, *, species: Sequence[str], model: str, start: Literal["data", "restart"], start_file: str
) -> str:
    """Return the script that computes the first step alone, for the comparison of ranks."""
    lines = opening(settings, start=start, start_file=start_file, model=model, species=species)
    table = [
        "thermo_style    custom step pe press",
        "thermo_modify   line yaml format float %.12g",
        "run             0",
    ]
    return "\n".join([*lines, "", *table]) + "\n"


def clock(seconds: float) -> str:
    """Return a time as LAMMPS's timer takes it, rounded down: ``2:05:09``."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def opening(
    settings: MdSettings,
    *,
    start_file: str,
    model: str,
    species: Sequence[str],
    start: Literal["data", "restart"] = "data",
    triclinic: bool = False,
) -> list[str]:
    """Return the lines that every input of ours begins with: units, atoms, model, time step."""
    lines = [
        "units           metal",
        "atom_style      atomic",
        "newton          on",
        "boundary        p p p",
    ]
    if start == "data":
        lines += ["box             tilt large", f"read_data       {start_file}"]
    else:
        lines.append(f"read_restart    {start_file}")
    if triclinic:
        lines.append("change_box      all triclinic")
    return [
        *lines,
        "",
        "pair_style      allegro",
        f"pair_coeff      * * {model} {' '.join(species)}",
        f"neighbor        {settings.neighbor_skin_ang:g} bin",
        "neigh_modify    every 1 delay 0 check yes",
        f"timestep        {settings.timestep_fs / FS_PER_PS:g}",
    ]


def integrator(settings: MdSettings, first: float, last: float) -> str:
    """Return style and arguments of the fix that moves the atoms, from one temperature to another (K)."""
    if settings.ensemble == "nve":
        return "nve"
    thermostat = f"temp {first:g} {last:g} {settings.tau_t_ps:g}"
    if settings.ensemble == "nvt":
        return f"nvt {thermostat}"
    pressure = settings.pressure_gpa * BAR_PER_GPA
    return f"npt {thermostat} {settings.barostat} {pressure:g} {pressure:g} {settings.tau_p_ps:g}"


def write_data(path: str | Path, atoms: Atoms, species: Sequence[str]) -> None:
    """Write a LAMMPS data file with masses, and velocities if the atoms have momenta.

    The cell is turned so that its first vector lies along x, as LAMMPS wants; distances don't change.

    :param species: element of each LAMMPS type, in order. Elements that don't occur are kept as types.
    :raises ValueError: an atom of another element, not periodic in all directions, or a left-handed cell.
    """
    absent = sorted(set(atoms.symbols) - set(species))
    if absent:
        raise ValueError(f"The structure holds {', '.join(absent)}, but the model knows {', '.join(species)} only.")
    if not atoms.pbc.all():
        raise ValueError("The structure is not periodic in all three directions: set pbc=True and give a cell.")
    if np.linalg.det(atoms.cell.array) <= 0:
        raise ValueError("The lattice vectors are left-handed or without volume: swap two of them.")
    with write_atomically(path) as temporary:
        write_lammps_data(
            temporary,
            atoms,
            specorder=list(species),
            masses=True,
            units="metal",
            atom_style="atomic",
            velocities=bool(np.any(atoms.arrays.get("momenta", 0.0))),
        )

"""The LAMMPS input and data file of one MD segment with an Allegro model; the same for a native ``lmp`` and
seireact-lmp.

LAMMPS units metal live only here and behind: Å, ps, eV, bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from ase import Atoms
from ase.io.lammpsdata import write_lammps_data

from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.halt import halt_lines
from aiida_seireact.formats.lammps_settings import DUMP_FILE, FS_PER_PS, MdSettings
from aiida_seireact.formats.md_groups import ALL, MOVING, MOVING_TEMPERATURE, group_lines, moving_lines
from aiida_seireact.formats.md_outputs import COLUMNS, compute_lines, dump_file, dump_lines

DATA_FILE = "structure.data"
START_RESTART_FILE = "start.restart"
FINAL_DATA_FILE = "final.data"
FINAL_RESTART_FILE = "final.restart"
# LAMMPS writes them in turn, so that one is whole while the other is being written.
TURN_RESTART_FILES = ("restart.1", "restart.2")
BAR_PER_GPA = 1e4
THERMO_KEYWORDS = (
    *("step", "temp", "pe", "ke", "etotal", "econserve", "press", "vol"),
    *("lx", "ly", "lz", "xy", "xz", "yz", "pxx", "pyy", "pzz", "pxy", "pxz", "pyz"),
)


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
    :raises ValueError: a group or an rdf of an element that is no type.
    """
    names = " ".join(species)
    first = settings.temperature_k
    last = settings.temperature_end_k or first
    triclinic = settings.ensemble == "npt" and settings.barostat == "tri" and start == "data"
    lines = opening(settings, start=start, start_file=start_file, model=model, species=species, triclinic=triclinic)
    if seconds_max is not None:
        lines.insert(0, f"timer           timeout {clock(seconds_max)} every 10")
    lines += _groups(settings, species, start)
    only = "" if settings.fixed is None else f" temp {MOVING_TEMPERATURE}"
    lines += [
        "",
        f"thermo          {settings.thermo_every}",
        f"thermo_style    custom {' '.join(THERMO_KEYWORDS)}",
        f"thermo_modify   line yaml format float %.12g flush yes{only}",
        *_main_dump(settings, names, start),
        *compute_lines(settings.computes, species=species, skin_ang=settings.neighbor_skin_ang),
    ]
    if settings.restart_every is not None:
        lines.append(f"restart         {settings.restart_every} {' '.join(TURN_RESTART_FILES)}")
    lines.append("")
    if settings.fixed is not None:
        lines.append(f"velocity        {settings.fixed} set 0 0 0")
    mobile = ALL if settings.fixed is None else MOVING
    if start == "data" and settings.velocity_seed is not None:
        lines.append(f"velocity        {mobile} create {first:g} {settings.velocity_seed} mom yes rot no dist gaussian")
    # The fix has the same name in every segment, so that a restart gives it its state back.
    lines += [
        f"fix             md {mobile} {integrator(settings, first, last)}",
        *_hold(settings),
        *halt_lines(),
        *settings.user_block.splitlines(),
        *_further_dumps(settings, names, start),
        f"run             {end_step or settings.steps} upto start 0 stop {settings.steps}",
        "",
        f"write_restart   {FINAL_RESTART_FILE}",
        f"write_data      {FINAL_DATA_FILE} nocoeff",
    ]
    return "\n".join(lines) + "\n"


def _groups(settings: MdSettings, species: Sequence[str], start: Literal["data", "restart"]) -> list[str]:
    lines = group_lines(
        settings.groups,
        settings.regions,
        used=settings.groups_used,
        species=species,
        start=start,
        box_changes=settings.ensemble == "npt",
    )
    if settings.fixed is not None:
        lines += moving_lines(settings.fixed, start=start)
    return ["", *lines] if lines else []


def _main_dump(settings: MdSettings, names: str, start: Literal["data", "restart"]) -> list[str]:
    columns = " ".join(COLUMNS) + (" vx vy vz" if settings.dump_velocities else "")
    seam = start == "restart"
    return dump_lines("traj", ALL, settings.dump_every, DUMP_FILE, columns, species=names, seam=seam)


def _further_dumps(settings: MdSettings, names: str, start: Literal["data", "restart"]) -> list[str]:
    """Return the lines of the other dumps, whose columns may be of what somebody's own lines compute."""
    lines = []
    for name, one in settings.dumps.items():
        columns, file = " ".join(one.columns), dump_file(name)
        lines += dump_lines(name, one.group, one.every, file, columns, species=names, seam=start == "restart")
    return lines


def _hold(settings: MdSettings) -> list[str]:
    """Return the lines that hold atoms still, and keep them out of the temperature that the thermostat sees.

    With npt all atoms are scaled with the cell, held ones too: the virial is then the derivative that drives it, and
    the conserved quantity is one. Atoms that stayed where they are in Å would be overrun by their images.
    """
    if settings.fixed is None:
        return []
    own = [] if settings.ensemble == "nve" else [f"fix_modify      md temp {MOVING_TEMPERATURE}"]
    return [*own, f"fix             hold {settings.fixed} setforce 0 0 0"]


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
        *settings.pair.before_the_box(),
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
        *settings.pair.lines(model, species),
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

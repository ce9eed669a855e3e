"""A leg of learning run by LAMMPS with FLARE's plugin: its input, and what it leaves. Unverified: no such LAMMPS here.

The coefficients are written by FLARE itself; `pair_style flare` and `compute flare/std/atom` are its own too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.flare import LegSettings

FloatArray = NDArray[np.float64]

PAIR, INVERSE, DESCRIPTORS = "lmp.flare", "L_inv_lmp.flare", "sparse_desc_lmp.flare"
DATA, INPUT, LOG, DUMP = "leg.data", "in.leg", "log.leg", "leg.dump"
COLUMNS = ("id", "type", "xu", "yu", "zu", "vx", "vy", "vz", "fx", "fy", "fz", "c_unc")
BAR_PER_GPA, FS_PER_PS = 1e4, 1e3
STYLES = ("flare", "flare/std/atom")
HOW_TO_BUILD = (
    "run `lammps_plugins/install.sh` of github.com/mir-group/flare on the source of LAMMPS, then build that with cmake"
)


class LammpsLegError(ValueError):
    """A LAMMPS that cannot run a leg, or what it left is not whole; the message says which and what to do."""


@dataclass(frozen=True, eq=False)
class LegFrame:
    """One frame of the dump of a leg, atoms in their order.

    :param positions, velocities, forces: ``(n_atoms, 3)`` in Å, Å/ps, eV/Å.
    :param lengths: ``(3,)`` of the cell, Å.
    :param stds: ``(n_atoms,)``
    """

    step: int
    positions: FloatArray
    velocities: FloatArray
    forces: FloatArray
    lengths: FloatArray
    stds: FloatArray


def look_every(settings: LegSettings) -> int:
    """Return after how many steps LAMMPS writes a frame and looks whether it is unsure."""
    return math.gcd(settings.visit_every, settings.label_every)


def leg_input(settings: LegSettings, species: Sequence[str], *, first_step: int, last_step: int, seed: int) -> str:
    """Return the input of a leg from ``first_step`` to ``last_step``.

    Langevin's thermostat keeps no state, so that a leg goes on from positions and velocities; the barostat begins anew.

    :param species: element of each type, in the order of the GP.
    :param seed: of the thermostat.
    """
    every = look_every(settings)
    langevin = (
        f"fix             heat all langevin {settings.temperature_k:g} {settings.temperature_k:g} "
        f"{settings.tau_t_fs / FS_PER_PS:g} {seed}"
    )
    if settings.ensemble == "npt":
        pressure, tau = settings.pressure_gpa * BAR_PER_GPA, settings.tau_p_fs / FS_PER_PS
        axes = " ".join(f"{axis} {pressure:g} {pressure:g} {tau:g}" for axis in "xyz")
        move = f"fix             move all nph {axes}"
    else:
        move = "fix             move all nve"
    lines = [
        "units           metal",
        "atom_style      atomic",
        "boundary        p p p",
        "newton          on",
        f"read_data       {DATA}  # types: {' '.join(species)}",
        "",
        "pair_style      flare",
        f"pair_coeff      * * {PAIR}",
        f"compute         unc all flare/std/atom {INVERSE} {DESCRIPTORS}",
        "compute         MaxUnc all reduce max c_unc",
        "",
        f"timestep        {settings.timestep_fs / FS_PER_PS:g}",
        f"reset_timestep  {first_step}",
        move,
        langevin,
        "",
        f"thermo          {every}",
        "thermo_style    custom step temp pe vol c_MaxUnc",
        "thermo_modify   line yaml format float %.17g flush yes",
        f"dump            frames all custom {every} {DUMP} {' '.join(COLUMNS)}",
        "dump_modify     frames sort id first yes format float %.17g",
        f"run             {last_step} upto every {every} \"if '$(c_MaxUnc) > {settings.call_threshold:g}' then quit\"",
    ]
    return "\n".join(lines) + "\n"


def require_styles(told: str, command: str) -> None:
    """Refuse a LAMMPS without FLARE's styles.

    :param told: what it says to ``-h``.
    :raises LammpsLegError: a style is missing; the message says how such a LAMMPS is built.
    """
    words = set(re.split(r"\s+", told))
    missing = [style for style in STYLES if style not in words]
    if missing:
        raise LammpsLegError(
            f"{command} was built without FLARE's plugin (it lacks {' and '.join(missing)}): {HOW_TO_BUILD}; or take "
            "the engine ase."
        )


def read_frames(path: Path) -> Iterator[LegFrame]:
    """Yield the frames of the dump of a leg; a last one that was cut in writing is left out.

    :raises LammpsLegError: another dump.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise LammpsLegError(f"LAMMPS left no {path.name}: its last words are in {LOG}.") from None
    start = 0
    while start + 9 <= len(lines):
        head = lines[start : start + 9]
        if head[0] != "ITEM: TIMESTEP" or head[8].split()[2:] != list(COLUMNS) or "xy" in head[4]:
            raise LammpsLegError(f"{path.name}, line {start + 1}: this is no frame of a leg ({head[0]}; {head[8]}).")
        n_atoms = int(head[3])
        rows = lines[start + 9 : start + 9 + n_atoms]
        if len(rows) < n_atoms or len(rows[-1].split()) < len(COLUMNS):
            return
        table = np.array([row.split() for row in rows], dtype=np.float64)
        bounds = np.array([row.split() for row in head[5:8]], dtype=np.float64)
        yield LegFrame(
            step=int(head[1]),
            positions=table[:, 2:5] - bounds[:, 0],
            velocities=table[:, 5:8],
            forces=table[:, 8:11],
            lengths=bounds[:, 1] - bounds[:, 0],
            stds=table[:, 11],
        )
        start += 9 + n_atoms

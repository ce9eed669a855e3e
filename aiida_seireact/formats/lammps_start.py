"""The LAMMPS input of a safe start: one script for a native ``lmp`` and for seireact-lmp.

No dump is defined, only frames written between stages: LAMMPS refuses `reset_timestep` where there is a dump, and who
adds lines of their own must not meet that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from aiida_seireact.formats.jobs.start import GapSettings, HeightSettings, RelaxSettings, StartSettings
from aiida_seireact.formats.lammps_input import BAR_PER_GPA, DATA_FILE, integrator, opening
from aiida_seireact.formats.lammps_settings import MdSettings
from aiida_seireact.science.start import safe_shifts

GIVEN, GAP, HEIGHT, MINIMISE, LIMITED, RAMP, HOLD = "given", "gap", "height", "minimise", "limited", "ramp", "hold"
THERMO = "step temp pe etotal press vol lx ly lz xy xz yz pxx pyy pzz pxy pxz pyz fmax"


def stages_of(settings: StartSettings, shifts: Sequence[float] = ()) -> list[tuple[str, int]]:
    """Return the stages in order, each with the number of tables it leaves in the log.

    :param shifts: of the gap, those that are tried.
    """
    relaxed = [
        (name, 1)
        for name, stage in ((HEIGHT, settings.height), (MINIMISE, settings.minimise))
        if stage is not None and stage.iterations
    ]
    return [
        (GIVEN, 1),
        *([(GAP, len(shifts) + 1)] if settings.gap is not None else []),
        *relaxed,
        *([(LIMITED, 1)] if settings.limited.steps else []),
        *([(RAMP, 1)] if settings.ramp_steps else []),
        (HOLD, 1),
    ]


def tried_shifts(atoms: Atoms, settings: StartSettings) -> list[float]:
    """Return the shifts of the gap that keep all atoms apart, Å, ascending; none where no gap is given."""
    if settings.gap is None:
        return []
    cell, limits = atoms.cell.array, settings.contacts.limits()
    return safe_shifts(atoms.positions, atoms.numbers, cell, settings.gap.planes, settings.gap.shifts(), limits)


def height_of(atoms: Atoms) -> float:
    """Return the height of the cell over its first two vectors, Å."""
    cell = atoms.cell.array
    return float(abs(np.linalg.det(cell)) / np.linalg.norm(np.cross(cell[0], cell[1])))


def stage_file(name: str) -> str:
    """Return the name of the dump of one frame that the end of a stage leaves."""
    return f"stage_{name}.dump"


def start_input(
    settings: StartSettings,
    md: MdSettings,
    *,
    species: Sequence[str],
    model: str,
    height_ang: float,
    shifts: Sequence[float] = (),
    start_file: str = DATA_FILE,
) -> str:
    """Return the input script.

    :param md: of the production run: ensemble, target, damping times and time step.
    :param species: element of each LAMMPS type, in the order of the data file.
    :param model: compiled model beside the input, ``*.nequip.pt2``.
    :param height_ang: height of the cell over a and b, which the planes of a gap are fractions of.
    :param shifts: of the gap, Å, ascending, with 0 among them; only where ``settings.gap`` is given.
    :raises ValueError: a gap without shifts.
    """
    if settings.gap is not None and not shifts:
        raise ValueError("A gap is shifted, but no shift keeps all atoms apart: raise the gap of the cell.")
    names = " ".join(species)
    triclinic = md.ensemble == "npt" and md.barostat == "tri"
    lines = [
        *opening(md, start_file=start_file, model=model, species=species, triclinic=triclinic),
        "",
        f"thermo          {settings.thermo_every}",
        f"thermo_style    custom {THERMO}",
        "thermo_modify   line yaml format float %.10g flush yes",
    ]
    bodies = {
        GIVEN: ["run             0"],
        GAP: [] if settings.gap is None else _gap(settings.gap, shifts, height_ang),
        HEIGHT: [] if settings.height is None else _height(settings.height, md),
        MINIMISE: [] if settings.minimise is None else _minimise(settings.minimise),
        LIMITED: _limited(settings),
        RAMP: _run(settings.ramp_steps, md, settings.limited.temperature_k),
        HOLD: _run(settings.hold_steps, md, md.temperature_k),
    }
    velocities = (
        f"velocity        all create {settings.limited.temperature_k:g} {settings.seed} mom yes rot no dist gaussian"
    )
    moving = False
    for name, _ in stages_of(settings, shifts):
        lines += ["", f"# {name}"]
        if name in (LIMITED, RAMP, HOLD) and not moving:
            lines.append(velocities)
            moving = True
        lines += bodies[name]
        # Sorted by id, so in the order of the data file.
        lines.append(
            f"write_dump      all custom {stage_file(name)} id element xu yu zu modify sort id element {names} "
            "format float %.10f"
        )
    return "\n".join(lines) + "\n"


def _gap(gap: GapSettings, shifts: Sequence[float], height_ang: float) -> list[str]:
    """Evaluate the model at each shift and go to the best; without loops, which seireact-lmp has not."""
    count = len(gap.planes)
    edges = [f"{plane * height_ang:.8f}" for plane in gap.planes] + ["INF"]
    lines = []
    for number in range(1, count + 1):
        lines += [
            f"region          above{number} block INF INF INF INF {edges[number - 1]} {edges[number]} units box",
            f"group           above{number} region above{number}",
        ]

    def move(by: str, *, grow: bool) -> list[str]:
        slabs = [
            f"displace_atoms  above{number} move 0 0 $({number}*({by})) units box" for number in range(1, count + 1)
        ]
        box = f"change_box      all z delta 0 $({count}*({by})) units box"
        # Atoms beyond the box are wrapped: it must never be the smaller one while atoms move.
        return [box, *slabs] if grow else [*slabs, box]

    lines += move(f"{shifts[0]:.8g}", grow=shifts[0] > 0)
    for number, shift in enumerate(shifts):
        if number:
            lines += move(f"{shift - shifts[number - 1]:.8g}", grow=True)
        lines += ["run             0", "variable        now equal $(pe:%.12g)"]
        if number:
            lines += [
                f"variable        shift equal $((v_now<v_best)*({shift:.8g})+(v_now>=v_best)*v_shift)",
                "variable        best equal $((v_now<v_best)*v_now+(v_now>=v_best)*v_best)",
            ]
        else:
            lines += [f"variable        shift equal {shift:.8g}", "variable        best equal $(v_now:%.12g)"]
    lines += [
        f"variable        back equal $(v_shift-({shifts[-1]:.8g}))",
        *move("v_back", grow=False),
        "run             0",
    ]
    lines += [f"group           above{number} delete" for number in range(1, count + 1)]
    return lines


def _minimise(stage: RelaxSettings) -> list[str]:
    return [
        "min_style       cg",
        f"min_modify      dmax {stage.move_max_ang:g} norm max",
        f"minimize        0 {stage.force_ev_per_ang:g} {stage.iterations} {10 * stage.iterations}",
    ]


def _height(stage: HeightSettings, md: MdSettings) -> list[str]:
    pressure = md.pressure_gpa * BAR_PER_GPA if md.ensemble == "npt" else 0.0
    return [
        f"fix             height all box/relax z {pressure:g} vmax {stage.strain_max:g}",
        *_minimise(stage),
        "unfix           height",
    ]


def _limited(settings: StartSettings) -> list[str]:
    stage = settings.limited
    heat = f"{stage.temperature_k:g} {stage.temperature_k:g} {stage.damping_ps:g} {settings.seed}"
    return [
        f"fix             move all nve/limit {stage.move_max_ang:g}",
        f"fix             cool all langevin {heat}",
        f"run             {stage.steps}",
        "unfix           cool",
        "unfix           move",
    ]


def _run(steps: int, md: MdSettings, first_k: float) -> list[str]:
    # Energy has to be taken away at first: a start of a run without thermostat has one.
    settings = md.model_copy(update={"ensemble": "nvt"}) if md.ensemble == "nve" else md
    return [
        f"fix             md all {integrator(settings, first_k, md.temperature_k)}",
        f"run             {steps}",
        "unfix           md",
    ]

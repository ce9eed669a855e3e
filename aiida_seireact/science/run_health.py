"""Health of a running MD: its last rows of thermodynamics, and its last two frames.

Distance and hole of a frame are asked of `aiida_seireact.science.health`; here is what only a run has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from ase import units
from ase.data import atomic_masses, chemical_symbols
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.health import StopRule

FloatArray = NDArray[np.float64]

# Temperature and pressure of a small cell fluctuate: what breaks a limit must do so in so many rows one after another.
ROWS = 3
# The conserved quantity fluctuates too: its trend is asked of at least so many rows over so long a time.
DRIFT_ROWS, DRIFT_PS = 10, 1.0
FS_PER_PS = 1e3


@dataclass(frozen=True)
class HealthLimits:
    """When a running MD is ill. The defaults are far outside of what sound runs do, exothermic reactions included.

    :param temperature_ratio_max: temperature over the highest one that is asked for.
    :param pressure_max_gpa: largest deviation from the pressure that is asked for, either way, GPa.
    :param drift_max_mev_per_atom_per_ps: trend of the conserved quantity, either way.
    :param speed_ratio_max: speed of an atom from one frame to the next over the thermal speed of its species,
        (3 kT/m)^(1/2); a Maxwell distribution has one atom in 10^9 above 4.
    :param rule: bounds of volume, hole and smallest distance.
    """

    temperature_ratio_max: float = 3.0
    pressure_max_gpa: float = 20.0
    drift_max_mev_per_atom_per_ps: float = 1.0
    speed_ratio_max: float = 5.0
    rule: StopRule = field(default_factory=StopRule)

    def __post_init__(self) -> None:
        for name in (item.name for item in fields(self)):
            value = getattr(self, name)
            if name != "rule" and not (np.isfinite(value) and value > 0):
                raise ValueError(f"the limit {name} must be a positive number, not {value}")


@dataclass(frozen=True)
class Asked:
    """What a run was asked for.

    :param temperature_k: the highest of a ramp.
    :param pressure_gpa: of a barostat; None without one.
    :param is_driven: the temperature asked for changes, or somebody's own lines may act on it, so nothing is conserved.
    :param reference_volume_ang3: volume of ratio 1; None: the volume is not looked at.
    """

    temperature_k: float
    timestep_fs: float
    n_atoms: int
    pressure_gpa: float | None = None
    is_driven: bool = False
    reference_volume_ang3: float | None = None


def complaint_of_rows(rows: Mapping[str, FloatArray], asked: Asked, limits: HealthLimits) -> str | None:
    """Return what is wrong with a run by its last rows, with value, limit and step; None if nothing is.

    :param rows: columns ``(n_rows,)`` in LAMMPS's metal units by our names (``step``, ``temp``, ``press``, ``vol``,
        ``econserve``, …), in order of steps; what is not there is not looked at.
    """
    if not len(rows["step"]):
        return None
    step = int(rows["step"][-1])
    broken = [name for name, column in rows.items() if not np.isfinite(column[-1])]
    if broken:
        return f"nan: {', '.join(sorted(broken))} at step {step} is not a number"
    if "vol" in rows and asked.reference_volume_ang3 is not None:
        # The volume has inertia: one row is enough.
        message = limits.rule.check_volume(float(rows["vol"][-1]) / asked.reference_volume_ang3)
        if message is not None:
            return f"{message}, at step {step}"
    return _too_hot(rows, asked, limits) or _too_tight(rows, asked, limits) or _drifts(rows, asked, limits)


def drift_mev_per_atom_per_ps(rows: Mapping[str, FloatArray], asked: Asked) -> float | None:
    """Return the trend of the conserved quantity by least squares; None where it can't be told.

    It can't of a run that is driven, and not of fewer than `DRIFT_ROWS` rows or a time shorter than `DRIFT_PS`.
    """
    if "econserve" not in rows or asked.is_driven:
        return None
    times = np.asarray(rows["step"]) * asked.timestep_fs / FS_PER_PS
    energies = np.asarray(rows["econserve"]) / asked.n_atoms * 1e3
    if len(times) < DRIFT_ROWS or times[-1] - times[0] < DRIFT_PS or not np.isfinite(energies).all():
        return None
    centred = times - times.mean()
    return float(centred @ energies / (centred @ centred))


def speeds_between(before: ArrayLike, after: ArrayLike, masses: ArrayLike, ps: float) -> FloatArray:
    """Return the mean speed of each atom from one frame to the next, the drift of the whole left out.

    :param before: ``(n_atoms, 3)`` Å, not wrapped into the cell.
    :param after: the same atoms in the same order, ``ps`` later.
    :param masses: ``(n_atoms,)`` u: the drift is that of the centre of mass.
    :returns: ``(n_atoms,)`` Å/ps.
    :raises ValueError: other atoms, or no time between the frames.
    """
    first, last = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    weights = np.asarray(masses, dtype=np.float64)
    if first.shape != last.shape or len(weights) != len(first):
        raise ValueError(f"frames of {len(first)} and {len(last)} atoms with {len(weights)} masses")
    if ps <= 0:
        raise ValueError(f"the time between two frames must be positive, not {ps} ps")
    moved = last - first
    moved -= weights @ moved / weights.sum()
    return np.asarray(np.linalg.norm(moved, axis=1) / ps)


def thermal_speeds(masses: ArrayLike, temperature_k: float) -> FloatArray:
    """Return (3 kT/m)^(1/2) of each atom, Å/ps.

    :param masses: ``(n_atoms,)`` u.
    """
    # The unit of time of ASE is Å (u/eV)^(1/2).
    speeds = np.sqrt(3 * units.kB * temperature_k / np.asarray(masses, dtype=np.float64))
    return np.asarray(speeds * (FS_PER_PS * units.fs))


def complaint_of_speeds(
    before: ArrayLike, after: ArrayLike, numbers: ArrayLike, steps: tuple[int, int], asked: Asked, limits: HealthLimits
) -> str | None:
    """Return which atom is ballistic, None if none is.

    :param before: ``(n_atoms, 3)`` Å at the first of ``steps``, not wrapped into the cell; ``after`` at the second.
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :raises ValueError: as `speeds_between`.
    """
    kinds = np.asarray(numbers)
    masses = atomic_masses[kinds]
    ps = (steps[1] - steps[0]) * asked.timestep_fs / FS_PER_PS
    speeds = speeds_between(before, after, masses, ps)
    allowed = limits.speed_ratio_max * thermal_speeds(masses, asked.temperature_k)
    worst = int(np.argmax(speeds / allowed))
    if speeds[worst] <= allowed[worst]:
        return None
    return (
        f"ballistic: atom {worst} ({chemical_symbols[kinds[worst]]}) flew at {speeds[worst]:.1f} Å/ps from step "
        f"{steps[0]} to {steps[1]}, allowed up to {allowed[worst]:.1f} Å/ps, {limits.speed_ratio_max:g} times the "
        f"thermal speed at {asked.temperature_k:g} K"
    )


def complaint_of_frame(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, step: int, asked: Asked, limits: HealthLimits
) -> str | None:
    """Return which bound of the stop rule a frame breaks, None if it breaks none.

    :param positions: ``(n_atoms, 3)`` Å.
    :param cell: ``(3, 3)`` Å.
    :param pbc: ``(3,)``, true in the three directions.
    """
    volume = float(abs(np.linalg.det(np.asarray(cell, dtype=np.float64))))
    message = limits.rule.check(positions, cell, pbc, asked.reference_volume_ang3 or volume)
    return None if message is None else f"{message}, at step {step}"


def _lasting(values: FloatArray, limit: float) -> float | None:
    """Return the last value if the last rows are all above a limit, None if they are not."""
    last = values[-ROWS:]
    return float(last[-1]) if len(last) == ROWS and (last > limit).all() else None


def _too_hot(rows: Mapping[str, FloatArray], asked: Asked, limits: HealthLimits) -> str | None:
    limit = limits.temperature_ratio_max * asked.temperature_k
    found = _lasting(rows["temp"], limit) if "temp" in rows else None
    if found is None:
        return None
    return (
        f"temperature: {found:.0f} K at step {int(rows['step'][-1])}, allowed up to {limit:.0f} K, "
        f"{limits.temperature_ratio_max:g} times what is asked for"
    )


def _too_tight(rows: Mapping[str, FloatArray], asked: Asked, limits: HealthLimits) -> str | None:
    if "press" not in rows:
        return None
    target = asked.pressure_gpa or 0.0
    pressures = np.asarray(rows["press"]) * 1e-4
    if _lasting(np.abs(pressures - target), limits.pressure_max_gpa) is None:
        return None
    return (
        f"pressure: {pressures[-1]:.1f} GPa at step {int(rows['step'][-1])}, allowed up to "
        f"{limits.pressure_max_gpa:g} GPa from the {target:g} GPa asked for"
    )


def _drifts(rows: Mapping[str, FloatArray], asked: Asked, limits: HealthLimits) -> str | None:
    drift = drift_mev_per_atom_per_ps(rows, asked)
    if drift is None or abs(drift) <= limits.drift_max_mev_per_atom_per_ps:
        return None
    return (
        f"drift: the conserved quantity changes by {drift:+.3f} meV an atom and ps from step "
        f"{int(rows['step'][0])} to {int(rows['step'][-1])}, allowed up to "
        f"{limits.drift_max_mev_per_atom_per_ps:g}: take a shorter time step"
    )

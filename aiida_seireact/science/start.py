"""The start of a run: slabs shifted rigidly, and what must hold before the long run may begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase.data import atomic_masses
from ase.units import _amu, kB
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.contacts import Contact, ContactLimits, closest_pairs, too_close
from aiida_seireact.science.health import largest_hole_radius

FloatArray = NDArray[np.float64]
HOLE_TOLERANCE_ANG = 0.1
VOIGT = ("xx", "yy", "zz", "yz", "xz", "xy")


@dataclass(frozen=True)
class StartLimits:
    """When a start counts as safe.

    :param volume_ratio_min: smallest mean volume over that of the given cell: what builders make is within 10 %, and
        the reaction itself changes a volume by 10 to 20 %, later.
    :param volume_ratio_max: largest.
    :param stress_max_gpa: farthest a mean stress component may be from the target pressure. The barostat brings the
        diagonal within tenths; at constant volume 2 GPa are 4 % of linear strain of Li6PS5Cl, beyond which a cell is
        built wrong.
    :param temperature_error_max: allowed error of the mean temperature over the target, beyond three standard
        deviations of the temperature of so many atoms, sqrt(2 / 3 N).
    :param energy_change_max_ev_per_atom: potential energy from the minimum to the end, less the 3/2 kT of harmonic
        vibration. A whole Li | Li6PS5Cl cell gives off less when it reacts to the end.
    :param force_max_ev_per_ang: largest force component after minimisation; a capped one need not have converged.
    :param hole_radius_max_ang: largest sphere without an atom, as in the stop rule of a run.
    :param density_min_g_per_cm3: smallest mean density at the end; None where you can't tell. At constant volume
        nothing but this, the holes and the stress tell a cell that is too thin.
    :param density_max_g_per_cm3: largest.
    """

    volume_ratio_min: float = 0.85
    volume_ratio_max: float = 1.2
    stress_max_gpa: float = 2.0
    temperature_error_max: float = 0.1
    energy_change_max_ev_per_atom: float = 0.5
    force_max_ev_per_ang: float = 2.0
    hole_radius_max_ang: float = 4.5
    density_min_g_per_cm3: float | None = None
    density_max_g_per_cm3: float | None = None


@dataclass(frozen=True)
class Check:
    """One number against its bounds.

    :param advice: what to do when it is outside.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    advice: str

    @property
    def passed(self) -> bool:
        """Whether the value lies within; none does not."""
        return bool(
            self.value is not None
            and (self.low is None or self.value >= self.low)
            and (self.high is None or self.value <= self.high)
        )

    @property
    def sentence(self) -> str:
        """What is outside and what to do."""
        bounds = " ".join(
            f"{word} {bound:.4g}" for word, bound in (("from", self.low), ("to", self.high)) if bound is not None
        )
        value = "not a number" if self.value is None else f"{self.value:.4g}"
        return f"{self.name} is {value} {self.unit}, allowed {bounds}: {self.advice}.".replace("  ", " ")

    def told(self) -> dict[str, Any]:
        """Return the fields, without the advice, and whether it passed."""
        fields = {key: value for key, value in asdict(self).items() if key != "advice"}
        return {**fields, "passed": self.passed}


def opened(
    positions: ArrayLike, cell: ArrayLike, planes: Sequence[float], shift_ang: float
) -> tuple[FloatArray, FloatArray]:
    """Return positions and cell with each gap wider by ``shift_ang``: slabs move rigidly along the normal of a and b.

    Atoms above `k` planes move by `k` shifts and the cell grows by all of them, so that atoms of a slab that reaches
    through the cell's boundary stay together.

    :param positions: ``(n_atoms, 3)`` in Å, inside the cell or not; they are returned inside.
    :param cell: ``(3, 3)`` in Å, rows are lattice vectors.
    :param planes: fractions of the cell's height, ascending.
    """
    lattice = np.array(cell, dtype=float)
    normal = np.cross(lattice[0], lattice[1])
    normal /= np.linalg.norm(normal)
    fractions = np.asarray(positions, dtype=float) @ np.linalg.inv(lattice)
    fractions = fractions - np.floor(fractions)
    below = np.searchsorted(np.asarray(planes), fractions[:, 2], side="right")
    moved = fractions @ lattice + shift_ang * below[:, None] * normal
    lattice[2] += shift_ang * len(planes) * normal * np.sign(lattice[2] @ normal)
    return moved, lattice


def safe_shifts(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    planes: Sequence[float],
    shifts: Sequence[float],
    limits: ContactLimits,
) -> list[float]:
    """Return the shifts that bring no pair below its limit, ascending.

    A model knows nothing of such pairs and may find its lowest energy there.

    :param planes: as in `opened`; ``shifts`` in Å.
    """
    safe = []
    for shift in sorted(shifts, reverse=True):
        moved, lattice = opened(positions, cell, planes, shift)
        if too_close(moved, numbers, lattice, True, limits):
            break
        safe.append(shift)
    return safe[::-1]


def density(numbers: ArrayLike, volume_ang3: float) -> float:
    """Return the density in g/cm³."""
    return float(atomic_masses[np.asarray(numbers, dtype=int)].sum() * _amu * 1e3 / (volume_ang3 * 1e-24))


def largest_move(before: ArrayLike, cell_before: ArrayLike, after: ArrayLike, cell_after: ArrayLike) -> float:
    """Return how far the atom moved that moved most, Å, without what the change of the cell alone does.

    :param before: ``(n_atoms, 3)`` unwrapped, with ``cell_before`` ``(3, 3)``; ``after`` alike, same order.
    """
    old, new = (np.asarray(cell, dtype=float) for cell in (cell_before, cell_after))
    fractions: FloatArray = np.asarray(after) @ np.linalg.inv(new) - np.asarray(before) @ np.linalg.inv(old)
    return float(np.linalg.norm(fractions @ new, axis=1).max())


def judge(
    record: Mapping[str, Any],
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    limits: StartLimits,
    contacts: ContactLimits,
) -> dict[str, Any]:
    """Return the verdict on a start.

    :param record: what `aiida_seireact.formats.start_record.read_record` found.
    :param positions: ``(n_atoms, 3)`` at the end, with ``numbers`` and ``cell``.
    :returns: ``passed``; ``sentences``: what is wrong, each with what to do; ``checks``; ``closest_pairs``;
        ``density_g_per_cm3`` at the start and at the end.
    """
    lattice = np.asarray(cell, dtype=float)
    sentences = []
    if record["stopped_by"] is not None:
        stopped, stage = record["stopped_by"], record["stages"][-1]["name"]
        sentences.append(
            f"the start ended at step {stopped['step']} in stage {stage} ({stopped['message']}): "
            "the model does not know such a cell; look at the gap and at the nearest atoms, or train on such frames."
        )
    checks = _checks(record, limits)
    if record["hold"] is not None and record["hold"]["volume_ang3"] is not None:
        checks.append(
            Check(
                "density",
                density(numbers, record["hold"]["volume_ang3"]),
                limits.density_min_g_per_cm3,
                limits.density_max_g_per_cm3,
                "g/cm³",
                "build the cell from more or fewer atoms, or let the volume relax (npt)",
            )
        )
    radius = largest_hole_radius(positions, lattice, True, tolerance_ang=HOLE_TOLERANCE_ANG)
    checks.append(
        Check(
            "largest hole",
            radius,
            None,
            limits.hole_radius_max_ang,
            "Å radius",
            "the slabs don't meet or the cell is too thin; lower the gap, or let the height or the volume relax",
        )
    )
    low = too_close(positions, numbers, lattice, True, contacts)
    sentences += [check.sentence for check in checks if not check.passed]
    sentences += [f"{low[0]}: the model lets atoms into each other; train on compressed frames."] if low else []
    nearest = closest_pairs(positions, numbers, lattice, True, contacts)
    return {
        "passed": not sentences,
        "sentences": sentences,
        "checks": [check.told() for check in checks],
        "closest_pairs": {name: _told(pair) for name, pair in nearest.items()},
        "density_g_per_cm3": {
            "given": density(numbers, record["given"]["volume_ang3"]),
            "end": density(numbers, abs(float(np.linalg.det(lattice)))),
        },
    }


def _checks(record: Mapping[str, Any], limits: StartLimits) -> list[Check]:
    """Return the checks of averages; those of stages that were left out or not reached are missing."""
    hold, given, target = record["hold"], record["given"], record["target"]
    checks: list[Check] = []
    relaxed = record["relaxed"]
    if relaxed is not None:
        checks.append(
            Check(
                "largest force after minimisation",
                relaxed["force_max_ev_per_ang"],
                None,
                limits.force_max_ev_per_ang,
                "eV/Å",
                "allow more iterations, or mend the cell where it is strained",
            )
        )
    if hold is None:
        return checks
    temperature = target["temperature_k"]
    spread = temperature * (limits.temperature_error_max + 3 * np.sqrt(2 / (3 * record["n_atoms"])))
    volume, energy = hold["volume_ang3"], hold["potential_energy_ev_per_atom"]
    before = (relaxed or given)["potential_energy_ev_per_atom"]
    change = None if energy is None or before is None else energy - before - 1.5 * kB * temperature
    checks += [
        Check(
            "mean volume",
            None if volume is None else volume / given["volume_ang3"],
            limits.volume_ratio_min,
            limits.volume_ratio_max,
            "of the given volume",
            "build the cell at the density of its phases, or raise the limit if you expect this",
        ),
        Check(
            "mean temperature",
            hold["temperature_k"],
            temperature - spread,
            temperature + spread,
            "K",
            "the thermostat has not caught up (a cell that reacts sets heat free, one that loosens takes it up): take "
            "more steps for ramp and hold, or a shorter tau_t_ps",
        ),
        Check(
            "mean potential energy since the minimum, less 3/2 kT,",
            change,
            -limits.energy_change_max_ev_per_atom,
            limits.energy_change_max_ev_per_atom,
            "eV/atom",
            "the cell was far from any state the model knows; minimise longer, or train on such frames",
        ),
    ]
    for name, stress in zip(VOIGT, hold["pressure_tensor_gpa"], strict=True):
        middle = target["pressure_gpa"] if name[0] == name[1] else 0.0
        checks.append(
            Check(
                f"mean pressure {name}",
                stress,
                middle - limits.stress_max_gpa,
                middle + limits.stress_max_gpa,
                "GPa",
                "relax the strained side (barostat aniso, more steps), or build with less mismatch",
            )
        )
    return checks


def _told(pair: Contact) -> dict[str, Any]:
    return {"distance_ang": pair.distance_ang, "limit_ang": pair.limit_ang, "atoms": list(pair.atoms)}

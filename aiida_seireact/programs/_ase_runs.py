"""Single point, relaxation and MD of one structure with a calculator of ASE; each gives bare, labelled
atoms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixCom
from ase.filters import UnitCellFilter
from ase.md.langevin import Langevin
from ase.optimize import FIRE
from ase.stress import full_3x3_to_voigt_6_stress

from aiida_seireact.formats.jobs.label import MdSettings, RelaxSettings
from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.selection import time_blocks

MIN_DISTANCE_ANG = 0.5


class LabelError(RuntimeError):
    """One structure has no label; the others may."""


def bare(atoms: Atoms) -> Atoms:
    """Return numbers, positions, cell and periodicity alone."""
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def labelled(atoms: Atoms, calculator: Any) -> Atoms:
    """Return bare atoms with energy, forces and stress and nothing else a calculator may add (magnetic
    moments, ...).

    The energy is the one the forces belong to. The energy extrapolated to zero smearing, where the
    calculator has both, is ``info["energy_e0"]``.

    :raises LabelError: a result is missing or not a number.
    """
    image = bare(atoms)
    forces = np.asarray(calculator.get_property("forces", image), dtype=float)
    stress = np.asarray(calculator.get_property("stress", image), dtype=float)
    energy = float(calculator.get_property("energy", image))
    consistent = float(calculator.results.get("free_energy", energy))
    if stress.shape == (3, 3):
        stress = full_3x3_to_voigt_6_stress(stress)
    for name, value in (("energy", consistent), ("forces", forces), ("stress", stress)):
        if not np.isfinite(value).all():
            raise LabelError(f"its {name} is not a number")
    image.calc = SinglePointCalculator(image, energy=consistent, forces=forces, stress=stress)
    image.info["energy_e0"] = energy
    return image


def relaxed(atoms: Atoms, calculator: Any, settings: RelaxSettings) -> tuple[Atoms, dict[str, Any]]:
    """Relax with FIRE and return the last structure, labelled, and how the relaxation went.

    :raises LabelError: two atoms come closer than 0.5 Å, or a label is missing.
    """
    image = bare(atoms)
    image.calc = calculator
    target: Any = image
    if settings.cell == "diagonal":
        # FrechetCellFilter takes the exponential of scipy, whose last digits differ from call to call (1.17.1).
        target = UnitCellFilter(image, mask=[True, True, True, False, False, False])
    optimiser = FIRE(target, logfile=None)
    converged = bool(optimiser.run(fmax=settings.fmax_ev_per_ang, steps=settings.steps))
    _require_apart(image)
    final = labelled(image, calculator)
    report = {
        "converged": converged,
        "steps": int(optimiser.nsteps),
        "max_force_ev_per_ang": float(np.linalg.norm(final.calc.results["forces"], axis=1).max()),
        "energy_ev": float(final.calc.results["energy"]),
        "cell_lengths_ang": [float(length) for length in final.cell.lengths()],
    }
    return final, report


def langevin_frames(
    atoms: Atoms, calculator: Any, settings: MdSettings, rng: np.random.Generator
) -> Iterator[tuple[int, int, float, Atoms]]:
    """Run Langevin MD and yield step, time block, temperature in K and labelled atoms of every frame that
    counts.

    :raises LabelError: two atoms come closer than 0.5 Å, or a label is missing; the frames before it were
        yielded.
    """
    image = bare(atoms)
    # fixcm of Langevin is deprecated since ASE 3.28 and samples the wrong distribution.
    image.set_constraint(FixCom())
    image.calc = calculator
    masses = image.get_masses()[:, None]
    momenta = rng.standard_normal((len(image), 3)) * np.sqrt(masses * units.kB * settings.temperature_k)
    image.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())
    dynamics = Langevin(
        image,
        settings.timestep_fs * units.fs,
        temperature_K=settings.temperature_k,
        friction=settings.friction_per_fs / units.fs,
        fixcm=False,
        rng=rng,
    )
    steps = np.arange(settings.label_every, settings.steps + 1, settings.label_every)
    blocks = time_blocks(steps, settings.block_steps, settings.gap_steps)
    for step, block in zip(steps.tolist(), blocks.tolist(), strict=True):
        try:
            dynamics.run(settings.label_every)
            _require_apart(image)
            frame = labelled(image, calculator)
        except Exception as error:
            raise LabelError(f"its run ended before MD step {step}: {reason_of(error)}") from error
        if block >= 0:
            yield step, block, float(image.get_temperature()), frame


def reason_of(error: Exception) -> str:
    """Return one line about an error, without the name of our own."""
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, LabelError) else f"{type(error).__name__}: {text}"


def _require_apart(image: Atoms) -> None:
    if not np.isfinite(image.positions).all():
        raise LabelError("its positions are not numbers any more")
    distance, pair = smallest_distance(image.positions, np.asarray(image.cell), image.pbc)
    if distance < MIN_DISTANCE_ANG:
        raise LabelError(f"atoms {pair[0]} and {pair[1]} came {distance:.2f} Å close")

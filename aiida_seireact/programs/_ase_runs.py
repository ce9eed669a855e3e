"""Single point, relaxation and MD of one structure with a calculator of ASE; each gives bare atoms and labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.filters import UnitCellFilter
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.optimize import FIRE
from ase.stress import full_3x3_to_voigt_6_stress

from aiida_seireact.formats.finished import Finished
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.formats.jobs.md import MdSettings
from aiida_seireact.formats.labels import Label, refusal
from aiida_seireact.formats.md_run import bare, collision
from aiida_seireact.science.structures import ATOM_BOX_ANG
from aiida_seireact.science.velocities import drawn_momenta


class LabelError(RuntimeError):
    """One structure has no label; the others may."""


@dataclass(frozen=True, eq=False)
class Image:
    """Bare atoms that came of a start, with their label; MD step and time block are -1 where there is no run."""

    atoms: Atoms
    label: Label
    md_step: int = -1
    block: int = -1


@dataclass
class Outcome:
    """What came of a start: images, how a relaxation or a run went, and why it ended early; empty if it did not."""

    images: list[Image] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def outcome_of(job: LabelJob, frames: Frames, calculator: Any) -> Outcome:
    """Do with one frame what the job says. Whatever the calculator raises concerns this frame only."""
    outcome = Outcome()
    try:
        # Neighbour lists, wave functions and the like of the frame before would change the last digits.
        forget(calculator)
        if job.task == "label":
            outcome.images.append(_single_point(frames.to_atoms(0), calculator, job))
        elif job.task == "relax":
            outcome.images.append(_relax(frames.to_atoms(0), calculator, job, outcome.report))
        else:
            for image in _md(frames, calculator, job, outcome.report):
                outcome.images.append(image)
    except Exception as error:
        outcome.reason = reason_of(error)
    return outcome


def to_record(outcome: Outcome, task: str, structure_id: str) -> Finished:
    """Return an outcome as it is written to disk."""
    labels = [image.label for image in outcome.images]
    stress = [label.stress for label in labels if label.stress is not None]
    extrapolated = [label.energy_e0 for label in labels if label.energy_e0 is not None]
    return Finished(
        task=task,
        structure_id=structure_id,
        positions=np.array([image.atoms.positions for image in outcome.images]),
        cells=np.array([image.atoms.cell.array for image in outcome.images]),
        energy=np.array([label.energy for label in labels]),
        forces=np.array([label.forces for label in labels]),
        stress=np.array(stress) if stress else None,
        energy_e0=np.array(extrapolated) if extrapolated else None,
        md_steps=np.array([image.md_step for image in outcome.images], dtype=np.int64),
        blocks=np.array([image.block for image in outcome.images], dtype=np.int64),
        report=outcome.report,
    )


def from_record(record: Finished, start: Frames) -> Outcome:
    """Return the outcome that was written; ``start`` has the atoms."""
    images = []
    for index in range(len(record)):
        atoms = bare(start.to_atoms(0))
        atoms.set_cell(record.cells[index])
        atoms.positions = record.positions[index]
        label = Label(
            energy=float(record.energy[index]),
            forces=record.forces[index],
            converged=True,
            stress=None if record.stress is None else record.stress[index],
            energy_e0=None if record.energy_e0 is None else float(record.energy_e0[index]),
        )
        images.append(Image(atoms, label, int(record.md_steps[index]), int(record.blocks[index])))
    return Outcome(images, record.report)


def energy_of_atom(symbol: str, calculator: Any) -> float | str:
    """Return the energy of an isolated atom in eV, or why there is none."""
    atom = Atoms(symbol, cell=ATOM_BOX_ANG, pbc=False)
    atom.center()
    try:
        forget(calculator)
        return float(calculator.get_property("energy", atom))
    except Exception as error:
        return reason_of(error)


def forget(calculator: Any) -> None:
    """Make a calculator compute as if it were new."""
    if hasattr(calculator, "reset"):
        calculator.reset()
    else:
        calculator.atoms, calculator.results = None, {}


def label_of(atoms: Atoms, calculator: Any, job: LabelJob) -> Label:
    """Return energy, forces and, if the job wants one, stress, and nothing else a calculator may add (magnetic
    moments, ...).

    The energy is the one the forces belong to. A calculator that returns has converged, unless it says otherwise.

    :raises Exception: whatever the calculator raises, also where it lacks a result.
    """
    image = bare(atoms)
    forces = np.asarray(calculator.get_property("forces", image), dtype=float)
    stress = None
    if job.acceptance.stress:
        stress = np.asarray(calculator.get_property("stress", image), dtype=float)
        if stress.shape == (3, 3):
            stress = full_3x3_to_voigt_6_stress(stress)
    energy = float(calculator.get_property("energy", image))
    return Label(
        energy=float(calculator.results.get("free_energy", energy)),
        forces=forces,
        converged=_says_converged(calculator),
        stress=stress,
        energy_e0=energy,
    )


def _says_converged(calculator: Any) -> bool:
    """Ask for the flag of Vasp (`converged`) and GPAW (`scf.converged`) of ASE; others raise when they fail."""
    flags = (getattr(calculator, "converged", None), getattr(getattr(calculator, "scf", None), "converged", None))
    return all(flag is not False for flag in flags)


def _accepted(atoms: Atoms, calculator: Any, job: LabelJob, config_type: str) -> Label:
    """Return a label that would be taken.

    :raises LabelError: it would be refused.
    """
    label = label_of(atoms, calculator, job)
    image = bare(atoms)
    image.info["config_type"] = config_type
    reason = refusal(Frames.from_atoms([image]), 0, label, job.acceptance)
    if reason:
        raise LabelError(reason)
    return label


def _single_point(atoms: Atoms, calculator: Any, job: LabelJob) -> Image:
    """:raises LabelError: the label is refused."""
    return Image(bare(atoms), _accepted(atoms, calculator, job, atoms.info.get("config_type", "")))


def _relax(atoms: Atoms, calculator: Any, job: LabelJob, report: dict[str, Any]) -> Image:
    """Relax with FIRE and return the last structure.

    :raises LabelError: two atoms come closer than 0.5 Å, or a label is refused.
    """
    settings = job.relax
    image = bare(atoms)
    image.calc = calculator
    target: Any = image
    if settings.cell == "diagonal":
        # FrechetCellFilter takes the exponential of scipy, whose last digits differ from call to call (1.17.1).
        target = UnitCellFilter(image, mask=[True, True, True, False, False, False])
    optimiser = FIRE(target, logfile=None)
    converged = bool(optimiser.run(fmax=settings.fmax_ev_per_ang, steps=settings.steps))
    _require_apart(image)
    label = _accepted(image, calculator, job, atoms.info.get("config_type", ""))
    report.update(
        converged=converged,
        steps=int(optimiser.nsteps),
        max_force_ev_per_ang=float(np.linalg.norm(label.forces, axis=1).max()),
        energy_ev=float(label.energy),
        cell_lengths_ang=[float(length) for length in image.cell.lengths()],
    )
    return Image(bare(image), label)


def _md(frames: Frames, calculator: Any, job: LabelJob, report: dict[str, Any]) -> Iterator[Image]:
    """Run MD from the one frame and yield every image that counts.

    :raises LabelError: two atoms come closer than 0.5 Å, or a label is missing or refused; the images before it
        were yielded.
    """
    settings = job.md
    assert settings is not None
    start = frames.to_atoms(0)
    rng = np.random.Generator(np.random.PCG64(settings.seed_of(frames.structure_ids[0])))
    image, dynamics = _dynamics(start, calculator, settings, rng)
    temperatures: list[float] = []
    for step, block in settings.labelled_steps():
        try:
            dynamics.run(settings.label_every)
            _require_apart(image)
            label = _accepted(image, calculator, job, start.info.get("config_type", ""))
        except Exception as error:
            raise LabelError(f"its run ended before MD step {step}: {reason_of(error)}") from error
        if block >= 0:
            temperatures.append(float(image.get_temperature()))
            report.update(n_frames=len(temperatures), mean_temperature_k=float(np.mean(temperatures)))
            yield Image(bare(image), label, step, block)


def _dynamics(
    start: Atoms, calculator: Any, settings: MdSettings, rng: np.random.Generator
) -> tuple[Atoms, MolecularDynamics]:
    """Return atoms with velocities, their centre of mass at rest, and the thermostatted dynamics that moves them."""
    image = bare(start)
    # fixcm of Langevin is deprecated since ASE 3.28 and samples the wrong distribution.
    image.set_constraint(FixCom())
    image.calc = calculator
    image.set_momenta(drawn_momenta(image.get_masses(), settings.temperature_k, rng))
    timestep = settings.timestep_fs * units.fs
    if settings.thermostat == "nose-hoover":
        # The chain of ASE 3.29 counts 3 N degrees of freedom; three of them stand still.
        moving = 1 - 1 / len(image)
        return image, NoseHooverChainNVT(
            image, timestep, temperature_K=settings.temperature_k * moving, tdamp=settings.damping_fs * units.fs
        )
    return image, Langevin(
        image,
        timestep,
        temperature_K=settings.temperature_k,
        friction=settings.friction_per_fs / units.fs,
        fixcm=False,
        rng=rng,
    )


def reason_of(error: Exception) -> str:
    """Return one line about an error, without the name of our own."""
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, LabelError) else f"{type(error).__name__}: {text}"


def _require_apart(image: Atoms) -> None:
    if reason := collision(image):
        raise LabelError(reason)

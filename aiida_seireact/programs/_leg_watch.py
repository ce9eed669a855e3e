"""What is asked of each step of a leg, whoever makes the steps: is it unsure, sane, done; which frames are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import ProgramFailed
from aiida_seireact.formats.jobs.flare import GuardSettings, LegSettings
from aiida_seireact.science.health import smallest_distance

FloatArray = NDArray[np.float64]
Status = Literal["unsure", "stopped", "done", "paused"]

# A step moves an atom below the temperature guard by less than 0.1 Å; a search of neighbours costs half a millisecond.
DISTANCE_EVERY = 5
PROGRESS_EVERY = 50
TRACE_INTEGERS = ("step", "max_std_atom")
TRACE_FLOATS = ("max_std", "mean_std", "temperature_k", "volume_ang3", "potential_energy_ev")


@dataclass(frozen=True, eq=False)
class CellState:
    """Barostat: ``(3, 3)`` momentum of the cell and ``(3, 3)`` force on it, eV; zero at constant volume."""

    momentum: FloatArray = field(default_factory=lambda: np.zeros((3, 3)))
    force: FloatArray = field(default_factory=lambda: np.zeros((3, 3)))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One frame of the run: MD step and bare atoms."""

    step: int
    atoms: Atoms


@dataclass(frozen=True, eq=False)
class LegRun:
    """What a leg of MD gave.

    :param status: ``unsure``: a label is needed; ``stopped``: by the guard; ``done``: all steps made; ``paused``: by
        `leg_steps` or `seconds_max`, the next leg goes on as if there had been no end.
    :param message: a sentence about how it ended.
    :param first_step: MD step it began at.
    :param step: MD step it ended at.
    :param asked: frames to label; when the leg ended unsure, the frame it ended at is the last.
    :param visited: frames of the trajectory, none of which the leg before has.
    :param trace: name -> ``(n,)``: `TRACE_INTEGERS` and `TRACE_FLOATS`, the steps from the first to the last.
    :param cell: state of the barostat at the end.
    :param went_on_unsure: whether it went on from a frame that was just learned and yet above the threshold.
    """

    status: Status
    message: str
    first_step: int
    step: int
    asked: list[Snapshot]
    visited: list[Snapshot]
    trace: dict[str, NDArray[Any]]
    cell: CellState
    went_on_unsure: bool


def follow(
    steps: Iterable[int],
    atoms: Atoms,
    settings: LegSettings,
    *,
    reference_volume_ang3: float,
    learned_step: int,
    resumed: bool,
    just_learned: bool,
    progress: Callable[[str], None],
    began: float | None = None,
) -> LegRun:
    """Look at each step until one is unsure, a guard or pause ends it, or all steps are made; cell state left out.

    :param steps: makes a step and gives its number, the first that of the leg; `atoms` then are as after it, with what
        was computed for them in the results of their calculator.
    :param atoms, reference_volume_ang3, learned_step, resumed, just_learned: see `run_leg`.
    :param began: of `time.monotonic`, from which on `seconds_max` counts; None: from now.
    :raises ProgramFailed: the steps end before any of this.
    """
    trace: dict[str, list[float]] = {name: [] for name in (*TRACE_INTEGERS, *TRACE_FLOATS)}
    asked: list[Snapshot] = []
    visited: list[Snapshot] = []
    first_step: int | None = None
    went_on_unsure = False
    status: Status | None = None
    message = ""
    began = time.monotonic() if began is None else began
    for step in steps:
        if first_step is None:
            first_step = step
        row = _row(step, atoms)
        for name, value in row.items():
            trace[name].append(value)
        unsure = row["max_std"] > settings.call_threshold
        excused = unsure and just_learned and step == first_step
        went_on_unsure |= excused
        # The leg before gave its last frame, which is the first of this one.
        fresh = step > first_step or not resumed
        regular = settings.label_every > 0 and step % settings.label_every == 0
        hand_out = fresh and regular and step - learned_step >= settings.gap_steps
        thorough = unsure or hand_out or step % DISTANCE_EVERY == 0
        reason = _guarded(atoms, row, settings.guard, reference_volume_ang3, with_distance=thorough)
        if reason:
            status, message = "stopped", f"Stopped at MD step {step}: {reason}."
        elif unsure and not excused:
            status, message = "unsure", _unsure(atoms, row, settings.call_threshold)
        elif step >= settings.steps:
            status, message = "done", f"All {settings.steps} MD steps are done."
        elif reason := _pause(settings, step - first_step, time.monotonic() - began):
            status, message = "paused", f"Paused at MD step {step}: {reason}."
        if status != "stopped":
            if fresh and step % settings.visit_every == 0:
                visited.append(_snapshot(step, atoms))
            if hand_out or status == "unsure":
                asked.append(_snapshot(step, atoms))
        if status is not None:
            break
        if step % PROGRESS_EVERY == 0:
            progress(f"MD step {step} of {settings.steps}: largest uncertainty {row['max_std']:.3f}")
    if status is None or first_step is None:
        raise ProgramFailed(
            f"The dynamics ended at MD step {trace['step'][-1] if trace['step'] else 'none'}, before it was unsure or "
            f"all {settings.steps} steps were made: look at its log."
        )
    progress(message)
    return LegRun(
        status=status,
        message=message,
        first_step=first_step,
        step=step,
        asked=asked,
        visited=visited,
        trace={
            name: np.array(values, dtype=np.int64 if name in TRACE_INTEGERS else np.float64)
            for name, values in trace.items()
        },
        cell=CellState(),
        went_on_unsure=went_on_unsure,
    )


def _pause(settings: LegSettings, made: int, seconds: float) -> str | None:
    """Return why the leg pauses here, or None; a leg makes at least one step, so that a run always comes on."""
    if settings.leg_steps is not None and made >= settings.leg_steps:
        return f"{made} steps are made, as many as a leg makes"
    if settings.seconds_max is not None and made and seconds >= settings.seconds_max:
        return f"{seconds:.0f} s are over, of the {settings.seconds_max:g} s of a leg"
    return None


def _unsure(atoms: Atoms, row: Mapping[str, float], threshold: float) -> str:
    atom = int(row["max_std_atom"])
    return (
        f"Unsure at MD step {int(row['step'])}: the uncertainty of atom {atom} ({atoms.symbols[atom]}) is "
        f"{row['max_std']:.3f}, above {threshold:g}."
    )


def _row(step: int, atoms: Atoms) -> dict[str, float]:
    """Return what the trace keeps of a step.

    The results are read from the calculator, which has just computed them for these positions: each question to the
    atoms would first compare all positions with those computed last.
    """
    results = atoms.calc.results
    stds = results["stds"]
    return {
        "step": step,
        "max_std": float(stds.max()),
        "mean_std": float(stds.mean()),
        "max_std_atom": int(stds.argmax()),
        "temperature_k": float(atoms.get_temperature()),
        "volume_ang3": float(atoms.get_volume()),
        "potential_energy_ev": float(results["energy"]),
    }


def _guarded(
    atoms: Atoms, row: Mapping[str, float], guard: GuardSettings, reference_volume_ang3: float, *, with_distance: bool
) -> str | None:
    """Return why the run must end, or None."""
    temperature = row["temperature_k"]
    results = atoms.calc.results
    finite = np.isfinite([row["potential_energy_ev"], temperature, row["max_std"]]).all()
    if not (finite and np.isfinite(results["forces"]).all()):
        return "nan: energy, forces or velocities are not numbers any more"
    ratio = row["volume_ang3"] / reference_volume_ang3
    if not guard.volume_ratio_min <= ratio <= guard.volume_ratio_max:
        allowed = f"{guard.volume_ratio_min:g} to {guard.volume_ratio_max:g}"
        return f"volume: {ratio:.3f} of that at the start, allowed {allowed}"
    if temperature > guard.temperature_max_k:
        return f"temperature: {temperature:.0f} K, allowed up to {guard.temperature_max_k:g} K"
    alone = np.flatnonzero(results["neighbours"] == 0)
    if len(alone):
        # Nothing can be learned about it: the run would ask for a label at each step.
        return f"alone: atom {alone[0]} ({atoms.symbols[alone[0]]}) has no neighbour within the reach of the descriptor"
    if with_distance:
        distance, (first, second) = smallest_distance(atoms.positions, atoms.cell.array, atoms.pbc)
        if distance < guard.distance_min_ang:
            limit = f"{guard.distance_min_ang:g}"
            return f"distance: atoms {first} and {second} are {distance:.2f} Å apart, allowed from {limit} Å"
    return None


def _snapshot(step: int, atoms: Atoms) -> Snapshot:
    return Snapshot(step, Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc))

"""MD of one leg: Langevin dynamics driven by a calculator that knows how sure it is, until it is not."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from ase import Atoms, units
from ase.md.langevinbaoab import LangevinBAOAB
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.flare import GuardSettings, LegSettings
from aiida_seireact.science.health import smallest_distance

FloatArray = NDArray[np.float64]
Status = Literal["unsure", "stopped", "done", "paused"]

# A step moves an atom below the temperature guard by less than 0.1 Å; a search of neighbours costs half a millisecond.
DISTANCE_EVERY = 5
PROGRESS_EVERY = 50
TRACE_INTEGERS = ("step", "max_std_atom")
TRACE_FLOATS = ("max_std", "mean_std", "temperature_k", "volume_ang3", "potential_energy_ev")


class LegDynamics(LangevinBAOAB):
    """Langevin dynamics whose cell, at constant pressure, changes along the Cartesian axes only.

    As in production, where the lengths of the cell follow the pressure and its angles stay: nothing but its
    own stiffness would hold the shear of a cell that is liquid in part.

    All matrices of Quigley and Probert (J. Chem. Phys. 120, 11432 (2004)) are then diagonal, and so are their
    exponentials. Those of scipy, which ASE takes, differ in their last digit from call to call (measured with 1.17.1:
    one call in a thousand for one and the same matrix), and with them a run is not always that of its repetition.
    """

    p_eps: Any
    force_eps: Any

    def __init__(self, atoms: Atoms, settings: LegSettings, rng: np.random.Generator) -> None:
        barostat: dict[str, Any] = {}
        if settings.ensemble == "npt":
            barostat = {
                "externalstress": -settings.pressure_gpa * units.GPa,
                "P_tau": settings.tau_p_fs * units.fs,
            }
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Using heuristic P_mass")
            super().__init__(  # type: ignore[no-untyped-call]
                atoms,
                settings.timestep_fs * units.fs,
                temperature_K=settings.temperature_k,
                T_tau=settings.tau_t_fs * units.fs,
                rng=rng,
                **barostat,
            )

    def _update_force_eps(self) -> None:
        super()._update_force_eps()  # type: ignore[no-untyped-call]
        self.force_eps = np.diag(np.diag(self.force_eps))

    def _barostat_BAOAB_A(self) -> None:
        stretch = np.exp(0.5 * self.dt * np.diag(self.p_eps) / self.barostat_mass)
        self.atoms.set_cell(self.atoms.cell.array * stretch, scale_atoms=True)

    def _barostat_BAOAB_OU_gamma_mod(self) -> FloatArray:
        # Equation 5b. ASE 3.29 adds the trace to all nine elements, and so turns the velocities.
        rate: FloatArray = (np.diag(self.p_eps) + np.trace(self.p_eps) / self.Ndof) / self.barostat_mass
        return rate

    def _BAOAB_OU(self, drag_gamma_mod: FloatArray | float = 0.0) -> None:
        velocities = self.atoms.get_velocities() * np.exp(-(self.gamma + drag_gamma_mod) * self.dt)
        kicks = self.rng.normal(size=velocities.shape) / np.sqrt(self.atoms.get_masses())[:, None]
        self.atoms.set_velocities(velocities + self.BAOAB_prefactor * kicks)

    def _barostat_BAOAB_OU(self) -> None:
        super()._barostat_BAOAB_OU()  # type: ignore[no-untyped-call]
        self.p_eps = np.diag(np.diag(self.p_eps))

    @property
    def cell_state(self) -> CellState:
        """Momentum of the cell and the force on it that the next half step uses."""
        if self.externalstress is None:
            return CellState()
        return CellState(np.array(np.broadcast_to(self.p_eps, (3, 3))), np.array(self.force_eps))

    def restore(self, cell: CellState, *, same_forces: bool) -> None:
        """Go on with this state of the cell.

        :param same_forces: whether the calculator is the one of the last step. The force on the cell holds the kinetic
            energy of the middle of the step, so only then is it the same number as before.
        """
        if self.externalstress is None:
            return
        self.p_eps = cell.momentum.copy()
        if same_forces:
            self.force_eps = cell.force.copy()


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


def displaced(start: Atoms, settings: LegSettings, rng: np.random.Generator) -> Atoms:
    """Return bare atoms with small displacements and velocities of the temperature, at rest as a whole."""
    atoms = Atoms(numbers=start.numbers, positions=start.positions, cell=start.cell, pbc=start.pbc)
    atoms.positions += settings.jitter_ang * rng.standard_normal((len(atoms), 3))
    masses = atoms.get_masses()[:, None]
    momenta = rng.standard_normal((len(atoms), 3)) * np.sqrt(masses * units.kB * settings.temperature_k)
    atoms.set_momenta(momenta - masses * momenta.sum(axis=0) / masses.sum())
    return atoms


def run_leg(
    atoms: Atoms,
    calculator: Any,
    settings: LegSettings,
    rng: np.random.Generator,
    *,
    reference_volume_ang3: float,
    first_step: int = 0,
    learned_step: int = 0,
    resumed: bool = False,
    cell: CellState | None = None,
    same_forces: bool = False,
    just_learned: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> LegRun:
    """Run MD from `first_step` until the calculator is unsure, a guard or pause ends it, or all steps are made.

    :param atoms: positions, cell and momenta to go on from; changed in place, unwrapped.
    :param calculator: gives energy, forces, stress and, ``(n_atoms,)`` each, ``results["stds"]`` between 0 and 1 and
        ``results["neighbours"]``, as `SparseGPCalculator` does.
    :param reference_volume_ang3: volume that the guard compares with.
    :param learned_step: MD step at which labels were learned last; frames are handed out from `gap_steps` after it,
        wherever a leg has paused meanwhile.
    :param resumed: whether an earlier leg ended here; its last frame is not given again.
    :param cell: state of the barostat; None at the start of a run.
    :param same_forces: whether the calculator is that of the last leg, see `LegDynamics.restore`.
    :param just_learned: whether the label of the first frame was just learned: the run then goes on from it however
        unsure it is, for asking again would give the same label.
    """
    atoms.calc = calculator
    dynamics = LegDynamics(atoms, settings, rng)
    if cell is not None:
        dynamics.restore(cell, same_forces=same_forces)
    trace: dict[str, list[float]] = {name: [] for name in (*TRACE_INTEGERS, *TRACE_FLOATS)}
    asked: list[Snapshot] = []
    visited: list[Snapshot] = []
    step = first_step
    went_on_unsure = False
    status: Status | None = None
    message = ""
    begin = time.monotonic()
    while True:
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
        elif reason := _pause(settings, step - first_step, time.monotonic() - begin):
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
        dynamics.step()  # type: ignore[no-untyped-call]
        step += 1
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
        cell=dynamics.cell_state,
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

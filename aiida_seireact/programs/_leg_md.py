"""MD of one leg: Langevin dynamics driven by a calculator that knows how sure it is, until it is not."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.langevinbaoab import LangevinBAOAB
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.programs._leg_watch import CellState, LegRun, follow

FloatArray = NDArray[np.float64]


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
    began: float | None = None,
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
    :param began: when the job began, by `time.monotonic`: `seconds_max` counts from there; None: from now.
    """
    atoms.calc = calculator
    dynamics = LegDynamics(atoms, settings, rng)
    if cell is not None:
        dynamics.restore(cell, same_forces=same_forces)

    def steps() -> Iterator[int]:
        step = first_step
        while True:
            yield step
            dynamics.step()  # type: ignore[no-untyped-call]
            step += 1

    run = follow(
        steps(),
        atoms,
        settings,
        reference_volume_ang3=reference_volume_ang3,
        learned_step=learned_step,
        resumed=resumed,
        just_learned=just_learned,
        progress=progress,
        began=began,
    )
    return replace(run, cell=dynamics.cell_state)

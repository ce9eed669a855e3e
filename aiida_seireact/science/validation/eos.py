"""Energy against volume: the volume a crystal takes and how hard it is to press, of a model and its labeller."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from ase import Atoms
from ase.eos import EquationOfState
from ase.units import GPa
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeWarning

from aiida_seireact.science.metrics import rmse
from aiida_seireact.science.validation.lines import Asked, Evidence, Line, Pair, Phases, phase_of
from aiida_seireact.science.validation.targets import Measured

FloatArray = NDArray[np.float64]
MIN_VOLUMES = 5
"""The equation has four parameters: with fewer volumes than this a fit says nothing of itself."""


N_SHOWN = 3
"""How many frames are named with a number."""
RATIOS = (0.84, 0.89, 0.94, 0.98, 1.02, 1.06, 1.11)
"""Wide, since a published lattice may be far from that of a level of theory: Li by CHGNet takes 9 % less."""


class EosError(ValueError):
    """Energies that have no minimum within their volumes; the message says why."""


@dataclass(frozen=True)
class EosFit:
    """A crystal at the minimum of its energy.

    :param volume_ang3_per_atom: V0.
    :param energy_ev_per_atom: E0.
    :param bulk_modulus_gpa: B at V0.
    """

    volume_ang3_per_atom: float
    energy_ev_per_atom: float
    bulk_modulus_gpa: float


def strained(atoms: Atoms, ratios: Sequence[float]) -> list[Atoms]:
    """Return the cell at each ratio of its volume, fractional coordinates kept.

    Atoms that symmetry leaves free do not relax, so of such a crystal this is the curve of clamped ions: model and
    labeller are compared at the same frames, a measured bulk modulus is not what it gives.

    :param ratios: volumes over that of ``atoms``.
    :raises ValueError: a ratio that is not positive.
    """
    if wrong := [ratio for ratio in ratios if not ratio > 0]:
        raise ValueError(f"a volume ratio is positive, not {wrong[0]:g}")
    cells = []
    for ratio in ratios:
        cell = atoms.copy()
        cell.set_cell(atoms.cell.array * ratio ** (1 / 3), scale_atoms=True)
        cells.append(cell)
    return cells


def fit_eos(volumes_ang3: ArrayLike, energies_ev: ArrayLike, n_atoms: int) -> EosFit:
    """Fit the equation of state of Birch and Murnaghan (F. Birch, Phys. Rev. 71, 809 (1947)), by ASE.

    :param volumes_ang3: ``(n,)`` of whole cells.
    :param energies_ev: ``(n,)`` of whole cells.
    :raises EosError: fewer than `MIN_VOLUMES` volumes, an energy that is not a number, no minimum, or one outside of
        the volumes.
    """
    volumes, energies = np.asarray(volumes_ang3, dtype=float), np.asarray(energies_ev, dtype=float)
    if len(np.unique(volumes)) < MIN_VOLUMES:
        raise EosError(f"{len(np.unique(volumes))} volumes, a fit needs {MIN_VOLUMES} or more")
    if not np.isfinite(energies).all():
        raise EosError(f"{int((~np.isfinite(energies)).sum())} of the energies are not numbers")
    with warnings.catch_warnings():
        # What ASE and scipy warn of is refused below, in a sentence.
        warnings.simplefilter("ignore", (UserWarning, OptimizeWarning, RuntimeWarning))
        try:
            volume, energy, modulus = EquationOfState(volumes, energies, eos="birchmurnaghan").fit(warn=False)
        except RuntimeError as error:
            raise EosError("no equation of state fits the energies") from error
    low, high = volumes.min(), volumes.max()
    if not (np.isfinite([volume, energy, modulus]).all() and modulus > 0):
        raise EosError("the energies have no minimum")
    if not low < volume < high:
        raise EosError(
            f"the minimum lies at {volume / n_atoms:.2f} Å³/atom, outside of the {low / n_atoms:.2f} to "
            f"{high / n_atoms:.2f} Å³/atom that were computed"
        )
    return EosFit(float(volume / n_atoms), float(energy / n_atoms), float(modulus / GPa))


def curve_rmse_mev_per_atom(energies_ev: ArrayLike, reference_ev: ArrayLike, n_atoms: int) -> float:
    """Return the rms difference of two curves at the same volumes, their mean difference left out.

    What is left out is an error of the phase's energy, which other lines look at; this is one of the curve's shape.
    """
    difference = np.asarray(energies_ev, dtype=float) - np.asarray(reference_ev, dtype=float)
    return 1000 * rmse(difference - difference.mean()) / n_atoms


@dataclass(frozen=True, kw_only=True)
class Eos(Line):
    """Volume, bulk modulus or curve of phases against the labeller, by energies of the same strained crystals.

    :param phases: names of phases; none: all that are given.
    :param ratios: volumes over that of the phase.
    :param quantity: ``volume`` at the minimum; ``bulk_modulus`` there; ``curve``: rms difference of E(V), its mean left
        out.
    """

    test: Literal["eos"] = "eos"
    phases: tuple[str, ...] = ()
    ratios: tuple[float, ...] = RATIOS
    quantity: Literal["volume", "bulk_modulus", "curve"] = "volume"

    def __post_init__(self) -> None:
        if len(set(self.ratios)) < MIN_VOLUMES or min(self.ratios) <= 0:
            raise ValueError(f"ratios are {MIN_VOLUMES} or more positive numbers")
        if self.quantity == "curve" and self.target.needs_reference:
            raise ValueError("the curve's number is a distance from the labeller already: give max")

    def static(self, phases: Phases) -> list[Asked]:
        """Return the strained cells of each phase."""
        names = self.phases or sorted(phases)
        return [Asked(name, cell) for name in names for cell in strained(phase_of(phases, name), self.ratios)]

    def measure(self, evidence: Evidence) -> list[Measured]:
        """Return the number of each phase."""
        by_phase: dict[str, list[Pair]] = {}
        for pair in evidence.static:
            by_phase.setdefault(pair.subject, []).append(pair)
        return [self._number(name, pairs) for name, pairs in by_phase.items()]

    def _number(self, name: str, pairs: Sequence[Pair]) -> Measured:
        n_atoms = len(pairs[0].atoms)
        volumes = [pair.atoms.get_volume() for pair in pairs]
        energies = np.array([pair.predicted.energy for pair in pairs])
        reference = np.array([pair.reference.energy for pair in pairs])
        off = (energies - reference) - np.mean(energies - reference)
        worst = np.argsort(-np.where(np.isfinite(off), np.abs(off), np.inf), kind="stable")[:N_SHOWN]
        frames = tuple(pairs[index].frame_id for index in worst)
        if self.quantity == "curve":
            value = curve_rmse_mev_per_atom(energies, reference, n_atoms)
            note = "" if np.isfinite(value) else "the model gave no energy"
            return Measured(subject=name, quantity="E(V) RMSE", value=value, unit="meV/atom", frames=frames, note=note)
        own, why = _fitted(volumes, energies, n_atoms, "the model's curve")
        labeller, why_not = _fitted(volumes, reference, n_atoms, "the labeller's curve")
        attribute = {"volume": "volume_ang3_per_atom", "bulk_modulus": "bulk_modulus_gpa"}[self.quantity]
        return Measured(
            subject=name,
            quantity={"volume": "equilibrium volume", "bulk_modulus": "bulk modulus"}[self.quantity],
            value=float("nan") if own is None else getattr(own, attribute),
            reference=None if labeller is None else getattr(labeller, attribute),
            unit={"volume": "Å³/atom", "bulk_modulus": "GPa"}[self.quantity],
            frames=frames,
            note="; ".join(part for part in (why, why_not) if part),
        )


def _fitted(volumes: Sequence[float], energies: FloatArray, n_atoms: int, whose: str) -> tuple[EosFit | None, str]:
    try:
        return fit_eos(volumes, energies, n_atoms), ""
    except EosError as error:
        return None, f"{whose}: {error}"

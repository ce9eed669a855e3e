"""Energy against volume: the volume a crystal takes and how hard it is to press, of a model and its labeller."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.eos import EquationOfState
from ase.units import GPa
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import OptimizeWarning

from aiida_seireact.science.metrics import rmse

FloatArray = NDArray[np.float64]
MIN_VOLUMES = 5
"""The equation has four parameters: with fewer volumes than this a fit says nothing of itself."""


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

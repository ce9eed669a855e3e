"""Velocities at a temperature, and the temperature of a path; units of ASE (Å, eV, u)."""

from __future__ import annotations

import numpy as np
from ase import units
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def drawn_momenta(masses: ArrayLike, temperature_k: float, rng: np.random.Generator) -> FloatArray:
    """Draw momenta of Maxwell and Boltzmann, the centre of mass at rest.

    :param masses: ``(n_atoms,)`` u.
    :returns: ``(n_atoms, 3)`` in units of ASE.
    """
    column = np.asarray(masses, dtype=np.float64)[:, None]
    momenta = rng.standard_normal((len(column), 3)) * np.sqrt(column * units.kB * temperature_k)
    return np.asarray(momenta - column * momenta.sum(axis=0) / column.sum())


def temperatures_of_path(positions: ArrayLike, cell: ArrayLike, masses: ArrayLike, timestep_fs: float) -> FloatArray:
    """Return the temperature of each inner step of a path, by the velocities of Verlet, (r(t+dt) - r(t-dt)) / 2 dt.

    The motion of the centre of mass is no heat: 3 N - 3 degrees of freedom.

    :param positions: ``(n_steps, n_atoms, 3)`` Å of consecutive steps, wrapped or not; no atom crosses half a cell in
        one step.
    :param cell: ``(3, 3)`` Å.
    :param masses: ``(n_atoms,)`` u.
    :returns: ``(n_steps - 2,)`` K; empty for shorter paths.
    :raises ValueError: fewer than two atoms.
    """
    path, lattice = np.asarray(positions, dtype=np.float64), np.asarray(cell, dtype=np.float64)
    column = np.asarray(masses, dtype=np.float64)[:, None]
    if len(column) < 2:
        raise ValueError("One atom alone has no temperature: its centre of mass is at rest.")
    if len(path) < 3:
        return np.zeros(0)
    fractions = np.diff(path, axis=0) @ np.linalg.inv(lattice)
    moved = (fractions - np.round(fractions)) @ lattice
    velocities = (moved[1:] + moved[:-1]) / (2 * timestep_fs * units.fs)
    velocities = velocities - (column * velocities).sum(axis=1, keepdims=True) / column.sum()
    kinetic = 0.5 * (column * velocities**2).sum(axis=(1, 2))
    return np.asarray(2 * kinetic / ((3 * len(column) - 3) * units.kB))

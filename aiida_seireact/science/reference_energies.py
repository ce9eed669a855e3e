"""Energies of single atoms that a model adds its interaction energy to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fit_reference_energies(
    counts: NDArray[np.int64], energies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Fit one energy a species so that sums over the atoms come closest to the energies of the frames.

    Least squares with equal weight per atom; where the compositions don't tell species apart, the solution of smallest
    norm is taken, which leaves energies of frames of these compositions the same.

    :param counts: ``(n_frames, n_species)`` atoms of each species.
    :param energies: ``(n_frames,)``, eV.
    :returns: ``(n_species,)`` in eV, and the root mean square residual in eV/atom.
    :raises ValueError: no frames, or a species that no frame holds.
    """
    if not len(counts) or len(counts) != len(energies):
        raise ValueError(f"{len(counts)} compositions for {len(energies)} energies: give one for each, at least one.")
    absent = np.flatnonzero(counts.sum(axis=0) == 0)
    if len(absent):
        raise ValueError(f"Species number {int(absent[0])} is in no frame: its energy can't be fitted.")
    n_atoms = counts.sum(axis=1)
    fractions, per_atom = counts / n_atoms[:, None], energies / n_atoms
    solution, *_ = np.linalg.lstsq(fractions, per_atom, rcond=None)
    residual = float(np.sqrt(np.mean((fractions @ solution - per_atom) ** 2)))
    return solution, residual

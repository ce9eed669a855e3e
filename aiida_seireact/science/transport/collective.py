"""Displacements of species as a whole, in the frame of the centre of mass of the cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aiida_seireact.science.transport.blocks import FloatArray, PathBlocks
from aiida_seireact.science.transport.displacements import displacement_products, time_blocks


def collective_paths(blocks: PathBlocks, species: ArrayLike, n_species: int) -> FloatArray:
    """Return the sum of the paths of each species, ``(n_frames, n_species, 3)`` Å.

    :param blocks: paths, Å, a block of atoms at a time.
    :param species: ``(n_atoms,)`` index of each atom's species.
    :raises ValueError: no block.
    """
    kind = np.asarray(species)
    total: FloatArray | None = None
    for atoms, paths in blocks:
        if total is None:
            total = np.zeros((len(paths), n_species, 3))
        for which in np.unique(kind[atoms]).tolist():
            total[:, which] += paths[:, kind[atoms] == which].sum(axis=1, dtype=np.float64)
    if total is None:
        raise ValueError("There is no atom to sum the paths of.")
    return total


def in_centre_of_mass(paths: ArrayLike, counts: ArrayLike, masses: ArrayLike) -> FloatArray:
    """Return collective paths in the frame of the centre of mass of all, so that ``Σ_i M_i R_i = 0``.

    :param paths: ``(n_frames, n_species, 3)`` of all species of the cell.
    :param counts: ``(n_species,)`` atoms.
    :param masses: ``(n_species,)`` u of one atom.
    """
    of, n, m = np.asarray(paths, dtype=np.float64), np.asarray(counts, float), np.asarray(masses, float)
    centre = np.einsum("tsd,s->td", of, m) / (n * m).sum()
    return np.asarray(of - n[:, None] * centre[:, None])


def products_of_time_blocks(paths: ArrayLike, n_blocks: int, n_lags: int) -> FloatArray:
    """Return ``⟨ΔR_i ΔR_j⟩`` over origins within each stretch of time, ``(n_blocks, n_lags, n_species, n_species, 3)``.

    :param paths: ``(n_frames, n_species, 3)`` Å.
    :param n_lags: lags from 0 on.
    """
    of = np.asarray(paths, dtype=np.float64)
    n_species = of.shape[1]
    found = np.empty((n_blocks, n_lags, n_species, n_species, 3))
    for number, stretch in enumerate(time_blocks(len(of), n_blocks)):
        part = of[stretch]
        for i in range(n_species):
            for j in range(i + 1):
                product = displacement_products(part[:, i], part[:, j], n_lags=n_lags)
                found[number, :, i, j] = found[number, :, j, i] = product
    return found

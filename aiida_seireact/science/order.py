"""Is a crystal still there: the structure factor at its reciprocal lattice vectors, of a cell or layer by layer.

Nothing is told of the kind of the crystal but its cell, so it serves any of them, compounds too. A crystal that turns,
or another phase of it, does not count as the crystal that was given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_SHARP = 0.4
"""A peak counts when it is at least so high, over the highest one: a short vector is worth more than a high peak, since
thermal motion blurs it less."""


def peaks_of(
    crystal: Atoms,
    repeat: Sequence[int],
    *,
    species: Sequence[str] | None = None,
    in_plane: bool = False,
    k_max_per_ang: float = 8.0,
) -> IntArray:
    """Return the shortest reciprocal vectors at which a crystal scatters strongly, ``(n, 3)`` integers.

    They are in units of the repeated cell's reciprocal vectors, one of each pair ±k.

    :param crystal: a cell that is repeated ``repeat`` times along each axis.
    :param species: elements whose lattice is looked at; None: all atoms.
    :param in_plane: only vectors normal to the third axis: each layer along it shows them by itself.
    :param k_max_per_ang: longest vector looked at; thermal motion blurs the longer ones.
    :raises ValueError: no atom of the species, or no such vector.
    """
    chosen = np.isin(crystal.get_chemical_symbols(), list(species)) if species else np.ones(len(crystal), dtype=bool)
    if not chosen.any():
        raise ValueError(f"the crystal holds no {' or '.join(species or ())}")
    # |h_i| = |k · a_i| / 2π ≤ k |a_i| / 2π
    reach = np.floor(k_max_per_ang * crystal.cell.lengths() / (2 * np.pi)).astype(int)
    if in_plane:
        reach[2] = 0
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    # The first nonzero index of a vector is positive: one of k and −k.
    positive = (np.sign(grid) @ np.array([9, 3, 1])) > 0
    lengths = 2 * np.pi * np.linalg.norm(grid @ np.asarray(crystal.cell.reciprocal()), axis=1)
    grid, lengths = grid[positive & (lengths <= k_max_per_ang)], lengths[positive & (lengths <= k_max_per_ang)]
    if not len(grid):
        raise ValueError(f"the cell has no reciprocal vector up to {k_max_per_ang:g} 1/Å")
    heights = _heights(np.asarray(crystal.get_scaled_positions())[chosen], grid)
    sharp = heights >= _SHARP * heights.max()
    shortest = lengths[sharp].min()
    return np.asarray(grid[sharp & (lengths < 1.01 * shortest)] * np.asarray(repeat, dtype=int), dtype=np.int64)


def order_of(positions: ArrayLike, cell: ArrayLike, peaks: ArrayLike) -> float:
    """Return the mean of |Σ exp(ik·r)|²/N² over the peaks: about 1/N without a crystal.

    At rest it is 1 for one atom a primitive cell, and less for several. At temperature T it is lower by
    exp(−k²⟨u²⟩), the factor of Debye and Waller.

    :param positions: ``(n_atoms, 3)`` Å, of the species looked at.
    :param cell: ``(3, 3)`` Å.
    :param peaks: of `peaks_of`.
    """
    fractions = _fractions(positions, cell)
    return float(_heights(fractions, np.asarray(peaks)).mean())


def order_by_layer(positions: ArrayLike, cell: ArrayLike, peaks: ArrayLike, n_layers: int) -> FloatArray:
    """Return `order_of` of each layer along the third axis, ``(n_layers,)``; NaN for one of fewer than 8 atoms.

    :param peaks: of `peaks_of` with ``in_plane``.
    """
    fractions = _fractions(positions, cell)
    layers = np.minimum(((fractions[:, 2] % 1.0) * n_layers).astype(int), n_layers - 1)
    found = np.full(n_layers, np.nan)
    for layer in range(n_layers):
        inside = fractions[layers == layer]
        if len(inside) >= 8:
            found[layer] = _heights(inside, np.asarray(peaks)).mean()
    return found


def _fractions(positions: ArrayLike, cell: ArrayLike) -> FloatArray:
    return np.asarray(np.asarray(positions, dtype=float) @ np.linalg.inv(np.asarray(cell, dtype=float)), dtype=float)


def _heights(fractions: FloatArray, vectors: IntArray) -> FloatArray:
    amplitudes = np.exp(2j * np.pi * (vectors @ fractions.T)).mean(axis=1)
    return np.asarray(np.abs(amplitudes) ** 2)

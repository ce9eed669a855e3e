"""Which atoms are crystalline, by how alike the surroundings of neighbours are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from scipy.special import lpmv

from aiida_seireact.science.images import with_images

FloatArray = NDArray[np.float64]
_L = 6
_ATOMS_AT_A_TIME = 20_000


def crystalline(
    positions: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    cutoff_ang: float,
    *,
    alike: float = 0.5,
    share: float = 0.5,
    fewest: int = 4,
) -> NDArray[np.bool_]:
    """Tell which atoms of one sublattice are crystalline, by coherence of bond directions.

    Neighbours are alike when q6(i) · q6(j)* exceeds ``alike``, with q6m the mean of Y6m over the directions to
    neighbours, normed; an atom is crystalline when more than ``share`` of its neighbours are alike (P. R. ten Wolde,
    M. J. Ruiz-Montero and D. Frenkel, J. Chem. Phys. 104, 9932 (1996); a share in place of a count [ours], so that
    crystals of 4 to 14 neighbours are told alike). Nothing is told of which crystal it is.

    :param positions: ``(n_atoms, 3)``, Å, of one sublattice: all S of Li2S, all Li of the metal.
    :param cell: ``(3, 3)``, rows are lattice vectors; ``pbc``: ``(3,)``.
    :param cutoff_ang: where neighbours end: between the first shells, at the minimum of g(r). For bcc take both of
        the first two shells.
    :param fewest: atoms with fewer neighbours are not crystalline.
    :returns: ``(n_atoms,)``.
    :raises ValueError: a cutoff that is not positive.
    """
    if not cutoff_ang > 0:
        raise ValueError(f"The cutoff of neighbours is {cutoff_ang:g} Å: it must be positive.")
    places, lattice = np.asarray(positions, dtype=np.float64), np.asarray(cell, dtype=np.float64)
    n_atoms = len(places)
    if not n_atoms:
        return np.zeros(0, dtype=bool)
    wrapped, images, owner = with_images(places, lattice, np.asarray(pbc, dtype=bool), cutoff_ang)
    # Of the pairs only who is near whom is kept, in few bytes: all else is made for some atoms at a time.
    tree = cKDTree(images)
    parts = range(0, n_atoms, _ATOMS_AT_A_TIME)
    pairs: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    q = np.zeros((n_atoms, _L + 1), dtype=np.complex128)
    counts = np.zeros(n_atoms, dtype=np.int64)
    for start in parts:
        mine = slice(start, min(start + _ATOMS_AT_A_TIME, n_atoms))
        near = cKDTree(wrapped[mine]).sparse_distance_matrix(tree, cutoff_ang, output_type="coo_matrix")
        real = (near.row + start != near.col) & (near.data > 0)
        row, image, distance = near.row[real], near.col[real], near.data[real]
        directions = (images[image] - wrapped[mine][row]) / distance[:, None]
        q[mine], counts[mine] = _harmonics(row, directions, mine.stop - mine.start)
        pairs.append((row.astype(np.int32), owner[image].astype(np.int32)))
    # Y6,-m is the conjugate of Y6m but for its sign, so the negative m count as much again.
    weights = np.array([1.0] + [2.0] * _L)
    length = np.sqrt((weights * np.abs(q) ** 2).sum(axis=1))
    q /= np.where(length > 0, length, 1.0)[:, None]
    coherent = np.empty(n_atoms)
    for start, (row, second) in zip(parts, pairs, strict=True):
        mine = slice(start, min(start + _ATOMS_AT_A_TIME, n_atoms))
        products = (weights * (q[mine][row] * q[second].conj()).real).sum(axis=1)
        coherent[mine] = np.bincount(row, products > alike, mine.stop - mine.start)
    return np.asarray((counts >= fewest) & (coherent > share * counts))


def _harmonics(
    row: NDArray[Any], directions: FloatArray, n_atoms: int
) -> tuple[NDArray[np.complex128], NDArray[np.int64]]:
    """Return the sums of Y6m, m ≥ 0, over the directions from each atom ``(n_atoms, 7)``, and how many there are."""
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    q = np.zeros((n_atoms, _L + 1), dtype=np.complex128)
    for m in range(_L + 1):
        norm = math.sqrt((2 * _L + 1) / (4 * math.pi) * math.factorial(_L - m) / math.factorial(_L + m))
        y = norm * lpmv(m, _L, directions[:, 2]) * np.exp(1j * m * azimuth)
        q[:, m] = np.bincount(row, y.real, n_atoms) + 1j * np.bincount(row, y.imag, n_atoms)
    return q, np.bincount(row, minlength=n_atoms)

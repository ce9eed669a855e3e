"""Partial radial distribution functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

FloatArray = NDArray[np.float64]


def partial_rdf(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    pair: tuple[int, int],
    *,
    r_max_ang: float = 8.0,
    n_bins: int = 160,
    centres: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the partial radial distribution function of one frame.

    ``g(r) = V n_ab(r) / (N_a N_b 4 π r² dr)`` with all periodic images counted, those of an atom itself
    too, so that a cell and its supercells have the same g; an ideal gas has 1 (for ``a = b``, 1 − 1/N).

    :param pair: atomic numbers ``(a, b)``.
    :param centres: which atoms may be the first of a pair, such as those of one label: indices or a mask
        ``(n_atoms,)``. Of these the atoms of element a are taken; all atoms of element b are seen from them.
    :returns: centres of the bins ``(n_bins,)``, Å, and g ``(n_bins,)``.
    :raises ValueError: a frame without volume or periodicity, without one of the elements or without a centre.
    """
    places, elements = np.asarray(positions, dtype=np.float64), np.asarray(numbers)
    lattice, periodic = np.asarray(cell, dtype=np.float64), np.asarray(pbc, dtype=bool)
    volume = abs(float(np.linalg.det(lattice)))
    if not periodic.all() or volume < 1e-6:
        raise ValueError("A radial distribution function needs a cell that is periodic in all directions.")
    first, second = (np.flatnonzero(elements == number) for number in pair)
    if not len(first) or not len(second):
        missing = pair[0] if not len(first) else pair[1]
        raise ValueError(f"The frame holds no atom of atomic number {missing}: the pair {pair} has no g(r).")
    if centres is not None:
        chosen = np.zeros(len(elements), dtype=bool)
        chosen[np.asarray(centres)] = True
        first = first[chosen[first]]
        if not len(first):
            raise ValueError(f"None of the centres given is of atomic number {pair[0]}: choose others.")
    wrapped, images, owner = with_images(places, lattice, periodic, r_max_ang)
    edges = np.linspace(0.0, r_max_ang, n_bins + 1)
    counts = cKDTree(wrapped[first]).count_neighbors(
        cKDTree(images[elements[owner] == pair[1]]), edges, cumulative=True
    )
    shells = 4.0 / 3.0 * np.pi * np.diff(edges**3)
    g = np.diff(counts) * volume / (len(first) * len(second) * shells)
    return (edges[1:] + edges[:-1]) / 2, np.asarray(g, dtype=np.float64)

"""Meshes of k-points from one length, so that cells of any shape are sampled alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def mesh_of_length(cell: ArrayLike, length_ang: float, pbc: ArrayLike = (True, True, True)) -> tuple[int, int, int]:
    """Return the divisions of a Γ-centred mesh, ``N_i = max(1, int(R |b_i| + 1/2))``, VASP's own rule of a length R.

    ``1/|b_i|`` (without 2π) is the distance of neighbouring lattice planes. Rounding to the nearest, not up, keeps the
    mesh of a cell that breathes under MD: a strain of ten per cent must not put a step into E(V).

    Source: VASP manual, KPOINTS, automatic k-mesh by R_k.

    :param cell: ``(3, 3)`` lattice vectors in rows, Å.
    :param length_ang: R, Å.
    :param pbc: ``(3,)`` a direction without periodicity gets one point.
    :raises ValueError: a cell without volume.
    """
    vectors = np.asarray(cell, dtype=np.float64)
    if abs(np.linalg.det(vectors)) < 1e-6:
        raise ValueError("a cell without volume has no k-mesh: give three independent lattice vectors")
    lengths = np.linalg.norm(np.linalg.inv(vectors).T, axis=1)
    first, second, third = np.where(np.asarray(pbc), np.maximum(1, np.floor(length_ang * lengths + 0.5)), 1).astype(int)
    return int(first), int(second), int(third)

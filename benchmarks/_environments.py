"""Li environments of thermal crystals, as many as wanted: independent Gaussian displacements, 0.15 Å a component."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.science.descriptors import DescriptorSpec, b2_descriptors
from aiida_seireact.science.structures import argyrodite, crystal

SIGMA_ANG = 0.15


def environments(n: int, seed: int = 0) -> NDArray[np.float32]:
    """Return descriptors ``(n, 560)`` of Li, Li6PS5Cl, Li2S, Li3P, LiCl and Li2S0.72P0.14Cl0.14, frame by frame."""
    rng = np.random.default_rng(seed)
    found: list[NDArray[np.float32]] = []
    while sum(map(len, found)) < n:
        for atoms in _crystals(rng):
            atoms.positions += rng.normal(scale=SIGMA_ANG, size=atoms.positions.shape)
            found.append(
                b2_descriptors(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, DescriptorSpec())[0]
            )
    return np.ascontiguousarray(rng.permutation(np.concatenate(found))[:n])


def _crystals(rng: np.random.Generator) -> list[Atoms]:
    mixed = crystal("Li2S").repeat(5)
    sulfur = rng.permutation(np.flatnonzero(mixed.numbers == 16))
    few = round(0.14 * len(sulfur))
    mixed.symbols[sulfur[:few]] = "P"
    mixed.symbols[sulfur[few : 2 * few]] = "Cl"
    return [
        crystal("Li").repeat(7),
        argyrodite(seed=int(rng.integers(2**31)), repeat=(3, 3, 3)),
        crystal("Li2S").repeat(4),
        crystal("Li3P").repeat((5, 5, 3)),
        crystal("LiCl").repeat(5),
        mixed,
    ]

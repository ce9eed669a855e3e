"""Cells that descriptors are tried on."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from aiida_seireact.science.descriptors import DescriptorSpec, describe


def mixture(seed: int = 0, n: int = 40, skewed: bool = True) -> Atoms:
    """Return Li, P, S and Cl anywhere in a skewed cell."""
    rng = np.random.default_rng(seed)
    cell = np.array([[9.0, 0, 0], [2.0 * skewed, 8.5, 0], [1.0 * skewed, -2.0 * skewed, 9.5]])
    symbols = rng.choice(["Li", "P", "S", "Cl"], size=n, p=[0.5, 0.1, 0.25, 0.15])
    return Atoms(symbols, scaled_positions=rng.random((n, 3)), cell=cell, pbc=True)


def rows(atoms: Atoms, spec: DescriptorSpec) -> np.ndarray:
    """Return the descriptors in double precision."""
    return describe(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, spec, dtype=np.float64)[0]

"""Point clouds of known shape: DADApy's own test data where a package carries them, and such as are drawn with a seed.

Its tests of clusters read two files. *Figure 1* of d'Errico et al. (2021) is in `data`, from the package of the
method's authors. The other, two Gaussians in two dimensions (100 points), is in no package of DADApy: ours are drawn by
that description. Five uneven peaks, a double well in 6 dimensions and the thermal crystals are our own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from aiida_seireact.science.descriptors import DescriptorSpec, describe
from aiida_seireact.science.structures import argyrodite, crystal

Points = NDArray[np.floating]
NAMES = ("two Gaussians", "five peaks", "double well", "thermal crystals", "figure 1")
FIGURE_1 = Path(__file__).parent / "data" / "Fig1.dat.gz"


@cache
def landscape(name: str) -> Points:
    rng = np.random.default_rng(NAMES.index(name) + 1)
    if name == "two Gaussians":
        return np.concatenate([rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + np.array([6, 0])])
    if name == "figure 1":
        # As many as DADApy's test takes.
        return np.loadtxt(FIGURE_1, max_rows=5000)
    if name == "five peaks":
        return _five_peaks(rng)
    if name == "double well":
        wells = rng.normal(scale=0.5, size=(3000, 6))
        wells[:, 0] += np.where(rng.random(3000) < 0.7, -1.3, 1.3)
        return wells
    return thermal_crystals(rng)


def _five_peaks(rng: np.random.Generator) -> Points:
    """A broad peak with a narrow one on its flank, a bent ridge, two touching peaks, and a thin background."""
    angle = rng.uniform(0, np.pi, 1500)
    return np.concatenate(
        [
            rng.normal(scale=1.0, size=(1200, 2)),
            rng.normal(scale=0.15, size=(500, 2)) + np.array([1.6, 0.4]),
            np.column_stack([6 + 2 * np.cos(angle), 2 * np.sin(angle)]) + rng.normal(scale=0.15, size=(1500, 2)),
            rng.normal(scale=0.5, size=(700, 2)) + np.array([2, -5]),
            rng.normal(scale=0.5, size=(700, 2)) + np.array([3.7, -5]),
            rng.uniform(-8, 10, size=(400, 2)),
        ]
    )


def thermal_crystals(rng: np.random.Generator, sigma: float = 0.15) -> NDArray[np.float32]:
    """Li environments of five crystals, 544 features."""
    cells = [crystal("Li").repeat(7), crystal("Li2S").repeat(4), crystal("Li3P").repeat((5, 5, 3))]
    cells += [crystal("LiCl").repeat(4), argyrodite(seed=1, repeat=(2, 2, 2))]
    return np.concatenate([environments(cell, rng, sigma) for cell in cells])


def environments(cell: Atoms, rng: np.random.Generator, sigma: float) -> NDArray[np.float32]:
    moved = cell.positions + rng.normal(scale=sigma, size=cell.positions.shape)
    return describe(moved, cell.numbers, cell.cell.array, cell.pbc, DescriptorSpec())[0]

"""One frame of a cell: strained to a volume, sheared, rattled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from aiida_seireact.science.structures import rounded


@dataclass(frozen=True)
class Draw:
    """How the frames of one config type are drawn; every range is (low, high).

    :param count: number of frames; 0 leaves the type out.
    :param volume_ratio: V/V0 of isotropic strain, spread evenly over the frames with one random value in
        each interval.
    :param shear: standard deviation of the six components of a further random strain, made traceless.
    :param rattle_ang: standard deviation in Å of the displacement of every atom along x, y and z, drawn per
        frame. Forces above 5-6 eV/Å spoil a short training: CHGNet gives them above 0.1 Å where there is
        PS4, above 0.15 Å in the products, not at all up to 0.25 Å in Li.
    :param repeat: repetitions of the conventional cell; the cells of interfaces and slabs are not repeated.
    """

    count: int
    volume_ratio: tuple[float, float]
    shear: float = 0.01
    rattle_ang: tuple[float, float] = (0.05, 0.25)
    repeat: tuple[int, int, int] = (1, 1, 1)

    def __post_init__(self) -> None:
        for name in ("volume_ratio", "rattle_ang", "repeat"):
            # A plan read from JSON has lists.
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.count < 0:
            raise ValueError(f"count must be at least 0, not {self.count}")
        if not 0 < self.volume_ratio[0] <= self.volume_ratio[1]:
            raise ValueError(f"volume_ratio must be a positive range (low, high), not {self.volume_ratio}")
        if not 0 <= self.rattle_ang[0] <= self.rattle_ang[1]:
            raise ValueError(f"rattle_ang must be a range (low, high) from 0 on, not {self.rattle_ang}")
        if self.shear < 0:
            raise ValueError(f"shear is a standard deviation, at least 0, not {self.shear}")


def distorted(start: Atoms, draw: Draw, index: int, rng: np.random.Generator) -> Atoms:
    """Return `start` strained and rattled as frame `index` of `draw`; periodic, wrapped, bare of all else."""
    low, high = draw.volume_ratio
    ratio = low + (index + rng.uniform()) / draw.count * (high - low)
    strain = rng.normal(scale=draw.shear, size=(3, 3))
    strain = (strain + strain.T) / 2
    strain -= np.eye(3) * np.trace(strain) / 3
    deformation = np.eye(3) + strain
    deformation *= (ratio / np.linalg.det(deformation)) ** (1 / 3)
    atoms = start.copy()
    atoms.set_cell(np.asarray(atoms.cell) @ deformation, scale_atoms=True)
    sigma = rng.uniform(*draw.rattle_ang)
    atoms.positions += rng.normal(scale=sigma, size=atoms.positions.shape)
    atoms.wrap()
    return rounded(atoms)

"""Work of separation of two slabs, rigid or relaxed, from energies of periodic cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.analysis.profiles import height_along_z

FloatArray = NDArray[np.float64]
J_PER_M2 = 16.02176634
"""1 eV/Å² in J/m² (CODATA 2018, exact)."""


@dataclass(frozen=True)
class Adhesion:
    """What it takes to part two slabs, for each interface of the cell.

    :param work_ev_per_ang2: positive if the slabs hold together; ``work_j_per_m2``: the same.
    :param n_interfaces: interfaces of the joined cell that the energy was divided by.
    """

    work_ev_per_ang2: float
    work_j_per_m2: float
    n_interfaces: int
    area_ang2: float


def interfaces_of_cell(positions: ArrayLike, cell: ArrayLike, *, vacuum_ang: float = 6.0) -> int:
    """Count the interfaces of a cell of two slabs stacked along z: 2, or 1 if vacuum parts their far sides.

    Without vacuum the lower slab also touches the image of the upper one through the boundary of the cell.

    :param positions: ``(n_atoms, 3)``, Å; ``cell``: ``(3, 3)``, rows are lattice vectors.
    :param vacuum_ang: narrowest stretch along z without an atom that counts as vacuum; it should be wider than the
        reach of the potential, else the far sides feel each other.
    """
    lattice = np.asarray(cell, dtype=np.float64)
    fractions = (np.asarray(positions, dtype=np.float64) @ np.linalg.inv(lattice))[:, 2] % 1.0
    height = height_along_z(lattice)
    z = np.sort(fractions) * height
    return 1 if np.diff(z, append=z[0] + height).max() >= vacuum_ang else 2


def work_of_separation(
    energy_joined_ev: float,
    energy_first_ev: float,
    energy_second_ev: float,
    *,
    cells: tuple[ArrayLike, ArrayLike, ArrayLike],
    numbers: tuple[ArrayLike, ArrayLike, ArrayLike],
    n_interfaces: int,
) -> Adhesion:
    """Return ``W = (E_first + E_second − E_joined) / (n A)``.

    With slabs frozen as they are in the joined cell it is the rigid work of separation, with slabs that were relaxed
    alone the relaxed one, which is smaller and often called work of adhesion. Strictly that name is for surfaces in
    chemical equilibrium, after diffusion and plastic flow, which no such cell has (M. W. Finnis, J. Phys.: Condens.
    Matter 8, 5811 (1996)). Each slab alone has vacuum on both sides, in a cell of the same area.

    :param cells: ``(3, 3)`` each: joined, first, second.
    :param numbers: ``(n_atoms,)`` atomic numbers: joined, first, second.
    :param n_interfaces: 2 for a joined cell without vacuum, 1 with it: :func:`interfaces_of_cell`.
    :raises ValueError: other atoms in the joined cell than in both slabs, or cells of unlike area.
    """
    if n_interfaces not in (1, 2):
        raise ValueError(f"A cell of two slabs has 1 or 2 interfaces, not {n_interfaces}.")
    joined, first, second = (np.sort(np.asarray(part, dtype=np.int64).ravel()) for part in numbers)
    if not np.array_equal(joined, np.sort(np.concatenate([first, second]))):
        raise ValueError(
            f"The joined cell has {len(joined)} atoms, the slabs {len(first)} and {len(second)}: it must hold the "
            "atoms of both slabs, element by element."
        )
    areas = [_area(np.asarray(cell, dtype=np.float64)) for cell in cells]
    if max(areas) > 1.001 * min(areas):
        raise ValueError(
            f"The cells have areas of {areas[0]:.3f}, {areas[1]:.3f} and {areas[2]:.3f} Å²: cut the slabs out of the "
            "joined cell, with its first two lattice vectors."
        )
    work = (energy_first_ev + energy_second_ev - energy_joined_ev) / (n_interfaces * areas[0])
    return Adhesion(
        work_ev_per_ang2=float(work),
        work_j_per_m2=float(work) * J_PER_M2,
        n_interfaces=n_interfaces,
        area_ang2=float(areas[0]),
    )


def _area(cell: FloatArray) -> float:
    return float(np.linalg.norm(np.cross(cell[0], cell[1])))

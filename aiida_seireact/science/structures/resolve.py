"""From what is asked of a stack to whole supercells and whole layers, with what could not be met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd
from typing import Any, Literal

import numpy as np

from aiida_seireact.science.structures.orient import Unit
from aiida_seireact.science.structures.plan import MEAN

Rows = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Asked:
    """What is asked of one slab; None is open. See `formats.recipe.SlabRecipe`."""

    name: str
    unit: Unit
    matrix: Rows | None = None
    in_plane: Sequence[Sequence[float]] | None = None
    layers: int | None = None
    cells: float | None = None
    thickness_ang: float | None = None
    keep_volume: bool = True


@dataclass(frozen=True)
class MatchRule:
    """Limits of a match and the rule that chooses one, see `formats.recipe.MatchRecipe`."""

    max_strain: float = 0.05
    max_area_ang2: float = 400.0
    choose: Literal["area", "strain"] | int = "area"
    repeat: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Goal:
    """Metal atoms a formula unit, and how many atoms in all, see `formats.recipe.TargetRecipe`."""

    metal: str
    electrolyte: str
    metal_per_formula_unit: float
    n_atoms: int | None = None


def matrix_of(unit: Unit, in_plane: Sequence[Sequence[float]]) -> list[list[int]]:
    """Return in-plane vectors, told in the conventional cell, in the smallest vectors of the plane.

    :raises ValueError: a vector that does not lie in the plane, or is none of the lattice; with the shortest that is.
    """
    basis = np.array([[float(x) for x in row] for row in unit.basis])
    found = np.asarray(in_plane, dtype=np.float64) @ np.linalg.inv(basis)
    rows = []
    for told, row in zip(in_plane, found, strict=True):
        name = "[" + " ".join(f"{x:g}" for x in told) + "]"
        if abs(row[2]) > 1e-6:
            raise ValueError(f"{name} does not lie in the plane ({' '.join(map(str, unit.hkl))})")
        whole = np.round(row[:2])
        if np.abs(row[:2] - whole).max() > 1e-6:
            times = next((n for n in range(2, 49) if np.abs(n * row[:2] - np.round(n * row[:2])).max() < 1e-6), None)
            hint = f": {times} times it is" if times else ""
            raise ValueError(f"{name} is not a lattice vector{hint}")
        rows.append([int(x) for x in whole])
    if rows[0][0] * rows[1][1] < rows[0][1] * rows[1][0]:
        # The opposite of a vector spans the same lattice.
        rows[1] = [-x for x in rows[1]]
    return rows


def formula_units(unit: Unit) -> float:
    """Return the formula units in one unit, by the largest common divisor of its composition."""
    counts = [round(n * 48) for n in unit.composition.values()]
    return reduce(gcd, counts) / 48


def resolve(
    asked: Sequence[Asked], rule: MatchRule, goal: Goal | None = None, lattice_of: str = MEAN
) -> tuple[list[tuple[list[list[int]], int]], dict[str, Any]]:
    """Find supercell and layers of each slab.

    :returns: for each slab its matrix and number of layers; and facts for the report.
    :raises ValueError: in a sentence, what can't be and the nearest that can.
    """
    matrices: list[list[list[int]]] = []
    for slab in asked:
        if slab.in_plane is not None:
            matrices.append(matrix_of(slab.unit, slab.in_plane))
        elif slab.matrix is not None:
            matrices.append([list(row) for row in slab.matrix])
        else:
            raise ValueError(f"{slab.name} needs a matrix")
    layers = [slab.layers or 1 for slab in asked]
    return list(zip(matrices, layers, strict=True)), {}

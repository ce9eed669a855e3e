"""Lattice matching of two planes (A. Zur, T. C. McGill, J. Appl. Phys. 55, 378 (1984)).

pymatgen's `ZSLGenerator` enumerates supercells by the same matrices, but compares reduced vectors as they come: it
lists one match once for each symmetry of the planes, takes left-handed pairs, which no rotation brings onto each
other, misses pairs whose reduction falls on two sides of a boundary (vectors of nearly one length, angles near 60 or
90 degrees), and leaves out the largest area. Here strain is that of the whole cell, whatever its vectors, and each
match is told once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.interfaces.zsl import gen_sl_transform_matrices

from aiida_seireact.science.structures.orient import Unit

Matrix = tuple[tuple[int, int], tuple[int, int]]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Bases of one lattice near a reduced one, all right-handed.
TURNS: Ints = np.array(
    [[[a, b], [c, d]] for a, b, c, d in product((-1, 0, 1), repeat=4) if a * d - b * c == 1], dtype=np.int64
)
_ROWS = np.array([[1, 0], [0, 1], [1, 1], [1, -1]])
SLACK = 1e-9


@dataclass(frozen=True)
class Match:
    """Supercells of two planes that lie on each other.

    :ivar area_ang2: of the supercell of A, unstrained, Å².
    :ivar strain: largest principal strain, in absolute value, if B takes all of it.
    :ivar strain_a: principal strains of A, if A takes all: B's lattice / A's - 1.
    :ivar strain_b: principal strains of B, if B takes all.
    :ivar angle_deg: between the two vectors of A's supercell.
    :ivar angle_change_deg: of B's, if B takes all.
    :ivar twist_deg: turn of B's first vector in plane against A's, of those alike by symmetry the smallest.
    :ivar row_angle_deg: between the two nearest of the shortest rows of A and B (both vectors, their sum and
        difference): 0 where rows are parallel, else B is twisted out of every direction that it has in common with A.
    :ivar atoms_a: atoms of A in one layer of the supercell.
    :ivar atoms_b: atoms of B.
    """

    matrix_a: Matrix
    matrix_b: Matrix
    area_ang2: float
    strain: float
    strain_a: tuple[float, float]
    strain_b: tuple[float, float]
    angle_deg: float
    angle_change_deg: float
    twist_deg: float
    row_angle_deg: float
    atoms_a: float
    atoms_b: float

    def as_dict(self) -> dict[str, Any]:
        """Return the row of a table, as JSON knows it."""
        return {key: _listed(value) for key, value in asdict(self).items()}


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value


def match(
    a: Unit,
    b: Unit,
    *,
    max_strain: float = 0.05,
    max_area_ang2: float = 400.0,
    max_row_angle_deg: float | None = None,
    limit: int | None = None,
) -> list[Match]:
    """Return all matches of two planes, by area, then by strain.

    :param max_strain: largest principal strain if B takes all of it.
    :param max_area_ang2: largest area of A's supercell, Å².
    :param max_row_angle_deg: largest angle between rows, see `Match`; None: any.
    :param limit: return the first so many.
    :raises ValueError: there is none; the sentence tells the nearest and the limit that would admit it.
    """
    if not 0 < max_strain < 0.5:
        raise ValueError(f"max_strain is a fraction above 0 and below 0.5, such as 0.05, not {max_strain:g}")
    cells = {n: reduced(_supercells(n), a.in_plane) for n in range(1, int(max_area_ang2 / a.area + SLACK) + 1)}
    if not cells:
        raise ValueError(
            f"no supercell is below {max_area_ang2:g} Å²: the smallest of {plane_name(a)} is {a.area:.1f} Å²; raise "
            f"max_area_ang2 to {np.ceil(a.area):.0f}"
        )
    strain = max_strain
    while not (found := within(search(cells, a, b, strain), max_row_angle_deg)) and strain < 0.45:
        strain = min(strain * 1.5, 0.45)
    rows = "" if max_row_angle_deg is None else f", rows within {max_row_angle_deg:g}°,"
    if not found:
        raise ValueError(
            f"no match below {percent(max_strain)} strain and {max_area_ang2:g} Å²{rows or ','} nor below 45%: raise "
            f"max_area_ang2 to {np.ceil(2 * max(a.area, b.area)):.0f} at least"
        )
    if strain > max_strain:
        best = min(found, key=lambda item: (round(item.strain, 6), item.area_ang2))
        raise ValueError(
            f"no match below {percent(max_strain)} strain and {max_area_ang2:g} Å²{rows.removesuffix(',')}; the "
            f"nearest is {percent(best.strain)} at {best.area_ang2:.0f} Å²: raise max_strain to "
            f"{upwards(best.strain):g}"
        )
    return found[:limit]


def percent(fraction: float) -> str:
    """Return a fraction in percent; a small one by its digits: 5.0%, 1.4%, 0.023%."""
    return f"{fraction:.1%}" if fraction >= 0.001 else f"{100 * fraction:.2g}%"


def within(found: list[Match], max_row_angle_deg: float | None) -> list[Match]:
    return [item for item in found if max_row_angle_deg is None or item.row_angle_deg <= max_row_angle_deg + 1e-6]


def row_angles(unit: Unit) -> Floats:
    """Return the directions of the shortest rows of a plane, degrees."""
    rows = _ROWS @ unit.in_plane
    result: Floats = np.degrees(np.arctan2(rows[:, 1], rows[:, 0]))
    return result


def upwards(strain: float) -> float:
    """Return a strain rounded up to 0.001, so that it is allowed."""
    return float(np.ceil(round(strain * 1000, 4)) / 1000)


def plane_name(unit: Unit) -> str:
    return f"({' '.join(map(str, unit.hkl))})"


def _supercells(n: int) -> Ints:
    """Return all supercells of n cells, each once, (k, 2, 2)."""
    return np.array(list(gen_sl_transform_matrices(n))).round().astype(np.int64)


def reduced(cells: Ints, in_plane: Floats) -> tuple[Ints, Floats]:
    """Return the reduced bases of supercells (Gauss), right-handed, (k, 2, 2), and their vectors, Å."""
    cells = cells.copy()
    cells[_determinant(cells) < 0, 1] *= -1
    while True:
        vectors = cells @ in_plane
        lengths = np.linalg.norm(vectors, axis=2)
        swap = lengths[:, 0] > lengths[:, 1] + 1e-7
        cells[swap] = np.stack([cells[swap, 1], -cells[swap, 0]], axis=1)
        vectors = cells @ in_plane
        overlap = (vectors[:, 0] * vectors[:, 1]).sum(axis=1) / (vectors[:, 0] ** 2).sum(axis=1)
        steps = np.ceil(overlap - 0.5 - 1e-7).astype(np.int64)
        if not steps.any():
            return cells, vectors
        cells[:, 1] -= steps[:, None] * cells[:, 0]


def _determinant(cells: Ints) -> Ints:
    result: Ints = cells[:, 0, 0] * cells[:, 1, 1] - cells[:, 0, 1] * cells[:, 1, 0]
    return result


def search(cells: dict[int, tuple[Ints, Floats]], a: Unit, b: Unit, max_strain: float) -> list[Match]:
    """Return the matches within a strain, each once, by area, strain and twist."""
    known: dict[int, tuple[Ints, Floats]] = {}
    found: dict[tuple[Any, ...], Match] = {}
    for n_a, (cells_a, vectors_a) in cells.items():
        ratio = n_a * a.area / b.area
        low, high = ratio / (1 + max_strain) ** 2, ratio / (1 - max_strain) ** 2
        for n_b in range(max(1, int(np.ceil(low - SLACK))), int(high + SLACK) + 1):
            if n_b not in known:
                known[n_b] = reduced(_supercells(n_b), b.in_plane)
            for cell_a, cell_b in _pairs(cells_a, vectors_a, *known[n_b], max_strain):
                item = describe(cell_a, cell_b, a, b)
                key = (n_a, n_b, _shape(item, a, b), round(item.strain, 6), item.twist_deg)
                kept = found.get(key)
                if kept is None or (item.matrix_a, item.matrix_b) > (kept.matrix_a, kept.matrix_b):
                    found[key] = item
    return sorted(
        found.values(),
        key=lambda item: (
            round(item.area_ang2, 4),
            round(item.strain, 6),
            item.twist_deg,
            item.matrix_a,
            item.matrix_b,
        ),
    )


def _shape(item: Match, a: Unit, b: Unit) -> tuple[float, ...]:
    """Return lengths and angle of A's supercell; an image in a mirror is alike where both crystals have one."""
    lengths = np.linalg.norm(np.array(item.matrix_a) @ a.in_plane, axis=1).round(3)
    angle = round(item.angle_deg, 3)
    mirrored = all((np.linalg.det(unit.symmetry) < 0).any() for unit in (a, b))
    return (*lengths.tolist(), min(angle, round(180 - angle, 3)) if mirrored else angle)


def _pairs(
    cells_a: Ints, vectors_a: Floats, cells_b: Ints, vectors_b: Floats, max_strain: float
) -> Iterator[tuple[Ints, Ints]]:
    """Yield supercells of A and B that lie on each other within a strain."""
    # A strain of lattices changes no successive minimum by more than itself.
    minima_a, minima_b = np.linalg.norm(vectors_a, axis=2), np.linalg.norm(vectors_b, axis=2)
    near = np.abs(minima_a[:, None, :] / minima_b[None, :, :] - 1).max(axis=2) <= max_strain + SLACK
    first, second = np.nonzero(near)
    if not len(first):
        return
    turned = TURNS[None] @ cells_b[second][:, None]
    moved = TURNS[None] @ vectors_b[second][:, None]
    stretches = np.linalg.svd(np.linalg.inv(moved) @ vectors_a[first][:, None], compute_uv=False)
    for pair, turn in zip(*np.nonzero(np.abs(stretches - 1).max(axis=2) <= max_strain + SLACK), strict=True):
        yield cells_a[first[pair]], turned[pair, turn]


def describe(cell_a: Ints, cell_b: Ints, a: Unit, b: Unit) -> Match:
    """Tell all of a match."""
    # Both turned by half a turn are the same; fewer signs are easier to read.
    if tuple(cell_a[0]) < (0, 0):
        cell_a, cell_b = -cell_a, -cell_b
    rows_a, rows_b = cell_a @ a.in_plane, cell_b @ b.in_plane
    change = np.linalg.inv(rows_b) @ rows_a
    left, stretches, right = np.linalg.svd(change)
    rotation = left @ right
    turn = float(np.degrees(np.arctan2(rotation[0, 1], rotation[0, 0])))
    strains = np.sort(stretches - 1)
    angle_a, angle_b = _angle(rows_a), _angle(rows_b)
    n_a, n_b = (abs(round(float(np.linalg.det(cell.astype(float))))) for cell in (cell_a, cell_b))
    return Match(
        as_matrix(cell_a),
        as_matrix(cell_b),
        round(n_a * a.area, 6),
        round(float(np.abs(strains).max()), 8),
        _pair(np.sort(1 / stretches - 1)),
        _pair(strains),
        round(angle_a, 6),
        round(angle_a - angle_b, 6) + 0.0,
        _twist(turn, a, b),
        _row_angle(turn, a, b),
        round(n_a * sum(a.composition.values()), 6),
        round(n_b * sum(b.composition.values()), 6),
    )


def _row_angle(turn: float, a: Unit, b: Unit) -> float:
    """Return the angle between the nearest rows of A and of B turned, degrees."""
    off = (row_angles(a)[:, None] - row_angles(b)[None, :] - turn + 90.0) % 180.0 - 90.0
    return round(float(np.abs(off).min()), 3) + 0.0


def _twist(angle: float, a: Unit, b: Unit) -> float:
    """Return the smallest of the twists that the symmetry of the two crystals makes alike, degrees."""
    turns, axes = zip(*(_turns_and_axes(unit.symmetry) for unit in (a, b)), strict=True)
    options = [angle]
    if axes[0] and axes[1]:
        # A mirrored image of the whole is as good, and a crystal with mirrors is its own.
        options.append(2 * axes[0][0] - 2 * axes[1][0] - angle)
    alike = [(option + x + y) % 360.0 for option in options for x in turns[0] for y in turns[1]]
    return float(min(round(value, 3) % 360.0 for value in alike))


def _turns_and_axes(symmetry: Floats) -> tuple[list[float], list[float]]:
    """Return the angles of rotations, and of the axes of mirrors, degrees."""
    turns, axes = [], []
    for matrix in symmetry:
        if np.linalg.det(matrix) > 0:
            turns.append(float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))))
        else:
            axes.append(float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))) / 2)
    return turns, axes


def _angle(rows: Floats) -> float:
    cross = rows[0, 0] * rows[1, 1] - rows[0, 1] * rows[1, 0]
    return float(np.degrees(np.arctan2(cross, rows[0] @ rows[1])))


def _pair(values: Floats) -> tuple[float, float]:
    return round(float(values[0]), 8) + 0.0, round(float(values[1]), 8) + 0.0


def as_matrix(cell: Ints) -> Matrix:
    return (int(cell[0, 0]), int(cell[0, 1])), (int(cell[1, 0]), int(cell[1, 1]))

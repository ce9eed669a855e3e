"""Supercells of any shape and primitive cells of a disordered crystal, and its symmetry, in whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.util.coord import lattice_points_in_supercell

from aiida_seireact.science.structures.disorder import DisorderedCell

IntArray = NDArray[np.int64]

SYMPREC_ANG = 1e-3
"""How far a site may be off for an operation to count, as in `orient`."""


def matrix_of(supercell: Sequence[int] | Sequence[Sequence[int]]) -> IntArray:
    """Return three repetitions, or a matrix whose rows are lattice vectors in those of the cell, as a matrix.

    :raises ValueError: neither, not whole, or rows that span no volume.
    """
    given = np.asarray(supercell, dtype=np.float64)
    matrix = np.diag(given) if given.shape == (3,) else given
    if matrix.shape != (3, 3) or (matrix != np.round(matrix)).any():
        raise ValueError(
            f"A supercell is three whole numbers or three rows of them, such as [1, 1, 2], not {given.tolist()}"
        )
    volume = round(float(np.linalg.det(matrix)))
    if volume == 0 or (given.shape == (3,) and (given < 1).any()):
        raise ValueError(f"The supercell {given.tolist()} has no volume: give rows that are not in one plane")
    # A left-handed basis becomes right-handed; the lattice, and with it the supercell, is the same.
    return np.asarray(np.round(matrix) * (1 if volume > 0 else -1), dtype=np.int64)


def lattice_points(matrix: IntArray) -> IntArray:
    """Return the unit cells of a supercell, ``(n_cells, 3)`` in lattice vectors, sorted."""
    points = np.round(lattice_points_in_supercell(matrix) @ matrix).astype(np.int64)
    return np.asarray(points[np.lexsort(points.T[::-1])], dtype=np.int64)


def supercell(cell: DisorderedCell, matrix: IntArray) -> DisorderedCell:
    """Return a supercell as a cell of its own: its sites unit cell by unit cell, in the order of `lattice_points`."""
    points = lattice_points(matrix)
    fractional = (points[:, None] + cell.fractional[None]) @ np.linalg.inv(matrix)
    n_cells = len(points)
    return DisorderedCell(matrix @ cell.cell, fractional.reshape(-1, 3), cell.labels * n_cells, cell.ions * n_cells)


def primitive(cell: DisorderedCell) -> DisorderedCell:
    """Return the primitive cell, not turned, with the labels and ions of the sites.

    :raises ValueError: sites on each other.
    """
    found = spglib.standardize_cell(_spglib_cell(cell), to_primitive=True, no_idealize=True, symprec=SYMPREC_ANG)
    if found is None:
        raise ValueError(_no_symmetry())
    lattice, fractional, types = found
    example = {kind: site for site, kind in reversed(list(enumerate(_kinds(cell))))}
    sites = [example[int(kind)] for kind in types]
    order = sorted(range(len(sites)), key=lambda i: (cell.labels[sites[i]], tuple(np.round(fractional[i], 4) + 0.0)))
    return DisorderedCell(
        np.asarray(lattice),
        np.asarray(fractional)[order],
        tuple(cell.labels[sites[i]] for i in order),
        tuple(cell.ions[sites[i]] for i in order),
    )


@dataclass(frozen=True)
class Operation:
    """A symmetry operation: site ``i`` of the unit cell at lattice point ``t`` goes to ``site[i]`` at
    ``rotation @ t + shift[i]``."""

    rotation: IntArray
    site: IntArray
    shift: IntArray


def operations(cell: DisorderedCell) -> list[Operation]:
    """Return the operations of the space group of the disordered crystal, up to lattice translations.

    Sites are alike when they hold the same ions always, or belong to one sublattice.

    :raises ValueError: sites on each other, or so far off their symmetry that no operation maps them.
    """
    found: Any = spglib.get_symmetry(_spglib_cell(cell), symprec=SYMPREC_ANG)
    if found is None:
        raise ValueError(_no_symmetry())
    kinds = np.array(_kinds(cell))
    made = []
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        images = cell.fractional @ rotation.T + translation
        apart = images[:, None] - cell.fractional[None]
        shift = np.round(apart)
        distance = np.linalg.norm((apart - shift) @ cell.cell, axis=-1)
        distance[kinds[:, None] != kinds[None]] = np.inf
        site = distance.argmin(axis=1)
        if len(set(site.tolist())) != len(site) or distance.min(axis=1).max() > 10 * SYMPREC_ANG:
            raise ValueError("The sites are too far off their symmetry to count orderings: symmetrise the crystal")
        rows = np.arange(len(site))
        made.append(Operation(rotation.astype(np.int64), site, shift[rows, site].astype(np.int64)))
    return made


def _kinds(cell: DisorderedCell) -> list[int]:
    """Return a number for each site: the same for those always filled by one ion, else that of the sublattice."""
    numbers: dict[Any, int] = {}
    kinds = []
    for label, ions, part in zip(cell.labels, cell.ions, cell.sublattice_of, strict=True):
        always = len(ions) == 1 and not cell.sublattices[part].has_vacancies
        key = (ions[0].symbol, ions[0].charge) if always else (label, ions)
        kinds.append(numbers.setdefault(key, len(numbers) + 1))
    return kinds


def _spglib_cell(cell: DisorderedCell) -> tuple[Any, Any, list[int]]:
    return cell.cell.tolist(), cell.fractional.tolist(), _kinds(cell)


def _no_symmetry() -> str:
    return "spglib finds no symmetry in the crystal: look for sites that lie on each other, and join their ions on one"

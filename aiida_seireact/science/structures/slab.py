"""A slab: layers of an oriented unit, strained to the cell of the stack, made layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.structures.orient import Unit


class Occupants(Protocol):
    """Which element stands on each site of a slab. The same layer is the same whenever it is asked for."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Number of atoms of each element in the whole slab, known before any layer is made."""

    def layer(self, index: int) -> NDArray[np.int64]:
        """Return the atomic numbers of a layer, (n_cells, n_sites) in the order of `translations` and of the unit's
        sites; 0 is an empty site."""


Fill = Callable[[Unit, NDArray[np.int64], int, int], Occupants]
"""Unit, translations (n_cells, 2) of its repetitions in a layer, number of layers, seed -> occupants."""


@dataclass(frozen=True)
class Ordered:
    """The occupants of a crystal without partial occupancies."""

    unit: Unit
    n_cells: int
    layers: int

    @property
    def counts(self) -> Mapping[str, int]:
        return {symbol: round(n) * self.n_cells * self.layers for symbol, n in self.unit.composition.items()}

    def layer(self, index: int) -> NDArray[np.int64]:
        return np.broadcast_to(self.unit.numbers, (self.n_cells, self.unit.n_sites))


def ordered(unit: Unit, translations: NDArray[np.int64], layers: int, seed: int) -> Occupants:
    """Fill a crystal that leaves no choice (a `Fill`).

    :raises ValueError: partial occupancies, which need the settings of a disorder.
    """
    if not unit.is_ordered:
        mixed = sorted({"/".join(sorted(site)) for site in unit.occupancy if len(site) > 1 or sum(site.values()) < 1})
        raise ValueError(f"sites of {', '.join(mixed)} are occupied in part: say how they are to be drawn (disorder)")
    return Ordered(unit, len(translations), layers)


@dataclass(frozen=True)
class SlabSpec:
    """What is asked of one slab.

    :ivar name: of its phase.
    :ivar unit: one layer, cut where the slab is to end.
    :ivar matrix: in-plane supercell, rows in a1 and a2 of the unit, integers with a positive determinant.
    :ivar layers: number of layers.
    :ivar keep_volume: a slab that is strained in plane keeps its volume: layers move together or apart. Otherwise they
        keep their spacing.
    :ivar shift: in-plane displacement of the slab, in fractions of the cell of the stack.
    :ivar fill: how sites are filled.
    """

    name: str
    unit: Unit
    matrix: Sequence[Sequence[int]]
    layers: int
    keep_volume: bool = True
    shift: tuple[float, float] = (0.0, 0.0)
    fill: Fill = ordered


@dataclass(frozen=True)
class Slab:
    """A slab in the in-plane cell of the stack, its lowest atom at z = 0.

    :ivar cell: in-plane cell of the stack, (2, 2), Å.
    :ivar spacing: of its layers, Å.
    """

    spec: SlabSpec
    cell: NDArray[np.float64]
    spacing: float
    translations: NDArray[np.int64]
    occupants: Occupants

    @property
    def counts(self) -> dict[str, int]:
        """Number of atoms of each element."""
        return {symbol: int(n) for symbol, n in self.occupants.counts.items() if n}

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(self.counts.values())

    @cached_property
    def extent(self) -> tuple[float, float]:
        """Height of the lowest and of the highest atom above the first cut, Å."""
        return -self._reach(range(self.spec.layers), -1.0), self._reach(range(self.spec.layers)[::-1], 1.0)

    def _reach(self, layers: Sequence[int], sign: float) -> float:
        """Return the largest sign * z of an atom; layers are looked at until none can reach further."""
        heights = self.spec.unit.frac[:, 2]
        best = -np.inf
        for layer in layers:
            if sign * layer + (sign * heights).max() <= best:
                break
            filled = (self.occupants.layer(layer) > 0).any(axis=0)
            if filled.any():
                best = max(best, float((sign * heights[filled]).max()) + sign * layer)
        return best * self.spacing

    @property
    def thickness(self) -> float:
        """Distance along z between its outermost atoms, Å."""
        low, high = self.extent
        return high - low

    def layer(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return atomic numbers (n,) and positions (n, 3) of a layer, Å, wrapped in plane."""
        unit, matrix = self.spec.unit, np.array(self.spec.matrix, dtype=np.float64)
        numbers = self.occupants.layer(index)
        height = unit.frac[:, 2] + index
        inverse = np.linalg.inv(matrix)
        # Written out, not by @: a BLAS rounds as it likes, and frames are known by their bytes.
        first = self.translations[:, 0, None] + unit.frac[None, :, 0] + height * unit.shift[0]
        second = self.translations[:, 1, None] + unit.frac[None, :, 1] + height * unit.shift[1]
        u = wrapped(first * inverse[0, 0] + second * inverse[1, 0] + self.spec.shift[0])
        v = wrapped(first * inverse[0, 1] + second * inverse[1, 1] + self.spec.shift[1])
        z = np.broadcast_to(height * self.spacing - self.extent[0], u.shape)
        positions = np.stack([u * self.cell[0, 0] + v * self.cell[1, 0], v * self.cell[1, 1], z], axis=-1)
        filled = numbers > 0
        return numbers[filled], positions[filled]


def wrapped(fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wrap fractions into 0 to 1; what lies on the upper face to the last digits goes to the lower one."""
    result: NDArray[np.float64] = fractions - np.floor(fractions + 1e-10)
    return result


def supercell(spec: SlabSpec) -> NDArray[np.float64]:
    """Return the unstrained in-plane cell of a slab, (2, 2), Å, the first vector along x.

    :raises ValueError: the matrix is not of whole numbers, spans nothing, or is left-handed.
    """
    matrix = np.array(spec.matrix)
    if matrix.shape != (2, 2) or not np.issubdtype(matrix.dtype, np.integer):
        raise ValueError(f"the in-plane supercell of {spec.name} is a 2x2 matrix of whole numbers, not {spec.matrix}")
    if round(float(np.linalg.det(matrix))) <= 0:
        raise ValueError(
            f"the in-plane vectors {matrix.tolist()} of {spec.name} are left-handed or parallel: swap them"
        )
    return standard(matrix @ spec.unit.in_plane)


def standard(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn two vectors, (2, 2), so that the first lies along x."""
    length = float(np.hypot(*rows[0]))
    along = float(rows[0, 0] * rows[1, 0] + rows[0, 1] * rows[1, 1]) / length
    across = float(rows[0, 0] * rows[1, 1] - rows[0, 1] * rows[1, 0]) / length
    return np.array([[length, 0.0], [along, across]]).round(10) + 0.0


def translations_of(matrix: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Return the lattice points of an in-plane supercell, (n_cells, 2), sorted."""
    whole = np.array(matrix, dtype=np.int64)
    corners = np.array([[0, 0], whole[0], whole[1], whole[0] + whole[1]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    points = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
    points = points.reshape(-1, 2)
    determinant = int(whole[0, 0] * whole[1, 1] - whole[0, 1] * whole[1, 0])
    # In integers, so that a point on an edge is never in two cells or none.
    first = points[:, 0] * whole[1, 1] - points[:, 1] * whole[1, 0]
    second = points[:, 1] * whole[0, 0] - points[:, 0] * whole[0, 1]
    inside = (first >= 0) & (first < determinant) & (second >= 0) & (second < determinant)
    result: NDArray[np.int64] = points[inside]
    return result


def strained(own: NDArray[np.float64], cell: NDArray[np.float64]) -> dict[str, Any]:
    """Tell how an in-plane cell differs from the common one.

    :returns: ``strain``, common length / own - 1 along both vectors; ``mismatch``, own / common - 1;
        ``angle_change_deg``, of the angle between them; ``principal``, the two principal strains.
    """
    before, after = np.linalg.norm(own, axis=1), np.linalg.norm(cell, axis=1)
    turn = np.degrees(np.arctan2(cell[1, 1], cell[1, 0]) - np.arctan2(own[1, 1], own[1, 0]))
    stretches = np.linalg.svd(np.linalg.inv(own) @ cell, compute_uv=False)
    return {
        "strain": _rounded(after / before - 1),
        "mismatch": _rounded(before / after - 1),
        "angle_change_deg": _rounded(np.array([turn]))[0],
        "principal": _rounded(np.sort(stretches - 1)),
    }


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(x) + 0.0 for x in values.round(8)]

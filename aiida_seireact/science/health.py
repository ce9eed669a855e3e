"""Health of a structure or a run: smallest distance, largest hole, volume, and the rule that stops a run.

The stop rule, monitors, validation and analyses all ask these functions. They need numpy and scipy only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

FloatArray = NDArray[np.float64]

# The smallest distance of N points per volume V is at most that of the closest packing, 2^(1/6) (V/N)^(1/3)
# (T. C. Hales, Ann. Math. 162, 1065 (2005)): a search that far always finds it in a fully periodic cell.
CLOSEST_PACKING = 2 ** (1 / 6)
_BOXES_AT_A_TIME = 1 << 20
"""Boxes that a search of holes looks at: 60 MB."""


def smallest_distance(positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> tuple[float, tuple[int, int]]:
    """Return the smallest distance between two atoms, periodic images (also of one atom) included.

    :param positions: ``(n_atoms, 3)`` in Å, inside the cell or not.
    :param cell: ``(3, 3)``, rows are lattice vectors in Å; rows of directions that are not periodic are
        ignored.
    :param pbc: ``(3,)`` or one bool.
    :return: distance in Å and the indices of the pair, lower first; infinity and (0, 0) for a lone atom.
    :raises ValueError: no atoms, positions or cell not finite, or a periodic cell without volume.
    """
    atoms, lattice, periodic = checked(positions, cell, pbc)
    if not periodic.any():
        return _closest(atoms, atoms, np.arange(len(atoms)))
    if periodic.all():
        reach = 1.01 * CLOSEST_PACKING * (_volume(lattice) / len(atoms)) ** (1 / 3)
    else:
        reach = float(np.linalg.norm(lattice[periodic], axis=1).min())
    distance, pair = _closest(*with_images(atoms, lattice, periodic, reach))
    while distance > reach:
        reach = min(2 * reach, distance)
        distance, pair = _closest(*with_images(atoms, lattice, periodic, reach))
    return distance, pair


def largest_hole_radius(
    positions: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    *,
    spacing_ang: float = 1.0,
    tolerance_ang: float = 0.02,
) -> float:
    """Return the radius of the largest sphere that holds no atom centre, in Å.

    The distance to the nearest atom changes by at most the way gone, so a grid box whose centre is d from
    the nearest atom holds no point farther than d + half its diagonal. Boxes that cannot beat the best
    centre are dropped, the others are halved, until `tolerance_ang` is reached: a bound, not the luck of a
    grid.

    :param positions: ``(n_atoms, 3)`` in Å.
    :param cell: ``(3, 3)`` in Å.
    :param pbc: must be true in the three directions: a hole beside an open surface has no end.
    :param spacing_ang: edge of the first boxes; matters for speed only.
    :param tolerance_ang: the radius returned is at most this much too small.
    :raises ValueError: not periodic, or as in `smallest_distance`.
    """
    atoms, lattice, periodic = checked(positions, cell, pbc)
    if not periodic.all():
        raise ValueError("The largest hole is defined for cells periodic in the three directions only.")
    n_boxes = np.ceil(np.linalg.norm(lattice, axis=1) / spacing_ang).astype(int)
    edges = 1.0 / n_boxes
    reach = 2.0 * (_volume(lattice) / len(atoms)) ** (1 / 3)
    tree = cKDTree(with_images(atoms, lattice, periodic, reach)[1])
    radius = 0.0
    level = _boxes(n_boxes)
    while True:
        half_diagonal = _longest_diagonal(edges[:, None] * lattice) / 2
        kept: list[tuple[FloatArray, FloatArray]] = []
        for centres in level:
            distances, _ = tree.query(centres @ lattice)
            while distances.max() > reach:
                # The nearest atom may be an image beyond the ones built: build farther and ask again.
                reach = max(2 * reach, float(distances.max()))
                tree = cKDTree(with_images(atoms, lattice, periodic, reach)[1])
                distances, _ = tree.query(centres @ lattice)
            radius = max(radius, float(distances.max()))
            open_still = distances + half_diagonal > radius + tolerance_ang
            kept.append((centres[open_still], distances[open_still]))
        if half_diagonal <= tolerance_ang:
            return radius
        # What a part kept, a later one may beat.
        left = [centres[distances + half_diagonal > radius + tolerance_ang] for centres, distances in kept]
        if not sum(map(len, left)):
            return radius
        edges = edges / 2
        level = _halved(np.concatenate(left), edges)


def _boxes(n_boxes: NDArray[np.int64]) -> Iterator[FloatArray]:
    """Yield the centres of a grid in fractions, a part at a time, ``(n, 3)``."""
    axes = [(np.arange(n) + 0.5) / n for n in n_boxes]
    thickness = max(1, int(_BOXES_AT_A_TIME // (n_boxes[1] * n_boxes[2])))
    for start in range(0, int(n_boxes[0]), thickness):
        part = axes[0][start : start + thickness]
        yield np.stack(np.meshgrid(part, *axes[1:], indexing="ij"), axis=-1).reshape(-1, 3)


def _halved(centres: FloatArray, edges: FloatArray) -> Iterator[FloatArray]:
    """Yield the centres of the eight halves of boxes, of these edges, a part at a time, ``(n, 3)``."""
    corners = np.array(list(product((-0.5, 0.5), repeat=3))) * edges
    for start in range(0, len(centres), _BOXES_AT_A_TIME // 8):
        part = centres[start : start + _BOXES_AT_A_TIME // 8]
        yield (part[:, None, :] + corners[None, :, :]).reshape(-1, 3)


@dataclass(frozen=True)
class StopRule:
    """When a run has left the states its model knows. The defaults let the volume swell of the reaction
    pass.

    :param volume_ratio_min: smallest volume over the reference volume (below: collapse).
    :param volume_ratio_max: largest volume over the reference volume (above: evaporation).
    :param hole_radius_max_ang: largest sphere without an atom centre, Å (above: cavity).
    :param distance_min_ang: smallest distance between two atoms, Å.
    """

    volume_ratio_min: float = 0.75
    volume_ratio_max: float = 1.35
    hole_radius_max_ang: float = 4.5
    distance_min_ang: float = 1.5

    def __post_init__(self) -> None:
        if not 0 < self.volume_ratio_min < 1 < self.volume_ratio_max:
            raise ValueError(
                f"the allowed volume ratios must enclose 1, not {self.volume_ratio_min} to {self.volume_ratio_max}"
            )
        if self.hole_radius_max_ang <= 0 or self.distance_min_ang <= 0:
            raise ValueError("the limits of hole radius and distance must be positive")

    def check(self, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, reference_volume: float) -> str | None:
        """Return why to stop, the word ``nan``, ``volume``, ``distance`` or ``hole`` first, or None to go
        on.

        :param positions: ``(n_atoms, 3)`` in Å.
        :param cell: ``(3, 3)`` in Å.
        :param pbc: ``(3,)``, true in the three directions.
        :param reference_volume: volume in Å³ that the ratios refer to: of the relaxed or first frame.
        """
        if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
            return "nan: positions or cell are not finite"
        if message := self.check_volume(_volume(np.asarray(cell, dtype=float)) / reference_volume):
            return message
        distance, (first, second) = smallest_distance(positions, cell, pbc)
        if distance < self.distance_min_ang:
            limit = f"{self.distance_min_ang:g}"
            return f"distance: atoms {first} and {second} are {distance:.3f} Å apart, allowed from {limit} Å"
        radius = largest_hole_radius(positions, cell, pbc)
        if radius > self.hole_radius_max_ang:
            return f"hole: radius {radius:.2f} Å, allowed up to {self.hole_radius_max_ang:g} Å"
        return None

    def check_volume(self, ratio: float) -> str | None:
        """Return why to stop at this volume over the reference volume, None to go on."""
        if self.volume_ratio_min <= ratio <= self.volume_ratio_max:
            return None
        allowed = f"{self.volume_ratio_min:g}-{self.volume_ratio_max:g}"
        return f"volume: {ratio:.3f} of the reference volume, allowed {allowed}"


def checked(positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return finite arrays of the right shape, the cell with a volume."""
    atoms = np.array(positions, dtype=float).reshape(-1, 3)
    lattice = np.array(cell, dtype=float).reshape(3, 3)
    periodic = np.array(np.broadcast_to(np.asarray(pbc, dtype=bool), 3))
    if not len(atoms):
        raise ValueError("There are no atoms.")
    if not (np.isfinite(atoms).all() and np.isfinite(lattice).all()):
        raise ValueError("Positions or cell are not finite.")
    if not periodic.any():
        return atoms, np.eye(3), periodic
    lattice = _completed(lattice, periodic)
    if _volume(lattice) < 1e-6:
        raise ValueError("The cell is periodic but has no volume.")
    return atoms, lattice, periodic


def _completed(lattice: FloatArray, periodic: NDArray[np.bool_]) -> FloatArray:
    """Replace the rows of directions that are not periodic by unit vectors normal to the periodic ones."""
    if periodic.all():
        return lattice
    rows = lattice.copy()
    _, _, directions = np.linalg.svd(lattice[periodic])
    rows[~periodic] = directions[int(periodic.sum()) :]
    return rows


def _closest(atoms: FloatArray, images: FloatArray, owners: NDArray[np.int64]) -> tuple[float, tuple[int, int]]:
    """Return the smallest distance of an atom to an image that is not itself, and the pair."""
    if len(images) < 2:
        return float("inf"), (0, 0)
    distances, neighbours = cKDTree(images).query(atoms, k=2)
    # Of two atoms in one place the tree may name the other one first: both are then at distance zero.
    first = int(np.argmin(distances[:, 1]))
    others = [int(index) for index in neighbours[first] if index != first]
    second = int(owners[others[0]])
    return float(distances[first, 1]), (min(first, second), max(first, second))


def _volume(lattice: FloatArray) -> float:
    return float(abs(np.linalg.det(lattice)))


def _longest_diagonal(edges: FloatArray) -> float:
    """Return the longest of the diagonals of the parallelepiped with these edges, ``(3, 3)``."""
    signs = np.array(list(product((1.0,), (-1.0, 1.0), (-1.0, 1.0))))
    return float(np.linalg.norm(signs @ edges, axis=1).max())

"""Grain boundaries: a crystal turned against itself so that both grains share a lattice of coincidence in the plane.

Coincidence lattices are pymatgen's (`GrainBoundaryGenerator`; H. Grimmer, Acta Cryst. A32, 783 (1976)): it finds two
vectors that lie in the plane and belong to both grains. Here they become the planes and the in-plane vectors of two
slabs of one phase, so that a boundary is a stack as any other. No atom is taken away: what the two grains leave between
them is told by the gaps of the stack, and a rigid displacement by the shift of a slab.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pymatgen.core.interface import GrainBoundaryGenerator
from pymatgen.core.structure import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_seireact.science.structures.orient import SYMPREC_ANG, Unit, oriented_unit
from aiida_seireact.science.structures.slab import standard, strained

Triple = tuple[int, int, int]
Vectors = tuple[tuple[float, float, float], tuple[float, float, float]]
LARGEST_SIGMA = 101
ANGLE_TOLERANCE_DEG = 0.05
MAX_STRAIN = 0.01
_LETTERS = {"cubic": "c", "tetragonal": "t", "hexagonal": "h"}
_CENTRED = {
    "I": np.array([[0.5, 0.5, -0.5], [-0.5, 0.5, 0.5], [0.5, -0.5, 0.5]]),
    "F": np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]),
}
"""Primitive vectors of centred cubic lattices, those that pymatgen takes."""
_LARGEST_PERIOD = 2000


@dataclass(frozen=True)
class Grain:
    """One side of a boundary, as a slab is told.

    :ivar hkl: plane of the conventional cell that faces the boundary.
    :ivar in_plane: the common vectors in those of the conventional cell, in rows.
    :ivar period: layers after which the crystal stands straight above itself; None if it never does.
    :ivar layer_ang: height of a layer, Å.
    """

    hkl: Triple
    in_plane: Vectors
    period: int | None
    layer_ang: float


@dataclass(frozen=True)
class Boundary:
    """A boundary between two grains of one crystal.

    :ivar axis: lattice direction that the upper grain is turned about.
    :ivar angle_deg: by how much.
    :ivar sigma: cells of the crystal in one of the coincidence lattice.
    :ivar kind: twist: the axis is normal to the plane; tilt: it lies in the plane; else mixed.
    :ivar area_ang2: of the smallest common cell, Å².
    :ivar strain: largest principal strain if one grain takes all: 0 but for ratios of axes that are made rational.
    """

    axis: Triple
    angle_deg: float
    sigma: int
    kind: Literal["twist", "tilt", "mixed"]
    lower: Grain
    upper: Grain
    area_ang2: float
    strain: float

    @property
    def name(self) -> str:
        """The boundary as it is written: Σ5 53.13° [0 0 1] (2 1 0)."""
        axis, plane = (" ".join(map(str, of)) for of in (self.axis, self.lower.hkl))
        return f"Σ{self.sigma} {self.angle_deg:.2f}° [{axis}] ({plane})"


def sigmas(crystal: Structure, axis: Sequence[int], largest: int = LARGEST_SIGMA) -> dict[int, list[float]]:
    """Return the coincidence lattices about an axis: Σ and its angles, degrees, sorted.

    :param crystal: conventional cell, cubic, tetragonal or hexagonal.
    :raises ValueError: another lattice, or an axis about which it has none.
    """
    about = whole(axis)
    letter, ratio, _ = _lattice(crystal, about)
    return _sigmas(letter, ratio, about, largest)


def boundary(
    crystal: Structure,
    axis: Sequence[int],
    *,
    sigma: int | None = None,
    angle_deg: float | None = None,
    plane: Sequence[int] | None = None,
    max_strain: float = MAX_STRAIN,
) -> Boundary:
    """Return the two grains of a boundary; of several angles of one Σ that of the smallest common cell.

    :param crystal: conventional cell, cubic, tetragonal or hexagonal; may have partial occupancies.
    :param axis: lattice direction [u v w].
    :param sigma: of the coincidence lattice; or
    :param angle_deg: its angle, to 0.05 degrees.
    :param plane: Miller indices (h k l) of the lower grain; None: normal to the axis, a twist boundary.
    :param max_strain: largest principal strain that a ratio of axes made rational may cost.
    :raises ValueError: in a sentence, with the Σ that there are: none fits, or another lattice.
    """
    if (sigma is None) == (angle_deg is None):
        raise ValueError("a boundary is told by sigma or by angle: give one of them")
    about = whole(axis)
    letter, ratio, primitive = _lattice(crystal, about)
    lies_in = _normal_to(about, crystal) if plane is None else whole(plane)
    known = _sigmas(letter, ratio, about, LARGEST_SIGMA)
    options = _by_angle(known, angle_deg, about) if angle_deg is not None else _by_sigma(known, sigma or 0, about)
    found: list[tuple[float, int, float, NDArray[np.float64], NDArray[np.float64]]] = []
    for number, angle in options:
        try:
            lower, upper = GrainBoundaryGenerator.get_trans_mat(
                about, angle, trans_cry=primitive, lat_type=letter, ratio=ratio, surface=lies_in
            )
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"no boundary Σ{number} of {angle:.2f}° about {_direction(about)} has the plane {_plane(lies_in)}: "
                f"{error}"
            ) from error
        rows, others = lower @ primitive, upper @ primitive
        area = float(np.linalg.norm(np.cross(*(rows[:2] @ np.asarray(crystal.lattice.matrix)))))
        found.append((round(area, 3), number, angle, rows, others))
    _, number, angle, rows, others = min(found, key=lambda item: (item[0], item[2]))
    best = _described(crystal, about, number, angle, lies_in, rows, others)
    if best.strain > max_strain:
        raise ValueError(
            f"{best.name} strains a grain by {best.strain:.2%}, since c²/a² is made a ratio of small numbers: take the "
            f"axis [0 0 1], which needs none, or allow {np.ceil(best.strain * 1000) / 1000:g}"
        )
    return best


def _sigmas(letter: str, ratio: Any, axis: Triple, largest: int) -> dict[int, list[float]]:
    if letter == "c":
        found = GrainBoundaryGenerator.enum_sigma_cubic(largest, axis)
    elif letter == "t":
        found = GrainBoundaryGenerator.enum_sigma_tet(largest, axis, ratio)
    else:
        found = GrainBoundaryGenerator.enum_sigma_hex(largest, axis, ratio)
    if not found:
        raise ValueError(
            f"no coincidence lattice up to Σ{largest} is known about {_direction(axis)}: take another axis, such as "
            "[0 0 1]"
        )
    return {sigma: sorted(angles) for sigma, angles in sorted(found.items())}


def registry(unit: Unit, cut: float, matrix: Sequence[Sequence[int]]) -> tuple[float, float]:
    """Return the shift of a slab, in fractions of the cell, that puts a point of its lattice on the origin in plane.

    A cut moves the origin along the vector from layer to layer, which need not be normal to the plane. Grains shifted
    so stand on each other as in the coincidence lattice, at both boundaries if their layers are whole periods.

    :param unit: one layer, not cut yet.
    :param cut: height of the cut in fractions of a layer.
    :param matrix: in-plane supercell of the slab.
    """
    moved = (cut % 1.0) * unit.shift @ np.linalg.inv(np.array(matrix, dtype=np.float64))
    first, second = (moved - np.floor(moved + 1e-10)).round(10).tolist()
    return first, second


def whole(indices: Sequence[int]) -> Triple:
    """Return three indices without a common factor.

    :raises ValueError: not three whole numbers, or all zero.
    """
    if len(indices) != 3 or any(int(x) != x for x in indices) or not any(indices):
        raise ValueError(f"an axis and a plane have three whole indices, not all zero, such as 0 0 1; not {indices}")
    a, b, c = (int(x) for x in indices)
    divisor = gcd(a, b, c)
    return a // divisor, b // divisor, c // divisor


def _lattice(crystal: Structure, axis: Triple) -> tuple[str, Any, NDArray[np.float64]]:
    """Return what pymatgen wants to know of a lattice: its letter, the ratio of its axes, primitive vectors."""
    analyzer = SpacegroupAnalyzer(crystal, symprec=SYMPREC_ANG)
    kind = analyzer.get_lattice_type()
    if kind not in _LETTERS:
        raise ValueError(
            f"coincidence lattices are known for cubic, tetragonal and hexagonal crystals, and this one is {kind}: "
            "give two slabs of one phase in a recipe, each with its plane, and let the match find the common cell"
        )
    a, b, c = crystal.lattice.abc
    angles = (90.0, 90.0, 120.0 if kind == "hexagonal" else 90.0)
    if not np.allclose(crystal.lattice.angles, angles, atol=1e-3) or not np.allclose(
        (b, c if kind == "cubic" else a), a, rtol=1e-5
    ):
        raise ValueError(
            f"the crystal is {kind}, but its cell is not the conventional one, with "
            f"{'a = b = c' if kind == 'cubic' else 'a = b, c apart'}: standardise the CIF"
        )
    if kind == "cubic":
        return "c", None, _CENTRED.get(analyzer.get_space_group_symbol()[0], np.eye(3))
    if axis == (0, 0, 1) or axis == (0, 0, -1):
        return _LETTERS[kind], None, np.eye(3)
    fraction = Fraction(float(c**2 / a**2)).limit_denominator(5)
    return _LETTERS[kind], [fraction.numerator, fraction.denominator], np.eye(3)


def _normal_to(axis: Triple, crystal: Structure) -> Triple:
    """Return the plane normal to a direction, by the metric of the lattice made rational."""
    metric = np.asarray(crystal.lattice.matrix) @ np.asarray(crystal.lattice.matrix).T
    row = metric @ np.array(axis)
    parts = [Fraction(float(x / np.abs(row).max())).limit_denominator(12) for x in row]
    scale = lcm(*(part.denominator for part in parts))
    return whole([int(part * scale) for part in parts])


def _by_sigma(known: dict[int, list[float]], sigma: int, axis: Triple) -> Iterator[tuple[int, float]]:
    if sigma not in known:
        raise ValueError(f"there is no Σ{sigma} about {_direction(axis)}: the smallest are {_listed(known)}")
    return ((sigma, angle) for angle in known[sigma])


def _by_angle(known: dict[int, list[float]], angle: float, axis: Triple) -> Iterator[tuple[int, float]]:
    pairs = sorted((abs(own - angle), sigma, own) for sigma, angles in known.items() for own in angles)
    if not pairs or pairs[0][0] > ANGLE_TOLERANCE_DEG:
        near = ", ".join(f"{own:.2f}° (Σ{sigma})" for _, sigma, own in pairs[:4])
        raise ValueError(
            f"{angle:g}° about {_direction(axis)} makes no coincidence lattice up to Σ{LARGEST_SIGMA}; the nearest "
            f"are {near}"
        )
    smallest = min((pair for pair in pairs if pair[0] <= ANGLE_TOLERANCE_DEG), key=lambda pair: pair[1])
    return iter([(smallest[1], smallest[2])])


def _listed(known: dict[int, list[float]]) -> str:
    return ", ".join(f"Σ{sigma} ({', '.join(f'{angle:.2f}°' for angle in known[sigma])})" for sigma in [*known][:5])


def _described(
    crystal: Structure,
    axis: Triple,
    sigma: int,
    angle: float,
    plane: Triple,
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
) -> Boundary:
    """Return a boundary from the vectors of its two grains, in those of the conventional cell."""
    if _faces(lower) != plane:
        # The vectors are of the plane, or span it from behind: swapped in both grains they stay on each other.
        lower, upper = lower[[1, 0, 2]], upper[[1, 0, 2]]
    if _faces(lower) != plane:
        raise RuntimeError(f"the vectors of the lower grain span {_plane(_faces(lower))}, not {_plane(plane)}")
    grains = [_grain(crystal, rows) for rows in (lower, upper)]
    lattice = np.asarray(crystal.lattice.matrix)
    cells = [standard(_flat(rows[:2] @ lattice)) for rows in (lower, upper)]
    normal = np.linalg.inv(lattice) @ np.array(grains[0].hkl)
    direction = np.array(axis) @ lattice
    along = abs(normal @ direction) / np.linalg.norm(normal) / np.linalg.norm(direction)
    kind: Literal["twist", "tilt", "mixed"] = "twist" if along > 1 - 1e-6 else "tilt" if along < 1e-6 else "mixed"
    strain = max(abs(x) for x in strained(cells[0], cells[1])["principal"])
    return Boundary(axis, angle, sigma, kind, grains[0], grains[1], float(np.linalg.det(cells[0])), round(strain, 8))


def _flat(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return two vectors of space in the frame of their plane, (2, 2)."""
    x = rows[0] / np.linalg.norm(rows[0])
    across = rows[1] - (rows[1] @ x) * x
    return np.array([[np.linalg.norm(rows[0]), 0.0], [rows[1] @ x, np.linalg.norm(across)]])


def _grain(crystal: Structure, rows: NDArray[np.float64]) -> Grain:
    """Return a grain from its vectors: two in the plane, one out of it."""
    hkl = _faces(rows)
    unit = oriented_unit(crystal, hkl)
    first, second = rows[:2].tolist()
    in_plane = ((first[0], first[1], first[2]), (second[0], second[1], second[2]))
    return Grain(hkl, in_plane, _period(unit.shift), unit.spacing)


def _faces(rows: NDArray[np.float64]) -> Triple:
    """Return the Miller indices of the plane of the first two vectors, its normal to the right-hand side."""
    doubled = np.rint(2 * rows).astype(np.int64)
    return whole(np.cross(doubled[0], doubled[1]).tolist())


def _period(shift: NDArray[np.float64]) -> int | None:
    """Return after how many layers the in-plane displacement is a lattice vector."""
    counts = np.arange(1, _LARGEST_PERIOD)
    drift = counts[:, None] * shift
    whole_ = np.flatnonzero(np.abs(drift - drift.round()).max(axis=1) < 1e-6)
    return int(counts[whole_[0]]) if len(whole_) else None


def _direction(axis: Sequence[int]) -> str:
    return "[" + " ".join(map(str, axis)) + "]"


def _plane(plane: Sequence[int]) -> str:
    return "(" + " ".join(map(str, plane)) + ")"

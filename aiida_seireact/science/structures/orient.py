"""A crystal cut along a plane: the smallest cell with two lattice vectors in the plane, z along the normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import gcd, lcm
from typing import Any

import numpy as np
import spglib
from ase.data import atomic_numbers
from numpy.typing import NDArray
from pymatgen.core.structure import Structure

SYMPREC_ANG = 1e-3
"""How far a site may be off for a translation to count as one of the lattice, and two sites as one."""
LARGEST_DENOMINATOR = 48
Row = list[Fraction]
_DIGITS = 6
"""Lengths equal to this many decimals (Å) are equal: ties are broken by integers, on any machine alike."""


@dataclass(frozen=True)
class Unit:
    """The smallest cell of a crystal that has two lattice vectors in a plane: one layer of it.

    A point of fractional coordinates (f1, f2, f3) lies at f1 a1 + f2 a2 + f3 (shift[0] a1 + shift[1] a2 + spacing z).

    :ivar in_plane: a1 and a2 in rows, (2, 2), Å, in x and y; a1 along x, a2 with y > 0.
    :ivar shift: in-plane displacement from one layer to the next, (2,), in a1 and a2.
    :ivar spacing: thickness of a layer along the normal, Å.
    :ivar frac: sites, (n_sites, 3). f3 may lie outside 0 to 1: a molecule stays in one piece.
    :ivar occupancy: for each site its elements and their occupancies, sum at most 1.
    :ivar charges: for each site the oxidation state of each of its elements; NaN where unknown.
    :ivar labels: for each site the name of its sublattice, of the crystal's CIF or the library.
    :ivar basis: a1, a2 and the vector from layer to layer in rows, in the vectors of the conventional cell.
    :ivar layers_per_cell: layers in the height of one conventional cell along the normal.
    :ivar hkl: the plane.
    :ivar symmetry: operations of the crystal that keep the normal, in x and y, (n, 2, 2).
    """

    in_plane: NDArray[np.float64]
    shift: NDArray[np.float64]
    spacing: float
    frac: NDArray[np.float64]
    occupancy: tuple[dict[str, float], ...]
    charges: tuple[dict[str, float], ...]
    labels: tuple[str, ...]
    basis: tuple[tuple[Fraction, Fraction, Fraction], ...]
    layers_per_cell: int
    hkl: tuple[int, int, int]
    symmetry: NDArray[np.float64]

    @property
    def n_sites(self) -> int:
        """Number of sites, filled or not."""
        return len(self.frac)

    @property
    def area(self) -> float:
        """Area of a1 x a2, Å²."""
        return float(self.in_plane[0, 0] * self.in_plane[1, 1])

    @cached_property
    def is_ordered(self) -> bool:
        """Whether each site holds one element for certain."""
        return all(len(site) == 1 and abs(sum(site.values()) - 1) < 1e-8 for site in self.occupancy)

    @cached_property
    def composition(self) -> dict[str, float]:
        """Mean number of atoms of each element in the unit, in the order of the sites."""
        total: dict[str, float] = {}
        for site in self.occupancy:
            for symbol, share in site.items():
                total[symbol] = total.get(symbol, 0.0) + share
        return total

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Atomic number of each site, of an ordered crystal.

        :raises ValueError: sites that are filled only in part.
        """
        if not self.is_ordered:
            raise ValueError("a crystal with partial occupancies has no atomic number a site before it is drawn")
        return np.array([atomic_numbers[next(iter(site))] for site in self.occupancy], dtype=np.int64)


def oriented_unit(
    crystal: Structure, hkl: Sequence[int] | None = None, *, vectors: Sequence[Sequence[int]] | None = None
) -> Unit:
    """Cut a crystal along a plane.

    :param crystal: conventional cell; may have partial occupancies.
    :param hkl: Miller indices in the lattice of `crystal`; z is their reciprocal lattice vector.
    :param vectors: instead of `hkl` three lattice vectors in rows, integers in the vectors of `crystal`: two in the
        plane and one out of it, taken as they are.
    :raises ValueError: no plane, or vectors that span nothing or are left-handed.
    """
    lattice = np.asarray(crystal.lattice.matrix, dtype=np.float64)
    if (hkl is None) == (vectors is None):
        raise ValueError("a cut is told by hkl or by three vectors: give one of them")
    if vectors is not None:
        basis = [[Fraction(int(x)) for x in row] for row in vectors]
        volume = round(np.linalg.det(np.array(vectors, dtype=np.float64)))
        if volume <= 0:
            raise ValueError(
                f"the vectors {[list(row) for row in vectors]} span no right-handed cell: swap two of them"
            )
        layers_per_cell = 1
        plane = _plane_of(basis)
    else:
        assert hkl is not None
        plane = _coprime(hkl)
        basis, layers_per_cell = _basis_of_plane(_primitive(crystal), plane, lattice)
    cartesian = np.array([[float(x) for x in row] for row in basis]) @ lattice
    in_plane, shift, spacing = _in_frame(cartesian)
    frac, occupancy, charges, labels = _sites(crystal, basis)
    rows = tuple((row[0], row[1], row[2]) for row in basis)
    symmetry = _symmetry(crystal, cartesian)
    return Unit(in_plane, shift, spacing, frac, occupancy, charges, labels, rows, layers_per_cell, plane, symmetry)


def _coprime(hkl: Sequence[int]) -> tuple[int, int, int]:
    """Return Miller indices without a common factor."""
    if len(hkl) != 3 or any(int(x) != x for x in hkl) or not any(hkl):
        raise ValueError(f"a plane has three whole Miller indices, not all zero, such as [1, 1, 0]; not {list(hkl)}")
    h, k, l = (int(x) for x in hkl)  # noqa: E741
    divisor = gcd(h, k, l)
    return h // divisor, k // divisor, l // divisor


def _plane_of(basis: Sequence[Sequence[Fraction]]) -> tuple[int, int, int]:
    """Return the Miller indices of the plane of the first two vectors."""
    (a, b, c), (d, e, f) = basis[0], basis[1]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    scale = lcm(*(x.denominator for x in normal))
    return _coprime([int(x * scale) for x in normal])


def _primitive(crystal: Structure) -> list[Row]:
    """Return primitive lattice vectors in the vectors of the cell, exactly, from its pure translations."""
    found = _operations(crystal)
    pure = [
        [Fraction(float(x) % 1.0).limit_denominator(LARGEST_DENOMINATOR) for x in translation]
        for rotation, translation in zip(found["rotations"], found["translations"], strict=True)
        if (rotation == np.eye(3, dtype=int)).all()
    ]
    scale = lcm(*(x.denominator for row in pure for x in row))
    rows = [[int(x * scale) for x in row] for row in pure]
    rows += [[scale * int(i == j) for j in range(3)] for i in range(3)]
    return [[Fraction(x, scale) for x in row] for row in _hermite(rows)]


def _operations(crystal: Structure) -> Any:
    """Return the operations of the space group; sites alike have the same elements in the same shares."""
    kinds: dict[Any, int] = {}
    types = [kinds.setdefault(str(site.species), len(kinds)) for site in crystal]
    cell = (crystal.lattice.matrix.tolist(), crystal.frac_coords.tolist(), types)
    found: Any = spglib.get_symmetry(cell, symprec=SYMPREC_ANG)
    if found is None:
        raise ValueError("spglib finds no symmetry in the crystal: look for atoms that lie on each other")
    return found


def _symmetry(crystal: Structure, cartesian: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the operations that keep the normal, in the frame of the cut, (n, 2, 2), sorted."""
    frame = _frame(cartesian)
    lattice = crystal.lattice.matrix.T
    turned = [
        frame @ lattice @ rotation @ np.linalg.inv(lattice) @ frame.T for rotation in _operations(crystal)["rotations"]
    ]
    kept = [matrix[:2, :2].round(6) + 0.0 for matrix in turned if matrix[2, 2] > 1 - 1e-4]
    unique: NDArray[np.float64] = np.unique(np.array(kept), axis=0)
    return unique


def _hermite(rows: list[list[int]]) -> list[list[int]]:
    """Return the basis of the integer lattice that rows of three integers span, upper triangular."""
    rows, basis = [list(row) for row in rows], []
    for column in range(3):
        while True:
            live = sorted((row for row in rows if row[column]), key=lambda row: (abs(row[column]), row))
            if len(live) <= 1:
                break
            pivot = live[0]
            for row in live[1:]:
                factor = row[column] // pivot[column]
                row[:] = [x - factor * y for x, y in zip(row, pivot, strict=True)]
        pivot = live[0]
        rows = [row for row in rows if row is not pivot]
        basis.append(pivot if pivot[column] > 0 else [-x for x in pivot])
    return basis


def _basis_of_plane(
    primitive: list[Row], hkl: tuple[int, int, int], lattice: NDArray[np.float64]
) -> tuple[list[Row], int]:
    """Return two shortest lattice vectors in the plane and the shortest to the next one; and planes a cell."""
    heights = [sum((h * x for h, x in zip(hkl, row, strict=True)), Fraction(0)) for row in primitive]
    scale = lcm(*(height.denominator for height in heights))
    whole = [int(height * scale) for height in heights]
    step = gcd(*whole)
    rows, whole = [list(row) for row in primitive], [x // step for x in whole]
    # Euclid on the heights, the rows along with it: two rows end in the plane, one on the next plane.
    while sum(1 for x in whole if x) > 1:
        low = min((i for i in range(3) if whole[i]), key=lambda i: abs(whole[i]))
        for i in range(3):
            if i != low and whole[i]:
                factor = whole[i] // whole[low]
                whole[i] -= factor * whole[low]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[low], strict=True)]
    top = next(i for i in range(3) if whole[i])
    out = [x * whole[top] for x in rows[top]]
    below = [rows[i] for i in range(3) if i != top]
    first, second = _lagrange(below[0], below[1], lattice)
    a1, a2 = _shortest_pair(first, second, out, lattice)
    return [a1, a2, _shortest(out, a1, a2, lattice)], scale // step


def _combine(*terms: tuple[int, Row]) -> Row:
    return [sum((factor * row[i] for factor, row in terms), Fraction(0)) for i in range(3)]


def _cartesian(row: Row, lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = np.array([float(x) for x in row]) @ lattice
    return result


def _lagrange(u: Row, v: Row, lattice: NDArray[np.float64]) -> tuple[Row, Row]:
    """Reduce two vectors of a plane (Lagrange and Gauss)."""
    while True:
        cu, cv = _cartesian(u, lattice), _cartesian(v, lattice)
        if round(float(np.linalg.norm(cu)), _DIGITS) > round(float(np.linalg.norm(cv)), _DIGITS):
            u, v, cu, cv = v, u, cv, cu
        factor = round(float(np.dot(cu, cv) / np.dot(cu, cu)))
        shorter = _combine((1, v), (-factor, u))
        if round(float(np.linalg.norm(_cartesian(shorter, lattice))), _DIGITS) >= round(
            float(np.linalg.norm(cv)), _DIGITS
        ):
            return u, v
        v = shorter


def _shortest_pair(u: Row, v: Row, out: Row, lattice: NDArray[np.float64]) -> tuple[Row, Row]:
    """Return the pair that names the plane's lattice: shortest, then by their integers; right-handed with `out`."""
    options = [(i, j) for i, j in product(range(-2, 3), repeat=2) if (i, j) != (0, 0) and gcd(i, j) == 1]
    up = _cartesian(out, lattice)

    def length(row: Row) -> float:
        return round(float(np.linalg.norm(_cartesian(row, lattice))), _DIGITS)

    rows = {option: _combine((option[0], u), (option[1], v)) for option in options}
    first = min(options, key=lambda o: (length(rows[o]), [-x for x in rows[o]]))
    cross = _cartesian(rows[first], lattice)

    def handed(option: tuple[int, int]) -> bool:
        return bool(np.dot(np.cross(cross, _cartesian(rows[option], lattice)), up) > 0)

    partners = [o for o in options if abs(first[0] * o[1] - first[1] * o[0]) == 1 and handed(o)]
    second = min(partners, key=lambda o: (length(rows[o]), [-x for x in rows[o]]))
    return rows[first], rows[second]


def _shortest(out: Row, a1: Row, a2: Row, lattice: NDArray[np.float64]) -> Row:
    """Return the shortest vector to the next plane."""
    plane = np.array([_cartesian(a1, lattice), _cartesian(a2, lattice)])
    near = np.linalg.lstsq(plane.T, _cartesian(out, lattice), rcond=None)[0].round().astype(int)
    options = [
        _combine((1, out), (-int(near[0]) - i, a1), (-int(near[1]) - j, a2)) for i, j in product((-1, 0, 1), repeat=2)
    ]
    return min(
        options, key=lambda row: (round(float(np.linalg.norm(_cartesian(row, lattice))), _DIGITS), [-x for x in row])
    )


def _frame(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x along the first row, y, and z along the normal of the first two, in rows."""
    x = rows[0] / np.linalg.norm(rows[0])
    z = np.cross(rows[0], rows[1])
    z /= np.linalg.norm(z)
    frame: NDArray[np.float64] = np.array([x, np.cross(z, x), z])
    return frame


def _in_frame(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Turn x along the first row and z along the normal; return in-plane vectors, shift and spacing."""
    x, y, z = _frame(rows)
    in_plane = np.array([[rows[0] @ x, 0.0], [rows[1] @ x, rows[1] @ y]])
    shift = np.linalg.solve(in_plane.T, np.array([rows[2] @ x, rows[2] @ y]))
    return in_plane.round(12) + 0.0, shift.round(12) + 0.0, float(rows[2] @ z)


def _sites(
    crystal: Structure, basis: Sequence[Sequence[Fraction]]
) -> tuple[NDArray[np.float64], tuple[dict[str, float], ...], tuple[dict[str, float], ...], tuple[str, ...]]:
    """Return the sites of the cell that `basis` spans: each once, sorted by height, then in plane, then element."""
    rows = np.array([[float(x) for x in row] for row in basis])
    span = int(np.ceil(np.abs(rows).sum(axis=0)).max())
    inverse = np.linalg.inv(rows)
    shifts = np.array(list(product(range(-span, span + 1), repeat=3)), dtype=np.float64) @ inverse
    volume = float(np.linalg.det(rows))
    expected = round(len(crystal) * volume)
    tolerance = SYMPREC_ANG / float(np.linalg.norm(rows @ crystal.lattice.matrix, axis=1).min())
    kept: list[tuple[Any, ...]] = []
    seen: dict[str, list[NDArray[np.float64]]] = {}
    for site in crystal:
        base = np.asarray(site.frac_coords) @ inverse
        images = base + shifts
        images = images - np.floor(images + tolerance)
        images = np.unique(images.round(9), axis=0)
        name = str(site.species)
        for point in images:
            delta = np.array(seen[name]) - point if seen.get(name) else np.full((1, 3), 0.5)
            if (np.abs(delta - delta.round()).max(axis=1) > 2 * tolerance).all():
                seen.setdefault(name, []).append(point)
                order = (round(float(point[2]), 5), round(float(point[1]), 5), round(float(point[0]), 5), name)
                kept.append((order, point, site))
    if len(kept) != expected:
        raise ValueError(
            f"the crystal gives {len(kept)} sites where {expected} are due: sites lie closer than {SYMPREC_ANG} Å to "
            "each other or to a place of higher symmetry without being on it; tidy the CIF"
        )
    kept.sort(key=lambda item: item[0])
    elements = tuple({_symbol(kind): float(share) for kind, share in site.species.items()} for _, _, site in kept)
    charges = tuple({_symbol(kind): _charge(kind) for kind in site.species} for _, _, site in kept)
    return np.array([point for _, point, _ in kept]), elements, charges, tuple(str(site.label) for _, _, site in kept)


def _symbol(kind: Any) -> str:
    return str(getattr(kind, "symbol", kind))


def _charge(kind: Any) -> float:
    state = getattr(kind, "oxi_state", None)
    return float("nan") if state is None else float(state)

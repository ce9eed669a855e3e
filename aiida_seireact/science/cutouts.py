"""Cells a labeller can take, cut out of a frame that is too large for it.

The atoms around a centre stay exactly where they are; what the cut makes new is the *seam*, where the cell meets its
own periodic image. After M. Hodapp and A. Shapeev, Mach. Learn.: Sci. Technol. 1, 045005 (2020), who complete a cut
region to a periodic cell, and E. Podryabinkin et al., J. Chem. Phys. 159, 084112 (2023), who do so for fluids; where
to cut is searched here, so that as few atoms as possible meet at the seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.contacts import ContactLimits
from aiida_seireact.science.health import checked
from aiida_seireact.science.images import with_images

FloatArray = NDArray[np.float64]
STEP_ANG = 0.25


class CutoutError(ValueError):
    """A cut that is not possible; the message says why."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """A periodic cell around a centre.

    :param atoms: ``(n,)`` index in the frame of each atom, ascending.
    :param positions: ``(n, 3)`` Å, inside the cell; ``cell``: ``(3, 3)`` Å; periodic where the frame is.
    :param centre: place of the centre among the atoms.
    :param core: ``(n,)`` within ``core_ang`` of the centre: their places to each other are those in the frame.
    :param cut: ``(3,)`` directions that were cut; along the others the cell is that of the frame.
    :param n_removed: atoms taken out because they met another across the seam.
    """

    atoms: NDArray[np.int64]
    positions: FloatArray
    cell: FloatArray
    centre: int
    core: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    n_removed: int


def cut_out(
    positions: ArrayLike,
    numbers: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    centre: int,
    *,
    core_ang: float = 6.0,
    edge_ang: float = 15.0,
    limits: ContactLimits | None = None,
) -> Cutout:
    """Cut a periodic cell around an atom, of the shape of the frame's, along the directions in which that is longer.

    Along a direction not higher than ``edge_ang`` the whole period is kept, which has no seam. Along another the two
    faces are moved, each at least ``core_ang`` from the centre and together at most ``edge_ang`` apart, to where the
    fewest pairs come too near across the seam and then the most atoms are kept. What still meets there is taken out,
    never an atom of the core.

    :param positions: ``(n_atoms, 3)`` Å, wrapped or not; ``numbers``: ``(n_atoms,)`` atomic numbers.
    :param cell: ``(3, 3)`` Å, rows are lattice vectors; ``pbc``: ``(3,)``. Directions that are not periodic are kept.
    :param core_ang: up to here around the centre nothing changes: take the reach of the model or of the descriptors.
    :param edge_ang: largest height of the cell along a direction that is cut: twice ``core_ang`` and room for a seam.
    :param limits: pairs nearer than these don't stay.
    :raises CutoutError: an edge without room for the core and a seam, or no such atom.
    """
    atoms, lattice, periodic = checked(positions, cell, pbc)
    kinds = np.asarray(numbers, dtype=int)
    table = (limits or ContactLimits()).table()
    elements = np.unique(kinds)
    # So far from the core two of its atoms can't meet across a seam.
    half = core_ang + float(table[np.ix_(elements, elements)].max()) / 2
    if edge_ang < 2 * half:
        raise CutoutError(
            f"A cell of {edge_ang:g} Å has no room for {core_ang:g} Å around its centre on both sides and a seam: "
            f"edge_ang must be at least {2 * half:.2f}."
        )
    if not 0 <= centre < len(atoms):
        raise CutoutError(f"There is no atom {centre} in a frame of {len(atoms)} atoms.")
    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    fractions = atoms @ np.linalg.inv(lattice)
    # Relative to the centre, the nearest image of each atom: in (-1/2, 1/2].
    fractions = fractions - fractions[centre]
    fractions[:, periodic] -= np.round(fractions[:, periodic])
    cut = periodic & (heights > edge_ang)
    kept = np.arange(len(atoms))
    lower, upper = np.full(3, -0.5), np.full(3, 0.5)
    # The largest span first, without a look at seams: what lies beyond it never belongs to the cell.
    for axis in np.flatnonzero(cut):
        reach = (edge_ang - half) / heights[axis]
        kept = kept[(fractions[kept, axis] > -reach) & (fractions[kept, axis] <= reach)]
    for axis in np.flatnonzero(cut):
        lower[axis], upper[axis] = _faces(fractions[kept], kinds[kept], lattice, axis, half, edge_ang, table)
        kept = kept[(fractions[kept, axis] > lower[axis]) & (fractions[kept, axis] <= upper[axis])]
    size = upper - lower
    new_cell = lattice * size[:, None]
    places = (fractions[kept] - np.where(cut, lower, 0.0)) @ lattice
    core = _within(fractions[kept], lattice, periodic & ~cut, core_ang)
    stays = _apart(places, kinds[kept], new_cell, periodic, cut, core, table)
    kept, places, core = kept[stays], places[stays], core[stays]
    inside = places @ np.linalg.inv(new_cell)
    inside[:, periodic] %= 1.0
    return Cutout(
        atoms=kept,
        positions=inside @ new_cell,
        cell=new_cell,
        centre=int(np.searchsorted(kept, centre)),
        core=core,
        cut=cut,
        n_removed=int((~stays).sum()),
    )


def densest(positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, atoms: ArrayLike, *, reach_ang: float) -> int:
    """Return the one of some atoms that has most of the others around it, of equal ones the first.

    So that one cell shows as much as it can of what is looked for.

    :param atoms: ``(n,)`` indices, at least one.
    """
    places, lattice, periodic = checked(positions, cell, pbc)
    some = np.asarray(atoms, dtype=np.int64)
    wrapped, images, _ = with_images(places[some], lattice, periodic, reach_ang)
    counts = cKDTree(images).query_ball_point(wrapped, reach_ang, return_length=True)
    return int(some[np.argmax(counts)])


def _faces(
    fractions: FloatArray,
    kinds: NDArray[np.int64],
    lattice: FloatArray,
    axis: int,
    half: float,
    edge_ang: float,
    table: FloatArray,
) -> tuple[float, float]:
    """Return the fractions of the two faces across one direction: fewest pairs that meet, then the most atoms.

    :param half: least distance of a face from the centre, Å.
    """
    height = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)[axis]
    spare = edge_ang - 2 * half
    moves = np.arange(0.0, spare + 1e-9, STEP_ANG)
    best: tuple[int, int, float] | None = None
    faces = (-half / height, half / height)
    for below in moves:
        for above in moves[moves <= spare - below + 1e-9]:
            lower, upper = -(half + below) / height, (half + above) / height
            inside = np.flatnonzero((fractions[:, axis] > lower) & (fractions[:, axis] <= upper))
            n_meet = _n_meeting(fractions[inside], kinds[inside], lattice, axis, upper - lower, table)
            rank = (n_meet, -len(inside), float(below + above))
            if best is None or rank < best:
                best, faces = rank, (lower, upper)
    return faces


def _n_meeting(
    fractions: FloatArray, kinds: NDArray[np.int64], lattice: FloatArray, axis: int, size: float, table: FloatArray
) -> int:
    """Count the pairs that come too near across the two faces of one direction."""
    elements = np.unique(kinds)
    reach = float(table[np.ix_(elements, elements)].max())
    shift = size * lattice[axis]
    margin = reach * np.linalg.norm(np.linalg.inv(lattice), axis=0)[axis]
    low = np.flatnonzero(fractions[:, axis] <= fractions[:, axis].min() + margin)
    high = np.flatnonzero(fractions[:, axis] >= fractions[:, axis].max() - margin)
    places = fractions @ lattice
    near = cKDTree(places[high]).query_ball_point(places[low] + shift, reach)
    count = 0
    for atom, others in zip(low, near, strict=True):
        partners = high[others]
        distances = np.linalg.norm(places[atom] + shift - places[partners], axis=1)
        count += int((distances < table[kinds[atom], kinds[partners]]).sum())
    return count


def _within(
    fractions: FloatArray, lattice: FloatArray, periodic: NDArray[np.bool_], radius: float
) -> NDArray[np.bool_]:
    """Tell which atoms, or images of them along whole periods, are within a radius of the origin."""
    _, images, owner = with_images(fractions @ lattice, lattice, periodic, radius)
    found = np.zeros(len(fractions), dtype=bool)
    found[owner[np.linalg.norm(images, axis=1) <= radius]] = True
    return found


def _apart(
    places: FloatArray,
    kinds: NDArray[np.int64],
    cell: FloatArray,
    periodic: NDArray[np.bool_],
    cut: NDArray[np.bool_],
    core: NDArray[np.bool_],
    table: FloatArray,
) -> NDArray[np.bool_]:
    """Tell which atoms stay so that none comes too near another across a seam: who is in most such pairs goes first."""
    # Near pairs of the frame itself are as they are: the run has them, and they are to be learned.
    own = _near_pairs(places, kinds, cell, periodic & ~cut, table)
    meeting = np.array(sorted(_near_pairs(places, kinds, cell, periodic, table) - own), dtype=np.int64).reshape(-1, 2)
    stays = np.ones(len(places), dtype=bool)
    while len(left := meeting[stays[meeting].all(axis=1)]):
        counts = np.bincount(left.ravel(), minlength=len(places))
        # One of each pair is outside of the core: its atoms can't meet.
        counts[core] = 0
        stays[int(np.argmax(counts))] = False
    return stays


def _near_pairs(
    places: FloatArray, kinds: NDArray[np.int64], cell: FloatArray, periodic: NDArray[np.bool_], table: FloatArray
) -> set[tuple[int, int]]:
    elements = np.unique(kinds)
    reach = float(table[np.ix_(elements, elements)].max())
    _, images, owner = with_images(places, cell, periodic, reach)
    pairs = cKDTree(images).query_pairs(reach, output_type="ndarray")
    pairs = pairs[(pairs < len(places)).any(axis=1)]
    distances = np.linalg.norm(images[pairs[:, 0]] - images[pairs[:, 1]], axis=1)
    ends = np.sort(owner[pairs], axis=1)
    near = ends[distances < table[kinds[ends[:, 0]], kinds[ends[:, 1]]]]
    return set(map(tuple, near.tolist()))

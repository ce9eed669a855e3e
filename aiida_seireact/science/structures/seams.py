"""How near two slabs may come: the gap at which no atom of one is too near to an atom of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, vdw_radii
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import NDArray
from pymatgen.core.structure import Structure

from aiida_seireact.science.structures.slab import Slab

SMALLEST_GAP_ANG = 0.1
"""Where two faces interlock: a gap is a distance between outermost atoms, and above zero."""
_STEP_ANG = 1e-3


@dataclass(frozen=True)
class Nearest:
    """The two atoms across a gap that come nearest to each other, measured by their limit.

    :ivar species: element below and element above.
    :ivar distance_ang: between them; ``limit_ang``: smallest distance allowed.
    """

    species: tuple[str, str]
    distance_ang: float
    limit_ang: float


def shortest_distances(crystal: Structure, exclusive_ang: float) -> NDArray[np.float64]:
    """Return how near two elements come in a crystal, by atomic numbers, Å; at most their van der Waals distance.

    :param exclusive_ang: sites filled in part nearer than this are alternatives, and no distance between atoms.
    :returns: (n, n) over atomic numbers; infinite for elements that the crystal does not hold.
    """
    held = [[atomic_numbers[str(getattr(kind, "symbol", kind))] for kind in site.species] for site in crystal]
    partly = np.array([site.species.num_atoms < 1 - 1e-6 for site in crystal])
    elements = sorted({number for of in held for number in of})
    radii = np.nan_to_num(vdw_radii, nan=2.0)
    result = np.full((len(radii), len(radii)), np.inf)
    for a in elements:
        for b in elements:
            result[a, b] = radii[a] + radii[b]
    reach = float(result[np.ix_(elements, elements)].max())
    first, second, lengths = primitive_neighbor_list(
        "ijd", (True, True, True), np.asarray(crystal.lattice.matrix), crystal.cart_coords, reach
    )
    for i, j, length in zip(first.tolist(), second.tolist(), lengths.tolist(), strict=True):
        if partly[i] and partly[j] and length < exclusive_ang:
            continue
        for a in held[i]:
            for b in held[j]:
                result[a, b] = min(result[a, b], length)
    return result


def smallest_gap(lower: Slab, upper: Slab, limits: NDArray[np.float64]) -> float:
    """Return the smallest gap between two slabs at which every two atoms across it keep their limit, Å, to 0.001.

    :param lower: its upper face is looked at.
    :param upper: its lower face; in the same cell.
    :param limits: smallest distance by atomic numbers, Å.
    """
    below, above, across, depths = _pairs(lower, upper, float(limits[np.isfinite(limits)].max()))
    wanted = limits[below, above]
    near = across < wanted
    rises = np.sqrt(wanted[near] ** 2 - across[near] ** 2) - depths[near]
    needed = float(rises.max()) if len(rises) else 0.0
    return max(SMALLEST_GAP_ANG, float(np.ceil(round(needed / _STEP_ANG, 6)) * _STEP_ANG))


def nearest_across(lower: Slab, upper: Slab, gap_ang: float, limits: NDArray[np.float64]) -> Nearest | None:
    """Return the pair across a gap that is farthest below its limit; None if every pair keeps it.

    :param lower: its upper face is looked at.
    :param upper: its lower face; in the same cell.
    :param gap_ang: between outermost atoms of the two.
    :param limits: smallest distance by atomic numbers, Å, such as `science.contacts.ContactLimits` tables them.
    """
    # A gap is the smallest height between two atoms across it, so that no pair is nearer.
    if gap_ang >= largest_limit(lower, upper, limits):
        return None
    below, above, across, depths = _pairs(lower, upper, float(limits[np.isfinite(limits)].max()))
    wanted = limits[below, above]
    distances = np.hypot(across, gap_ang + depths)
    if not (distances < wanted - _STEP_ANG).any():
        return None
    worst = int(np.argmin(distances / wanted))
    species = (chemical_symbols[int(below[worst])], chemical_symbols[int(above[worst])])
    return Nearest(species, float(distances[worst]), float(wanted[worst]))


def largest_limit(lower: Slab, upper: Slab, limits: NDArray[np.float64]) -> float:
    """Return the largest limit of an element of one slab and one of the other, Å: a gap of it keeps all."""
    below, above = ([atomic_numbers[symbol] for symbol in slab.counts] for slab in (lower, upper))
    return float(limits[np.ix_(below, above)].max())


def _pairs(
    lower: Slab, upper: Slab, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the pairs across a gap that may come within ``reach``, Å.

    :returns: atomic number below and above, distance in plane, and what the two lie below their faces, in sum.
    """
    below, depth_below, flat_below = _face(lower, reach, top=True)
    above, depth_above, flat_above = _face(upper, reach, top=False)
    cell = np.eye(3)
    cell[:2, :2] = lower.cell
    flat = np.zeros((len(below) + len(above), 3))
    flat[:, :2] = np.concatenate([flat_below, flat_above])
    first, second, across = primitive_neighbor_list("ijd", (True, True, False), cell, flat, reach)
    pairs = (first < len(below)) & (second >= len(below))
    i, j = first[pairs], second[pairs] - len(below)
    return below[i], above[j], across[pairs], depth_below[i] + depth_above[j]


def _face(slab: Slab, reach: float, *, top: bool) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return atomic numbers, depths below a face and in-plane positions of the atoms that are near to it."""
    order: Sequence[int] = range(slab.spec.layers)[::-1] if top else range(slab.spec.layers)
    heights = slab.spec.unit.frac[:, 2]
    low, high = slab.extent
    found = []
    for index in order:
        nearest = high - (heights.max() + index) * slab.spacing if top else (heights.min() + index) * slab.spacing - low
        if nearest > reach:
            break
        numbers, places = slab.layer(index)
        depths = slab.thickness - places[:, 2] if top else places[:, 2]
        near = depths <= reach
        found.append((numbers[near], depths[near], places[near, :2]))
    numbers, depths, flat = (np.concatenate(column) for column in zip(*found, strict=True))
    return numbers, depths, flat

"""Where a slab may end: cuts between molecules, so that none is split, and what each cut leaves on the surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from ase import Atoms
from ase.neighborlist import primitive_neighbor_list
from numpy.typing import NDArray

from aiida_seireact.science.structures.orient import Unit

Bond = tuple[str, str, float]
BONDS: tuple[Bond, ...] = (("P", "S", 2.6),)
"""Elements and distance in Å within which they belong to one molecule: the PS4 and P2S7 of thiophosphates."""
EXCLUSIVE_ANG = 2.0
"""Sites filled in part nearer than this are alternatives (48h doublets: 1.9 Å) and stay on one side of a cut."""
SAME_HEIGHT_ANG = 0.05
NONPOLAR_E_ANG = 0.01


@dataclass(frozen=True)
class Termination:
    """A cut parallel to the plane that splits no molecule.

    :ivar cut: height in fractions of a layer, 0 to 1.
    :ivar width_ang: distance between the centres of the molecules (or atoms) below and above it, Å.
    :ivar below: formula of what lies right below: the upper surface of a slab.
    :ivar above: formula of what lies right above: the lower surface.
    :ivar dipole_e_ang: dipole moment along the normal of a layer that begins here, e Å a cell in plane; None where
        charges are unknown. Where it is not zero, the field in a slab grows with its thickness (a polar surface).
    """

    cut: float
    width_ang: float
    below: str
    above: str
    dipole_e_ang: float | None

    @property
    def is_nonpolar(self) -> bool | None:
        """Whether a slab that begins here has no dipole moment; None where charges are unknown."""
        return None if self.dipole_e_ang is None else abs(self.dipole_e_ang) < NONPOLAR_E_ANG


def terminations(unit: Unit, bonds: Sequence[Bond] = BONDS) -> list[Termination]:
    """Return all cuts, the best first: nonpolar, then the widest, then the lowest.

    :raises ValueError: molecules that are connected without end along the normal.
    """
    whole, groups = molecules(unit, bonds)
    centres = _centres(whole, groups)
    members = [np.flatnonzero(groups == group) for group in range(len(centres))]
    order = sorted(range(len(centres)), key=lambda group: (round(float(centres[group]) % 1.0, 6) % 1.0, group))
    planes: list[list[int]] = []
    for group in order:
        height = centres[group] % 1.0
        if planes and (height - centres[planes[-1][0]] % 1.0) * unit.spacing < SAME_HEIGHT_ANG:
            planes[-1].append(group)
        else:
            planes.append([group])
    if len(planes) > 1 and (centres[planes[0][0]] % 1.0 + 1 - centres[planes[-1][0]] % 1.0) * unit.spacing < (
        SAME_HEIGHT_ANG
    ):
        planes[0] = planes.pop() + planes[0]
    heights = [centres[plane[-1]] % 1.0 for plane in planes]
    found = []
    for index, plane in enumerate(planes):
        below = heights[index - 1] - (1.0 if index == 0 else 0.0)
        middle = round(float((below + heights[index]) / 2) % 1.0, 6) % 1.0
        sides = [
            _formula(unit, np.concatenate([members[group] for group in side])) for side in (planes[index - 1], plane)
        ]
        width = round(float(heights[index] - below) * unit.spacing, 6)
        found.append(Termination(middle, width, sides[0], sides[1], dipole(cut_unit(unit, middle, bonds))))
    return sorted(found, key=lambda item: (item.is_nonpolar is False, -round(item.width_ang, 3), item.cut))


def cut_unit(unit: Unit, at: float | Literal["auto"] = "auto", bonds: Sequence[Bond] = BONDS) -> Unit:
    """Return the unit that begins at a cut; molecules stay whole, on the side of their centre.

    :param at: height in fractions of a layer; ``auto``: the first of `terminations`.
    :raises ValueError: molecules that are connected without end along the normal.
    """
    if at == "auto":
        at = terminations(unit, bonds)[0].cut
    whole, groups = molecules(unit, bonds)
    # What lies on the cut itself is above it.
    turns = np.floor(_centres(whole, groups) - at + 1e-9)
    frac = whole.copy()
    frac[:, 2] -= turns[groups] + at
    return replace(unit, frac=frac.round(12) + 0.0)


def molecules(unit: Unit, bonds: Sequence[Bond] = BONDS) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return sites moved by lattice vectors so that molecules are in one piece, and the molecule of each site.

    :raises ValueError: a network without end along the normal.
    """
    positions, cell = _cartesian(unit)
    reach = max([EXCLUSIVE_ANG, *(length for _, _, length in bonds)])
    first, second, shifts, lengths = primitive_neighbor_list("ijSd", (True, True, True), cell, positions, reach)
    limit = {frozenset((a, b)): length for a, b, length in bonds}
    partly = np.array([sum(site.values()) < 1 - 1e-6 for site in unit.occupancy])
    bonded = np.array(
        [
            any(length <= limit.get(frozenset((a, b)), 0.0) for a in unit.occupancy[i] for b in unit.occupancy[j])
            for i, j, length in zip(first, second, lengths, strict=True)
        ],
        dtype=bool,
    )
    exclusive = partly[first] & partly[second] & (lengths < EXCLUSIVE_ANG)
    groups, offsets, endless = _components(unit.n_sites, first[bonded], second[bonded], shifts[bonded])
    if endless[:, 2].any():
        names = ", ".join(f"{a}-{b}" for a, b, _ in bonds)
        raise ValueError(
            f"the bonds {names} go on without end along the normal of {_plane(unit)}, so every cut would break some: "
            "take another plane, or a shorter distance for the bonds that may be broken"
        )
    both = bonded | exclusive
    wide, moved, open_ = _components(unit.n_sites, first[both], second[both], shifts[both])
    # Alternatives that form an endless network can't be kept together; their molecules still are.
    free = open_.any(axis=1)[wide]
    groups = np.where(free, groups + unit.n_sites, wide)
    offsets = np.where(free[:, None], offsets, moved)
    return unit.frac + offsets, np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _components(
    n: int, first: NDArray[np.int64], second: NDArray[np.int64], shifts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return component and lattice offset of each site, and for each component along which axes it has no end."""
    links: list[list[tuple[int, NDArray[np.int64]]]] = [[] for _ in range(n)]
    for i, j, shift in zip(first, second, shifts, strict=True):
        links[i].append((int(j), shift))
    groups, offsets = np.full(n, -1, dtype=np.int64), np.zeros((n, 3), dtype=np.int64)
    endless: list[NDArray[np.bool_]] = []
    for start in range(n):
        if groups[start] >= 0:
            continue
        groups[start] = len(endless)
        endless.append(np.zeros(3, dtype=bool))
        queue = [start]
        while queue:
            site = queue.pop()
            for other, shift in links[site]:
                if groups[other] < 0:
                    groups[other], offsets[other] = groups[site], offsets[site] + shift
                    queue.append(other)
                else:
                    endless[-1] |= offsets[other] != offsets[site] + shift
    return groups, offsets, np.array(endless)


def _centres(frac: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the height of the centre of each molecule, rounded so that equal heights are equal."""
    counts = np.bincount(groups)
    result: NDArray[np.float64] = (np.bincount(groups, weights=frac[:, 2]) / counts).round(7)
    return result


def _cartesian(unit: Unit) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions and cell of a unit, Å."""
    cell = np.zeros((3, 3))
    cell[:2, :2] = unit.in_plane
    cell[2, :2] = unit.shift @ unit.in_plane
    cell[2, 2] = unit.spacing
    return unit.frac @ cell, cell


def dipole(unit: Unit) -> float | None:
    """Return the dipole moment of a unit along the normal, e Å a cell in plane; None where charges are unknown."""
    charges = np.array(
        [sum(share * charge[symbol] for symbol, share in site.items()) for site, charge in
         zip(unit.occupancy, unit.charges, strict=True)]
    )  # fmt: skip
    if np.isnan(charges).any():
        return None
    return round(float((charges * unit.frac[:, 2]).sum() * unit.spacing), 6) + 0.0


def _formula(unit: Unit, sites: NDArray[np.int64]) -> str:
    """Return what stands on some sites, shares of sites as decimals."""
    total: dict[str, float] = {}
    for site in sites:
        for symbol, share in unit.occupancy[site].items():
            total[symbol] = total.get(symbol, 0.0) + share
    if all(abs(n - round(n)) < 1e-6 for n in total.values()):
        symbols = [symbol for symbol, n in total.items() for _ in range(round(n))]
        return str(Atoms(symbols).get_chemical_formula("hill"))
    return "".join(f"{symbol}{n:g}" for symbol, n in sorted(total.items()))


def _plane(unit: Unit) -> str:
    return "(" + " ".join(str(index) for index in unit.hkl) + ")"

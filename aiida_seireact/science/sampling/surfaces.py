"""Slabs of a crystal with a vacuum, every termination of the planes that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from pymatgen.core.surface import SlabGenerator
from pymatgen.io.ase import AseAtomsAdaptor

FIRST_VACUUM_ANG = 10.0


def slabs(
    crystal: Atoms,
    millers: Sequence[tuple[int, int, int]],
    *,
    slab_ang: float = 8.0,
    max_atoms: int = 120,
    unbroken: Mapping[str, float] | None = None,
) -> list[Atoms]:
    """Return a slab for each termination of each plane, its normal along z, in the order of the planes.

    The slabs hold whole repeat units, so their composition is the crystal's; a termination may be polar.

    :param crystal: conventional cell: the Miller indices are those of this cell.
    :param slab_ang: least thickness in Å.
    :param max_atoms: larger slabs are left out.
    :param unbroken: pair (``P-S``) -> length in Å: terminations that cut such a bond are left out.
    :raises ValueError: a plane without a slab, or with larger ones only; the sentence tells the smallest.
    """
    bonds: Any = {tuple(pair.split("-")): length for pair, length in (unbroken or {}).items()}
    structure = AseAtomsAdaptor.get_structure(crystal)
    found = []
    for miller in millers:
        generator = SlabGenerator(
            structure, miller, slab_ang, FIRST_VACUUM_ANG, center_slab=True, lll_reduce=True, primitive=True
        )
        made = [
            AseAtomsAdaptor.get_atoms(slab.get_orthogonal_c_slab()) for slab in generator.get_slabs(bonds=bonds or None)
        ]
        plane = f"({''.join(map(str, miller))}) of {crystal.get_chemical_formula()}"
        if not made:
            raise ValueError(
                f"Every termination of {plane} cuts a bond {', '.join(unbroken or {})}: take another plane, or leave "
                "the bond out of unbroken."
            )
        small = [atoms for atoms in made if len(atoms) <= max_atoms]
        if not small:
            raise ValueError(
                f"The smallest slab {plane} has {min(map(len, made))} atoms, more than max_atoms "
                f"{max_atoms}: raise it, or lower slab_ang "
                f"{slab_ang:g}."
            )
        found += [_sorted(atoms) for atoms in small]
    return found


def with_vacuum(slab: Atoms, vacuum_ang: float) -> Atoms:
    """Return the slab, normal along z, with this much vacuum between its outermost atoms and their images."""
    heights = slab.positions[:, 2]
    low, thickness = float(heights.min()), float(np.ptp(heights))
    atoms: Atoms = slab.copy()
    cell = np.asarray(atoms.cell).copy()
    cell[2] = [0.0, 0.0, thickness + vacuum_ang]
    atoms.set_cell(cell, scale_atoms=False)
    atoms.positions[:, 2] += vacuum_ang / 2 - low
    return atoms


def _sorted(atoms: Atoms) -> Atoms:
    """Return bare atoms with in-plane vectors in the plane, ordered by height and element."""
    bare = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    bare.rotate(bare.cell[0], "x", rotate_cell=True)
    normal = np.cross(bare.cell[0], bare.cell[1])
    angle = np.degrees(np.arctan2(normal[1], normal[2]))
    bare.rotate(angle, "x", rotate_cell=True)
    order = np.lexsort((bare.positions[:, 0].round(6), bare.numbers, bare.positions[:, 2].round(6)))
    ordered: Atoms = bare[order]
    return ordered

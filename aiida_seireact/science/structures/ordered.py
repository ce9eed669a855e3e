"""The smallest ordered cell of a disordered phase, for one energy of it."""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from pymatgen.core.periodic_table import Species
from pymatgen.core.structure import Structure
from pymatgen.transformations.standard_transformations import OrderDisorderedStructureTransformation

from aiida_seireact.science.structures.cells import rounded

WHOLE = 1e-6
"""Deviation from a whole number of atoms that counts as whole."""


def ordered_cell(structure: Structure, name: str = "the phase") -> Atoms:
    """Return the primitive cell of a phase, its partly filled and shared sites decided by the lowest Ewald energy.

    One ordering in the smallest cell that holds whole atoms: a representative for an energy at 0 K, not the disorder
    of a simulation cell. No random choice is made.

    :param structure: with oxidation states where it is disordered.
    :param name: for the sentence of a refusal.
    :returns: atoms sorted by element, without charges.
    :raises ValueError: the cell holds no whole number of atoms of an element, or has no oxidation states.
    """
    cell = structure.get_primitive_structure()
    if not cell.is_ordered and not _is_whole(cell):
        cell = structure
    if not cell.is_ordered:
        for element, amount in cell.composition.element_composition.items():
            if abs(amount - round(amount)) > WHOLE:
                raise ValueError(
                    f"The cell of {name} holds {amount:.3f} {element}, not a whole number: "
                    "give a supercell in which each element is whole, or an ordered cell."
                )
        if not all(isinstance(specie, Species) and specie.oxi_state is not None for specie in cell.composition):
            raise ValueError(
                f"{name} is disordered and has no oxidation states, by which orderings are ranked: "
                "give them in the CIF, or an ordered cell."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ranked = OrderDisorderedStructureTransformation().apply_transformation(cell, return_ranked_list=False)
        assert isinstance(ranked, Structure)
        cell = ranked
    numbers = np.array([site.specie.Z for site in cell])
    order = np.argsort(numbers, kind="stable")
    atoms = Atoms(numbers=numbers[order], scaled_positions=cell.frac_coords[order], cell=cell.lattice.matrix, pbc=True)
    return rounded(atoms)


def _is_whole(cell: Structure) -> bool:
    return all(abs(amount - round(amount)) < WHOLE for amount in cell.composition.values())

"""Crystals, interface cells and isolated atoms, built the same way on every machine."""

from aiida_seireact.science.structures.argyrodite import (
    CUT_FRACTION,
    LATTICE_DEFAULTS,
    argyrodite,
    crystal,
    interface_cell,
    li_slab,
    production_cell,
    training_cell,
)
from aiida_seireact.science.structures.cells import ATOM_BOX_ANG, ISOLATED_ATOM, isolated_atom, rounded

__all__ = [
    "ATOM_BOX_ANG",
    "CUT_FRACTION",
    "ISOLATED_ATOM",
    "LATTICE_DEFAULTS",
    "argyrodite",
    "crystal",
    "interface_cell",
    "isolated_atom",
    "li_slab",
    "production_cell",
    "rounded",
    "training_cell",
]

"""The conventional cell of a crystal, whatever cell of it is given."""

from __future__ import annotations

from ase import Atoms
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

SYMPREC_ANG = 1e-3


def conventional_cell(atoms: Atoms) -> tuple[Atoms, str]:
    """Return the conventional cell, by pymatgen, and the crystal system; the edges of a cubic one lie on the axes."""
    analyzer = SpacegroupAnalyzer(AseAtomsAdaptor.get_structure(atoms), symprec=SYMPREC_ANG)
    cell: Atoms = AseAtomsAdaptor.get_atoms(analyzer.get_conventional_standard_structure(), msonable=False)
    return Atoms(cell.numbers, positions=cell.positions, cell=cell.cell, pbc=True), str(analyzer.get_crystal_system())

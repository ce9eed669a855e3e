"""The smallest ordered cell of a phase: whole atoms, no doublet filled twice, the same every time."""

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from aiida_seireact.science.structures.library import names, structure
from aiida_seireact.science.structures.ordered import ordered_cell


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("Li", "Li"),
        ("Li2S", "Li2S"),
        ("Li6PS5Cl", "ClLi6PS5"),
        ("Li7PS6", "Li7PS6"),
        ("Li4P2S6", "Li4P2S6"),
        ("Li3InCl6", "Cl6InLi3"),
    ],
)
def test_the_cell_is_the_smallest_of_whole_atoms(name: str, formula: str):
    assert ordered_cell(structure(name), name).get_chemical_formula() == formula


def test_no_li_doublet_of_argyrodite_is_filled_twice():
    """The two sites of a doublet lie 1.9 Å apart; Li on other sites keep 2.4 Å."""
    atoms = ordered_cell(structure("Li6PS5Cl"))
    first, distances = neighbor_list("id", atoms, 3.0)
    assert distances[atoms.numbers[first] == 3].min() > 2.2


def test_every_p_of_hexathiohypodiphosphate_has_one_p_beside_it():
    """P2S6: P-P 2.26 Å, one bond a P."""
    atoms = ordered_cell(structure("Li4P2S6"))
    first, second, distances = neighbor_list("ijd", atoms, 2.6)
    bonds = distances[(atoms.numbers[first] == 15) & (atoms.numbers[second] == 15)]
    assert bonds == pytest.approx([2.256] * 2, abs=0.01)


@pytest.mark.parametrize("name", names())
def test_density_and_bytes_stay(name: str):
    cell = structure(name)
    atoms = ordered_cell(cell, name)
    assert atoms.get_masses().sum() / atoms.get_volume() * 1.66053907 == pytest.approx(cell.density, rel=1e-3)
    again = ordered_cell(structure(name), name)
    assert np.array_equal(atoms.positions, again.positions)
    assert list(atoms.numbers) == sorted(atoms.numbers)


def test_a_cell_without_whole_atoms_is_refused():
    cell = Structure(Lattice.cubic(4.0), [{"Na": 0.5}, "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)])
    with pytest.raises(ValueError, match=r"holds 0\.500 Na, not a whole number: give a supercell"):
        ordered_cell(cell, "half")


def test_disorder_without_oxidation_states_is_refused():
    cell = structure("Li6PS5Cl").remove_oxidation_states()
    with pytest.raises(ValueError, match="LPSCl is disordered and has no oxidation states"):
        ordered_cell(cell, "LPSCl")

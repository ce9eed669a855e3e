"""The cells are the ones the papers and the demo name, down to counts and distances."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_seireact.science.analysis import intact_ps4
from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.structures import (
    argyrodite,
    crystal,
    interface_cell,
    li_slab,
    production_cell,
    training_cell,
)


def n_intact(atoms: Atoms) -> int:
    return int(intact_ps4(atoms.positions, atoms.numbers, np.asarray(atoms.cell), atoms.pbc).sum())


def shortest(atoms: Atoms, first: str, second: str) -> float:
    i, j, d = neighbor_list("ijd", atoms, 4.5)
    symbols = np.array(atoms.get_chemical_symbols())
    return float(d[(symbols[i] == first) & (symbols[j] == second)].min())


@pytest.mark.parametrize(
    ("name", "formula", "volume_per_atom"),
    [
        ("Li", "Li2", 3.42**3 / 2),
        ("Li2S", "Li8S4", 5.71**3 / 12),
        ("LiCl", "Cl4Li4", 5.14**3 / 8),
        ("Li3P", "Li6P2", 4.24**2 * 7.64 * np.sqrt(3) / 2 / 8),
        ("Li6PS5Cl", "Cl4Li24P4S20", 10.2**3 / 52),
    ],
)
def test_crystals_have_their_formula_and_volume(name: str, formula: str, volume_per_atom: float):
    atoms = crystal(name)
    assert atoms.get_chemical_formula() == formula
    assert atoms.get_volume() / len(atoms) == pytest.approx(volume_per_atom)
    assert atoms.pbc.all()


def test_nearest_neighbours_of_the_crystals_are_those_of_their_structure():
    assert shortest(crystal("Li"), "Li", "Li") == pytest.approx(np.sqrt(3) / 2 * 3.42)
    assert shortest(crystal("Li2S"), "Li", "S") == pytest.approx(np.sqrt(3) / 4 * 5.71)
    assert shortest(crystal("LiCl"), "Li", "Cl") == pytest.approx(5.14 / 2)
    assert shortest(crystal("Li3P"), "Li", "P") == pytest.approx(4.24 / np.sqrt(3))
    assert shortest(crystal("Li6PS5Cl"), "P", "S") == pytest.approx(2.05)


def test_lattice_parameters_are_arguments():
    assert crystal("Li3P", a=4.3, c=7.6).cell.lengths() == pytest.approx([4.3, 4.3, 7.6])


def test_unknown_crystals_and_parameters_are_refused_by_name():
    with pytest.raises(ValueError, match="unknown crystal 'NaCl': known are Li, Li2S, LiCl, Li3P, Li6PS5Cl"):
        crystal("NaCl")
    with pytest.raises(ValueError, match="Li2S has no lattice parameter c"):
        crystal("Li2S", c=3.0)


def test_one_li_of_each_doublet_is_filled():
    # With both sites filled the shortest distance would be the doublet's, 0.1895 a = 1.93 Å.
    for seed in range(5):
        atoms = argyrodite(seed=seed)
        assert atoms.get_chemical_symbols().count("Li") == 24
        assert shortest(atoms, "Li", "Li") > 0.21 * 10.2


def test_half_of_the_chlorine_changes_places_with_free_sulfur():
    # Free anions are more than 3 Å from any P, and Cl of the ordered crystal lies on multiples of a/2.
    atoms = argyrodite(seed=4, exchange=0.5)
    chlorine = atoms.get_scaled_positions()[np.array(atoms.get_chemical_symbols()) == "Cl"]
    on_4a = np.isclose((2 * chlorine) % 1, 0).all(axis=1)
    assert len(chlorine) == 4
    assert on_4a.sum() == 2
    with pytest.raises(ValueError, match="0 to 1"):
        argyrodite(seed=0, exchange=1.2)


def test_half_cell_is_the_same_crystal_as_the_cubic_cell():
    half, cubic = argyrodite(seed=0, exchange=0.0, half_cell=True), argyrodite(seed=0, exchange=0.0)
    assert len(half) == 26
    assert half.cell.cellpar() == pytest.approx([10.2 / np.sqrt(2), 10.2 / np.sqrt(2), 10.2, 90, 90, 90])
    assert n_intact(half) == 2
    for pair in (("P", "S"), ("S", "S"), ("S", "Cl")):
        assert shortest(half, *pair) == pytest.approx(shortest(cubic, *pair))


def test_disorder_differs_between_repetitions():
    atoms = argyrodite(seed=0, half_cell=True, repeat=(2, 1, 1))
    lithium = atoms.positions[np.array(atoms.get_chemical_symbols()) == "Li"]
    left = lithium[lithium[:, 0] < atoms.cell[0, 0] / 2]
    shifted = left + np.array([atoms.cell[0, 0] / 2, 0, 0])
    matches = np.isclose(shifted[:, None], lithium[None], atol=1e-6).all(axis=2).any(axis=1)
    assert not matches.all()


def test_training_cell_has_58_atoms_and_two_intact_ps4():
    atoms = training_cell()
    assert atoms.get_chemical_formula() == "Cl2Li44P2S10"
    assert n_intact(atoms) == 2
    assert atoms.cell.lengths()[:2] == pytest.approx([7.212, 7.212], abs=1e-3)


def test_production_cell_has_432_atoms_and_sixteen_intact_ps4():
    atoms = production_cell()
    assert len(atoms) == 432
    assert n_intact(atoms) == 16
    assert atoms.get_chemical_symbols().count("Li") == 14 * 16 + 16 * 6
    assert atoms.cell.lengths()[:2] == pytest.approx([14.14, 14.14])


def test_every_seed_gives_intact_ps4_and_no_close_pair():
    for seed in range(10):
        atoms = training_cell(seed)
        assert n_intact(atoms) == 2
        # The closest pair is the P-S bond.
        assert smallest_distance(atoms.positions, atoms.cell, True)[0] == pytest.approx(2.05, abs=0.01)


def test_li_layers_conserve_the_volume_of_the_metal():
    atoms = production_cell()
    heights = np.unique(atoms.positions[atoms.numbers == 3, 2].round(6))
    spacing = np.diff(heights)[0]
    assert 7.07**2 / 4 * spacing == pytest.approx(3.42**3 / 2, rel=1e-5)


def test_the_gap_is_two_angstroms_on_both_sides():
    atoms = interface_cell(seed=2, electrolyte_cells=2, li_layers=4)
    anions = atoms.positions[atoms.numbers != 3, 2]
    unique = np.unique(atoms.positions[:, 2].round(6))
    below, above = unique[unique < anions.min()], unique[unique > anions.max()]
    # Metal layers are 1.54 Å apart, so the steps of 2.0 Å are the gaps.
    steps = np.diff(np.concatenate([below, unique[(unique >= anions.min()) & (unique <= anions.max())], above]))
    assert np.isclose(steps, 2.0).sum() == 2


def test_the_electrolyte_lies_in_the_middle():
    atoms = production_cell()
    anions = atoms.positions[atoms.numbers == 16, 2]
    assert anions.min() > 0.2 * atoms.cell[2, 2]
    assert anions.max() < 0.8 * atoms.cell[2, 2]


def test_the_same_seed_is_the_same_cell_on_any_machine():
    atoms = training_cell(7)
    content = atoms.numbers.astype("<i8").tobytes() + atoms.positions.astype("<f8").tobytes()
    assert np.array_equal(training_cell(7).positions, atoms.positions)
    assert not np.array_equal(training_cell(8).positions, atoms.positions)
    assert hashlib.sha256(content).hexdigest()[:16] == "23f63c745b3f2441"


def test_an_odd_number_of_li_layers_is_refused():
    with pytest.raises(ValueError, match="even number"):
        interface_cell(seed=0, li_layers=7)


def test_a_cell_that_breaks_ps4_is_refused():
    with pytest.raises(ValueError, match="PS4 are not intact"):
        interface_cell(seed=0, in_plane_ang=12.0)


def test_li_slab_has_its_vacuum():
    slab = li_slab(6, vacuum_ang=5.0)
    assert len(slab) == 24
    assert slab.cell.lengths() == pytest.approx([6.84, 6.84, 5 * 1.71 + 5.0])
    assert shortest(slab, "Li", "Li") == pytest.approx(np.sqrt(3) / 2 * 3.42)

"""Limits by species, pairs below them, and the sentence that refuses them."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_seireact.science.contacts import Contact, ContactLimits, closest_pairs, refusal, too_close
from aiida_seireact.science.structures.argyrodite import argyrodite, crystal, interface_cell

LI, P, S = 3, 15, 16


def pairs_of(atoms: Atoms, limits: ContactLimits | None = None) -> list[Contact]:
    return too_close(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, limits)


def pair_at(distance: float, symbols: str = "LiS", shift: float = 5.0) -> Atoms:
    """Two atoms `distance` apart along z in a cell of 10 Å."""
    return Atoms(symbols, [(5, 5, shift), (5, 5, shift + distance)], cell=[10, 10, 10], pbc=True)


def test_limits_are_a_fraction_of_the_sum_of_the_covalent_radii():
    table = ContactLimits().table()
    # Cordero et al. 2008: Li 1.28, P 1.07, S 1.05 Å.
    assert table[LI, S] == pytest.approx(0.7 * (1.28 + 1.05))
    assert table[P, S] == table[S, P] == pytest.approx(0.7 * (1.07 + 1.05))


def test_a_pair_may_have_a_limit_of_its_own_in_either_order():
    table = ContactLimits(pairs={"S-Li": 2.0}).table()
    assert table[LI, S] == table[S, LI] == 2.0
    assert table[LI, LI] == ContactLimits().table()[LI, LI]


@pytest.mark.parametrize(
    ("given_pairs", "words"),
    [
        ({"Li-Xx": 1.0}, "'Li-Xx' is not a pair of two elements"),
        ({"Li": 1.0}, "'Li' is not a pair"),
        ({"Li-S": -1.0}, "can't be negative"),
        ({"Li-S": 1.0, "S-Li": 1.2}, "two limits"),
    ],
)
def test_limits_that_make_no_sense_are_refused(given_pairs, words):
    with pytest.raises(ValueError, match=words):
        ContactLimits(pairs=given_pairs)


@pytest.mark.parametrize("name", ["N2", "CO", "H2", "P2", "S2", "Cl2", "H2O"])
def test_the_shortest_bonds_known_pass(name):
    atoms = molecule(name, vacuum=5)
    assert pairs_of(atoms) == []


def test_crystals_and_interfaces_pass():
    for atoms in (crystal("Li2S"), crystal("Li3P"), crystal("LiCl"), argyrodite(seed=1), interface_cell(seed=0)):
        atoms.rattle(0.05, seed=0)
        assert pairs_of(atoms) == []


def test_the_pair_is_named_with_species_indices_distance_and_limit():
    (found,) = pairs_of(pair_at(1.4))
    assert found.atoms == (0, 1)
    assert found.species == ("Li", "S")
    assert found.distance_ang == pytest.approx(1.4)
    assert str(found) == "Li (atom 0) and S (atom 1) are 1.400 Å apart, allowed from 1.63 Å"
    assert "raise the gap by 0.23 Å" in refusal([found])


@pytest.mark.parametrize("shift", [9.3, -0.7, 19.3])
def test_a_pair_across_the_boundary_is_found(shift):
    (found,) = pairs_of(pair_at(1.4, shift=shift))
    assert found.distance_ang == pytest.approx(1.4)
    assert found.vector_ang == pytest.approx((0, 0, 1.4))


def test_an_atom_too_near_to_its_own_image_is_found():
    (found,) = pairs_of(Atoms("Li", [(0, 0, 0)], cell=[10, 10, 1.5], pbc=True))
    assert found.atoms == (0, 0)
    assert found.distance_ang == pytest.approx(1.5)


def test_open_boundaries_have_no_images():
    atoms = pair_at(1.4, shift=9.3)
    atoms.wrap()
    atoms.pbc = [True, True, False]
    atoms.cell[2] = 0
    assert pairs_of(atoms) == []


def test_the_rise_makes_the_pair_reach_its_limit():
    atoms = pair_at(1.0)
    atoms.positions[1, 0] += 0.9
    (found,) = pairs_of(atoms)
    atoms.positions[1, 2] += found.rise_ang
    assert atoms.get_distance(0, 1, mic=True) == pytest.approx(found.limit_ang)


def test_worst_pair_comes_first_relative_to_its_limit():
    atoms = pair_at(1.5) + Atoms("PS", [(1, 1, 1), (1, 1, 2.45)])
    found = pairs_of(atoms)
    assert [pair.species for pair in found] == [("Li", "S"), ("P", "S")]
    assert "2 such pairs" in refusal(found)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), angle=st.floats(0, 360))
def test_rotation_wrap_and_order_of_atoms_change_nothing(seed, angle):
    atoms = bulk("Li2S", "fluorite", a=4.9, cubic=True)
    atoms.rattle(0.4, seed=seed)
    distances = [pair.distance_ang for pair in pairs_of(atoms, ContactLimits(factor=1.0))]
    turned = atoms[np.random.default_rng(seed).permutation(len(atoms))]
    turned.rotate(angle, (1, 2, 3), rotate_cell=True)
    turned.wrap()
    again = [pair.distance_ang for pair in pairs_of(turned, ContactLimits(factor=1.0))]
    assert sorted(again) == pytest.approx(sorted(distances), abs=1e-9)


def test_closest_pairs_of_rock_salt_are_its_neighbour_shells():
    atoms = bulk("LiCl", "rocksalt", a=5.14, cubic=True)
    found = closest_pairs(atoms.positions, atoms.numbers, atoms.cell.array, True)
    assert {name: round(pair.distance_ang, 4) for name, pair in found.items()} == {
        "Cl-Cl": 3.6345,
        "Cl-Li": 2.57,
        "Li-Li": 3.6345,
    }
    assert found["Cl-Li"].limit_ang == pytest.approx(0.7 * 2.3)


def test_species_that_are_nowhere_near_are_left_out():
    atoms = Atoms("LiS", [(0, 0, 0), (0, 0, 9)], cell=[20, 20, 20], pbc=True)
    assert closest_pairs(atoms.positions, atoms.numbers, atoms.cell.array, True) == {}

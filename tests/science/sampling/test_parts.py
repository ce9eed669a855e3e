"""Dimers and surfaces are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.sampling.dimers import dimer, dimer_distances, pairs_of
from aiida_seireact.science.sampling.surfaces import slabs, with_vacuum
from aiida_seireact.science.structures import crystal


def test_two_atoms_are_as_far_as_told_and_their_images_twelve_angstrom_away():
    for distance in (0.6, 2.4, 6.0):
        atoms = dimer("S", "Li", distance)
        assert atoms.get_distance(0, 1) == pytest.approx(distance, abs=1e-7)
        far = atoms.cell.lengths() - [distance, 0, 0]
        assert far.min() >= 12.0 - 1e-7
        assert smallest_distance(atoms.positions, atoms.cell.array, True)[0] == pytest.approx(distance, abs=1e-7)


def test_distances_are_closest_where_they_are_short():
    found = dimer_distances(0.6, 6.0, 11)
    assert found[[0, -1]] == pytest.approx([0.6, 6.0])
    assert found[1:] / found[:-1] == pytest.approx(10**0.1)


def test_pairs_are_each_once_and_strangers_refused():
    assert len(pairs_of(["Li", "P", "S", "Cl"])) == 10
    assert pairs_of(["Li", "S", "P"], ["S-Li", "Li-S", "P-P"]) == [("Li", "S"), ("P", "P")]
    with pytest.raises(ValueError, match="no pair 'Li-In' of Li, S: write for example Li-S"):
        pairs_of(["Li", "S"], ["Li-In"])


@pytest.mark.parametrize(("name", "miller"), [("Li", (1, 1, 0)), ("Li2S", (1, 1, 1)), ("Li3P", (0, 0, 1))])
def test_slabs_keep_composition_and_bonds_and_get_their_vacuum(name, miller):
    cell = crystal(name)
    bond = smallest_distance(cell.positions, cell.cell.array, True)[0]
    for slab in slabs(cell, [miller]):
        assert slab.symbols.formula.reduce()[0].count() == cell.symbols.formula.reduce()[0].count()
        opened = with_vacuum(slab, 7.5)
        heights = opened.positions[:, 2]
        assert opened.cell.array[2] == pytest.approx([0, 0, np.ptp(heights) + 7.5])
        assert opened.cell.array[:2, 2] == pytest.approx([0, 0], abs=1e-9)
        assert heights.min() == pytest.approx(3.75)
        assert smallest_distance(opened.positions, opened.cell.array, True)[0] == pytest.approx(bond, abs=1e-6)


def test_no_termination_cuts_a_bond_that_is_to_stay():
    cell = crystal("Li6PS5Cl")
    every, whole = slabs(cell, [(1, 0, 0)]), slabs(cell, [(1, 0, 0)], unbroken={"P-S": 2.3})

    def n_whole(slab) -> int:
        opened = with_vacuum(slab, 10.0)
        distances = opened.get_all_distances(mic=True)[np.ix_(opened.numbers == 15, opened.numbers == 16)]
        return int(((distances < 2.3).sum(axis=1) == 4).sum())

    assert 0 < len(whole) < len(every)
    assert {n_whole(slab) for slab in whole} == {4}
    assert min(n_whole(slab) for slab in every) < 4


def test_slabs_that_are_too_large_are_refused_with_the_smallest():
    with pytest.raises(ValueError, match=r"smallest slab \(110\) of Li8S4 has 24 atoms, more than max_atoms 20"):
        slabs(crystal("Li2S"), [(1, 1, 0)], max_atoms=20)

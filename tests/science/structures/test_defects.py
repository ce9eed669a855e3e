"""Point defects: as many as asked, neutral where asked, nowhere too near, the same by the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import get_distances
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_seireact.science.structures import crystal
from aiida_seireact.science.structures.defects import (
    Defects,
    with_antisites,
    with_defects,
    with_interstitials,
    with_vacancies,
)

CHARGES = {"Li": 1, "P": 5, "S": -2, "Cl": -1}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_vacancies_are_of_the_species_asked():
    cell = crystal("Li2S").repeat((2, 1, 1))
    left = with_vacancies(cell, "S", 3, rng())
    assert left.get_chemical_formula() == "Li16S5"
    assert len(with_vacancies(cell, None, 2, rng())) == 22
    with pytest.raises(ValueError, match="9 S can't be drawn from a cell of Li16S8 with 8 S"):
        with_vacancies(cell, "S", 9, rng())
    with pytest.raises(ValueError, match="repeat the cell"):
        with_vacancies(crystal("Li"), "Li", 2, rng())


def test_an_interstitial_in_antifluorite_finds_the_octahedral_hole():
    # The hole at (1/2, 1/2, 1/2) is (√3/4) a from 8 Li; a random place is found within a fraction of that.
    cell = crystal("Li2S")
    filled = with_interstitials(cell, "Li", 1, rng())
    assert filled.get_chemical_formula() == "Li9S4"
    _, distances = get_distances(filled.positions[-1:], cell.positions, cell=cell.cell, pbc=True)
    assert 2.1 < distances.min() <= np.sqrt(3) / 4 * 5.71 + 1e-6
    with pytest.raises(ValueError, match="has no place 4 Å from all atoms, the roomiest found is 2"):
        with_interstitials(cell, "Li", 1, rng(), min_distance_ang=4.0)
    with pytest.raises(ValueError, match="'Xx' is no element"):
        with_interstitials(cell, "Xx", 1, rng())


@pytest.fixture(scope="module")
def host() -> Atoms:
    return crystal("Li6PS5Cl")


def places(atoms: Atoms, symbol: str) -> set[tuple[float, ...]]:
    """Where the atoms of an element are, wrapped."""
    fractions = np.round(atoms.get_scaled_positions(wrap=True), 6) % 1.0
    return {tuple(row) for row in fractions[atoms.symbols == symbol].tolist()}


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32), vacancies=st.integers(1, 3), interstitials=st.integers(1, 2), swaps=st.integers(1, 3)
)
def test_each_defect_is_made_as_often_as_asked(host, seed, vacancies, interstitials, swaps) -> None:
    asked = Defects({"Li": vacancies, "S": 1}, {"Li": interstitials}, {("S", "Cl"): swaps})
    made = with_defects(host, asked, rng(seed))
    before, after = host.symbols.formula.count(), made.symbols.formula.count()
    assert {symbol: after[symbol] - before[symbol] for symbol in before} == {
        "Li": interstitials - vacancies, "P": 0, "S": -1, "Cl": 0,
    }  # fmt: skip
    # Antisites: so many Cl sit where S did; no vacancy or interstitial moves another atom.
    assert len(places(made, "Cl") & places(host, "S")) == swaps
    # A swapped S is not the one that went.
    assert len(places(made, "S") & places(host, "Cl")) == swaps
    # Vacancies are of the host: the interstitials stay, and do not fall into them.
    new = places(made, "Li") - places(host, "Li")
    assert len(new) == interstitials
    distances = get_distances(made.positions, made.positions, cell=made.cell, pbc=True)[1]
    assert distances[~np.eye(len(made), dtype=bool)].min() > 1.5
    assert asked.charge(CHARGES) == interstitials - vacancies + 2
    assert sum(CHARGES[symbol] for symbol in made.symbols) == asked.charge(CHARGES)


def test_the_same_seed_is_the_same_cell(host: Atoms) -> None:
    asked = Defects({"Li": 2}, {"Li": 1}, {("S", "Cl"): 1})
    first, again, other = (with_defects(host, asked, rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first.positions, again.positions)
    assert not np.array_equal(first.positions, other.positions)
    assert len(host) == 52


def test_neither_a_wrap_nor_a_supercell_brings_atoms_nearer(host: Atoms) -> None:
    # An interstitial near a face has its neighbours across it.
    moved = host.copy()
    moved.positions += [3.1, -20.7, 40.3]
    for cell in (moved, host.repeat((2, 1, 1))):
        made = with_interstitials(cell, "Li", 3, rng(1), min_distance_ang=1.6)
        repeated = made.repeat((2, 2, 2))
        repeated.wrap()
        distances = get_distances(made.positions[-3:], repeated.positions, cell=repeated.cell, pbc=True)[1]
        assert distances[distances > 1e-6].min() > 1.6


def test_antisites_keep_the_sites_and_the_composition(host: Atoms) -> None:
    made = with_antisites(host, "Cl", "S", 4, rng())
    assert made.symbols.formula.count() == host.symbols.formula.count()
    assert places(made, "Cl") | places(made, "S") == places(host, "Cl") | places(host, "S")
    assert not places(made, "Cl") & places(host, "Cl")
    with pytest.raises(ValueError, match="5 Cl can't be drawn from a cell of .* with 4 Cl: ask for fewer"):
        with_antisites(host, "S", "Cl", 5, rng())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Defects({"Li": 2}), r"a charge of -2 e: 1 S vacancy or 2 Cl vacancies or 2 Li interstitials more"),
        (Defects({}, {"Li": 1}), r"a charge of \+1 e: 1 Cl interstitial or 1 Li vacancy more"),
        (Defects({"Br": 1}), "No charge is known of Br, and neutral"),
    ],
)
def test_what_charges_the_cell_is_refused_with_what_balances_it(asked: Defects, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        asked.check_neutral(CHARGES)


def test_sets_that_balance_are_neutral() -> None:
    for asked in (
        Defects({"Li": 1}, {"Li": 1}),
        Defects({"Li": 1, "Cl": 1}),
        Defects({"S": 1}, {"Cl": 2}),
        Defects(antisites={("S", "Cl"): 3}),
    ):
        asked.check_neutral(CHARGES)


def test_sets_without_a_defect_or_with_half_a_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="no defect to make"):
        Defects()
    with pytest.raises(ValueError, match="no defect to make"):
        Defects({"Li": 0})
    with pytest.raises(ValueError, match="of two elements: S and S are one"):
        Defects(antisites={("S", "S"): 1})


def test_no_atom_is_in_two_defects(host: Atoms) -> None:
    asked = Defects({"Cl": 2}, {}, {("S", "Cl"): 3})
    with pytest.raises(ValueError, match="with 1 Cl that are in no other defect"):
        with_defects(host, asked, rng())

"""Entropies of disorder with known answers."""

from __future__ import annotations

from math import factorial, log

import numpy as np
import pytest
from ase.units import kB

from aiida_seireact.science.mixing import ensemble, mixing_entropy, random_mean

FOUND = {"S": 0.75, "P": 0.125, "Cl": 0.125}


def test_the_composition_that_was_found_gains_19_mev_a_formula_unit_and_6_an_atom():
    # "About 20 meV at 300 K" is of a shared site, which is a formula unit of three atoms: not of an atom.
    ts = kB * 300 * mixing_entropy(FOUND) * 1000
    assert ts == pytest.approx(19.02, abs=0.01)
    assert ts / 3 == pytest.approx(6.34, abs=0.01)


def test_two_halves_are_ln_2_and_one_species_is_nothing():
    assert mixing_entropy({"A": 0.5, "B": 0.5}) == pytest.approx(log(2))
    assert mixing_entropy({"A": 1.0}) == 0
    assert mixing_entropy({"A": 1.0, "B": 0.0}) == 0


def test_vacancies_mix_too():
    assert mixing_entropy({"Li": 0.5}) == pytest.approx(log(2))


@pytest.mark.parametrize("shares", [{"A": 0.7, "B": 0.7}, {"A": -0.1, "B": 0.5}])
def test_what_are_no_shares_is_refused(shares):
    with pytest.raises(ValueError, match="lie between 0 and 1"):
        mixing_entropy(shares)


def test_equal_energies_give_the_logarithm_of_all_arrangements():
    found = ensemble([-3.0, -3.0], [48, 8], 300.0)
    assert found.ts_ev == pytest.approx(kB * 300 * log(56))
    assert found.energy_ev == pytest.approx(-3.0)
    assert found.probabilities == pytest.approx([48 / 56, 8 / 56])


def test_a_large_cell_comes_near_ideal_mixing():
    # A quarter and an eighth of 8 n sites, all of one energy.
    def per_site(n: int) -> float:
        ways = factorial(8 * n) // (factorial(6 * n) * factorial(n) ** 2)
        return ensemble([0.0], [ways], 300.0).ts_ev / (kB * 300) / (8 * n)

    ideal = mixing_entropy(FOUND)
    assert per_site(1) < per_site(4) < per_site(8) < ideal
    assert per_site(8) == pytest.approx(ideal, rel=0.1)


def test_two_levels_are_those_of_the_textbook():
    gap = 0.05
    found = ensemble([0.0, gap], [1, 3], 400.0)
    weight = 3 * np.exp(-gap / (kB * 400))
    assert found.energy_ev == pytest.approx(gap * weight / (1 + weight))
    assert found.free_energy_ev == pytest.approx(-kB * 400 * np.log(1 + weight))


def test_at_0_k_the_lowest_ordering_is_all_and_disorder_is_worth_nothing():
    found = ensemble([-1.0, -2.0, -2.0], [4, 1, 3], 0.0)
    assert (found.energy_ev, found.free_energy_ev, found.ts_ev) == (-2.0, -2.0, 0.0)
    assert found.probabilities == pytest.approx([0, 0.25, 0.75])


def test_one_ordering_has_no_entropy_of_its_own_but_of_its_copies():
    assert ensemble([-1.0], [1], 300.0).ts_ev == 0
    assert ensemble([-1.0], [8], 300.0).ts_ev == pytest.approx(kB * 300 * log(8))


def test_heat_makes_all_arrangements_alike():
    hot = ensemble([0.0, 0.1], [1, 3], 1e7)
    assert hot.energy_ev == pytest.approx(random_mean([0.0, 0.1], [1, 3]), abs=1e-4)


@pytest.mark.parametrize(
    ("energies", "counts", "temperature"),
    [([], [], 300), ([1.0], [1, 2], 300), ([1.0], [0], 300), ([float("nan")], [1], 300), ([1.0], [1], -1)],
)
def test_what_is_no_ensemble_is_refused(energies, counts, temperature):
    with pytest.raises(ValueError, match="an ensemble needs|has the energy|begins at 0"):
        ensemble(energies, counts, temperature)

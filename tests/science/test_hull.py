"""Distances from a hull with known answers, and what can't be compared."""

from __future__ import annotations

import pytest

from aiida_seireact.science.hull import hull_of
from aiida_seireact.science.products import PhaseEnergy


def phase(name: str, composition: dict[str, float], energy_ev: float, level: str = "x") -> PhaseEnergy:
    return PhaseEnergy(name, composition, energy_ev, level)


LI, S = phase("Li", {"Li": 1}, -1.0), phase("S", {"S": 1}, -4.0)
LI2S = phase("Li2S", {"Li": 2, "S": 1}, -9.0)


def test_a_phase_between_two_others_is_above_their_line():
    hull = hull_of({"Li", "S"}, [LI, S, LI2S])
    # Half Li2S, half S by formula units: -13 eV.
    found = hull.above(phase("Li2S2", {"Li": 2, "S": 2}, -12.6))
    assert found.above_hull_ev_per_atom == pytest.approx(0.1)
    # From the elements: -12.6 + 2 + 8 = -2.6 eV for four atoms.
    assert found.formation_ev_per_atom == pytest.approx(-0.65)
    assert {row["name"]: row["share_of_atoms"] for row in found.decomposition} == {"Li2S": 0.75, "S": 0.25}


def test_one_that_is_stable_lies_below_the_hull_of_the_others():
    hull = hull_of({"Li", "S"}, [LI, S, LI2S])
    assert hull.above(phase("Li2S2", {"Li": 2, "S": 2}, -13.4)).above_hull_ev_per_atom == pytest.approx(-0.1)


def test_of_one_composition_the_lowest_counts_and_other_elements_are_left_out():
    hull = hull_of({"Li", "S"}, [LI, S, phase("high", {"Li": 2, "S": 1}, -8.0), LI2S, phase("Cl", {"Cl": 1}, -2.0)])
    rows = {row["name"]: row["above_hull_ev_per_atom"] for row in hull.rows()}
    assert rows == {"Li": 0.0, "S": 0.0, "Li2S": 0.0, "high": pytest.approx(1 / 3)}


def test_a_missing_element_is_named():
    with pytest.raises(ValueError, match="no energy of the element S"):
        hull_of({"Li", "S"}, [LI, LI2S])


def test_another_level_of_theory_is_refused_in_the_hull_and_beside_it():
    with pytest.raises(ValueError, match="2 levels of theory"):
        hull_of({"Li", "S"}, [LI, phase("S", {"S": 1}, -4.0, "y")])
    with pytest.raises(ValueError, match="2 levels of theory"):
        hull_of({"Li", "S"}, [LI, S], [phase("Li2S", {"Li": 2, "S": 1}, -9.0, "y")])


def test_an_energy_that_is_none_is_refused():
    with pytest.raises(ValueError, match="give a number in eV"):
        hull_of({"Li", "S"}, [LI, S], [phase("Li2S", {"Li": 2, "S": 1}, float("nan"))])

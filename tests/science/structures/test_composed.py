"""Compositions on the sites of a parent crystal."""

from __future__ import annotations

import pytest

from aiida_seireact.science.structures.composed import composed
from aiida_seireact.science.structures.library import structure


def test_new_anions_share_the_anion_sites_of_the_parent():
    found = composed(structure("Li2S"), {"Li": 2, "S": 0.75, "P": 0.125, "Cl": 0.125})
    assert found.site == "S"
    assert found.occupancies == {"S": pytest.approx({"S": 0.75, "P": 0.125, "Cl": 0.125})}
    assert found.charges == {"P": -3.0, "Cl": -1.0}
    assert found.charge_e_per_formula_unit == 0
    assert found.formula_units == 4


def test_less_of_an_element_than_the_parent_has_leaves_its_sites_empty():
    found = composed(structure("Li2S"), {"Li": 1.8, "S": 0.8, "Cl": 0.2})
    assert found.occupancies["Li"] == pytest.approx({"Li": 0.9})
    assert found.charge_e_per_formula_unit == 0


def test_the_charge_of_a_composition_that_is_not_neutral_is_told():
    assert composed(structure("Li2S"), {"Li": 2, "S": 0.8, "Cl": 0.2}).charge_e_per_formula_unit == pytest.approx(0.2)


def test_the_parent_itself_changes_nothing():
    found = composed(structure("Li2S"), {"Li": 4, "S": 2})
    assert found.occupancies == {}
    assert found.shares == {"S": 1.0}


def test_a_site_can_be_named_and_what_sits_elsewhere_is_not_counted_twice():
    # One of the five S of a formula unit sits on the sites that Cl has half of.
    found = composed(structure("Li6PS5Cl"), {"Li": 6, "P": 1, "S": 5, "Cl": 1}, site="X1")
    assert found.shares == pytest.approx({"S": 0.5, "Cl": 0.5})


@pytest.mark.parametrize(
    ("parent", "composition", "options", "sentence"),
    [
        ("Li2S", {"Li": 3, "P": 0.5, "S": 0.5}, {}, "interstitial"),
        ("Li2S", {"S": 1, "Cl": 1}, {}, "has no Li"),
        ("Li2S", {"Li": 2, "S": 1}, {"site": "T"}, "the labels are Li, S"),
        ("Li6PS5Cl", {"Li": 6, "P": 1, "S": 5, "Br": 1}, {}, "name the site"),
        ("Li2S", {"Li": 2, "Xx": 1}, {}, "Xx is no chemical element"),
        ("Li2S", {"Li": 2, "S": 0.5, "Ar": 0.5}, {}, "Ar fit on none"),
        ("Li6PS5Cl", {"Li": 6, "P": 1, "S": 1, "Cl": 1}, {"site": "X1"}, "name the site that they leave"),
    ],
)
def test_what_does_not_fit_is_told(parent, composition, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        composed(structure(parent), composition, **options)

"""Guessed charges: those of pymatgen where it can tell, whole, and in bounded time for any formula."""

from __future__ import annotations

import time

import pytest
from pymatgen.core.composition import Composition

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.charges import guessed_charges


@pytest.mark.parametrize(
    "formula", ["Li2S", "Li24P4S20Cl4", "Li3InCl6", "Li3PO4", "Fe2O3", "Li7La3Zr2O12", "LiIn", "Li"]
)
def test_small_formulas_are_guessed_as_pymatgen_does(formula: str) -> None:
    guesses = Composition(formula).oxi_state_guesses(max_sites=-1)
    assert guessed_charges(Composition(formula)) == (guesses[0] if guesses else {})


def test_phases_of_the_library_are_guessed_as_they_are_described() -> None:
    for name in ("Li6PS5Cl", "Li3P", "Li2S", "LiCl"):
        entry = library.entry(name)
        assert guessed_charges(entry.composition) == entry.oxidation_states, name


def test_a_formula_that_does_not_reduce_is_guessed_at_once() -> None:
    start = time.monotonic()
    assert guessed_charges(Composition("Cl31Li191P32S160")) == {"Cl": -1, "Li": 1, "P": 5, "S": -2}
    guessed_charges(Composition("Cl3100Li19101P3201S16007"))
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("formula", ["Li20P4S20Cl4", "Fe3O4"])
def test_fractions_are_no_guess(formula: str) -> None:
    first = Composition(formula).oxi_state_guesses(max_sites=-1)[0]
    assert not all(float(charge).is_integer() for charge in first.values())
    assert guessed_charges(Composition(formula)) == {}


def test_what_is_known_is_not_guessed() -> None:
    known = {"Fe": 2.0}
    assert guessed_charges(Composition("FeS2"), known) == {"Fe": 2.0, "S": -1.0}
    assert guessed_charges(Composition("FeO2"), {"Fe": 3}) == {"Fe": 3.0}
    every = {"Li": 1.0, "P": 5.0, "S": -2.0, "Cl": -1.0}
    assert guessed_charges(Composition("Li20P4S20Cl4"), every) == every


def test_parts_of_atoms_have_no_charge() -> None:
    with pytest.raises(ValueError, match="whole numbers of atoms"):
        guessed_charges(Composition("Li0.5Cl"))

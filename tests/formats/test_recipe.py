"""The recipe of a cell: what it refuses, and what every cell of a recipe is, whatever the recipe."""

from __future__ import annotations

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pymatgen.core.composition import Composition

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.recipe import PhaseRecipe, Recipe, SlabRecipe


def test_a_supercell_without_area_is_refused():
    with pytest.raises(ValidationError, match=r"rows of matrix \[\[1, 0\], \[1, 0\]\] are parallel"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "matrix": [[1, 0], [1, 0]]})


def test_a_height_is_told_once():
    with pytest.raises(ValidationError, match="give one of them"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "layers": 4, "cells": 2})


def test_in_plane_vectors_without_area_are_refused():
    with pytest.raises(ValidationError, match="parallel and span no plane"):
        SlabRecipe.model_validate({"phase": "Li", "hkl": [1, 0, 0], "in_plane": [[0, 1, 0], [0, 2, 0]]})


@pytest.mark.parametrize("value", [0, -5, float("nan"), float("inf")])
@pytest.mark.parametrize("key", ["lattice", "thickness_ang", "gaps_ang", "max_strain"])
def test_a_length_that_is_none_is_refused_before_a_crystal_is_made(key: str, value: float):
    """spglib dies of a lattice that is no number, and takes the process with it."""
    phase = {"name": "Li", **({"lattice": {"a": value}} if key == "lattice" else {})}
    slab = {"phase": "Li", "hkl": [1, 0, 0], **({"thickness_ang": value} if key == "thickness_ang" else {})}
    more = {"gaps_ang": {"gaps_ang": value}, "max_strain": {"match": {"max_strain": value}}}.get(key, {})
    with pytest.raises(InvalidInput, match=key):
        Recipe.read({"phases": {"Li": phase}, "slabs": [slab], **more})


@pytest.mark.parametrize("shares", [{"Cl": 1.4}, {"Cl": 0.7, "S": 0.5}, {"Cl": -0.1}, {"Cl": float("nan")}])
def test_shares_of_a_site_that_are_none_are_refused(shares: dict[str, float]):
    with pytest.raises(ValidationError, match="the shares of X1 .* are not those of one site"):
        PhaseRecipe.model_validate({"name": "Li6PS5Cl", "occupancies": {"X1": shares}})


MAX_STRAIN = 0.25
COMPOUNDS = {"Li6PS5Cl": [(1, 0, 0), (1, 1, 0)], "Li2S": [(1, 1, 1), (1, 0, 0)], "Li3PS4": [(0, 1, 0)]}


@st.composite
def recipes(draw) -> Recipe:
    """A compound, one of its planes, Li on it; any thickness, gap, place in plane and seed."""
    name = draw(st.sampled_from(sorted(COMPOUNDS)))
    number = st.floats(0, 0.99)
    return Recipe.model_validate(
        {
            "phases": {"SE": {"name": name}, "Li": {"name": "Li"}},
            "slabs": [
                {
                    "phase": "SE",
                    "hkl": draw(st.sampled_from(COMPOUNDS[name])),
                    "matrix": [[draw(st.integers(2, 3)), 0], [draw(st.integers(-1, 1)), 2]],
                    "layers": draw(st.integers(1, 3)),
                    "shift": [draw(number), draw(number)],
                },
                {
                    "phase": "Li",
                    "hkl": draw(st.sampled_from([(1, 0, 0), (1, 1, 0)])),
                    "layers": draw(st.integers(1, 3)),
                    "cut": draw(number),
                    "shift": [draw(number), draw(number)],
                },
            ],
            "gaps_ang": [draw(st.floats(1.9, 4)), draw(st.floats(1.9, 4))],
            "lattice_of": "SE",
            "centred": draw(st.sampled_from([None, "SE", "Li"])),
            "match": {"max_strain": MAX_STRAIN, "twist_gain": draw(st.sampled_from([0.0, MAX_STRAIN]))},
            "seed": draw(st.integers(0, 9)),
        }
    )


@settings(max_examples=5, deadline=None, derandomize=True)
@given(recipe=recipes())
def test_a_cell_is_exact_neutral_without_overlap_and_its_own_repetition(recipe):
    plan = recipe.plan()
    atoms = plan.to_ase()
    # Exact, of whole formula units, neutral.
    assert {symbol: atoms.get_chemical_symbols().count(symbol) for symbol in plan.counts} == plan.counts
    assert plan.n_atoms == len(atoms)
    electrolyte, metal = plan.report["slabs"]
    formula = Composition(recipe.phases["SE"].name).get_el_amt_dict()
    units = {electrolyte["counts"][symbol] / n for symbol, n in formula.items()}
    assert len(units) == 1
    assert units.pop() % 1 == 0
    assert electrolyte["charge_e"] == metal["charge_e"] == 0
    # The metal's strain is what was allowed, the compound has none.
    assert electrolyte["principal"] == pytest.approx([0, 0], abs=1e-7)
    assert max(map(abs, metal["principal"])) <= MAX_STRAIN + 1e-6
    # No atom within another, in the slabs nor across a seam, nor after a wrap in a supercell.
    first, second, lengths = neighbor_list("ijd", atoms, 2.95)
    across = (first < electrolyte["n_atoms"]) != (second < electrolyte["n_atoms"])
    assert lengths[across].min(initial=9.9) >= min(plan.gaps) - 1e-6
    assert lengths.min(initial=9.9) > 1.85
    big = atoms.repeat((2, 1, 2))
    big.positions += [0.7, 1.9, 0.41 * atoms.cell[2, 2]]
    big.wrap()
    again = np.sort(neighbor_list("d", big, 2.95))
    assert again == pytest.approx(np.repeat(np.sort(lengths), 4), abs=1e-6)
    # The same recipe is the same bytes, and so is what it resolves to.
    for other in (Recipe.model_validate(recipe.model_dump(mode="json")), recipe.resolved(plan)):
        twin = other.plan().to_ase()
        assert (twin.positions == atoms.positions).all()
        assert (twin.numbers == atoms.numbers).all()
        assert (np.asarray(twin.cell) == np.asarray(atoms.cell)).all()

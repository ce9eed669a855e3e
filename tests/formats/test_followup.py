"""Orderings of a composition in a cell, and the cell of its MD."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
from pydantic import ValidationError

from aiida_seireact.formats.followup import FollowUpSettings, compact_repeat, make_orderings, md_cell

FOUND = "Li2S0.75P0.125Cl0.125"


def settings(composition: str = FOUND, **more) -> FollowUpSettings:
    return FollowUpSettings.model_validate({"parent": "Li2S", "composition": composition, **more})


@pytest.mark.parametrize(("repeat", "primitive", "number"), [((1, 1, 2), False, 4), ((2, 2, 2), True, 2)])
def test_the_phase_that_was_found_has_four_orderings_and_two(repeat, primitive, number):
    made = make_orderings(settings(repeat=repeat, primitive=primitive))
    assert made.report["n_orderings"] == len(made.frames) == number
    assert made.report["n_atoms"] == 24
    assert sum(row["degeneracy"] for row in made.rows) == factorial(8) // factorial(6) == made.report["n_arrangements"]
    assert made.report["counts"] == {"Li": 16, "S": 6, "P": 1, "Cl": 1}
    assert made.report["composition"] == FOUND
    assert made.report["remarks"] == []


def test_what_was_found_by_classification_becomes_the_nearest_that_fits_and_it_is_said():
    made = make_orderings(settings("Li2S0.72P0.14Cl0.14"))
    assert made.report["composition"] == FOUND
    assert "Li2S0.75P0.125Cl0.125 is the nearest neutral composition" in made.report["remarks"][0]


def test_a_cell_that_fits_is_named_where_the_nearest_is_not_wanted():
    with pytest.raises(ValueError, match="take 25 times as many unit cells"):
        make_orderings(settings("Li2S0.72P0.14Cl0.14", nearest=False))


def test_a_composition_that_no_neutral_cell_holds_is_refused_with_its_charge():
    with pytest.raises(ValueError, match=r"nominal charge is \+0.2 e a formula unit"):
        make_orderings(settings("Li2S0.8Cl0.2"))


def test_vacancies_are_ordered_too_and_of_many_the_lowest_are_kept():
    made = make_orderings(settings("Li1.75S0.75Cl0.25", max_orderings=5))
    assert made.report["counts"] == {"Li": 14, "S": 6, "Cl": 2}
    assert len(made.frames) == 5
    assert made.report["n_left_out"] == made.report["n_orderings"] - 5 > 0
    kept = sum(row["degeneracy"] for row in made.report["rows"])
    assert kept + made.report["arrangements_left_out"] == made.report["n_arrangements"]
    energies = [row["ewald_ev"] for row in made.report["rows"]]
    assert energies == sorted(energies)
    assert "were left out" in made.report["remarks"][0]


def test_too_many_arrangements_are_refused_with_what_to_do():
    with pytest.raises(ValueError, match="take a smaller supercell"):
        make_orderings(settings(repeat=(2, 2, 2)))


def test_one_ordering_has_no_entropy_and_it_is_said():
    made = make_orderings(settings("Li2S"))
    assert made.report["n_orderings"] == made.report["n_arrangements"] == 1
    assert made.report["mixing_entropy_kb_per_site"] == 0
    assert "one ordering only" in made.report["remarks"][0]


def test_orderings_have_names_and_come_out_alike_twice():
    first, second = make_orderings(settings()), make_orderings(settings())
    assert list(first.frames.config_type) == [f"{FOUND} ordering {number}" for number in (1, 2, 3, 4)]
    assert first.report == second.report
    assert first.frames.frame_ids == second.frames.frame_ids


@pytest.mark.parametrize("arrangement", ["lowest", "drawn"])
def test_the_cell_of_the_md_has_the_atoms_of_the_paper(arrangement):
    asked = settings(md={"arrangement": arrangement})
    frames = md_cell(asked, make_orderings(asked).frames, 0)
    atoms = frames.to_atoms(0)
    assert len(atoms) == 1536
    assert {symbol: atoms.get_chemical_symbols().count(symbol) for symbol in ("Li", "S", "P", "Cl")} == {
        "Li": 1024, "S": 384, "P": 64, "Cl": 64,
    }  # fmt: skip
    assert np.ptp(atoms.cell.lengths()) < 23


def test_a_drawn_cell_has_the_volume_of_the_orderings():
    asked = settings(md={"arrangement": "drawn", "n_atoms": 100})
    made = make_orderings(asked).frames
    relaxed = made.to_atoms(0)
    relaxed.set_cell(relaxed.cell * 1.02, scale_atoms=True)
    large = md_cell(asked, type(made).from_atoms([relaxed]), 0).to_atoms(0)
    assert large.get_volume() / len(large) == pytest.approx(relaxed.get_volume() / len(relaxed))


def test_compact_cells_have_edges_alike():
    assert compact_repeat(np.diag([5.7, 5.7, 11.4]), 24, 24 * 32) == (4, 4, 2)
    assert compact_repeat(np.diag([5.0, 5.0, 5.0]), 10, 3) == (1, 1, 1)
    # An odd number of cells would not hold the composition.
    a, b, c = compact_repeat(np.diag([5.7, 5.7, 5.7]), 12, 12 * 125, 2)
    assert a * b * c % 2 == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"parent": None}, "give one of them"),
        ({"cif": "data_x"}, "give one of them"),
        ({"temperatures_k": [-1.0]}, "from 0 K on"),
        ({"max_orderings": 0}, "greater than or equal to 1"),
        ({"speed": 3}, "Extra inputs"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change, sentence):
    with pytest.raises(ValidationError, match=sentence):
        settings(**change)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"composition": "Li2??"}, "no chemical formula"), ({"parent": "Li3S"}, "Li3S"), ({"composition": "Li2Ar"}, "Ar")],
)
def test_what_is_no_composition_is_told(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        make_orderings(settings(**change))

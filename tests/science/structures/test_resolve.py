"""From what is asked to whole layers: known answers, the nearest of all counted one by one, refusals that lead on."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
import pytest

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.orient import Unit, oriented_unit
from aiida_seireact.science.structures.resolve import (
    Asked,
    Goal,
    MatchRule,
    choose,
    formula_units,
    matrix_of,
    resolve,
)

A_LI, A_SE = 3.42, 9.91
RULE = MatchRule()


@cache
def unit(name: str, hkl: tuple[int, int, int], a: float) -> Unit:
    return oriented_unit(library.structure(name, a=a), hkl)


def electrolyte(**told) -> Asked:
    own = unit("Li6PS5Cl", (1, 0, 0), A_SE)
    return Asked("SE", own, matrix=matrix_of(own, [[0, 3, 0], [0, 0, 6]]), **told)


def metal(**told) -> Asked:
    own = unit("Li", (1, 1, 0), A_LI)
    return Asked("Li", own, matrix=matrix_of(own, [[5, -5, 5], [7, -7, -14]]), **told)


def layers_of(asked, goal=None, lattice_of="SE"):
    found, facts = resolve(asked, RULE, goal, lattice_of)
    return [layers for _, layers in found], facts["targets"]


# --------------------------------------------------------------------------------------------- in plane
def test_vectors_of_the_conventional_cell_are_told_in_the_smallest_of_the_plane():
    own = unit("Li6PS5Cl", (1, 0, 0), A_SE)
    matrix = matrix_of(own, [[0, 3, 0], [0, 0, 6]])
    assert np.linalg.det(matrix) == pytest.approx(2 * 18)  # two of the smallest in a face of the fcc cell
    assert np.linalg.norm(np.array(matrix) @ own.in_plane, axis=1) == pytest.approx([3 * A_SE, 6 * A_SE])


def test_left_handed_vectors_span_the_same_lattice():
    own = unit("Li", (1, 0, 0), A_LI)
    assert np.linalg.det(matrix_of(own, [[0, 0, 2], [0, 3, 0]])) == pytest.approx(6)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([[1, 0, 0], [0, 0, 1]], r"\[1 0 0\] does not lie in the plane \(1 0 0\)"),
        ([[0, 0.5, 0], [0, 0, 1]], r"\[0 0.5 0\] is not a lattice vector: 2 times it is"),
        ([[0, 1 / sqrt(2), 0], [0, 0, 1]], r"is not a lattice vector$"),
    ],
)
def test_vectors_that_are_none_are_refused(rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        matrix_of(unit("Li", (1, 0, 0), A_LI), rows)


def test_slabs_of_one_phase_have_one_supercell_and_others_are_matched_to_it():
    coating = Asked("LiCl", unit("LiCl", (1, 0, 0), 5.14), cells=2)
    own = unit("Li6PS5Cl", (1, 0, 0), A_SE)
    base = Asked("SE", own, matrix=matrix_of(own, [[0, 1, 0], [0, 0, 1]]), cells=1)
    asked = [base, coating, Asked("Li", unit("Li", (1, 0, 0), A_LI), layers=6), coating]
    found, facts = resolve(asked, MatchRule(max_strain=0.06, twist_gain=0.06), None, "SE")
    assert found[1] == found[3]
    assert found[1][1] == 4
    # 2 x 2 cells of LiCl and 2√2 x 2√2 of Li on one of 9.91 Å, edges or diagonals parallel.
    assert [abs(round(np.linalg.det(matrix))) for matrix, _ in found] == [2, 8, 8, 8]
    assert facts["match"]["strain"] == pytest.approx(1 - 9.91 / 10.28, abs=1e-6)
    assert [row["phase"] for row in facts["orientations"]] == ["SE", "LiCl", "Li", "LiCl"]
    assert [row["row_angle_deg"] for row in facts["orientations"]] == [0, 0, 0, 0]


def test_a_match_that_is_not_there_is_refused_by_its_number():
    a, b = unit("Li6PS5Cl", (1, 0, 0), A_SE), unit("Li", (1, 1, 0), A_LI)
    rule = MatchRule(max_strain=0.05, max_area_ang2=120.0, choose=500)
    with pytest.raises(
        ValueError, match=r"there are \d+ matches below 5.0% and 120 Å², so none is number 500: take one"
    ):
        choose(a, b, rule)
    least = choose(a, b, MatchRule(max_strain=0.05, max_area_ang2=250.0, choose="strain"))
    smallest = choose(a, b, MatchRule(max_strain=0.05, max_area_ang2=250.0))
    assert least.strain <= smallest.strain
    assert least.area_ang2 >= smallest.area_ang2


# --------------------------------------------------------------------------------------------- along z
def test_cells_are_two_layers_of_an_fcc_lattice_and_thickness_goes_to_the_nearest():
    layers, targets = layers_of([electrolyte(cells=1.3), metal(thickness_ang=20.0)])
    # A layer of (110) is a / √2, and thinner by what the metal is stretched in plane.
    spacing = A_LI / sqrt(2) * (1 - 0.0038) * (1 - 0.0138)
    assert layers == [3, round(20 / spacing)]
    cells, thickness = targets
    assert (cells["wanted"], cells["found"]) == (1.3, 1.5)
    assert cells["residual"] == pytest.approx(1.5 / 1.3 - 1, abs=1e-6)
    assert thickness["found"] == pytest.approx(8 * spacing, abs=2e-3)


def test_one_layer_is_the_least():
    layers, _ = layers_of([electrolyte(cells=0.01), metal(thickness_ang=0.1)])
    assert layers == [1, 1]


def test_a_formula_unit_is_the_smallest_whole_composition():
    assert formula_units(unit("Li6PS5Cl", (1, 0, 0), A_SE)) == 1
    assert formula_units(unit("LiCl", (1, 1, 1), 5.14)) == 1
    assert formula_units(unit("Li", (1, 1, 0), A_LI)) == 1


def test_a_ratio_sets_the_open_side_to_the_nearest_of_all():
    """36 formula units and 210 Li a layer: the paper's 16 : 1 of 720 formula units is 55 layers, not its 56."""
    goal = Goal("Li", "SE", 16.0)
    layers, (target,) = layers_of([electrolyte(layers=20), metal()], goal)
    ratios = {n: abs(210 * n / 720 / 16 - 1) for n in range(1, 200)}
    assert layers == [20, min(ratios, key=ratios.get)] == [20, 55]
    assert target["found"] == pytest.approx(55 * 210 / 720, abs=1e-6)
    layers, _ = layers_of([electrolyte(), metal(layers=56)], goal)
    ratios = {n: abs(210 * 56 / (36 * n) / 16 - 1) for n in range(1, 200)}
    assert layers == [min(ratios, key=ratios.get), 56]


def test_a_number_of_atoms_shares_out_both_sides_as_nearly_as_any_layers_do():
    goal = Goal("Li", "SE", 16.333, n_atoms=21_120)
    layers, (ratio, atoms) = layers_of([electrolyte(), metal()], goal)

    def miss(n: int, m: int) -> float:
        total = n * 36 * 13 + m * 210
        return abs(m * 210 / (n * 36) / 16.333 - 1) + abs(total / 21_120 - 1)

    best = min(((n, m) for n in range(1, 45) for m in range(1, 100)), key=lambda pair: miss(*pair))
    assert tuple(layers) == best == (20, 56)
    assert atoms["found"] == 21_120
    assert ratio["found"] == pytest.approx(16.333333, abs=1e-5)


def test_two_slabs_of_the_metal_count_together():
    goal = Goal("Li", "SE", 8.0)
    layers, (target,) = layers_of([electrolyte(layers=20), metal(layers=10), electrolyte(layers=20), metal()], goal)
    ratios = {n: abs(210 * (10 + n) / 1440 / 8 - 1) for n in range(1, 200)}
    assert layers[3] == min(ratios, key=ratios.get)
    assert target["found"] == pytest.approx(210 * (10 + layers[3]) / 1440, abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "goal", "sentence"),
    [
        (
            [{}, {"layers": 2}],
            None,
            "nothing tells how thick the slab of SE is: give it layers, cells or thickness_ang",
        ),
        ([{}, {}], Goal("Li", "SE", 8.0), "a ratio alone does not tell how thick Li and SE are: .* n_atoms"),
        ([{"layers": 2}, {}], Goal("Na", "SE", 8.0), "names 'Na', which is not in the stack: it has SE, Li"),
    ],
)
def test_what_is_not_told_is_asked_for(asked, goal, sentence):
    with pytest.raises(ValueError, match=sentence):
        layers_of([electrolyte(**asked[0]), metal(**asked[1])], goal)

"""Zur–McGill matches: known answers, symmetry of the table, pymatgen's search as oracle, refusals that lead on."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from pymatgen.analysis.interfaces.zsl import ZSLGenerator

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.matching import match, percent
from aiida_seireact.science.structures.orient import Unit, oriented_unit


@cache
def unit(name: str, hkl: tuple[int, int, int]) -> Unit:
    return oriented_unit(library.structure(name), hkl)


LI, LICL, LI2S = ("Li", (1, 1, 0)), ("LiCl", (1, 0, 0)), ("Li2S", (1, 1, 1))
PAIRS = [(LI, LICL), (LICL, LI2S), (LI, LI2S)]


@pytest.mark.parametrize("plane", [LI, LICL, LI2S])
def test_a_crystal_fits_itself_without_strain_on_its_smallest_area(plane):
    own = unit(*plane)
    best = match(own, own, max_strain=0.02, max_area_ang2=60)[0]
    assert best.strain == pytest.approx(0, abs=1e-9)
    assert best.area_ang2 == pytest.approx(abs(np.linalg.det(own.in_plane)))


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_matches_are_right_handed_within_limits_and_listed_once(a, b):
    table = match(unit(*a), unit(*b), max_strain=0.06, max_area_ang2=150)
    for row in table:
        assert np.linalg.det(row.matrix_a) > 0
        assert np.linalg.det(row.matrix_b) > 0
        assert row.strain <= 0.06
        assert row.area_ang2 <= 150
    assert len({(row.matrix_a, row.matrix_b) for row in table}) == len(table)
    assert [row.area_ang2 for row in table] == sorted(row.area_ang2 for row in table)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_the_smallest_area_is_not_larger_than_pymatgen_finds(a, b):
    first, second = unit(*a), unit(*b)
    table = match(first, second, max_strain=0.06, max_area_ang2=150)
    flat = [[[*row, 0.0] for row in of.in_plane] for of in (first, second)]
    # Its tolerances are on lengths and angles, ours on the strain: tighter ones find nothing that ours forbids.
    zsl = ZSLGenerator(max_area=150, max_length_tol=0.04, max_angle_tol=0.02, max_area_ratio_tol=0.08)
    found = [item.match_area for item in zsl(*flat)]
    assert found
    assert min(row.area_ang2 for row in table) <= 1.06 * min(found)


def test_a_refusal_names_the_nearest_and_it_works():
    first, second = unit(*LI), unit(*LICL)
    with pytest.raises(ValueError, match="the nearest is") as refused:
        match(first, second, max_strain=0.0005, max_area_ang2=60)
    found = re.search(r"raise max_strain to ([0-9.]+)", str(refused.value))
    assert found is not None
    assert match(first, second, max_strain=float(found[1]), max_area_ang2=60)


def test_a_limit_far_below_a_percent_is_told_by_its_digits():
    with pytest.raises(ValueError, match=r"no match below 0\.03% strain and 60 Å²; the nearest is [0-9.]+% at"):
        match(unit(*LI), unit(*LICL), max_strain=0.0003, max_area_ang2=60)
    assert [percent(x) for x in (0.05, 0.0138, 0.0005, 0.000231)] == ["5.0%", "1.4%", "0.05%", "0.023%"]


def test_matches_with_parallel_rows_are_those_of_the_table_that_have_them():
    every = match(unit(*LI), unit(*LICL), max_strain=0.06, max_area_ang2=150)
    parallel = match(unit(*LI), unit(*LICL), max_strain=0.06, max_area_ang2=150, max_row_angle_deg=0.5)
    assert parallel == [row for row in every if row.row_angle_deg <= 0.5]
    assert 0 < len(parallel) < len(every)
    with pytest.raises(ValueError, match="rows within 0.5°; the nearest is"):
        match(unit(*LI), unit(*LICL), max_strain=0.001, max_area_ang2=60, max_row_angle_deg=0.5)

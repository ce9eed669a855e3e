"""A supercell fitted on a given one: the paper's by itself, a twist only where it gains, and turns by another way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.fitting import fit, orientation
from aiida_seireact.science.structures.orient import Unit, oriented_unit
from aiida_seireact.science.structures.resolve import matrix_of


@cache
def electrolyte() -> Unit:
    return oriented_unit(library.structure("Li6PS5Cl", a=9.91), (1, 0, 0))


@cache
def metal() -> Unit:
    return oriented_unit(library.structure("Li", a=3.42), (1, 1, 0))


def cells(n: int, m: int) -> list[list[int]]:
    return matrix_of(electrolyte(), [[0, n, 0], [0, 0, m]])


def test_the_supercell_of_the_paper_is_found_rows_parallel():
    """arXiv:2506.10944: 10 periods of Li [111] / 2 on 3 cells, 7 of [11-2] on 6; −0.38 and −1.38 %."""
    found = fit(cells(3, 6), electrolyte(), metal())
    assert found.atoms_b == 210
    assert found.strain_a == pytest.approx((-0.0138, -0.0038), abs=5e-5)
    assert found.row_angle_deg == 0
    assert found.matrix_a == tuple(map(tuple, cells(3, 6)))


def test_a_twist_is_taken_only_where_it_gains_what_is_asked():
    kept = fit(cells(3, 6), electrolyte(), metal(), twist_gain=0.002)
    twisted = fit(cells(3, 6), electrolyte(), metal(), twist_gain=0.001)
    assert kept.row_angle_deg == 0
    assert twisted.row_angle_deg > 2
    assert kept.strain - 0.002 < twisted.strain < kept.strain - 0.001


def test_the_sides_of_a_given_cell_are_within_the_strain_of_the_fitted_one():
    """Metric tensors of both, without any of the code that fitted them."""
    for size in ((2, 2), (3, 6), (15, 18)):
        found = fit(cells(*size), electrolyte(), metal())
        own, other = (
            np.array(matrix) @ unit.in_plane
            for matrix, unit in ((found.matrix_a, electrolyte()), (found.matrix_b, metal()))
        )
        ratios = np.linalg.eigvals(np.linalg.inv(other @ other.T) @ (own @ own.T)).real
        assert np.abs(np.sqrt(ratios) - 1).max() == pytest.approx(found.strain, abs=1e-7)
        assert np.linalg.det(other) > 0


def test_no_row_angle_is_above_the_limit():
    found = fit(cells(15, 18), electrolyte(), metal(), max_row_angle_deg=0.0)
    assert found.row_angle_deg == 0
    assert found.strain > fit(cells(15, 18), electrolyte(), metal()).strain


def test_the_orientation_of_supercells_is_that_of_their_match():
    found = fit(cells(3, 6), electrolyte(), metal(), twist_gain=0)
    told = orientation(found.matrix_a, found.matrix_b, electrolyte(), metal())
    assert told == {"twist_deg": found.twist_deg, "row_angle_deg": found.row_angle_deg}
    own = orientation(cells(3, 6), cells(3, 6), metal(), metal())
    assert own == {"twist_deg": 0.0, "row_angle_deg": 0.0}


def test_a_cell_that_nothing_fits_is_refused_with_the_strain_that_does():
    with pytest.raises(ValueError, match=r"below 0\.05%; the nearest is strained by [0-9.]+%: raise max_strain to"):
        fit(cells(1, 1), electrolyte(), metal(), max_strain=0.0005)

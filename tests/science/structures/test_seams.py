"""How near slabs may come: distances of crystals, a gap of geometry, and any gap against the distances of the cell."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.cut import cut_unit
from aiida_seireact.science.structures.orient import Unit, oriented_unit
from aiida_seireact.science.structures.plan import CellPlan, plan_cell
from aiida_seireact.science.structures.seams import SMALLEST_GAP_ANG, nearest_across, shortest_distances, smallest_gap
from aiida_seireact.science.structures.slab import SlabSpec

LI, S, CL, P = 3, 16, 17, 15
A = 3.5093


def test_elements_are_as_near_as_in_the_crystal_and_doublets_are_no_distance():
    found = shortest_distances(library.structure("Li6PS5Cl"), 2.0)
    assert found[P, S] == pytest.approx(2.05, abs=0.03)
    assert found[LI, LI] > 2.0  # the sites of a doublet are 1.9 Å apart, and one of them is empty
    assert found[S, S] == pytest.approx(found[P, S] * np.sqrt(8 / 3), abs=0.01)  # edge of the PS4
    assert (found == found.T).all()
    assert np.isinf(found[LI, 8])


def test_elements_that_never_meet_keep_their_van_der_waals_distance():
    found = shortest_distances(library.structure("Li6PS5Cl"), 2.0)
    assert found[P, P] == pytest.approx(2 * 1.80)


@cache
def unit() -> Unit:
    return cut_unit(oriented_unit(library.structure("Li"), (1, 0, 0)))


def stack(gap: float, shift: tuple[float, float]) -> CellPlan:
    slabs = [SlabSpec("Li", unit(), [[1, 0], [0, 1]], 3, shift=place) for place in ((0.0, 0.0), shift)]
    return plan_cell(slabs, gaps_ang=gap)


def limits(distance: float) -> np.ndarray:
    table = np.full((20, 20), np.inf)
    table[LI, LI] = distance
    return table


@pytest.mark.parametrize(("shift", "aside"), [((0.0, 0.0), 0.0), ((0.5, 0.5), A / np.sqrt(2)), ((0.5, 0.0), A / 2)])
def test_atoms_on_top_are_the_limit_apart_and_beside_each_other_less(shift, aside):
    lower, upper = stack(2.0, shift).slabs
    assert smallest_gap(lower, upper, limits(3.0)) == pytest.approx(np.sqrt(9.0 - aside**2), abs=1.1e-3)


def test_faces_that_interlock_keep_a_gap_above_zero():
    lower, upper = stack(2.0, (0.5, 0.5)).slabs
    assert smallest_gap(lower, upper, limits(1.5)) == SMALLEST_GAP_ANG


@settings(max_examples=15, deadline=None)
@given(x=st.floats(0, 0.99), y=st.floats(0, 0.99), distance=st.floats(2.6, 3.0))
def test_at_the_gap_no_pair_is_nearer_and_at_less_one_is(x, y, distance):
    gap = smallest_gap(*stack(2.0, (x, y)).slabs, limits(distance))

    def nearest(height: float) -> float:
        atoms = stack(height, (x, y)).to_ase()
        first, second, lengths, vectors = neighbor_list("ijdD", atoms, 4.5)
        return float(lengths[(first < 3) & (second >= 3) & (vectors[:, 2] > 0)].min())

    assert nearest(gap) >= distance - 1e-6
    if gap > SMALLEST_GAP_ANG + 2e-3:
        assert nearest(gap - 2e-3) < distance


@settings(max_examples=10, deadline=None)
@given(x=st.floats(0, 0.99), y=st.floats(0, 0.99), gap=st.floats(0.3, 2.5))
def test_the_nearest_pair_is_that_of_the_cell(x, y, gap):
    lower, upper = stack(gap, (x, y)).slabs
    first, second, lengths, vectors = neighbor_list("ijdD", stack(gap, (x, y)).to_ase(), 4.5)
    across = float(lengths[(first < 3) & (second >= 3) & (vectors[:, 2] > 0)].min())
    assert nearest_across(lower, upper, gap, limits(across - 2e-3)) is None
    found = nearest_across(lower, upper, gap, limits(across + 0.1))
    assert found is not None
    assert found.species == ("Li", "Li")
    assert found.distance_ang == pytest.approx(across, abs=1e-6)
    assert found.limit_ang == across + 0.1

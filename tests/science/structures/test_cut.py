"""Where a slab ends: textbook faces, no molecule split whatever the cut, heights as given."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.cut import cut_unit, molecules, terminations
from aiida_seireact.science.structures.orient import Unit, oriented_unit


@cache
def unit(name: str, hkl: tuple[int, int, int]) -> Unit:
    return oriented_unit(library.structure(name), hkl)


def cartesian(of: Unit) -> np.ndarray:
    cell = np.zeros((3, 3))
    cell[:2, :2], cell[2, :2], cell[2, 2] = of.in_plane, of.shift @ of.in_plane, of.spacing
    return of.frac @ cell


def test_a_metal_is_cut_half_way_between_its_planes():
    (only,) = terminations(unit("Li", (1, 1, 0)))
    assert only.cut == 0.5
    assert only.width_ang == pytest.approx(3.5093 / np.sqrt(2))
    assert (only.below, only.above, only.is_nonpolar) == ("Li", "Li", True)


def test_rock_salt_100_is_nonpolar_and_111_polar_whatever_the_cut():
    assert [cut.is_nonpolar for cut in terminations(unit("LiCl", (1, 0, 0)))] == [True]
    polar = terminations(unit("LiCl", (1, 1, 1)))
    assert [cut.is_nonpolar for cut in polar] == [False, False]
    assert {(cut.below, cut.above) for cut in polar} == {("Li", "Cl"), ("Cl", "Li")}
    # One e over half the distance of like planes, a / √3.
    assert sorted(cut.dipole_e_ang for cut in polar) == pytest.approx(
        [-5.1396 / np.sqrt(3) / 2, 5.1396 / np.sqrt(3) / 2]
    )


def test_antifluorite_111_is_cut_between_lithium_and_lithium():
    """Tasker's type II: Li-S-Li layers without dipole; through them the cut is polar."""
    cuts = terminations(unit("Li2S", (1, 1, 1)))
    assert [cut.is_nonpolar for cut in cuts] == [True, False, False]
    assert (cuts[0].below, cuts[0].above) == ("Li", "Li")
    slab = cut_unit(unit("Li2S", (1, 1, 1)))
    order = np.argsort(slab.frac[:, 2])
    assert slab.numbers[order].tolist() == [3, 16, 3]


def test_without_charges_polarity_is_unknown():
    crystal = library.structure("LiCl").remove_oxidation_states()
    cuts = terminations(oriented_unit(crystal, (1, 1, 1)))
    assert [cut.is_nonpolar for cut in cuts] == [None, None]


@pytest.mark.parametrize(("name", "hkl"), [("Li3PS4", (1, 0, 0)), ("Li7P3S11", (1, 0, 0)), ("Li6PS5Cl", (1, 0, 0))])
def test_no_cut_splits_a_ps4(name, hkl):
    own = unit(name, hkl)
    for cut in terminations(own):
        cut_here = cut_unit(own, cut.cut)
        # All S of a P are within the layer itself: no image of another layer is needed.
        positions = cartesian(cut_here)
        kinds = [next(iter(site)) if len(site) == 1 else "X" for site in cut_here.occupancy]
        shifts = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)]) @ cut_here.in_plane
        for site in np.flatnonzero(np.array(kinds) == "P"):
            vectors = positions[np.array(kinds) == "S"] - positions[site]
            lengths = np.sqrt(((vectors[:, None, :2] + shifts) ** 2).sum(axis=2) + vectors[:, None, 2] ** 2)
            assert (lengths < 2.6).sum() == 4


@settings(max_examples=25, deadline=None)
@given(at=st.floats(-2, 2), plane=st.sampled_from([("Li3PS4", (1, 0, 0)), ("Li2S", (1, 1, 1)), ("Li", (1, 2, 3))]))
def test_a_cut_moves_sites_by_lattice_vectors_and_molecules_to_the_side_of_their_centre(at, plane):
    own = unit(*plane)
    moved = cut_unit(own, at)
    steps = moved.frac + np.array([0, 0, at]) - own.frac
    assert steps == pytest.approx(steps.round(), abs=1e-7)
    _, groups = molecules(own)
    for group in np.unique(groups):
        centre = moved.frac[groups == group, 2].mean()
        assert -1e-6 <= centre < 1 + 1e-6


def test_what_lies_on_the_cut_is_above_it():
    assert cut_unit(unit("Li", (1, 1, 0)), 0.0).frac[0, 2] == 0
    assert cut_unit(unit("Li", (1, 1, 0)), 0.25).frac[0, 2] == 0.75


def test_bonds_without_end_are_refused():
    bonds = [("Li", "Cl", 2.7)]
    with pytest.raises(ValueError, match=r"Li-Cl go on without end along the normal of \(1 0 0\).* take another plane"):
        terminations(unit("LiCl", (1, 0, 0)), bonds)

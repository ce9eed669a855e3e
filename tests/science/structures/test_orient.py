"""A crystal cut along a plane: areas and spacings of textbooks, the same crystal again from its layers."""

from __future__ import annotations

from functools import cache
from math import gcd, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core.structure import Structure

from aiida_seireact.science.structures import library
from aiida_seireact.science.structures.orient import Unit, oriented_unit

A = 3.5093


@cache
def crystal(name: str) -> Structure:
    return library.structure(name)


def bulk(unit: Unit) -> Structure:
    """The crystal that layers of a unit on each other make."""
    cell = np.zeros((3, 3))
    cell[:2, :2], cell[2, :2], cell[2, 2] = unit.in_plane, unit.shift @ unit.in_plane, unit.spacing
    return Structure(cell, [dict(site) for site in unit.occupancy], unit.frac)


@pytest.mark.parametrize(
    ("hkl", "area", "spacing", "layers"),
    [
        ((1, 0, 0), A**2, A / 2, 2),
        ((1, 1, 0), A**2 / sqrt(2), A / sqrt(2), 1),
        ((1, 1, 1), sqrt(3) * A**2, A / sqrt(12), 2),
        ((2, 1, 0), sqrt(5) * A**2, A / sqrt(20), 2),
        ((1, 1, 2), sqrt(6) / 2 * A**2, A / sqrt(6), 1),
    ],
)
def test_planes_of_bcc(hkl, area, spacing, layers):
    unit = oriented_unit(crystal("Li"), hkl)
    assert unit.area == pytest.approx(area)
    assert unit.spacing == pytest.approx(spacing)
    assert unit.layers_per_cell == layers
    assert unit.n_sites == 1


@settings(max_examples=10, deadline=None)
@given(
    hkl=st.tuples(*[st.integers(-3, 3)] * 3),
    name=st.sampled_from(["Li", "LiCl", "Li3P", "Li7P3S11", "In", "LiP"]),
)
def test_layers_of_any_plane_are_the_crystal_again(hkl, name):
    assume(gcd(*hkl) == 1)
    unit = oriented_unit(crystal(name), hkl)
    made, whole = bulk(unit), crystal(name)
    assert made.volume / unit.n_sites == pytest.approx(whole.volume / len(whole), rel=1e-9)
    # Two lattice vectors in the plane, the third as many planes up as it says.
    heights = np.array([[float(x) for x in row] for row in unit.basis]) @ hkl
    assert heights[:2] == pytest.approx([0, 0], abs=1e-9)
    assert heights[2] * unit.layers_per_cell == pytest.approx(1)
    # All distances of the crystal, and no others: the densities of pairs agree.
    lengths = [np.sort(of.get_neighbor_list(4.0)[3]) / 1.0 for of in (made, whole)]
    sampled = [np.repeat(x, n) for x, n in zip(lengths, (len(whole), len(made)), strict=True)]
    assert sampled[0] == pytest.approx(sampled[1], abs=1e-6)


def test_a_disordered_crystal_keeps_its_sites_and_labels():
    unit = oriented_unit(crystal("Li6PS5Cl"), (1, 0, 0))
    # A quarter of the cell: 12 of 48h for 6 Li, and 7 sites that are always filled.
    assert unit.n_sites == 19
    assert sum(unit.composition.values()) == pytest.approx(13)
    assert set(unit.labels) == {str(site.label) for site in crystal("Li6PS5Cl")}


def test_vectors_are_taken_as_they_are():
    unit = oriented_unit(crystal("Li"), vectors=[[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert (unit.hkl, unit.n_sites, unit.layers_per_cell) == ((1, 0, 0), 2, 1)
    assert StructureMatcher().fit(bulk(unit), crystal("Li").remove_oxidation_states())


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"hkl": (0, 0, 0)}, "not all zero"),
        ({"hkl": (1, 0)}, "three whole Miller indices"),
        ({}, "give one of them"),
        ({"vectors": [[0, 0, 1], [0, 1, 0], [1, 0, 0]]}, "no right-handed cell: swap two of them"),
    ],
)
def test_planes_that_are_none_are_refused(told, sentence):
    with pytest.raises(ValueError, match=sentence):
        oriented_unit(crystal("Li"), **told)


def test_sites_on_each_other_are_refused():
    twice = Structure(crystal("Li").lattice, ["Li", "Li"], [[0, 0, 0], [0, 0, 1e-5]])
    with pytest.raises(ValueError, match="lie closer than|lie on each other"):
        oriented_unit(twice, (1, 0, 0))

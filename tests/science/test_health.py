"""Distances, holes and the stop rule against known geometry."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from aiida_seireact.science import health
from aiida_seireact.science.health import StopRule, largest_hole_radius, smallest_distance

CUBE = 10.0 * np.eye(3)


def test_smallest_distance_across_the_boundary_is_found():
    distance, pair = smallest_distance([[0.2, 0, 0], [5, 5, 5], [9.7, 0, 0]], CUBE, True)
    assert distance == pytest.approx(0.5)
    assert pair == (0, 2)


def test_positions_outside_the_cell_are_folded():
    inside, _ = smallest_distance([[1, 1, 1], [3, 1, 1]], CUBE, True)
    outside, _ = smallest_distance([[1, 1, 1], [33, -19, 101]], CUBE, True)
    assert inside == pytest.approx(outside) == pytest.approx(2.0)


def test_an_atom_alone_in_a_thin_cell_meets_its_own_image():
    distance, pair = smallest_distance([[4, 4, 4]], np.diag([12.0, 2.1, 9.0]), True)
    assert distance == pytest.approx(2.1)
    assert pair == (0, 0)


def test_primitive_bcc_has_the_distance_of_the_conventional_cell():
    primitive = bulk("Li", "bcc", a=3.42)
    distance, _ = smallest_distance(primitive.positions, primitive.cell, True)
    assert distance == pytest.approx(np.sqrt(3) / 2 * 3.42)


def test_two_atoms_in_one_place_are_at_distance_zero():
    distance, pair = smallest_distance([[1, 1, 1], [5, 5, 5], [1, 1, 1]], CUBE, True)
    assert distance == 0.0
    assert pair == (0, 2)


def test_directions_that_are_not_periodic_have_no_images():
    corners = [[0.2, 5, 5], [9.7, 5, 5]]
    assert smallest_distance(corners, CUBE, [False, True, True])[0] == pytest.approx(9.5)
    assert smallest_distance(corners, np.zeros((3, 3)), False)[0] == pytest.approx(9.5)
    assert smallest_distance(corners[:1], CUBE, [False, False, True])[0] == pytest.approx(10.0)


def test_a_lone_atom_has_no_neighbour():
    assert smallest_distance([[0, 0, 0]], CUBE, False) == (float("inf"), (0, 0))


def test_smallest_distance_agrees_with_a_neighbour_list_in_a_skewed_cell():
    rng = np.random.default_rng(3)
    atoms = bulk("Li", "fcc", a=4.3).repeat((4, 3, 2))
    for _ in range(5):
        atoms.rattle(0.3, rng=rng)
        expected = neighbor_list("d", atoms, 4.0).min()
        assert smallest_distance(atoms.positions, atoms.cell, atoms.pbc)[0] == pytest.approx(expected)


def test_distances_of_broken_input_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        smallest_distance([[np.nan, 0, 0]], CUBE, True)
    with pytest.raises(ValueError, match="no volume"):
        smallest_distance([[0, 0, 0]], np.zeros((3, 3)), True)
    with pytest.raises(ValueError, match="no atoms"):
        smallest_distance(np.empty((0, 3)), CUBE, True)


@pytest.mark.parametrize(
    ("structure", "hole"),
    [("bcc", np.sqrt(5) / 4), ("fcc", 0.5), ("sc", np.sqrt(3) / 2)],
)
def test_largest_hole_of_cubic_crystals_is_the_known_interstice(structure: str, hole: float):
    # bcc: tetrahedral site at √5/4 a; fcc: octahedral site at a/2; simple cubic: body centre at √3/2 a.
    atoms = bulk("Li", structure, a=3.42).repeat(2)
    radius = largest_hole_radius(atoms.positions, atoms.cell, True)
    assert hole * 3.42 - 0.02 <= radius <= hole * 3.42 + 1e-9


def test_the_spacing_of_the_first_boxes_does_not_change_the_hole():
    atoms = bulk("Li", "bcc", a=3.42, cubic=True).repeat(3)
    atoms.rattle(0.2, seed=1)
    radii = [largest_hole_radius(atoms.positions, atoms.cell, True, spacing_ang=h) for h in (0.4, 1.0, 3.0)]
    assert np.ptp(radii) <= 0.02


def test_boxes_looked_at_in_parts_find_the_same_hole(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(4)
    cell = np.array([[9.0, 0, 0], [2.0, 8.0, 0], [1.0, -2.0, 12.0]])
    for n_atoms in (1, 3, 60):
        places = rng.random((n_atoms, 3)) @ cell
        monkeypatch.setattr(health, "_BOXES_AT_A_TIME", 1 << 20)
        whole = largest_hole_radius(places, cell, True)
        monkeypatch.setattr(health, "_BOXES_AT_A_TIME", 16)
        assert largest_hole_radius(places, cell, True) == whole


def test_hole_of_a_vacancy_reaches_its_nearest_neighbours():
    # The centre of the missing bcc atom is √3/2 a from its 8 neighbours.
    atoms = bulk("Li", "bcc", a=3.42, cubic=True).repeat(4)
    del atoms[0]
    assert largest_hole_radius(atoms.positions, atoms.cell, True) == pytest.approx(np.sqrt(3) / 2 * 3.42, abs=0.02)


def test_hole_of_a_gap_is_half_the_gap_when_it_is_wide():
    # One layer of a dense square net, images 20 Å apart: a sphere of about 10 Å fits between them.
    net = [[i, j, 0] for i in range(4) for j in range(4)]
    radius = largest_hole_radius(net, np.diag([4.0, 4.0, 20.0]), True)
    assert radius == pytest.approx(np.hypot(10.0, np.sqrt(0.5)), abs=0.02)


def test_one_atom_in_a_large_cell_has_its_hole_at_the_far_corner():
    assert largest_hole_radius([[1, 2, 3]], CUBE, True) == pytest.approx(5 * np.sqrt(3), abs=0.02)


def test_holes_need_a_periodic_cell():
    with pytest.raises(ValueError, match="periodic"):
        largest_hole_radius([[0, 0, 0]], CUBE, [True, True, False])


class TestStopRule:
    rule = StopRule()

    def bcc(self, a: float = 3.42):
        return bulk("Li", "bcc", a=a, cubic=True).repeat(4)

    def reason(self, atoms, reference: float | None = None) -> str | None:
        return self.rule.check(atoms.positions, atoms.cell, atoms.pbc, reference or self.bcc().get_volume())

    def test_a_crystal_goes_on(self):
        assert self.reason(self.bcc()) is None

    def test_a_tenth_longer_edge_stays_within_the_volume_and_an_eighth_does_not(self):
        assert self.reason(self.bcc(3.42 * 1.10)) is None
        assert str(self.reason(self.bcc(3.42 * 1.125))).startswith("volume: 1.42")

    def test_collapse_is_a_matter_of_volume(self):
        assert str(self.reason(self.bcc(3.42 * 0.9))).startswith("volume: 0.729")

    def test_two_atoms_too_close_are_named(self):
        atoms = self.bcc()
        atoms.positions[1] = atoms.positions[0] + [1.4, 0, 0]
        assert str(self.reason(atoms)).startswith("distance: atoms 0 and 1 are 1.400 Å")

    def test_a_cavity_is_found_at_unchanged_volume(self):
        atoms = self.bcc()
        far = np.linalg.norm(atoms.positions - atoms.cell.array.sum(axis=0) / 2, axis=1)
        atoms = atoms[far > 4.6]
        assert str(self.reason(atoms)).startswith("hole: radius")

    def test_positions_that_are_not_numbers_stop_first(self):
        atoms = self.bcc()
        atoms.positions[3, 1] = np.nan
        assert str(self.reason(atoms)).startswith("nan")

    def test_limits_that_would_stop_every_run_are_refused(self):
        with pytest.raises(ValueError, match="enclose 1"):
            StopRule(volume_ratio_max=0.9)
        with pytest.raises(ValueError, match="positive"):
            StopRule(distance_min_ang=0.0)

"""Periodic images against a neighbour list and known places."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images

PERIODIC = np.array([True, True, True])


@pytest.mark.parametrize("reach_ang", [1.0, 4.0, 9.0])
def test_no_neighbour_is_missed_in_a_skewed_cell_smaller_than_the_reach(reach_ang: float) -> None:
    atoms = bulk("Li", "fcc", a=4.3).repeat((2, 1, 1))
    atoms.rattle(0.3, seed=3)
    wrapped, images, _ = with_images(atoms.positions, atoms.cell.array, PERIODIC, reach_ang)
    # Each atom also finds itself, which a neighbour list leaves out.
    n_found = int(cKDTree(wrapped).count_neighbors(cKDTree(images), reach_ang)) - len(atoms)
    assert n_found == len(neighbor_list("i", atoms, reach_ang))


def test_atoms_come_first_wrapped_and_each_image_is_a_lattice_vector_from_its_owner() -> None:
    cell = np.diag([4.0, 5.0, 6.0])
    wrapped, images, owners = with_images(np.array([[9.0, 1.0, -1.0], [1.0, 2.0, 3.0]]), cell, PERIODIC, 3.0)
    assert wrapped == pytest.approx(np.array([[1.0, 1.0, 5.0], [1.0, 2.0, 3.0]]))
    assert images[:2] == pytest.approx(wrapped)
    assert owners[:2].tolist() == [0, 1]
    shifts = (images - wrapped[owners]) / np.diag(cell)
    assert shifts == pytest.approx(np.round(shifts))


def test_directions_that_are_not_periodic_are_neither_wrapped_nor_repeated() -> None:
    only_z = np.array([False, False, True])
    wrapped, images, _ = with_images(np.array([[-7.0, 30.0, 11.0]]), 10.0 * np.eye(3), only_z, 2.0)
    assert wrapped[0] == pytest.approx([-7.0, 30.0, 1.0])
    assert sorted(images[:, 2]) == pytest.approx([1.0, 11.0])
    assert np.unique(images[:, :2], axis=0) == pytest.approx(np.array([[-7.0, 30.0]]))

"""Meshes of k-points from one length."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.kmesh import mesh_of_length


def test_each_direction_gets_its_share():
    assert mesh_of_length(np.diag([4.24, 5.0, 40.0]), 40.0) == (9, 8, 1)


def test_a_slanted_cell_is_measured_by_its_planes_not_by_its_vectors():
    # Planes 5 Å apart whatever the third vector leans to.
    assert mesh_of_length([[5, 0, 0], [0, 5, 0], [20, 0, 5]], 40.0)[2] == 8
    # bcc primitive: planes (110), a / sqrt 2 apart.
    half = 3.42 / 2
    assert mesh_of_length([[-half, half, half], [half, -half, half], [half, half, -half]], 30.8) == (13, 13, 13)


def test_the_nearest_number_is_taken_as_by_vasp():
    assert mesh_of_length(np.eye(3) * 10.0, 34.9) == (3, 3, 3)
    assert mesh_of_length(np.eye(3) * 10.0, 35.0) == (4, 4, 4)


def test_there_is_always_a_point_and_one_where_nothing_repeats():
    assert mesh_of_length(np.eye(3) * 100.0, 10.0) == (1, 1, 1)
    assert mesh_of_length(np.eye(3) * 5.0, 40.0, (True, True, False)) == (8, 8, 1)


def test_a_flat_cell_has_no_mesh():
    with pytest.raises(ValueError, match="a cell without volume has no k-mesh"):
        mesh_of_length(np.diag([5.0, 5.0, 0.0]), 40.0)

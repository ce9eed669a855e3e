from __future__ import annotations

import numpy as np
import pytest
from ase import units

from aiida_seireact.science.velocities import drawn_momenta, temperatures_of_path

CELL = np.array([[8.0, 0.5, 0.0], [0.0, 9.0, 0.3], [0.2, 0.0, 10.0]])


def test_momenta_have_their_temperature_and_no_drift():
    masses = np.repeat([6.94, 35.45], 2000)
    momenta = drawn_momenta(masses, 300.0, np.random.default_rng(1))
    assert np.abs(momenta.sum(axis=0)).max() < 1e-9
    for kind in (slice(0, 2000), slice(2000, 4000)):
        # Equipartition: 6000 degrees of freedom each, 1.8 % scatter.
        kinetic = (momenta[kind] ** 2 / (2 * masses[kind, None])).sum()
        assert 2 * kinetic / (6000 * units.kB) == pytest.approx(300.0, rel=0.06)


def test_a_straight_path_has_the_temperature_of_its_velocities_wrapped_or_not():
    rng = np.random.default_rng(2)
    masses = np.array([6.94, 6.94, 35.45])
    velocities = drawn_momenta(masses, 500.0, rng) / masses[:, None]
    expected = (masses[:, None] * velocities**2).sum() / (6 * units.kB)
    start = rng.random((3, 3)) @ CELL
    # A drift of the whole is no heat.
    drift = np.array([0.3, 0.0, 0.1])
    steps = np.arange(5)[:, None, None] * 2.0 * units.fs
    path = start + steps * (velocities + drift)
    wrapped = (path @ np.linalg.inv(CELL)) % 1.0 @ CELL
    assert temperatures_of_path(path, CELL, masses, 2.0) == pytest.approx([expected] * 3)
    assert temperatures_of_path(wrapped, CELL, masses, 2.0) == pytest.approx([expected] * 3)


def test_too_short_a_path_has_none_and_one_atom_neither():
    assert len(temperatures_of_path(np.zeros((2, 2, 3)), CELL, [1.0, 1.0], 1.0)) == 0
    with pytest.raises(ValueError, match="One atom alone has no temperature"):
        temperatures_of_path(np.zeros((4, 1, 3)), CELL, [1.0], 1.0)

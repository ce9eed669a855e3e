"""Errors of two hand-made frames are the ones a pencil gives."""

from __future__ import annotations

import numpy as np
import pytest
from ase.units import GPa

from aiida_seireact.science.metrics import errors_by_type, mae, rmse

OFFSETS = [0, 2, 3]


def table(predicted=None, reference=None):
    zero = {"energy": np.zeros(2), "forces": np.zeros((3, 3)), "stress": np.zeros((2, 6))}
    return errors_by_type(["Li", "LiCl"], OFFSETS, {**zero, **(predicted or {})}, {**zero, **(reference or {})})


def test_rmse_and_mae_of_three_and_four():
    assert rmse([3, -4, 0, 0]) == pytest.approx(2.5)
    assert mae([3, -4, 0, 0]) == pytest.approx(1.75)


def test_energies_are_per_atom_and_in_mev():
    rows = table({"energy": [0.020, -0.030]})
    assert rows["Li"]["energy_mae_mev_per_atom"] == pytest.approx(10.0)
    assert rows["LiCl"]["energy_mae_mev_per_atom"] == pytest.approx(30.0)
    assert rows["all"]["energy_rmse_mev_per_atom"] == pytest.approx(np.sqrt((10**2 + 30**2) / 2))


def test_force_errors_are_over_components_and_stand_beside_the_reference():
    forces = np.zeros((3, 3))
    forces[0, 0] = 0.6
    rows = table({"forces": forces}, {"forces": np.full((3, 3), 0.2)})
    assert rows["Li"]["force_rmse_ev_per_ang"] == pytest.approx(np.sqrt((0.4**2 + 5 * 0.2**2) / 6))
    assert rows["LiCl"]["force_rms_ev_per_ang"] == pytest.approx(0.2)
    assert rows["all"]["n_atoms"] == 3


def test_stress_is_in_gigapascal():
    stress = np.zeros((2, 6))
    stress[1] = 0.5 * GPa
    rows = table({"stress": stress})
    assert rows["LiCl"]["stress_rmse_gpa"] == pytest.approx(0.5)
    assert rows["Li"]["stress_mae_gpa"] == 0.0


def test_rows_are_the_types_and_all():
    assert list(table()) == ["Li", "LiCl", "all"]


def test_arrays_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="forces have shapes"):
        table({"forces": np.zeros((2, 3))})
    with pytest.raises(ValueError, match="no frames"):
        errors_by_type([], [0], {}, {})
    with pytest.raises(ValueError, match="3 config types for 2 frames"):
        errors_by_type(["Li"] * 3, OFFSETS, {}, {})
    with pytest.raises(ValueError, match="cannot name a config type"):
        errors_by_type(["Li", "all"], OFFSETS, {}, {})

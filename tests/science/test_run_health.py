"""A run that is sound is left alone, however it fluctuates; one that is not is told with value, limit and step."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.data import atomic_masses

from aiida_seireact.science.health import StopRule
from aiida_seireact.science.run_health import (
    Asked,
    HealthLimits,
    complaint_of_frame,
    complaint_of_rows,
    complaint_of_speeds,
    drift_mev_per_atom_per_ps,
    speeds_between,
    thermal_speeds,
)

ASKED = Asked(temperature_k=300.0, timestep_fs=2.0, n_atoms=100, pressure_gpa=0.0, reference_volume_ang3=1000.0)
LIMITS = HealthLimits()
LI = 3


def rows(n_rows=50, every=50, **columns):
    """Return the table of a sound run, with other columns put in."""
    rng = np.random.default_rng(0)
    table = {
        "step": 1000 + every * np.arange(n_rows),
        "temp": rng.normal(300, 30, n_rows),
        "press": rng.normal(0, 1e4, n_rows),
        "vol": rng.normal(1000, 10, n_rows),
        "econserve": rng.normal(-400, 0.01, n_rows),
    }
    return {name: np.asarray(column, dtype=float) for name, column in {**table, **columns}.items()}


def spiked(value, count, base=300.0, n_rows=50):
    """Return a column that ends with some values out of the way."""
    return np.array([base] * (n_rows - count) + [value] * count)


def test_a_sound_run_is_left_alone():
    assert complaint_of_rows(rows(), ASKED, LIMITS) is None
    assert complaint_of_rows(rows(n_rows=1), ASKED, LIMITS) is None
    assert complaint_of_rows({"step": np.zeros(0)}, ASKED, LIMITS) is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_told_at_once(value):
    message = complaint_of_rows(rows(press=spiked(value, 1, 0.0)), ASKED, LIMITS)
    assert message == "nan: press at step 3450 is not a number"


def test_heat_that_lasts_is_told_and_a_spike_is_not():
    message = complaint_of_rows(rows(temp=spiked(950.0, 3)), ASKED, LIMITS)
    assert message == "temperature: 950 K at step 3450, allowed up to 900 K, 3 times what is asked for"
    assert complaint_of_rows(rows(temp=spiked(950.0, 2)), ASKED, LIMITS) is None
    # What is over is over.
    assert complaint_of_rows(rows(temp=spiked(950.0, 5)[::-1]), ASKED, LIMITS) is None


@pytest.mark.parametrize("bar", [2.5e5, -2.5e5])
def test_pressure_that_lasts_is_told_either_way(bar):
    message = complaint_of_rows(rows(press=spiked(bar, 3, 0.0)), ASKED, LIMITS)
    assert message == f"pressure: {bar / 1e4:.1f} GPa at step 3450, allowed up to 20 GPa from the 0 GPa asked for"


def test_pressure_is_that_beyond_the_one_asked_for():
    squeezed = Asked(temperature_k=300.0, timestep_fs=2.0, n_atoms=100, pressure_gpa=25.0)
    assert complaint_of_rows(rows(press=spiked(2.5e5, 50)), squeezed, LIMITS) is None


def test_a_volume_beyond_the_stop_rule_is_told():
    message = complaint_of_rows(rows(vol=spiked(1400.0, 1, 1000.0)), ASKED, LIMITS)
    assert message == "volume: 1.400 of the reference volume, allowed 0.75-1.35, at step 3450"
    unknown = Asked(temperature_k=300.0, timestep_fs=2.0, n_atoms=100)
    assert complaint_of_rows(rows(vol=spiked(1400.0, 1, 1000.0)), unknown, LIMITS) is None


def test_the_drift_is_the_slope_whatever_fluctuates():
    times = np.arange(50) * 0.1  # ps
    energies = -400 + 100 * 3e-3 * times + np.random.default_rng(1).normal(0, 0.01, 50)
    assert drift_mev_per_atom_per_ps(rows(econserve=energies), ASKED) == pytest.approx(3.0, abs=0.03)
    message = complaint_of_rows(rows(econserve=energies), ASKED, LIMITS)
    assert message.startswith("drift: the conserved quantity changes by +2.995 meV")
    assert message.endswith("from step 1000 to 3450, allowed up to 1: take a shorter time step")


def test_no_drift_is_told_of_a_ramp_nor_of_too_short_a_time():
    energies = -400 + np.arange(50.0)
    ramp = Asked(temperature_k=300.0, timestep_fs=2.0, n_atoms=100, is_driven=True)
    assert complaint_of_rows(rows(econserve=energies), ramp, LIMITS) is None
    assert drift_mev_per_atom_per_ps(rows(every=2, econserve=energies), ASKED) is None
    assert drift_mev_per_atom_per_ps(rows(n_rows=9, econserve=energies[:9]), ASKED) is None


def test_the_thermal_speed_of_lithium():
    # (3 * 8.617e-5 eV/K * 300 K / 6.94 u)^(1/2), 1 (eV/u)^(1/2) = 98.227 Å/ps
    assert thermal_speeds([6.94], 300.0)[0] == pytest.approx(98.227 * np.sqrt(3 * 8.617333e-5 * 300 / 6.94), rel=1e-4)


def test_thermal_atoms_are_not_ballistic():
    rng = np.random.default_rng(2)
    numbers = rng.choice([3, 15, 16, 17], 20_000)
    before = rng.uniform(0, 50, (20_000, 3))
    velocities = rng.standard_normal(before.shape) * np.sqrt(units.kB * 300 / atomic_masses[numbers])[:, None]
    after = before + velocities * 10 * units.fs + 5.0  # and the whole has moved
    assert complaint_of_speeds(before, after, numbers, (100, 105), ASKED, LIMITS) is None
    rms = np.sqrt(np.mean(speeds_between(before, after, atomic_masses[numbers], 0.01)[numbers == LI] ** 2))
    assert rms == pytest.approx(thermal_speeds(atomic_masses[[LI]], 300.0)[0], rel=0.02)


def test_one_atom_that_flies_is_named_by_its_species():
    before = np.random.default_rng(3).uniform(0, 20, (500, 3))
    after = before.copy()
    after[17] += [0.0, 8.0, 0.0]
    message = complaint_of_speeds(before, after, [16] * 500, (100, 150), ASKED, LIMITS)
    assert message.startswith("ballistic: atom 17 (S) flew at 79.8 Å/ps from step 100 to 150, allowed up to 24.")
    assert message.endswith("5 times the thermal speed at 300 K")


def test_frames_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="frames of 2 and 3 atoms"):
        speeds_between(np.zeros((2, 3)), np.zeros((3, 3)), [1, 1], 1.0)
    with pytest.raises(ValueError, match="must be positive"):
        speeds_between(np.zeros((2, 3)), np.zeros((2, 3)), [1, 1], 0.0)


def test_a_frame_is_asked_what_the_stop_rule_asks():
    grid = 3.0 * np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    cell, limits = np.eye(3) * 12.0, HealthLimits(rule=StopRule(distance_min_ang=2.0, hole_radius_max_ang=3.5))
    asked = Asked(temperature_k=300.0, timestep_fs=2.0, n_atoms=64)
    assert complaint_of_frame(grid, cell, True, 50, asked, limits) is None
    near = grid.copy()
    near[0] = near[1] + [0.0, 0.0, 1.0]
    assert complaint_of_frame(near, cell, True, 50, asked, limits) == (
        "distance: atoms 0 and 1 are 1.000 Å apart, allowed from 2 Å, at step 50"
    )
    holed = np.delete(grid, [0, 1, 4, 5], axis=0)
    assert complaint_of_frame(holed, cell, True, 50, asked, limits).startswith("hole: radius 3.")
    swollen = complaint_of_frame(grid, cell, True, 50, ASKED, limits)
    assert swollen == "volume: 1.728 of the reference volume, allowed 0.75-1.35, at step 50"


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_limit_that_can_not_be_one_is_refused(value):
    with pytest.raises(ValueError, match="temperature_ratio_max must be a positive number"):
        HealthLimits(temperature_ratio_max=value)

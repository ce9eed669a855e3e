from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.validation.diffusion import tracer_diffusion


def walk(d, n_frames=500, n_atoms=10, dt=0.1, seed=0):
    """Brownian motion of a known D, Å²/ps."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(scale=np.sqrt(2 * d * dt), size=(n_frames, n_atoms, 3))
    return np.cumsum(steps, axis=0), np.arange(n_frames) * dt


def test_a_random_walk_has_its_coefficient() -> None:
    positions, times = walk(0.8, n_frames=2000, n_atoms=200)
    found = tracer_diffusion(positions, times, species=np.ones(200, dtype=bool))
    assert found.d_ang2_per_ps == pytest.approx(0.8, rel=0.03)
    assert found.d_cm2_per_s == pytest.approx(0.8e-4, rel=0.03)
    assert found.msd_ang2 == pytest.approx(6 * 0.8 * found.lag_ps, rel=0.05)


def test_the_error_covers_the_truth_as_often_as_it_says() -> None:
    inside = []
    for seed in range(300):
        positions, times = walk(0.5, seed=seed)
        found = tracer_diffusion(positions, times, species=np.ones(10, dtype=bool))
        inside.append(abs(found.d_ang2_per_ps - 0.5) < found.error_ang2_per_ps)
    # Student's t of 4 degrees of freedom has 62.6 % within one standard error; ±3 standard deviations of 300 draws.
    assert 0.54 < np.mean(inside) < 0.71


def test_rattling_is_not_called_diffusion() -> None:
    rng = np.random.default_rng(4)
    places = rng.random((1, 30, 3)) * 10 + rng.normal(scale=0.3, size=(400, 30, 3))
    found = tracer_diffusion(places, np.arange(400) * 0.1, species=np.ones(30, dtype=bool))
    assert found.d_ang2_per_ps is None
    assert found.d_cm2_per_s is None
    assert found.error_ang2_per_ps is None
    assert found.msd_ang2 == pytest.approx(6 * 0.09, rel=0.05)


def test_a_cell_that_drifts_as_a_whole_does_not_diffuse() -> None:
    positions, times = walk(0.001, n_atoms=40)
    drifting = positions + 2.0 * times[:, None, None]
    everyone = np.ones(40, dtype=bool)
    assert tracer_diffusion(drifting, times, species=everyone, masses=np.ones(40)).d_ang2_per_ps is None
    assert tracer_diffusion(drifting, times, species=everyone).d_ang2_per_ps > 5


def test_one_species_of_two_is_followed() -> None:
    fast, times = walk(1.0, n_frames=1000, n_atoms=50)
    slow, _ = walk(0.01, n_frames=1000, n_atoms=50, seed=1)
    both = np.concatenate([fast, slow], axis=1)
    found = tracer_diffusion(both, times, species=np.arange(100) < 50)
    assert found.d_ang2_per_ps == pytest.approx(1.0, rel=0.1)


def test_short_runs_uneven_times_and_absent_species_are_refused() -> None:
    positions, times = walk(1.0, n_frames=40)
    everyone = np.ones(10, dtype=bool)
    with pytest.raises(ValueError, match="40 frames in 5 blocks"):
        tracer_diffusion(positions, times, species=everyone)
    with pytest.raises(ValueError, match="equally spaced"):
        tracer_diffusion(positions, times**2, species=everyone, n_blocks=2)
    with pytest.raises(ValueError, match="no atom"):
        tracer_diffusion(positions, times, species=~everyone)

"""Coefficients that are known, intervals that must cover as often as they say, and motion that is no diffusion."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from aiida_seireact.science.transport.blocks import InMemory
from aiida_seireact.science.transport.diffusion import (
    diffusion,
    msd_band,
    of_curves,
    smallest_resolvable,
    upper_bound,
)
from aiida_seireact.science.transport.displacements import mean_squared_displacement
from aiida_seireact.science.transport.estimates import mean_of
from aiida_seireact.science.transport.weights import fitted_lags, slope_weights, walk_covariance

from .walks import brownian, fractional, hopping, seeds


def found_in(paths, dt=1.0, **settings):
    return diffusion(InMemory(paths), dt, n_frames=len(paths), **settings)


def covered(make, truth, n, **settings):
    """Shares of the seeds whose 68.27 % and 95 % intervals hold the truth, and the regimes they tell."""
    inside, regimes = np.zeros(2), Counter()
    for seed in seeds(n):
        found = found_in(make(seed), **settings)
        regimes[found.regime] += 1
        for number, level in enumerate((0.6827, 0.95)):
            low, high = found.d.interval(level)
            inside[number] += low < truth < high
    return (*(inside / n), regimes)


@pytest.mark.parametrize(("n_atoms", "n_blocks"), [(10, 5), (2, 4), (20, 10)])
def test_intervals_of_random_walks_cover_as_they_say(n_atoms: int, n_blocks: int) -> None:
    inside, wide, regimes = covered(
        lambda seed: brownian(0.5, n_atoms=n_atoms, n_frames=400, seed=seed), 0.5, 300, n_blocks=n_blocks
    )
    # Three standard deviations of 300 draws: 0.08 and 0.038.
    assert 0.60 < inside < 0.77
    assert 0.91 < wide < 0.99
    assert regimes["diffusive"] + regimes["undecided"] >= 288


def test_atoms_that_move_in_groups_do_not_make_the_error_too_small() -> None:
    def grouped(seed):
        return np.repeat(brownian(0.5, n_atoms=4, seed=seed), 10, axis=1)

    inside, wide, _ = covered(grouped, 0.5, 200)
    assert 0.58 < inside < 0.79
    assert 0.90 < wide < 1.0
    # The error of 40 independent atoms, the liar, is √10 times smaller and holds the truth seldom.
    told = [found_in(grouped(seed)).d for seed in seeds(200)]
    assert np.mean([abs(each.value - 0.5) < each.error / np.sqrt(10) for each in told]) < 0.4


def test_the_papers_small_coefficient_is_told_with_an_error_in_ten_nanoseconds() -> None:
    # 4.2e-9 cm²/s; hops 84 times in 10 ns among 300 atoms: 0.25 Å²·6 an atom.
    inside, wide, regimes = covered(lambda seed: hopping(4.2e-5, seed=seed), 4.2e-5, 100, dt=33.0)
    assert 0.54 < inside < 0.82
    assert wide > 0.88
    assert regimes["diffusive"] >= 85
    assert regimes["diffusive"] + regimes["undecided"] >= 95
    found = found_in(hopping(4.2e-5), dt=33.0).d_cm2_per_s
    assert found.value == pytest.approx(4.2e-9, rel=0.4)
    assert 0.05 < found.error / found.value < 0.3


def test_what_a_run_can_resolve_is_what_it_resolves() -> None:
    least = smallest_resolvable(300, 9900.0)
    told = {
        factor: [found_in(hopping(least * factor, seed=seed), dt=33.0) for seed in seeds(40)] for factor in (0.1, 4.0)
    }
    assert sum(each.regime == "confined" for each in told[0.1]) >= 36
    assert not any(each.regime == "confined" for each in told[4.0])
    assert sum(each.is_diffusive for each in told[4.0]) >= 28
    bounds = [upper_bound(each, 300, 9900.0) for each in told[0.1]]
    assert np.mean(np.array(bounds) > 0.1 * least) >= 0.9
    assert smallest_resolvable(3000, 9900.0) == pytest.approx(least / 10)


def test_rattling_alone_is_confined_and_bounded_by_hops_that_were_not_seen() -> None:
    found = found_in(hopping(0.0, n_atoms=30), dt=33.0)
    assert found.regime == "confined"
    assert found.msd_ang2 == pytest.approx(6 * 0.09, rel=0.1)
    assert upper_bound(found, 30, 9900.0) == pytest.approx(-np.log(0.05) * 9 / (6 * 30 * 9900.0))


@pytest.mark.parametrize(("hurst", "regime"), [(0.25, "subdiffusive"), (0.75, "superdiffusive")])
def test_other_powers_of_time_are_no_diffusion(hurst: float, regime: str) -> None:
    told = [found_in(fractional(hurst, n_atoms=200, seed=seed), n_blocks=10) for seed in seeds(20)]
    assert sum(each.regime == regime for each in told) >= 17
    assert not any(each.is_diffusive for each in told)
    assert np.mean([each.exponent for each in told]) == pytest.approx(2 * hurst, abs=0.1)
    assert np.mean([each.log_slope for each in told]) == pytest.approx(2 * hurst, abs=0.1)


def test_flight_is_ballistic() -> None:
    velocities = np.random.default_rng(0).normal(size=(20, 3))
    found = found_in(np.arange(200.0)[:, None, None] * velocities)
    assert found.regime == "ballistic"
    assert found.exponent == pytest.approx(2.0)


def test_a_cage_lowers_the_log_slope_and_not_the_exponent() -> None:
    paths = brownian(0.005, n_atoms=400, n_frames=600)
    rattling = paths + np.random.default_rng(1).normal(scale=0.6, size=paths.shape)
    found = found_in(rattling)
    assert found.log_slope < 0.75
    assert found.is_diffusive
    assert found.offset_ang2 == pytest.approx(6 * 0.36, rel=0.05)


def test_directions_are_told_apart_and_drift_is_left_out() -> None:
    paths = brownian(0.5, n_atoms=200, n_frames=500) * np.array([1.0, 1.0, 0.2])
    drift = np.arange(500.0)[:, None] * np.array([0.3, 0.0, -0.2])
    settings = {"drift": drift}
    plane = found_in(paths + drift[:, None], directions=(0, 1), **settings)
    along = found_in(paths + drift[:, None], directions=(2,), **settings)
    assert plane.d.value == pytest.approx(0.5, rel=0.05)
    assert along.d.value == pytest.approx(0.02, rel=0.05)


def test_weights_are_those_of_the_best_unbiased_line() -> None:
    lags = fitted_lags(60)
    slope, origin = slope_weights(lags, 60, 1.0)
    assert slope @ lags == pytest.approx(1.0)
    assert slope.sum() == pytest.approx(0.0, abs=1e-9)
    assert origin.sum() == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    # 6000 walks of one direction with D interval = 1 and rattling of variance 1.
    walks = np.cumsum(rng.normal(scale=np.sqrt(2), size=(60, 6000, 1)), axis=0) + rng.normal(size=(60, 6000, 1))
    curves = np.array([mean_squared_displacement(np.repeat(walks[:, [w]], 3, axis=2))[lags, 0] for w in range(2000)])
    assert np.cov(curves.T) == pytest.approx(walk_covariance(lags, 60, 1.0), rel=0.25)
    line = np.polyfit(lags, curves.T, 1)[0]
    assert (curves @ slope).std() < 0.8 * line.std()


def test_means_count_what_replicates_hold() -> None:
    found = mean_of([1.0, 3.0, 9.0], [1, 1, 0])
    assert (found.value, found.n_replicates) == (2.0, 2)
    assert found.error == pytest.approx(1.0)
    assert found.interval(0.5) == pytest.approx((1.0, 3.0))
    alone = mean_of([4.0])
    assert alone.error is None
    assert alone.interval() is None
    assert alone.below() is None
    with pytest.raises(ValueError, match="nothing"):
        mean_of([1.0], [0.0])


def test_short_runs_and_curves_are_refused() -> None:
    with pytest.raises(ValueError, match="40 frames in 5 blocks"):
        found_in(brownian(1.0, n_frames=40))
    with pytest.raises(ValueError, match="can't be fitted"):
        of_curves(np.zeros((3, 5)), 1.0, n_frames=40)
    with pytest.raises(ValueError, match="no error"):
        upper_bound(of_curves(np.arange(30.0)[None], 1.0, n_frames=40), 3, 40.0)


def test_the_band_of_an_msd_is_that_of_its_stretches() -> None:
    mean, low, high = msd_band([[0.0, 1.0], [0.0, 3.0]])
    assert mean.tolist() == [0.0, 2.0]
    assert (low[1], high[1]) == pytest.approx((2 - 12.706, 2 + 12.706), rel=1e-3)
    assert np.isnan(msd_band([[0.0, 1.0]])[1]).all()

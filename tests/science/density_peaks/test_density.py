"""Dimension and density where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from aiida_seireact.science import density_peaks as dp
from aiida_seireact.science.density_peaks.density import kstar, pak, standard_error
from aiida_seireact.science.density_peaks.dimension import two_nn


def test_dimension_of_a_plane_in_many_features_is_two() -> None:
    rng = np.random.default_rng(0)
    plane = rng.random((4000, 2)) @ np.linalg.qr(rng.normal(size=(40, 2)))[0].T
    distances, _ = dp.nearest_neighbours(plane, 2)
    assert two_nn(distances[:, 1], distances[:, 2]) == pytest.approx(2.0, abs=0.1)


def test_a_lattice_has_no_dimension() -> None:
    with pytest.raises(dp.DensityPeaksError, match="as on a lattice"):
        two_nn(np.ones(100), np.ones(100))


def test_density_of_a_gaussian_is_that_of_its_formula() -> None:
    points = np.random.default_rng(1).normal(size=(8000, 2))
    distances, indices = dp.nearest_neighbours(points, 100)
    k = kstar(distances, indices, 2.0, 1e-6)
    log_density, plain = pak(distances, k, 2.0)
    truth = -0.5 * (points**2).sum(axis=1) - np.log(2 * np.pi)
    inner = (points**2).sum(axis=1) < 4
    pull = ((log_density - truth) / standard_error(k))[inner]
    assert not plain.any()
    assert abs(pull.mean()) < 0.3
    assert pull.std() == pytest.approx(1.0, abs=0.3)


def test_the_likelihood_is_at_its_maximum() -> None:
    """scipy finds no higher one, for neighbourhoods of any size and dimension."""
    rng = np.random.default_rng(2)
    for dimension in (1.5, 8.0, 40.0):
        radii = np.sort(rng.random((50, 31)) ** (1 / dimension), axis=1)
        radii[:, 0] = 0
        k = rng.integers(5, 30, size=50)
        got, plain = pak(radii, k, dimension)
        assert not plain.any()
        for row in range(0, 50, 7):
            n = k[row]
            volumes = np.diff((radii[row, : n + 1] / radii[row, n]) ** dimension) * n
            number = np.arange(1, n + 1)

            def loss(x: np.ndarray, n: int = n, volumes: np.ndarray = volumes, number: np.ndarray = number) -> float:
                return float((volumes * np.exp(x[0] + x[1] * number)).sum() - x[0] * n - x[1] * n * (n + 1) / 2)

            best = minimize(loss, [0.0, 0.0], method="BFGS", options={"gtol": 1e-9})
            start, _ = pak(radii[row : row + 1, :], np.array([n]), dimension)
            plain_value = np.log(n) - _log_ball(dimension) - dimension * np.log(radii[row, n])
            assert start[0] - plain_value == pytest.approx(best.x[0], abs=1e-5)
            assert got[row] == pytest.approx(start[0] - np.log(50), abs=1e-12)


def _log_ball(dimension: float) -> float:
    from scipy.special import gammaln

    return float(0.5 * dimension * np.log(np.pi) - gammaln(0.5 * dimension + 1))


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_no_dimension_and_no_unit_overflows(scale: float) -> None:
    points = np.random.default_rng(3).normal(size=(600, 500)) * scale
    got = dp.density_peaks(points, maxk=50)
    assert got.intrinsic_dimension > 50
    assert np.isfinite(got.log_density).all()


def test_equal_distances_that_leave_no_maximum_give_the_plain_density() -> None:
    """All neighbours but the first equally far: the slope has nothing to be fitted to."""
    radii = np.tile(np.r_[0.0, 0.5, np.ones(19)], (3, 1))
    got, plain = pak(radii, np.array([5, 10, 19]), 2.0)
    assert plain.all()
    assert got == pytest.approx(np.log([5, 10, 19]) - np.log(np.pi) - np.log(3))

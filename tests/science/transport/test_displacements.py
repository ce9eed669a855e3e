from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.transport.blocks import InMemory, even_interval
from aiida_seireact.science.transport.collective import collective_paths, in_centre_of_mass
from aiida_seireact.science.transport.displacements import (
    centre_of_mass_path,
    displacement_products,
    drift_of,
    mean_squared_displacement,
    msd_of_time_blocks,
)


def direct(x, y):
    """All pairs of frames, one after the other."""
    return np.array([np.mean((x[m:] - x[: len(x) - m]) * (y[m:] - y[: len(y) - m]), axis=0) for m in range(len(x))])


@pytest.fixture
def paths():
    return np.cumsum(np.random.default_rng(0).normal(size=(37, 9, 3)), axis=0) + 1e4


def test_products_are_those_of_the_double_loop(paths) -> None:
    other = paths[::-1].copy()
    assert displacement_products(paths, paths) == pytest.approx(direct(paths, paths), rel=1e-8, abs=1e-8)
    assert displacement_products(paths, other, n_lags=12) == pytest.approx(direct(paths, other)[:12], abs=1e-8)
    assert displacement_products(paths, other, summed=True) == pytest.approx(
        direct(paths, other).sum(axis=1), rel=1e-8, abs=1e-7
    )


def test_blocks_of_atoms_and_of_time_change_nothing(paths) -> None:
    drift = centre_of_mass_path(paths, np.ones(9))
    whole = mean_squared_displacement(paths, drift=drift)
    assert whole == pytest.approx(direct(paths - drift[:, None], paths - drift[:, None]).mean(axis=1), abs=1e-8)
    assert msd_of_time_blocks(InMemory(paths, 2), n_blocks=1, drift=drift)[0] == pytest.approx(whole, abs=1e-9)
    thirds = msd_of_time_blocks(InMemory(paths, 4), n_blocks=3, n_lags=5, chosen=np.arange(9) < 6)
    assert thirds.shape == (3, 5, 3)
    # The oldest frame is left out: 37 are not three times anything.
    assert thirds[0] == pytest.approx(direct(paths[1:13, :6], paths[1:13, :6]).mean(axis=1)[:5], abs=1e-8)


def test_drift_and_collective_paths_come_from_blocks(paths) -> None:
    masses = np.arange(1.0, 10.0)
    assert drift_of(InMemory(paths, 4), masses) == pytest.approx(centre_of_mass_path(paths, masses))
    kinds = np.array([0, 1, 2] * 3)
    summed = collective_paths(InMemory(paths, 4), kinds, 3)
    assert summed[:, 1] == pytest.approx(paths[:, 1::3].sum(axis=1))
    relative = in_centre_of_mass(summed, [3, 3, 3], [1.0, 5.0, 7.0])
    assert np.einsum("tsd,s->td", relative, [1.0, 5.0, 7.0]) == pytest.approx(0.0, abs=1e-8)


def test_uneven_frames_are_refused_with_what_to_set() -> None:
    assert even_interval([0, 5, 10]) == 5
    with pytest.raises(ValueError, match=r"10 is followed by 20.*trajectory.skip_first and trajectory.stride"):
        even_interval([0, 5, 10, 20])
    with pytest.raises(ValueError, match="two frames"):
        even_interval([3.0])
    with pytest.raises(ValueError, match="not equally spaced"):
        even_interval([3.0, 2.0])


def test_nobody_to_follow_is_an_error(paths) -> None:
    with pytest.raises(ValueError, match="no atom to follow"):
        msd_of_time_blocks(InMemory(paths), n_blocks=2, chosen=np.zeros(9, dtype=bool))
    with pytest.raises(ValueError, match="expected"):
        mean_squared_displacement(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="no atom"):
        drift_of([], [])

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.transport.blocks import InMemory
from aiida_seireact.science.transport.collective import collective_paths
from aiida_seireact.science.transport.diffusion import diffusion
from aiida_seireact.science.transport.onsager import Onsager, haven, onsager, onsager_of_windows
from aiida_seireact.science.transport.units import BOLTZMANN_EV_PER_K
from aiida_seireact.science.transport.windows import Windows, windowed

from .walks import brownian, seeds

VOLUME, KELVIN = 1000.0, 300.0
UNIT = VOLUME * BOLTZMANN_EV_PER_K * KELVIN
COUNTS, MASSES = np.array([20, 5]), np.array([7.0, 35.0])
KINDS = np.repeat([0, 1], COUNTS)


def cell(seed=0, n_frames=2000):
    """Independent walkers: 20 fast light ones, 5 slow heavy ones, and a huge one at rest that holds the frame."""
    fast, slow = (brownian(d, n_atoms=n, n_frames=n_frames, seed=seed * 2 + i) for i, (d, n) in
                  enumerate([(0.5, 20), (0.1, 5)]))  # fmt: skip
    return np.concatenate([fast, slow, np.zeros((n_frames, 1, 3))], axis=1)


def of_cell(paths, *, heavy=1e9, **settings):
    kinds = np.append(KINDS, 2)
    return onsager(
        collective_paths(InMemory(paths, 7), kinds, 3), 1.0, counts=[20, 5, 1], masses=[*MASSES, heavy],
        volume_ang3=VOLUME, temperature_k=KELVIN, **settings,
    )  # fmt: skip


def test_independent_walkers_have_a_diagonal_matrix_whose_error_covers() -> None:
    inside = []
    for seed in seeds(100):
        found = of_cell(cell(seed, n_frames=600))
        for (i, j), truth in {(0, 0): 20 * 0.5, (1, 1): 5 * 0.1, (0, 1): 0.0}.items():
            low, high = found.estimate(i, j).interval(0.95)
            inside.append(low < truth / UNIT < high)
    assert 0.91 < np.mean(inside) < 0.99
    assert found.matrix == pytest.approx(found.matrix.T)
    assert found.error[0, 0] == pytest.approx(found.estimate(0, 0).error)


def test_the_sum_rule_holds_to_rounding_in_a_whole_cell() -> None:
    found = of_cell(cell(), heavy=50.0)
    masses = [*MASSES, 50.0]
    assert found.sum_rule(masses) == pytest.approx(0.0, abs=1e-9)
    for each in found.replicates:
        assert Onsager(each[None]).sum_rule(masses) == pytest.approx(0.0, abs=1e-8)
    # Without the matrix element that a liar forgot it does not.
    broken = found.replicates.copy()
    broken[:, 0, 1] = 0.0
    assert np.abs(Onsager(broken).sum_rule(masses)).max() > 0.1


def test_atoms_that_move_in_pairs_have_a_cross_term_as_large_as_their_own() -> None:
    walk = brownian(0.5, n_atoms=5, n_frames=4000)
    paths = np.concatenate([walk, walk, np.zeros((4000, 1, 3))], axis=1)
    summed = collective_paths(InMemory(paths), np.repeat([0, 1, 2], [5, 5, 1]), 3)
    settings = {"counts": [5, 5, 1], "volume_ang3": VOLUME, "temperature_k": KELVIN}
    found = onsager(summed, 1.0, masses=[1.0, 1.0, 1e9], **settings)
    assert found.matrix[0, 1] == pytest.approx(found.matrix[0, 0], rel=1e-6)
    assert found.matrix[0, 0] * UNIT == pytest.approx(2.5, rel=0.2)
    # A cation that takes an anion along carries no charge.
    assert found.conductivity([1, -1, 0]).value == pytest.approx(0.0, abs=1e-6)
    assert found.conductivity([1, 1, 0]).value == pytest.approx(16.0218 * 4 * found.matrix[0, 0], rel=1e-4)


def test_oscillators_carry_nothing() -> None:
    time = np.arange(1000.0)
    phases = np.random.default_rng(0).random((1, 25, 3)) * 2 * np.pi
    paths = np.concatenate([np.cos(0.7 * time[:, None, None] + phases), np.zeros((1000, 1, 3))], axis=1)
    found = of_cell(paths, n_blocks=2)
    assert np.abs(found.matrix).max() * UNIT < 0.01 * 20 * 0.5


def test_havens_ratio_is_one_of_independent_and_a_quarter_of_bound_carriers() -> None:
    for groups, truth in ((1, 1.0), (4, 0.25)):
        walk = np.repeat(brownian(0.5, n_atoms=40 // groups, n_frames=8000), groups, axis=1)
        paths = np.concatenate([walk, np.zeros((8000, 1, 3))], axis=1)
        kinds = np.repeat([0, 1], [40, 1])
        own = onsager(
            collective_paths(InMemory(paths), kinds, 2), 1.0, counts=[40, 1], masses=[1.0, 1e9], volume_ang3=VOLUME,
            temperature_k=KELVIN, n_blocks=20,
        )  # fmt: skip
        each = np.zeros((20, 2))
        for number in range(20):
            part = paths[400 * number : 400 * (number + 1)]
            each[number, 0] = diffusion(InMemory(part), 1.0, n_frames=400, n_blocks=2, chosen=kinds == 0).d.value
        found = haven(own, each, [40, 1], [1, 0], volume_ang3=VOLUME, temperature_k=KELVIN)
        low, high = found.interval(0.99)
        assert low < truth < high
        assert found.error < 0.2 * truth
    with pytest.raises(ValueError, match="stretches"):
        haven(own, each[:3], [40, 1], [1, 0], volume_ang3=VOLUME, temperature_k=KELVIN)


def test_a_part_of_the_cell_has_coefficients_too_and_owes_no_sum_rule() -> None:
    paths = cell(n_frames=4000)[:, :25]
    origins = np.arange(0, 3900, 50)
    groups = np.zeros((len(origins), 25), dtype=int)
    groups[:, 10:20] = 1
    seen = windowed(
        InMemory(paths, 6), origins=origins, length=40, groups=groups, n_groups=3, species=KINDS, n_species=2
    )
    found = onsager_of_windows(seen, 1, 1.0, volume_ang3=VOLUME, temperature_k=KELVIN).coefficients
    low, high = found.estimate(0, 0).interval(0.99)
    assert low < 10 * 0.5 / UNIT < high
    assert np.abs(found.sum_rule(MASSES)).max() > 0.1
    assert onsager_of_windows(seen, 2, 1.0, volume_ang3=VOLUME, temperature_k=KELVIN) is None


def windows_of(counts, coefficient, n_lags=20):
    """Windows whose members' summed path squared is exactly 6 N D t, as the mean of independent walkers."""
    n = np.array(counts, dtype=np.int64)
    path = np.sqrt(2 * coefficient * n[:, None] * np.arange(n_lags))
    collective = np.repeat(path[:, None, None, :, None], 3, axis=-1)
    return Windows(np.arange(n_lags), n[:, None, None], np.zeros_like(collective), collective)


def test_a_window_counts_by_its_members_and_an_empty_one_only_for_a_slab() -> None:
    counts = [2, 200, 0, 50]
    seen = windows_of(counts, 0.5)
    phase = onsager_of_windows(seen, 0, 1.0, volume_ang3=None, temperature_k=KELVIN)
    # L V = N D / kT, of the mean of the windows where the phase is.
    assert phase.members == pytest.approx(84.0)
    assert phase.n_windows == 3
    assert phase.coefficients.matrix[0, 0] * BOLTZMANN_EV_PER_K * KELVIN == pytest.approx(84 * 0.5)
    # All members move alike: that there are few or many of them is no error.
    assert phase.coefficients.error[0, 0] == pytest.approx(0.0, abs=1e-9)
    slab = onsager_of_windows(seen, 0, 1.0, volume_ang3=VOLUME, temperature_k=KELVIN)
    assert slab.members == pytest.approx(63.0)
    assert slab.coefficients.matrix[0, 0] * UNIT == pytest.approx(63 * 0.5)


def test_the_interval_of_a_phase_that_comes_and_goes_covers() -> None:
    """Walkers of D = 0.5 in windows of 3 to 40 members, and none: L V = N D / kT."""
    inside = []
    sizes = np.tile([3, 10, 40, 20, 0], 8)
    origins = np.arange(len(sizes)) * 20
    for seed in seeds(150):
        walk = brownian(0.5, n_atoms=40, n_frames=20 * len(sizes) + 21, seed=seed)
        groups = np.where(np.arange(40) < sizes[:, None], 0, -1)
        seen = windowed(InMemory(walk), origins=origins, length=20, groups=groups, n_groups=1,
                        species=np.zeros(40, int), n_species=1)  # fmt: skip
        found = onsager_of_windows(seen, 0, 1.0, volume_ang3=None, temperature_k=KELVIN)
        low, high = found.coefficients.estimate(0, 0).interval(0.95)
        truth = sizes[sizes > 0].mean() * 0.5 / (BOLTZMANN_EV_PER_K * KELVIN)
        inside.append(low < truth < high)
    assert np.mean(inside) > 0.88


def test_short_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="60 frames in 10 blocks"):
        of_cell(cell(n_frames=60))

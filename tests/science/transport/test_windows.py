from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.transport.blocks import InMemory
from aiida_seireact.science.transport.jumps import far_movers
from aiida_seireact.science.transport.membership import NOWHERE, combined, residence, slab_of, stay
from aiida_seireact.science.transport.windows import IN_PLANE, OUT_OF_PLANE, windowed

from .walks import brownian, markov_groups


def test_phases_and_slabs_keep_their_own_coefficient() -> None:
    fast, slow = brownian(0.5, n_atoms=150, n_frames=500), brownian(0.02, n_atoms=150, n_frames=500, seed=1)
    paths = np.concatenate([fast * [1, 1, 0.5], slow], axis=1)
    origins = np.array([0, 100, 200, 300, 400])
    phase = np.repeat([0, 1], 150)
    groups = np.tile(phase, (5, 1))
    groups[:, 149] = NOWHERE
    seen = windowed(
        InMemory(paths, 64), origins=origins, length=80, groups=groups, n_groups=3, species=np.zeros(300, int),
        n_species=1,
    )  # fmt: skip
    assert seen.counts[:, :, 0].tolist() == [[149, 150, 0]] * 5
    direct = ((paths[180, :149] - paths[100, :149]) ** 2).sum(axis=0)
    assert seen.squares[1, 0, 0, 80] == pytest.approx(direct)
    assert seen.msd(0, 0)[80] == pytest.approx(80 * (4 * 0.5 + 2 * 0.125), rel=0.1)
    for directions, group, truth in ((IN_PLANE, 0, 0.5), (OUT_OF_PLANE, 0, 0.125), (IN_PLANE, 1, 0.02)):
        low, high = seen.diffusion(group, 0, 1.0, directions=directions).d.interval(0.99)
        assert low < truth < high
        assert high - low < truth
    assert seen.diffusion(2, 0, 1.0) is None
    assert np.isnan(seen.msd(2, 0)).all()


def test_atoms_that_change_phase_are_those_of_the_windows_beginning() -> None:
    paths = np.zeros((21, 2, 3))
    paths[:11, 0, 0] = np.arange(11)
    paths[11:, 0, 0] = 10
    paths[11:, 1, 2] = np.arange(1, 11)
    seen = windowed(
        InMemory(paths, 1), origins=[0, 10], length=10, groups=[[0, 1], [1, 0]], n_groups=2, species=[0, 0], n_species=1
    )
    assert seen.msd(0, 0, IN_PLANE)[-1] == pytest.approx(50.0)
    assert seen.msd(0, 0, OUT_OF_PLANE)[-1] == pytest.approx(50.0)
    assert seen.msd(1, 0)[-1] == 0.0
    assert seen.collective[0, 0, 0, -1].tolist() == [10.0, 0.0, 0.0]


def test_drift_of_the_cell_is_no_displacement() -> None:
    drift = np.arange(30.0)[:, None] * np.ones(3)
    settings = {"origins": [3], "length": 20, "groups": [[0]], "n_groups": 1, "species": [0], "n_species": 1}
    assert windowed(InMemory(drift[:, None]), drift=drift, **settings).msd(0, 0).max() == 0.0
    assert windowed(InMemory(drift[:, None]), **settings).msd(0, 0).max() == 1200.0


def test_windows_behind_the_end_are_refused() -> None:
    with pytest.raises(ValueError, match="ends after the run of 30 frames"):
        windowed(InMemory(np.zeros((30, 1, 3))), origins=[20], length=10, groups=[[0]], n_groups=1, species=[0],
                 n_species=1)  # fmt: skip
    with pytest.raises(ValueError, match="expected"):
        windowed([], origins=[20], length=10, groups=[[0, 0]], n_groups=1, species=[0], n_species=1)


def test_slabs_wrap_and_join_with_phases() -> None:
    assert slab_of([0.0, 0.49, 0.5, 0.999, 1.0, -0.01, -1e-18], 2).tolist() == [0, 0, 1, 1, 0, 1, 1]
    assert combined([0, 1, -1, 2], [1, 0, 1, -1], 2).tolist() == [1, 2, NOWHERE, NOWHERE]


def test_members_leave_at_their_rates() -> None:
    found = residence(markov_groups([0.02, 0.1], n_atoms=1500), 3, 40)
    lags = np.arange(40)
    assert found.survival[0] == pytest.approx(0.98**lags, abs=0.02)
    assert found.survival[1] == pytest.approx(0.9**lags, abs=0.02)
    # In two states that swap, membership comes back to the share in balance: 0.1 / 0.12.
    assert found.returning[0] == pytest.approx(5 / 6 + 0.88**lags / 6, abs=0.02)
    assert found.time(2.0)[:2] == pytest.approx([100.0, 20.0], rel=0.04)
    assert np.isnan(found.survival[2]).all()
    assert found.n_members[2] == 0


def test_members_of_one_window_are_counted_frame_by_frame() -> None:
    frames = [np.array(of) for of in ([0, 0, 1, NOWHERE], [0, 1, 1, 0], [0, 0, 0, NOWHERE])]
    stayed, there = stay(frames, 2)
    assert stayed.tolist() == [[2, 1, 1], [1, 1, 0]]
    assert there.tolist() == [[2, 1, 2], [1, 1, 0]]
    groups = markov_groups([0.02, 0.1], n_frames=30, n_atoms=400)
    assert stay(groups, 2)[0][:, 20] == pytest.approx([(groups[:21] == group).all(axis=0).sum() for group in (0, 1)])


def test_lags_of_every_second_frame_are_the_same_sums() -> None:
    settings = {"origins": [3], "length": 20, "groups": [[0] * 4], "n_groups": 1, "species": [0] * 4, "n_species": 1}
    paths = brownian(0.5, n_atoms=4, n_frames=30)
    all_of_them, few = windowed(InMemory(paths), **settings), windowed(InMemory(paths), every=4, **settings)
    assert few.lags.tolist() == [0, 4, 8, 12, 16, 20]
    assert few.squares == pytest.approx(all_of_them.squares[..., ::4, :])


def test_who_stays_has_no_time_and_who_is_nowhere_is_no_member() -> None:
    found = residence(np.array([[0, NOWHERE]] * 5), 1, 3)
    assert found.survival[0].tolist() == [1.0, 1.0, 1.0]
    assert np.isinf(found.time(1.0)[0])
    assert found.n_members.tolist() == [1.0]
    with pytest.raises(ValueError, match="lags"):
        residence(np.zeros((3, 2)), 1, 4)


def test_far_movers_are_those_that_went_far() -> None:
    rng = np.random.default_rng(0)
    paths = rng.normal(scale=0.3, size=(40, 50, 3)) + np.arange(40.0)[:, None, None]
    paths[25:, 7] += [8.0, 0.0, -8.0]
    paths[:, 9] += np.where(np.arange(40) % 2, 30.0, 0.0)[:, None]  # back after every second frame
    drift = np.arange(40.0)[:, None] * np.ones(3)
    found = far_movers(InMemory(paths, 8), origins=[0, 18], length=20, drift=drift)
    assert found.atoms.tolist() == [7]
    assert found.origins.tolist() == [18]
    assert found.moved_ang[0] == pytest.approx([8.0, 0.0, -8.0], abs=2.0)
    assert found.begun_ang[0] == pytest.approx(paths[18, 7])
    assert found.n_watched == 100
    # The cell's drift makes everyone go far.
    assert len(far_movers(InMemory(paths), origins=[0], length=20).atoms) == 50
    assert not len(far_movers(InMemory(paths), origins=[18], length=20, drift=drift, chosen=np.arange(50) != 7).atoms)
    with pytest.raises(ValueError, match="end after the run"):
        far_movers(InMemory(paths), origins=[20], length=20)
    assert far_movers([], origins=[0], length=2).n_watched == 0

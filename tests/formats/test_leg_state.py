"""The state of a leg comes back bit for bit, and what is none is refused in a sentence."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.leg_state import NOTHING_ASKED, LegState, LegStateError, state_of


@pytest.fixture
def state() -> LegState:
    rng = np.random.Generator(np.random.PCG64(3))
    return LegState(
        leg=2,
        step=17,
        asked_step=17,
        learnings=3,
        learned_step=12,
        at_once=1,
        detours=0,
        numbers=np.array([3, 3, 16]),
        positions=rng.normal(size=(3, 3)),
        momenta=rng.normal(size=(3, 3)),
        cell=4 * np.eye(3) + rng.normal(size=(3, 3)),
        pbc=np.ones(3, dtype=bool),
        cell_momentum=np.diag(rng.normal(size=3)),
        cell_force=np.diag(rng.normal(size=3)),
        rng=state_of(rng),
        species=("Li", "S"),
        start_id="a" * 64,
        settings_hash="b" * 64,
        gp_hash="c" * 64,
        seen_ids=("d" * 64, "e" * 64),
    )


def test_every_bit_comes_back(state: LegState, tmp_path: Path) -> None:
    state.save(tmp_path / "state.npz")
    got = LegState.load(tmp_path / "state.npz")
    for item in fields(LegState):
        written, read = getattr(state, item.name), getattr(got, item.name)
        if isinstance(written, np.ndarray):
            assert read.dtype == written.dtype
            assert read.tobytes() == written.tobytes(), item.name
        else:
            assert read == written
            assert type(read) is type(written)


def test_the_generator_goes_on_where_it_was(state: LegState, tmp_path: Path) -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    rng.normal(size=7)
    replace(state, rng=state_of(rng)).save(tmp_path / "state.npz")
    assert LegState.load(tmp_path / "state.npz").generator().normal(size=9).tolist() == rng.normal(size=9).tolist()


def test_the_same_state_gives_the_same_bytes(state: LegState, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        state.save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_arrays_alone_are_enough(state: LegState, tmp_path: Path) -> None:
    """As AiiDA keeps them: one array a name, put together again for the next leg."""
    state.save(tmp_path / "state.npz")
    with np.load(tmp_path / "state.npz", allow_pickle=False) as archive:
        np.savez(tmp_path / "again.npz", **{name: archive[name] for name in archive.files})
    again = LegState.load(tmp_path / "again.npz")
    assert (again.seen_ids, again.rng, again.step) == (state.seen_ids, state.rng, 17)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LegStateError, match="There is no state file"):
        LegState.load(tmp_path / "state.npz")


def test_a_torn_file(state: LegState, tmp_path: Path) -> None:
    state.save(tmp_path / "state.npz")
    whole = (tmp_path / "state.npz").read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 10):
        (tmp_path / "state.npz").write_bytes(whole[:size])
        with pytest.raises(LegStateError, match="is not a whole state of a leg"):
            LegState.load(tmp_path / "state.npz")


def test_a_foreign_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", positions=np.zeros((2, 3)))
    with pytest.raises(LegStateError, match="is not the state of a leg: it lacks leg, step, "):
        LegState.load(tmp_path / "state.npz")


def test_a_run_that_broke_can_be_kept_but_not_gone_on_from(state: LegState, tmp_path: Path) -> None:
    broken = replace(state, momenta=np.full((3, 3), np.nan), asked_step=NOTHING_ASKED)
    broken.save(tmp_path / "state.npz")
    with pytest.raises(LegStateError, match="momenta holds NaN"):
        LegState.load(tmp_path / "state.npz")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"momenta": np.zeros((2, 3))}, "momenta has shape"),
        ({"step": -1}, "don't go together"),
        ({"asked_step": 18}, "don't go together"),
        ({"learned_step": 18}, "the last at step 18 of 17"),
        ({"learnings": 0}, "0 learnings"),
        ({"detours": -1}, "-1 detours"),
        ({"rng": "{}"}, "rng is no state"),
        ({"rng": json.dumps({"bit_generator": "MT19937", "state": {}})}, "rng is no state"),
        ({"rng": "nonsense"}, "rng is no state"),
    ],
)
def test_a_state_that_cannot_be(state: LegState, change: dict[str, object], reason: str) -> None:
    with pytest.raises(LegStateError, match=reason):
        replace(state, **change)

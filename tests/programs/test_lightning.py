"""When a job ends for lack of time, and when it is at its end all the same; without a training."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from aiida_seireact.programs import _lightning


class Clock:
    """A clock that is put forward by hand."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(_lightning, "time", made)
    return made


def trainer(max_epochs: int = 9, *, stopped_epoch: int = 0) -> Any:
    return SimpleNamespace(
        strategy=SimpleNamespace(broadcast=lambda value: value),
        should_stop=False,
        current_epoch=0,
        max_epochs=max_epochs,
        callbacks=[SimpleNamespace(stopped_epoch=stopped_epoch)],
    )


def run(clock: Clock, of: Any, seconds: float, lengths: list[float]) -> int:
    """Train epochs of these lengths; return how many were done."""
    callback = _lightning.StopInTime(seconds)
    callback.on_train_start(of, None)
    for number, length in enumerate(lengths, start=1):
        clock.now += length
        callback.on_train_epoch_end(of, None)
        of.current_epoch = number
        if of.should_stop:
            break
    callback.on_train_end(of, None)
    return int(of.current_epoch)


def test_it_ends_before_the_epoch_that_would_not_fit(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        # After three epochs 30 s are gone, and the longest took 14.
        assert run(clock, trainer(), 40.0, [8.0, 14.0, 8.0, 8.0]) == 3
    assert "time limit reached: another epoch of 14 s does not fit into 40.0 s" in caplog.text


def test_the_first_epoch_is_always_done(clock: Clock) -> None:
    assert run(clock, trainer(), 5.0, [100.0, 1.0]) == 1


def test_the_last_epoch_is_the_end_and_not_a_lack_of_time(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert run(clock, trainer(max_epochs=2), 20.0, [8.0, 8.0]) == 2
    assert "time limit" not in caplog.text


def test_neither_is_it_where_patience_was_over(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert run(clock, trainer(stopped_epoch=1), 20.0, [8.0, 8.0]) == 2
    assert "time limit" not in caplog.text

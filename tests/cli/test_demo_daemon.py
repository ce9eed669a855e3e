"""The daemon of the demo: a trouble that stays is mended, one that passes is only shown."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from aiida_seireact.cli import demo_daemon, mending, watchdog
from aiida_seireact.cli.demo_daemon import Guard
from aiida_seireact.cli.watchdog import Sign


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what was mended, one entry a call; nothing is touched."""
    calls: list[str] = []

    def mend() -> list[str]:
        calls.append("mended")
        return ["The daemon was started."]

    monkeypatch.setattr(mending, "mend", mend)
    monkeypatch.setattr(mending, "clear_up", lambda say, **_: None)
    monkeypatch.setattr(watchdog.Stillness, "look", lambda self: None)
    return calls


def show(monkeypatch: pytest.MonkeyPatch, *signs: Sign) -> None:
    monkeypatch.setattr(watchdog, "signs_of_trouble", lambda **_: list(signs))


def test_a_trouble_is_mended_the_second_time_it_is_seen(monkeypatch: pytest.MonkeyPatch, mended: list[str]) -> None:
    show(monkeypatch, Sign("The daemon does not run.", curable=True))
    guard, said = Guard(every_seconds=0.0), list[str]()
    assert guard(said.append) == ["The daemon does not run."]
    assert mended == []
    assert guard(said.append) == []
    assert mended == ["mended"]
    assert said == ["Trouble: The daemon does not run.", "  The daemon was started."]


def test_a_trouble_that_passes_is_not_mended(monkeypatch: pytest.MonkeyPatch, mended: list[str]) -> None:
    guard, said = Guard(every_seconds=0.0), list[str]()
    show(monkeypatch, Sign("The daemon does not run.", curable=True))
    guard(said.append)
    show(monkeypatch)
    assert guard(said.append) == []
    assert (mended, said) == ([], [])


def test_what_no_cure_helps_is_shown_and_left_alone(monkeypatch: pytest.MonkeyPatch, mended: list[str]) -> None:
    show(monkeypatch, Sign("The disk is nearly full.", curable=False))
    guard, said = Guard(every_seconds=0.0), list[str]()
    assert [guard(said.append) for _ in range(3)] == [["The disk is nearly full."]] * 3
    assert (mended, said) == ([], [])


def test_nothing_is_looked_for_before_it_is_time(monkeypatch: pytest.MonkeyPatch, mended: list[str]) -> None:
    show(monkeypatch, Sign("The daemon does not run.", curable=True))
    guard = Guard(every_seconds=3600.0)
    assert [guard(pytest.fail), guard(pytest.fail)] == [[], []]


def test_what_never_passes_is_mended_at_once(monkeypatch: pytest.MonkeyPatch, mended: list[str]) -> None:
    show(monkeypatch, Sign("The broker died.", curable=True, lasting=True))
    guard, said = Guard(every_seconds=0.0), list[str]()
    assert guard(said.append) == []
    assert said[0] == "Trouble: The broker died."
    assert mended == ["mended"]


def test_stillness_is_mended_and_then_waited_for_longer(monkeypatch: pytest.MonkeyPatch, mended: list[str]) -> None:
    show(monkeypatch)
    still = Sign("Nothing moves.", curable=True, lasting=True)
    monkeypatch.setattr(watchdog.Stillness, "look", lambda self: still if self.seconds < 100 else None)
    guard = Guard(every_seconds=0.0)
    for _ in range(5):
        guard(lambda line: None)
    assert len(mended) == 2, "40 s, then 80 s; a slow machine is not mended for ever"


def test_two_calls_of_the_demo_do_not_mend_at_once(monkeypatch: pytest.MonkeyPatch, mended: list[str]) -> None:
    show(monkeypatch, Sign("The broker died.", curable=True, lasting=True))
    guard = Guard(every_seconds=0.0, alone=lambda: nullcontext(False))
    assert [guard(pytest.fail), guard(pytest.fail)] == [[], []]
    assert mended == []


def test_a_hang_is_noticed_within_a_minute() -> None:
    """What shows at one look is mended at the next; tasks and stillness are waited for before."""
    longest = max(demo_daemon.PATIENCE_SECONDS + demo_daemon.LOOK_FOR_TROUBLE_EVERY_SECONDS, watchdog.STILL_SECONDS)
    assert longest + demo_daemon.LOOK_FOR_TROUBLE_EVERY_SECONDS < 60

"""Interrupts: none is lost, none comes at the wrong moment."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from aiida_seireact.cli import _submission
from aiida_seireact.cli.interrupts import INTERRUPTS, interruptible, undisturbed


@pytest.mark.parametrize("number", INTERRUPTS)
def test_an_interrupt_while_undisturbed_comes_at_the_end(number: int) -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), undisturbed():  # noqa: PT012 (that the block goes on is the claim)
        os.kill(os.getpid(), number)
        steps.append("went on")
    assert steps == ["went on"]


@pytest.mark.parametrize("number", INTERRUPTS)
def test_every_interrupt_is_a_ctrl_c_and_the_handlers_come_back(number: int) -> None:
    before = [signal.getsignal(each) for each in INTERRUPTS]
    with pytest.raises(KeyboardInterrupt), interruptible():
        os.kill(os.getpid(), number)
    assert [signal.getsignal(each) for each in INTERRUPTS] == before


def test_ctrl_c_while_a_process_is_handed_over_comes_after_its_pk_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def submit(builder: None) -> SimpleNamespace:
        os.kill(os.getpid(), signal.SIGINT)
        return SimpleNamespace(process_label="SomeWorkChain", pk=12)

    monkeypatch.setattr("aiida.engine.submit", submit)
    with pytest.raises(KeyboardInterrupt):
        _submission.submit(None)  # type: ignore[arg-type]
    assert "Submitted SomeWorkChain <12>.  aiida-seireact watch 12" in capsys.readouterr().out

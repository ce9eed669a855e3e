"""What a process may still take, as machine and control group tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_seireact.programs import _memory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  9000 kB\nMemAvailable:    5000 kB\n")
    monkeypatch.setattr(_memory, "MEMINFO", meminfo)
    monkeypatch.setattr(_memory, "CGROUPS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    return tmp_path


def test_the_machine_tells_what_is_free(machine: Path) -> None:
    assert _memory.available_bytes() == 5000 * 1024


@pytest.mark.parametrize(("limit", "free"), [("max\n", 5000 * 1024), ("3000000\n", 2_000_000), ("9000000\n", 5120000)])
def test_a_control_group_may_allow_less(machine: Path, limit: str, free: int) -> None:
    (machine / "max").write_text(limit)
    (machine / "current").write_text("1000000\n")
    assert _memory.available_bytes() == free


def test_where_nothing_tells_there_is_no_limit(machine: Path) -> None:
    (machine / "meminfo").unlink()
    assert _memory.available_bytes() == float("inf")

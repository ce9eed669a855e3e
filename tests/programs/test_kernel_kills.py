"""What the kernel counts is read from where it counts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_seireact.programs import _kernel_kills, _memory


@pytest.mark.parametrize(
    ("cgroup", "place", "content", "count"),
    [
        ("0::/slurm/job_7", "slurm/job_7/memory.events", "oom 5\noom_kill 3\noom_group_kill 1\n", 3),
        ("5:cpu,memory:/job_7\n1:name=x:/", "memory/job_7/memory.oom_control", "under_oom 0\noom_kill 2\n", 2),
        ("0::/", "elsewhere", "", 9),
    ],
)
def test_kills_are_those_of_the_control_group_else_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cgroup: str, place: str, content: str, count: int
) -> None:
    monkeypatch.setattr(_memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(_memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(_kernel_kills, "VMSTAT", tmp_path / "vmstat")
    assert _kernel_kills.memory_kills() == 0
    (tmp_path / "own").write_text(cgroup + "\n")
    (tmp_path / "vmstat").write_text("pgfault 1\noom_kill 9\n")
    (tmp_path / "groups" / place).parent.mkdir(parents=True)
    (tmp_path / "groups" / place).write_text(content)
    assert _kernel_kills.memory_kills() == count

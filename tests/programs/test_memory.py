"""What a process may still take, as machine and control group tell it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_seireact.programs import _memory


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """5.12 MB free of the machine, a process in no group."""
    (tmp_path / "meminfo").write_text("MemTotal:  9000 kB\nMemAvailable:    5000 kB\n")
    monkeypatch.setattr(_memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(_memory, "OWN_STATUS", tmp_path / "status")
    monkeypatch.setattr(_memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(_memory, "GROUPS", tmp_path / "groups")
    return tmp_path


def group(folder: Path, names: tuple[str, str, str], limit: str, used: int, cached: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon {used - cached}\n{names[2]} {cached}\n")


V2 = ("memory.max", "memory.current", "file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")


def test_the_machine_tells_what_is_free(machine: Path) -> None:
    assert _memory.available_bytes() == 5_120_000


def test_what_the_process_holds_it_may_keep(machine: Path) -> None:
    (machine / "status").write_text("VmPeak:  900 kB\nVmRSS:    100 kB\n")
    assert _memory.available_bytes() == 5_120_000 + 102_400


@pytest.mark.parametrize(("limit", "free"), [("max", 5_120_000), ("3000000", 2_400_000), ("9000000", 5_120_000)])
def test_a_control_group_may_allow_less_where_cached_files_do_not_count(machine: Path, limit: str, free: int) -> None:
    (machine / "own").write_text("0::/job\n")
    group(machine / "groups" / "job", V2, limit, used=1_000_000, cached=400_000)
    assert _memory.available_bytes() == free


def test_the_group_around_a_job_counts_too(machine: Path) -> None:
    (machine / "own").write_text("0::/slurm/job_1/step_0\n")
    group(machine / "groups" / "slurm" / "job_1", V2, "2000000", used=500_000, cached=0)
    group(machine / "groups" / "slurm" / "job_1" / "step_0", V2, "max", used=500_000, cached=0)
    assert _memory.available_bytes() == 1_500_000


def test_a_container_sees_the_outermost_folder_only(machine: Path) -> None:
    (machine / "own").write_text("0::/docker/of/the/host\n")
    group(machine / "groups", V2, "1000000", used=0, cached=0)
    assert _memory.available_bytes() == 1_000_000


def test_version_1_has_a_tree_for_memory(machine: Path) -> None:
    (machine / "own").write_text("5:cpu,cpuacct:/a\n4:memory:/slurm/job_1\n")
    group(machine / "groups" / "memory" / "slurm" / "job_1", V1, "3000000", used=1_000_000, cached=500_000)
    group(machine / "groups" / "memory", V1, "9223372036854771712", used=1_000_000, cached=0)
    assert _memory.available_bytes() == 2_500_000


def test_where_nothing_tells_there_is_no_limit(machine: Path) -> None:
    (machine / "meminfo").unlink()
    assert _memory.available_bytes() == float("inf")

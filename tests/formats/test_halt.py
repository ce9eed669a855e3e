from __future__ import annotations

from pathlib import Path

import pytest

from aiida_seireact.formats.halt import STOP_FILE, read_halt, stop_request

LOG = "Step Temp\nFix halt condition for fix-id {} met on step 60 with value 1\nLoop time of 1 on 1 procs\n"


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (stop_request("the node is needed"), "asked", "asked: the node is needed"),
        (stop_request("temperature 9000 K", unhealthy=True), "health", "health: temperature 9000 K"),
        ("", "asked", "asked: somebody put a file STOP into its folder"),
        ("enough\nreally", "asked", "asked: enough"),
    ],
)
def test_a_stop_file_says_who_and_why(tmp_path: Path, content: str, reason: str, message: str) -> None:
    (tmp_path / "log").write_text(LOG.format("asked"))
    (tmp_path / STOP_FILE).write_text(content)
    assert read_halt(tmp_path, "log") == {"reason": reason, "step": 60, "message": message}


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG.format("disk"))
    told = read_halt(tmp_path, "log")
    assert told is not None
    assert told["reason"] == "disk"
    assert "less than 200 MB and 200 bytes an atom are free" in told["message"]
    # It becomes an attribute of a node: the place would make equal runs differ.
    assert str(tmp_path) not in told["message"]


def test_other_halts_and_none_are_not_ours(tmp_path: Path) -> None:
    assert read_halt(tmp_path, "log") is None
    (tmp_path / "log").write_text(LOG.format("mine"))
    assert read_halt(tmp_path, "log") is None

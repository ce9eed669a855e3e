"""The folder of the demo: what the machine lacks is told, a shell finds its AiiDA."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from aiida_seireact.cli.demo_folder import Folder, refuse_impossible, write_env


def test_little_memory_warns_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * 1024**3))
    refuse_impossible(Folder(tmp_path / "demo"))
    assert "Only 2.0 GB of memory are free" in capsys.readouterr().out


def test_env_script_points_a_shell_at_the_demo(tmp_path: Path) -> None:
    place = Folder(tmp_path / "it's")
    place.path.mkdir()
    write_env(place)
    command = f'source "{place.env}"; echo "$AIIDA_PATH"; command -v python'
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.splitlines()
    assert found == [str(place.aiida), str(Path(sys.executable).parent / "python")]

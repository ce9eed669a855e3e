"""A machine without pw.x gets Debian's, and where that can't be, tests are skipped by name, or fail where they must."""

from __future__ import annotations

import os
import shutil

import pytest

from aiida_seireact.cli.machine import run_here
from aiida_seireact.cli.quantum_espresso import find_pw
from tests import pw_x

REASON = "pw.x is not on PATH, and Debian's package can't be had"


def test_without_pw_the_test_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.delenv(pw_x.REQUIRE, raising=False)
    monkeypatch.setattr(pw_x, "put_pw_on_path", lambda: REASON)
    with pytest.raises(pytest.skip.Exception, match=REASON):
        pw_x.need_pw()


def test_where_pw_is_required_its_absence_is_a_failure(monkeypatch):
    monkeypatch.setenv(pw_x.REQUIRE, "1")
    monkeypatch.setattr(pw_x, "put_pw_on_path", lambda: REASON)
    with pytest.raises(pytest.fail.Exception, match="SEIREACT_REQUIRE_QE is 1"):
        pw_x.need_pw()


def test_each_way_that_fails_is_told(monkeypatch, tmp_path):
    def refuse() -> None:
        raise OSError("no network")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SEIREACT_CACHE", str(tmp_path))
    for way in ("install", "unpack"):
        refuse.__name__ = way
        monkeypatch.setattr(pw_x, way, refuse)
    assert "no network" in str(pw_x.put_pw_on_path())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this is no Debian")
def test_the_unpacked_pw_starts(monkeypatch, tmp_path):
    monkeypatch.setenv("SEIREACT_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", os.environ["PATH"])
    pw_x.unpack()
    path, version = find_pw(run_here) or ("", "")
    assert path == str(tmp_path / "quantum-espresso" / "bin" / "pw.x")
    assert version

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_seireact.publishing.environment import installed


def test_what_is_left_of_a_broken_installation_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torn-1.0.dist-info").mkdir()
    (tmp_path / "torn-1.0.dist-info" / "METADATA").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "aiida-core" in installed()
    assert "torn" not in installed()

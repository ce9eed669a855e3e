"""Where ``dot`` is required, a test that draws does not pass by skipping."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import graphviz


def test_without_dot_a_test_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.delenv(graphviz.REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install graphviz"):
        graphviz.need_dot()
    monkeypatch.setenv(graphviz.REQUIRE, "1")
    with pytest.raises(pytest.fail.Exception, match=r"SEIREACT_REQUIRE_DOT is 1"):
        graphviz.need_dot()


def test_the_continuous_integration_requires_it() -> None:
    assert f"{graphviz.REQUIRE}=1" in (Path(__file__).parents[1] / ".ci" / "run").read_text(encoding="utf-8")

"""Graphviz' ``dot`` for the tests."""

from __future__ import annotations

import shutil

from tests.debian import need

REQUIRE = "SEIREACT_REQUIRE_DOT"


def need_dot() -> None:
    """Have ``dot`` on PATH; without it skip the test, or fail where ``SEIREACT_REQUIRE_DOT`` is 1."""
    need(lambda: shutil.which("dot"), "graphviz", require=REQUIRE)

"""CP2K for the tests."""

from __future__ import annotations

import shutil

from tests.debian import need


def need_cp2k() -> str:
    """Return the path of CP2K; skip the test with the reason where it is not there and can't be installed."""
    return need(lambda: shutil.which("cp2k.psmp") or shutil.which("cp2k"), "cp2k", "cp2k-data")

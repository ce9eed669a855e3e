"""CP2K for the tests: the one on PATH, else Debian's package where one may install it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.pw_x import last_words, run

INSTALL = "apt-get install -y --no-install-recommends cp2k cp2k-data"


def need_cp2k() -> str:
    """Return the path of CP2K; skip the test with the reason where it is not there and can't be installed."""
    reason = ""
    if not find() and os.geteuid() == 0:
        try:
            run("apt-get", "update")
            run(*INSTALL.split())
        except (OSError, subprocess.SubprocessError) as error:
            reason = f" ({last_words(error)})"
    if not find():
        pytest.skip(f"cp2k.psmp is not on PATH: `{INSTALL}`{reason}")
    return find()


def find() -> str:
    """Return the path of CP2K, an empty string if there is none."""
    return shutil.which("cp2k.psmp") or shutil.which("cp2k") or ""

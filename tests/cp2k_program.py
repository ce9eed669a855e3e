"""CP2K for the tests: the one on PATH, else Debian's package, where one may install it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.pw_x import last_words, run

PROGRAM = "cp2k.psmp"
PACKAGES = ("cp2k", "cp2k-data")
INSTALL = f"apt-get install --no-install-recommends {' '.join(PACKAGES)}"


def need_cp2k() -> str:
    """Return the path of CP2K; skip the test with the reason where there is none and none can be installed."""
    reason = "only root may install it"
    if shutil.which(PROGRAM) is None and os.geteuid() == 0:
        try:
            run("apt-get", "update")
            run("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES)
        except (OSError, subprocess.SubprocessError) as error:
            reason = last_words(error)
    path = shutil.which(PROGRAM)
    if path is None:
        pytest.skip(f"{PROGRAM} is not on PATH, and Debian's package can't be had ({reason}): `{INSTALL}`")
    return path

"""Graphviz's ``dot`` for the tests: the one on PATH, else Debian's package."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess

import pytest

from aiida_seireact.cli.pseudopotentials import cache_folder
from tests.pw_x import last_words, run

PROGRAM, PACKAGE = "dot", "graphviz"
REQUIRE = "SEIREACT_REQUIRE_DOT"
INSTALL = f"apt-get install {PACKAGE}"


def put_dot_on_path() -> str | None:
    """Have ``dot`` by the first way that works; return why none does, or None."""
    if shutil.which(PROGRAM):
        return None
    if os.geteuid() != 0:
        return f"{PROGRAM} is not on PATH, and only root may install it: `{INSTALL}`"
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    # The parts of `make test` run side by side.
    with (folder / f"{PACKAGE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not shutil.which(PROGRAM):
                run("apt-get", "update")
                run("apt-get", "install", "-y", "--no-install-recommends", PACKAGE)
        except (OSError, subprocess.SubprocessError) as error:
            return f"{PROGRAM} is not on PATH, and Debian's package can't be had ({last_words(error)}): `{INSTALL}`"
    return None if shutil.which(PROGRAM) else f"Debian's package has put no {PROGRAM} on PATH: `{INSTALL}`"


def need_dot() -> None:
    """Have ``dot`` on PATH; without it skip the test, or fail where ``SEIREACT_REQUIRE_DOT`` is 1."""
    reason = put_dot_on_path()
    if reason is None:
        return
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{reason} ({REQUIRE} is 1)")
    pytest.skip(reason)

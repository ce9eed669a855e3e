"""Programs of Debian for the tests: the one on PATH, else its package where one may install it."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

LOCK = Path("/tmp/seireact-apt.lock")
"""Of all that install for the tests, tests/services/lib.sh too: apt itself refuses to run twice at a time."""


def install(*packages: str, is_there: Callable[[], object]) -> None:
    """Install packages, unless others have done it while this one waited for them.

    :raises OSError: not root.
    :raises SubprocessError: apt failed.
    """
    if os.geteuid() != 0:
        raise OSError("only root may install it")
    with LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_there():
            run("apt-get", "update")
            run("apt-get", "-o", "DPkg::Lock::Timeout=600", "install", "-y", "--no-install-recommends", *packages)


def need(find: Callable[[], str | None], *packages: str, require: str | None = None) -> str:
    """Return the path of a program; without one skip the test, or fail where the variable ``require`` is 1.

    :param find: gives its path, or nothing.
    """
    reason = ""
    if not find():
        try:
            install(*packages, is_there=find)
        except (OSError, subprocess.SubprocessError) as error:
            reason = f" ({last_words(error)})"
    if path := find():
        return path
    told = f"{packages[0]} is not on PATH: `apt-get install {' '.join(packages)}`{reason}"
    if require and os.environ.get(require) == "1":
        pytest.fail(f"{told} ({require} is 1)")
    pytest.skip(told)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Return what a command prints.

    :raises CalledProcessError: it failed.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True, timeout=600)
    return done.stdout


def last_words(error: Exception) -> str:
    """Return the last line that a failed command wrote, else the error itself."""
    lines = str(getattr(error, "stderr", "") or "").strip().splitlines()
    return lines[-1] if lines else str(error)

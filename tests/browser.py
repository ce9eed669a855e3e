"""Chromium for the tests: the one on PATH, else Debian's package; driven by playwright."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from aiida_seireact.cli.pseudopotentials import cache_folder
from tests.pw_x import last_words, run

NAMES = ("chromium", "chromium-browser", "google-chrome")
REQUIRE = "SEIREACT_REQUIRE_BROWSER"
INSTALL = "apt-get install chromium"
# WebGL without a graphics card; root of a container has no sandbox.
OPTIONS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]


def find_browser() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def put_browser_on_path() -> str | None:
    """Have a Chromium by the first way that works; return why none does, or None."""
    if find_browser():
        return None
    if os.geteuid() != 0:
        return f"Chromium is not on PATH, and only root may install it: `{INSTALL}`"
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    # The parts of `make test` run side by side.
    with (folder / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not find_browser():
                run("apt-get", "update")
                run("apt-get", "install", "-y", "--no-install-recommends", "chromium")
        except (OSError, subprocess.SubprocessError) as error:
            return f"Chromium is not on PATH, and Debian's package can't be had ({last_words(error)}): `{INSTALL}`"
    return None if find_browser() else f"Debian's package has put no Chromium on PATH: `{INSTALL}`"


def need_browser() -> str:
    """Return the path of a Chromium; without one skip the test, or fail where ``SEIREACT_REQUIRE_BROWSER`` is 1."""
    reason = put_browser_on_path()
    if reason is None:
        return str(find_browser())
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{reason} ({REQUIRE} is 1)")
    pytest.skip(reason)


@contextmanager
def browser() -> Iterator[Browser]:
    """Give a browser without a window."""
    path = need_browser()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        try:
            yield chromium
        finally:
            chromium.close()

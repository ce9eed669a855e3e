"""Chromium for the tests, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests.debian import need

NAMES = ("chromium", "chromium-browser", "google-chrome")
REQUIRE = "SEIREACT_REQUIRE_BROWSER"
# WebGL without a graphics card; root of a container has no sandbox.
OPTIONS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage"]


def find_browser() -> str | None:
    """Return the path of a Chromium, None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def need_browser() -> str:
    """Return the path of a Chromium; without one skip the test, or fail where ``SEIREACT_REQUIRE_BROWSER`` is 1."""
    return need(find_browser, "chromium", require=REQUIRE)


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

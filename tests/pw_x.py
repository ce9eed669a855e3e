"""pw.x for the tests: the one on PATH, else Debian's package, installed or unpacked into the cache."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess

import pytest

from aiida_seireact.cli.pseudopotentials import cache_folder
from aiida_seireact.cli.quantum_espresso import INSTALL_PW
from tests import debian
from tests.debian import last_words, run

PACKAGE = "quantum-espresso"
REQUIRE = "SEIREACT_REQUIRE_QE"
# Where Debian keeps what pw.x loads, and its BLAS behind `update-alternatives`, which a folder does not have.
LIBRARIES = ("", "/blas", "/lapack", "/openblas-pthread", "/openmpi/lib")
WRAPPER = """#!/bin/sh
here={root}
export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
# Open MPI looks for its plugins where it was built to be, unless it was unpacked beside pw.x.
if [ -d "$here/{inside}/openmpi" ]; then export OPAL_PREFIX="$here/usr"; fi
exec "$here/usr/bin/pw.x" "$@"
"""


def put_pw_on_path() -> str | None:
    """Put pw.x on PATH by the first way that works; return why none does, or None."""
    if shutil.which("pw.x"):
        return None
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    # The two halves of `make test` run side by side.
    with (folder / "quantum-espresso.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reasons = []
        for way in (install, unpack):
            try:
                way()
            except (OSError, subprocess.SubprocessError) as error:
                reasons.append(f"{way.__name__}: {last_words(error)}")
            if shutil.which("pw.x"):
                return None
    return f"pw.x is not on PATH, and Debian's package can't be had ({'; '.join(reasons)}): `{INSTALL_PW}`"


def install() -> None:
    """Install the package, where one may."""
    debian.install(PACKAGE, is_there=lambda: shutil.which("pw.x"))


def unpack() -> None:
    """Unpack the package, and what it depends on and is not installed, into the cache, and put it on PATH."""
    root = cache_folder() / PACKAGE
    wrapper = root / "bin" / "pw.x"
    if not wrapper.exists():
        shutil.rmtree(root, ignore_errors=True)
        packages = root / "packages"
        packages.mkdir(parents=True)
        run("apt-get", "download", PACKAGE, *missing_libraries(), cwd=packages)
        for package in packages.glob("*.deb"):
            run("dpkg", "-x", package, root)
        shutil.rmtree(packages)
        inside = f"usr/lib/{platform.machine()}-linux-gnu"
        libraries = ":".join(f"{root}/{inside}{folder}" for folder in LIBRARIES)
        wrapper.parent.mkdir()
        wrapper.write_text(WRAPPER.format(root=root, libraries=libraries, inside=inside), encoding="utf-8")
        wrapper.chmod(0o755)
    os.environ["PATH"] = f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"


def missing_libraries() -> list[str]:
    """Return the packages that quantum-espresso needs and that are not installed."""
    options = ("--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces")
    tree = run("apt-cache", "depends", *options, "--no-enhances", PACKAGE)
    wanted = set(re.findall(r"^([a-z0-9][a-z0-9+.-]*)$", tree, re.MULTILINE)) - {PACKAGE}
    installed = run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\n")
    return sorted(wanted - set(re.findall(r"^ii +(\S+)$", installed, re.MULTILINE)))


def need_pw() -> None:
    """Have pw.x on PATH, else skip the test with the reason; fail where ``SEIREACT_REQUIRE_QE`` is 1."""
    reason = put_pw_on_path()
    if reason is None:
        return
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{reason} ({REQUIRE} is 1)")
    pytest.skip(reason)

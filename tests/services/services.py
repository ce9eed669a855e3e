"""Starts and stops the services of this folder; where one can't be had, its tests are skipped by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NAMES = ("slurm", "ssh", "rabbitmq", "postgres")
REQUIRE = "SEIREACT_REQUIRE_SERVICES"
CANNOT_BE_HAD = 77
# An installation from Debian among it, and for SLURM a copy beside this one.
SECONDS = 1200


class NotToBeHad(Exception):
    """A service can't be had on this machine; the message says why."""


@dataclass
class Services:
    """The services of a test session, in a folder that every user may enter: PostgreSQL runs as another one."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="seireact-services-")))
    owner: int = field(default_factory=os.getpid)
    """The process with which they end, however it ends."""

    def __post_init__(self) -> None:
        self.folder.chmod(0o755)

    def start(self, name: str) -> dict[str, str]:
        """Start a service, unless it runs; return what it tells of itself.

        :raises NotToBeHad: it can't be had here.
        :raises AssertionError: it can, but does not start.
        """
        done = self._call(name, "start")
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        if done.returncode == CANNOT_BE_HAD:
            raise NotToBeHad(words[-1])
        assert done.returncode == 0, f"{name}.sh start: {words[-5:]}"
        lines = (self.folder / f"{name}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def need(self, name: str) -> dict[str, str]:
        """Start a service, else skip the test with the reason; fail where ``SEIREACT_REQUIRE_SERVICES`` is 1."""
        try:
            return self.start(name)
        except NotToBeHad as reason:
            if os.environ.get(REQUIRE) == "1":
                pytest.fail(f"{name}: {reason} ({REQUIRE} is 1)")
            pytest.skip(f"{name}: {reason}")

    def stop(self, name: str) -> None:
        """Stop a service, if it runs."""
        done = self._call(name, "stop")
        assert done.returncode == 0, done.stderr

    def pid(self, name: str) -> int:
        """Return the process of a service that has one."""
        return int((self.folder / name / "server.pid").read_text())

    def end(self) -> None:
        """Stop all, and remove the folder."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stop, NAMES))
        shutil.rmtree(self.folder)

    def _call(self, name: str, action: str) -> subprocess.CompletedProcess[str]:
        command = [str(HERE / f"{name}.sh"), action, str(self.folder)]
        environment = {**os.environ, "SERVICE_OWNER": str(self.owner)}
        return subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )

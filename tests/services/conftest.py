"""A profile as of production: PostgreSQL, RabbitMQ, SLURM and SSH on this machine, and two workers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine.daemon.client import DaemonClient, DaemonException, get_daemon_client

from aiida_seireact.cli.daemon_parts import daemon_processes, end
from aiida_seireact.cli.demo_daemon import await_broker
from aiida_seireact.cli.installation import install
from aiida_seireact.cli.pseudopotentials import cache_folder
from tests.services.page import Page
from tests.services.services import Services

PROFILE = "production"


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """Return the services; each is started by the first test that needs it."""
    services = Services()
    yield services
    services.end()


@pytest.fixture(scope="session", autouse=True)
def run_aiida_broker_service() -> None:
    """Take the place of aiida-core's fixture: ours brings RabbitMQ."""


@pytest.fixture(scope="session")
def home(services: Services) -> Iterator[Path]:
    """Return the home folder of the tests, which knows the host `cluster`."""
    folder = services.folder / "home"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        # What is fetched once stays in the cache of the true home.
        patch.setenv("SEIREACT_CACHE", str(cache_folder()))
        patch.setenv("HOME", str(folder))
        patch.setenv("PATH", f"{services.folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield folder


@pytest.fixture(scope="session")
def page(services: Services, home: Path, aiida_config: Any) -> Page:
    """Return the how-to *From laptop to cluster*, to run with this machine in the cluster's place."""
    return Page(services.folder / "page")


@pytest.fixture(scope="session", autouse=True)
def aiida_profile(aiida_config: Any, services: Services, page: Page) -> Iterator[Any]:
    """Return the profile of the how-to; take the place of aiida-core's fixture."""
    from aiida import load_profile
    from aiida.manage import configuration, get_manager

    page.replace("5432", services.need("postgres")["POSTGRES_PORT"])
    page.replace("5672", services.need("rabbitmq")["RABBITMQ_PORT"])
    page.replace("/home/me/aiida-repository", str(services.folder / "repository"))
    page.run("profile")
    page.run("setup")
    # The commands of the page have written it.
    configuration.reset_config()
    configuration.get_config()
    yield load_profile(PROFILE, allow_switch=True)
    # Before the services go: connections that end without them say so at great length.
    get_manager().unload_profile()


@pytest.fixture(scope="session")
def daemon(aiida_profile: Any, page: Page) -> Iterator[DaemonClient]:
    """Return the client of a running daemon with two workers, the default of our setup."""
    page.run("daemon")
    client = get_daemon_client(PROFILE)
    await_broker()
    yield client
    # Where other things run it may not end by itself in time.
    with contextlib.suppress(DaemonException):
        client.stop_daemon(wait=True)
    end(process.pid for process in daemon_processes())


@pytest.fixture(scope="session")
def slurm_computer(services: Services, aiida_profile: Any) -> orm.Computer:
    """Return a computer `slurm` (core.slurm, core.local) with a code of every program: `find_code("lmp", "slurm")`."""
    services.need("slurm")
    computer = orm.Computer(
        label="slurm",
        hostname="localhost",
        transport_type="core.local",
        scheduler_type="core.slurm",
        workdir=str(services.folder / "slurm-scratch"),
    )
    computer.set_shebang("#!/bin/bash")
    computer.set_mpirun_command([])
    computer.set_default_mpiprocs_per_machine(1)
    computer.set_minimum_job_poll_interval(1)
    computer.store()
    computer.configure(safe_interval=0, use_login_shell=False)
    install(PROFILE, computer_label=computer.label)
    return computer


@pytest.fixture(scope="session")
def verdi(aiida_profile: Any) -> Callable[..., str]:
    """Return a function that runs `verdi` as a person would and returns what it prints.

    :raises AssertionError: it failed.
    """

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).parent / "verdi"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for SLURM's limit, and then those that kill the broker, last."""
    last = ("test_chain", "test_slurm.py::test_out_of_time", "test_broker")
    items.sort(key=lambda item: max((last.index(name) + 1 for name in last if name in item.nodeid), default=0))

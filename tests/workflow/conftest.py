"""A real profile with a real daemon, made by the code of `aiida-seireact setup`, and the small loop that runs in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ProcessBuilder, submit
from aiida.engine.daemon.client import DaemonClient, get_daemon_client

from aiida_seireact.cli.demo_daemon import await_broker
from aiida_seireact.cli.installation import install
from aiida_seireact.workchains.react import ReactWorkChain
from tests.workflow.loop import SMALL
from tests.workflow.storm import under_way

PROFILE = "workflow"


@pytest.fixture(scope="session", autouse=True)
def run_aiida_broker_service() -> None:
    """Take the place of aiida-core's fixture: our daemon brings its own broker."""


@pytest.fixture(scope="session", autouse=True)
def aiida_profile(aiida_config: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a profile as `aiida-seireact setup` makes it; take the place of aiida-core's fixture."""
    from aiida import load_profile

    install(PROFILE, workers=2, work_dir=tmp_path_factory.mktemp("scratch"))
    return load_profile(PROFILE, allow_switch=True)


@pytest.fixture(scope="session")
def daemon(aiida_profile: Any) -> Iterator[DaemonClient]:
    """Return the client of a running daemon with two workers."""
    client = get_daemon_client(PROFILE)
    client.start_daemon(number_workers=2)
    await_broker()
    yield client
    client.stop_daemon(wait=True)


@pytest.fixture(scope="session")
def verdi_environment(aiida_config: Any) -> dict[str, str]:
    """Return the environment in which `verdi` and `aiida-seireact` see the profile of the tests."""
    return {**os.environ, "AIIDA_PATH": str(Path(aiida_config.dirpath).parent)}


@pytest.fixture(scope="session")
def verdi(verdi_environment: dict[str, str]) -> Callable[..., str]:
    """Return a function that runs `verdi` as a person would and returns what it prints.

    :raises AssertionError: it failed.
    """

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).parent / "verdi"), *arguments]
        done = subprocess.run(command, env=verdi_environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="session")
def seireact(verdi_environment: dict[str, str]) -> Callable[..., str]:
    """Return a function that runs `aiida-seireact` as a person would and returns what it writes to standard output.

    :raises AssertionError: it failed.
    """

    def run(*arguments: str) -> str:
        command = [str(Path(sys.executable).parent / "aiida-seireact"), *arguments]
        done = subprocess.run(command, env=verdi_environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def wait_for(node: orm.ProcessNode, seconds: float = 900.0) -> orm.ProcessNode:
    """Return ``node`` when it has ended.

    :raises TimeoutError: it did not in time; the message holds the reports so far.
    """
    wait_until(lambda: node.is_terminated, seconds, lambda: describe(node))
    return node


def wait_until(condition: Callable[[], Any], seconds: float, describe: Callable[[], str] = str) -> Any:
    """Return the first true value of ``condition``.

    :raises TimeoutError: there was none.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.2)
    raise TimeoutError(f"Nothing after {seconds} s. {describe()}")


def describe(node: orm.ProcessNode) -> str:
    """Return state and message of a process and of all below it."""
    lines = [f"{node.process_label}<{node.pk}> {node.process_state} {node.exit_status} {node.exit_message or ''}"]
    for child in getattr(node, "called_descendants", []):
        lines.append(f"  {child.process_label}<{child.pk}> {child.process_state} {child.exit_message or ''}")
    return "\n".join(lines)


@pytest.fixture(scope="session")
def small_loop(aiida_profile: Any) -> Callable[..., ProcessBuilder]:
    """Return a factory of builders of the small loop: the code of the demo, cells of at most 58 atoms, few epochs."""

    def make(**overrides: Any) -> ProcessBuilder:
        from aiida_seireact.workchains.protocol import merge

        return ReactWorkChain.get_builder_from_protocol(overrides=merge(SMALL, overrides))

    return make


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that wait for the run with kills last; it goes on meanwhile."""
    items.sort(key=lambda item: "storm" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Any]]:
    """Return the run with kills, under way."""
    with under_way(tmp_path_factory.mktemp("storm")) as future:
        yield future


@pytest.fixture(scope="session")
def finished_loop(
    daemon: DaemonClient, small_loop: Callable[..., ProcessBuilder], request: pytest.FixtureRequest
) -> orm.WorkChainNode:
    """Return the small loop, run once for all tests that look at its graph."""
    if any("storm" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("storm")
    node = wait_for(submit(small_loop()), 2700)
    assert node.is_finished_ok, describe(node)
    return node

"""The services themselves: started twice, side by side, stopped without a trace, and told where they can't be had."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.services.services import HERE, NAMES, REQUIRE, NotToBeHad, Services
from tests.workflow.conftest import wait_until

pytestmark = pytest.mark.workflow


@pytest.fixture
def another():
    services = Services()
    yield services
    services.end()


def processes_of(folder: Path) -> list[list[str]]:
    """Return the command lines that name a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or []):
            found.append(process.info["cmdline"])
    return found


@pytest.mark.parametrize("name", ["postgres", "rabbitmq", "ssh"])
def test_another_copy_runs_beside_and_leaves_nothing(services, another, name):
    first = services.need(name)
    second = another.start(name)
    assert set(first.values()).isdisjoint(second.values())
    assert another.start(name) == second
    another.stop(name)
    another.stop(name)
    assert processes_of(another.folder) == []
    assert services.start(name) == first


def test_a_second_slurm_waits_then_tells_who_has_it(services, another, monkeypatch):
    services.need("slurm")
    monkeypatch.setenv("SLURM_WAIT_S", "1")
    with pytest.raises(NotToBeHad, match="SLURM of another copy still runs"):
        another.start("slurm")
    another.stop("slurm")
    assert os.readlink("/etc/slurm/slurm.conf") == str(services.folder / "slurm" / "slurm.conf")
    assert processes_of(another.folder) == []


def test_a_service_ends_with_its_owner(another):
    owner = subprocess.Popen(["sleep", "600"])
    another.owner = owner.pid
    another.start("postgres")
    assert len(processes_of(another.folder)) >= 2
    owner.kill()
    owner.wait()
    wait_until(lambda: not processes_of(another.folder), 60)


@pytest.mark.parametrize("name", NAMES)
def test_where_it_cannot_be_had_one_sentence_tells_why(name, tmp_path):
    """On a PATH that has neither the program nor apt-get."""
    for tool in ("basename", "dirname", "mkdir", "ls", "sort", "tail", "id", "bash", "readlink"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    script = (HERE / f"{name}.sh").read_text().replace('"$(dirname "$0")/lib.sh"', f"{tmp_path}/lib.sh")
    (tmp_path / "lib.sh").write_text((HERE / "lib.sh").read_text().replace(":/usr/sbin:/sbin", ""))
    (tmp_path / f"{name}.sh").write_text(script.replace("/usr/lib/postgresql", "/nowhere"))
    command = ["/bin/bash", str(tmp_path / f"{name}.sh"), "start", str(tmp_path / "folder")]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 77, done.stderr
    assert "is not on PATH, and this machine has no apt-get for 'apt-get install" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_service_its_tests_are_skipped_with_the_reason_or_fail(another, monkeypatch):
    def start(name):
        raise NotToBeHad("no apt-get")

    monkeypatch.setattr(another, "start", start)
    monkeypatch.delenv(REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="slurm: no apt-get"):
        another.need("slurm")
    monkeypatch.setenv(REQUIRE, "1")
    with pytest.raises(pytest.fail.Exception, match=f"{REQUIRE} is 1"):
        another.need("slurm")

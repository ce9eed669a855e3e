"""The how-to *From laptop to cluster*, run: SLURM behind SSH on this machine is the cluster."""

from __future__ import annotations

import getpass
import re
import shutil
import sys
from pathlib import Path

import pytest
from aiida import orm

from aiida_seireact.cli.programs import PROGRAMS
from tests.services.page import Page
from tests.workflow.conftest import describe, wait_for

pytestmark = pytest.mark.workflow

BIN = str(Path(sys.executable).parent)
CLUSTER = "cluster-h100"
# Nothing of these is here; SLURM without a database of accounts takes any account.
MODULES = ("module load CUDA/12.6 GCC/13.3", "module load OpenMPI/5.0")


@pytest.fixture(scope="session")
def cluster(services, page: Page, daemon) -> orm.Computer:
    """Return the computer of the page."""
    services.need("ssh")
    services.need("slurm")
    scratch = services.folder / "cluster-scratch"
    page.replace("/scratch/{username}/aiida", f"{scratch}/{{username}}/aiida")
    page.replace("safe_interval: 15", "safe_interval: 0")
    page.replace("poll_interval(60)", "poll_interval(1)")
    page.replace("/home/me/seireact/bin", BIN)
    for line in MODULES:
        page.replace(line, "true")
    page.run("ssh")
    told = page.run("computer")
    assert "all 6 tests succeeded" in told or "Success" in told
    page.run("interval")
    return orm.load_computer(CLUSTER)


@pytest.fixture(scope="session")
def codes(cluster: orm.Computer, page: Page) -> str:
    """Return what the page's setup and doctor say."""
    return page.run("codes")


def test_the_computer_is_that_of_the_yaml(cluster):
    assert cluster.transport_type == "core.ssh_async"
    assert cluster.scheduler_type == "core.slurm"
    assert cluster.get_minimum_job_poll_interval() == 1
    assert getpass.getuser() not in cluster.get_workdir()
    assert cluster.get_configuration()["backend"] == "asyncssh"


def test_setup_and_doctor_work_over_ssh(codes):
    assert codes.count("made  code seireact-") == len(PROGRAMS)
    assert codes.count("answers (") == len(PROGRAMS)
    assert "Everything answers" in codes


def test_the_first_job_runs_and_comes_back(codes, page, services):
    told = page.run("job")
    pk = re.findall(r"Submitted \w+ <(\d+)>", told)[0]
    node = wait_for(orm.load_node(int(pk)), 180)
    assert node.is_finished_ok, describe(node)
    (job,) = node.called
    assert job.computer.label == CLUSTER
    assert job.outputs.report["n_atoms"] > 100
    assert job.outputs.remote_folder.get_remote_path().startswith(str(services.folder / "cluster-scratch"))
    told = page.run("look", PK=pk)
    assert "BuildWorkChain" in told


def test_what_the_computer_prepends_reaches_slurm_and_the_program(codes):
    job = orm.QueryBuilder().append(orm.CalcJobNode, filters={"label": ""}, tag="job")
    job.append(orm.Computer, filters={"label": CLUSTER}, with_node="job")
    node = job.first(flat=True) if job.count() else None
    if node is None:
        pytest.skip("no job ran before")
    script = node.base.repository.get_object_content("_aiidasubmit.sh")
    head, body = script.split("#SBATCH --account=my_project")
    assert not re.search(r"^[^#\s]", head, re.MULTILINE), "SLURM stops reading its lines at the first command"
    assert "inductor" in body
    assert body.index("inductor") < body.index("seireact-build")


def test_codes_from_yaml(cluster, page):
    page.run("yaml-codes")
    native = orm.load_code(f"lmp-2025.7-kokkos-h100@{CLUSTER}")
    container = orm.load_code(f"lmp-2025.7-apptainer-h100@{CLUSTER}")
    ours = orm.load_code(f"seireact-lmp-0.1.0-h100@{CLUSTER}")
    assert native.with_mpi
    assert not ours.with_mpi
    assert ours.default_calc_job_plugin == "seireact.lammps"
    assert isinstance(container, orm.ContainerizedCode)
    assert container.get_executable_cmdline_params(["-in", "in.lammps"])[:4] == ["apptainer", "exec", "--nv", "--bind"]


def test_a_finished_study_comes_along(page, codes):
    """In a profile the demo's archive is new to: here of the same profile, so all of it is known already."""
    page.run("export")
    assert (page.folder / "demo.aiida").stat().st_size > 0
    page.run("import")


@pytest.mark.skipif(shutil.which("scp") is None, reason="scp is not on PATH")
def test_the_backend_for_2fa_connects(cluster, page, verdi):
    """Whether `ssh` itself asked for a second factor before is its own business."""
    verdi("computer", "configure", "core.ssh_async", CLUSTER, "--non-interactive", "--backend", "openssh")
    try:
        assert "Success" in verdi("computer", "test", CLUSTER)
    finally:
        verdi("computer", "configure", "core.ssh_async", CLUSTER, "--non-interactive", "--backend", "asyncssh")

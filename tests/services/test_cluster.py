"""The how-to *From laptop to cluster*, run: SLURM behind SSH on this machine is the cluster."""

from __future__ import annotations

import getpass
import re
import sys
from pathlib import Path

import pytest
from aiida import orm
from aiida.plugins import TransportFactory

from aiida_seireact.cli.programs import PROGRAMS
from aiida_seireact.workchains.codes import find_code
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
    assert "Success: all" in told, told
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


@pytest.fixture(scope="session")
def first_job(codes: str, page: Page) -> orm.WorkChainNode:
    """Return the process of the page's first job, ended."""
    (pk,) = re.findall(r"Submitted \w+ <(\d+)>", page.run("job"))
    return wait_for(orm.load_node(int(pk)), 180)


def test_the_first_job_runs_and_comes_back(first_job, page, services):
    assert first_job.is_finished_ok, describe(first_job)
    (job,) = first_job.called
    assert job.computer.label == CLUSTER
    assert job.outputs.report["n_atoms"] == 50
    assert job.outputs.remote_folder.get_remote_path().startswith(str(services.folder / "cluster-scratch"))
    assert "BuildWorkChain" in page.run("look", PK=str(first_job.pk))


def test_slurm_reads_its_lines_and_the_program_the_rest(first_job):
    (job,) = first_job.called
    script = job.base.repository.get_object_content("_aiidasubmit.sh")
    head, body = script.split("#SBATCH --account=my_project")
    assert not re.search(r"^[^#\s]", head, re.MULTILINE), "SLURM stops reading its lines at the first command"
    assert body.index("TORCHINDUCTOR_CACHE_DIR") < body.index("seireact-build")


def test_codes_from_yaml(cluster, page):
    page.run("yaml-codes")
    native = orm.load_code(f"lmp-2025.7-kokkos-h100@{CLUSTER}")
    container = orm.load_code(f"lmp-2025.7-apptainer-h100@{CLUSTER}")
    ours = orm.load_code(f"seireact-lmp-0.1.0-h100@{CLUSTER}")
    # A job that compares ranks runs it with and without MPI; a code that insists on either would be refused.
    assert native.with_mpi is container.with_mpi is None
    assert ours.with_mpi is False
    assert {code.default_calc_job_plugin for code in (native, container, ours)} == {"seireact.lammps"}
    assert isinstance(container, orm.ContainerizedCode)
    assert container.engine_command.startswith("apptainer exec --nv")
    assert find_code("lmp", CLUSTER).uuid == ours.uuid


def test_a_finished_study_comes_along(first_job, page):
    """Out of the same profile, so all of it is known here; that it arrives in another one is a test of the reports."""
    page.run("export")
    assert "Success" in page.run("import")


def test_the_backend_for_2fa_connects(cluster, tmp_path):
    """Whether `ssh` itself asked for a second factor before is its own business."""
    transport = TransportFactory("core.ssh_async")(machine="cluster", backend="openssh", use_login_shell=False)
    (tmp_path / "sent").write_text("there and back")
    with transport:
        status, answer, _ = transport.exec_command_wait("sinfo --noheader --format=%P")
        transport.putfile(str(tmp_path / "sent"), str(tmp_path / "there"))
        transport.getfile(str(tmp_path / "there"), str(tmp_path / "back"))
    assert (status, answer.strip()) == (0, "debug*")
    assert (tmp_path / "back").read_text() == "there and back"

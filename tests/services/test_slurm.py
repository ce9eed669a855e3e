"""Our programs under SLURM: run, out of time, taken away by hand."""

from __future__ import annotations

import subprocess

import psutil
import pytest
from aiida import orm
from aiida.engine import submit

from tests.services.jobs import endless_md, small_cell
from tests.workflow.conftest import describe, wait_for, wait_until

pytestmark = pytest.mark.workflow


def slurm_states() -> dict[str, str]:
    """Return the state of each job that SLURM knows of, by its number."""
    told = subprocess.run(
        ["squeue", "--noheader", "--states=all", "--format=%i %T"], capture_output=True, text=True, check=True
    )
    return dict(line.split() for line in told.stdout.splitlines())


def is_at_work(node: orm.CalcJobNode) -> bool:
    """Tell whether the program of a job runs, and not only its script."""
    folder = node.get_remote_workdir()
    for process in psutil.process_iter(["cwd", "cmdline"]):
        if folder and process.info["cwd"] == folder and "job.json" in (process.info["cmdline"] or ()):
            return True
    return False


@pytest.fixture(scope="session")
def over_its_time(slurm_computer: orm.Computer, daemon: object) -> orm.CalcJobNode:
    """Return a job with a minute to run, SLURM's shortest limit; it runs on while other tests do."""
    return submit(endless_md("slurm", max_wallclock_seconds=60))


def test_a_program_runs(slurm_computer, daemon, over_its_time):
    node = wait_for(submit(small_cell("slurm")), 120)
    assert node.is_finished_ok, describe(node)
    assert node.outputs.report["n_atoms"] > 10
    assert slurm_states()[node.get_job_id()] == "COMPLETED"


def test_a_kind_of_gpu_is_asked_for(slurm_computer, daemon, over_its_time):
    """SLURM has two made-up GPUs to give away."""
    asked = {"custom_scheduler_commands": "#SBATCH --gpus=h100:1", "prepend_text": "echo GPU $CUDA_VISIBLE_DEVICES"}
    node = wait_for(submit(small_cell("slurm", seed=1, **asked)), 120)
    assert node.is_finished_ok, describe(node)
    assert node.get_scheduler_stdout().splitlines()[0] in ("GPU 0", "GPU 1")


def test_a_job_cancelled_by_hand_is_told(slurm_computer, daemon, over_its_time):
    node = submit(endless_md("slurm"))
    wait_until(lambda: is_at_work(node), 120, lambda: describe(node))
    subprocess.run(["scancel", str(node.get_job_id())], check=True)
    wait_for(node, 120)
    assert node.exit_status == 410, describe(node)
    assert "CANCELLED" in node.get_scheduler_stderr(), describe(node)


def test_a_killed_process_frees_the_queue(slurm_computer, daemon, over_its_time, verdi):
    node = submit(endless_md("slurm"))
    wait_until(lambda: is_at_work(node), 120, lambda: describe(node))
    verdi("process", "kill", str(node.pk))
    wait_for(node, 120)
    wait_until(lambda: slurm_states()[node.get_job_id()] == "CANCELLED", 60)
    assert node.is_killed


def test_out_of_time_is_the_verdict_of_the_scheduler(over_its_time):
    """Not that of the parser, which finds no result."""
    node = wait_for(over_its_time, 300)
    assert slurm_states()[node.get_job_id()] == "TIMEOUT"
    assert node.exit_status == 120, describe(node)
    assert "DUE TO TIME LIMIT" in node.get_scheduler_stderr()
    assert "result.json" not in node.outputs.retrieved.base.repository.list_object_names()

"""What a job took: by sacct, by its program, by its node; cores and GPUs by who counted them."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from aiida import orm
from aiida.common import timezone
from aiida.schedulers.datastructures import JobInfo

from aiida_seireact import query
from aiida_seireact.cli.render.ledger import BASES
from aiida_seireact.query.ledger import summed

from .graph import chain, ends, job, retrieved

SACCT = """JobID|AllocCPUS|AllocTRES|Elapsed|State|
12|64|billing=64,cpu=64,gres/gpu=4,node=1|1-02:30:00|COMPLETED|
12.batch|64||1-02:30:00|COMPLETED|
"""


def row_of(**attributes: Any) -> Any:
    """Return the cost of a job with these attributes, which its program says took a minute."""
    top, cached = chain("TrainWorkChain"), attributes.pop("cached", False)
    node = job("seireact.allegro", top, "iteration_01", attributes=attributes)
    ends(node, retrieved=retrieved({"seconds": 60.0, "outputs": {}}))
    if cached:
        node.base.extras.set("_aiida_cached_from", "somewhere")
    return query.costs(top).iloc[0]


def test_sacct_knows_best(aiida_profile: Any) -> None:
    row = row_of(detailed_job_info={"stdout": SACCT, "retval": 0})
    assert (row.cores, row.gpus, row.basis) == (64, 4, "scheduler")
    assert row.wall_hours == 26.5
    assert row.gpu_hours == 106.0


@pytest.mark.parametrize(
    ("commands", "gpus"),
    [
        ("#SBATCH --gres=gpu:2", 4), ("#SBATCH --gres=gpu:a100:4", 8), ("#SBATCH --gpus=3", 3),
        ("#SBATCH --gpus-per-node=4", 8), ("#SBATCH --mem=4G", 0),
    ],
)  # fmt: skip
def test_gpus_are_those_the_scheduler_was_asked_for(aiida_profile: Any, commands: str, gpus: int) -> None:
    resources = {"num_machines": 2, "num_mpiprocs_per_machine": 4, "num_cores_per_mpiproc": 8}
    row = row_of(custom_scheduler_commands=commands, resources=resources)
    assert (row.cores, row.gpus, row.basis) == (64, gpus, "program")
    assert row.core_hours == pytest.approx(64 / 60)


def test_what_came_from_the_cache_took_nothing(aiida_profile: Any) -> None:
    row = row_of(cached=True)
    assert (row.wall_hours, row.basis, bool(row.from_cache)) == (0.0, "cache", True)


@pytest.mark.parametrize(("hours", "cached"), [(-1, True), (1, False)])
def test_a_job_last_seen_before_its_node_was_made_is_a_copy(aiida_profile: Any, hours: float, cached: bool) -> None:
    """As `verdi archive import` leaves what came from the cache: without the mark."""
    looked_at = (timezone.now() + timedelta(hours=hours)).isoformat()
    row = row_of(scheduler_lastchecktime=looked_at)
    assert (bool(row.from_cache), row.basis) == (cached, "cache" if cached else "program")


def test_a_program_without_a_clock_is_timed_by_its_node(aiida_profile: Any) -> None:
    top = chain("LabelWorkChain")
    ends(job("vasp.vasp", top, "frame_000"), retrieved=orm.FolderData())
    row = query.costs(top).iloc[0]
    assert (row.kind, row.basis) == ("label", "node")
    assert row.wall_hours >= 0


def test_a_killed_job_is_timed_by_the_last_look_at_the_queue(aiida_profile: Any) -> None:
    info = JobInfo()
    info.job_id, info.wallclock_time_seconds = "12", 7200
    seen = orm.CalcJobNode()
    seen.set_last_job_info(info)  # as aiida-core keeps it
    top = chain("TrainWorkChain")
    node = job(
        "seireact.allegro", top, "iteration_01", attributes={"last_job_info": seen.base.attributes.get("last_job_info")}
    )
    ends(node, exit_status=410)
    row = query.costs(top).iloc[0]
    assert (row.wall_hours, row.basis, row.state) == (2.0, "scheduler", "failed")


@pytest.mark.parametrize("content", [b'{"seconds": 60.0, "out', b"[]", b"\xff"])
def test_a_torn_result_is_told_with_the_hours(aiida_profile: Any, content: bytes) -> None:
    top, folder = chain("TrainWorkChain"), orm.FolderData()
    folder.base.repository.put_object_from_filelike(io.BytesIO(content), "result.json")
    ends(job("seireact.allegro", top, "iteration_01"), retrieved=folder)
    row = query.costs(top).iloc[0]
    assert row.basis == "node, result torn"
    assert row.basis in BASES


def test_a_job_that_still_runs_has_not_failed() -> None:
    numbers = dict.fromkeys(("wall_hours", "core_hours", "gpu_hours"), [0.0] * 4)
    jobs = pd.DataFrame(
        {"stage": ["md"] * 4, "state": ["done", "running", "failed", "killed"], "from_cache": [False] * 4, **numbers}
    )
    assert summed(jobs, ["stage"])["n_failed"].tolist() == [2]


@pytest.mark.parametrize("by", ["from_cache", "wall_hours"])
def test_costs_are_summed_over_any_of_their_columns(by: str) -> None:
    hours = {name: [1.0, 2.0, 1.0] for name in ("wall_hours", "core_hours", "gpu_hours")}
    jobs = pd.DataFrame({"state": ["done", "failed", "done"], "from_cache": [False, True, False], **hours})
    found = summed(jobs, [by])
    assert found[by].tolist() == jobs[by].iloc[:2].tolist()
    assert found["n_from_cache"].tolist() == [0, 1]
    assert found["core_hours"].tolist() == [2.0, 2.0]


def test_costs_of_a_study_are_summed_by_what_came_from_the_cache(aiida_profile: Any) -> None:
    top = chain("TrainWorkChain")
    ends(job("seireact.allegro", top, "iteration_01"), retrieved=retrieved({"seconds": 60.0, "outputs": {}}))
    copy = job("seireact.allegro", top, "iteration_02")
    ends(copy, retrieved=retrieved({"seconds": 60.0, "outputs": {}}))
    copy.base.extras.set("_aiida_cached_from", "somewhere")
    found = query.costs(top, by="from_cache").set_index("from_cache")
    assert found[["n_jobs", "n_from_cache"]].T.to_dict() == {
        False: {"n_jobs": 1, "n_from_cache": 0},
        True: {"n_jobs": 1, "n_from_cache": 1},
    }
    assert found["wall_hours"].tolist() == [pytest.approx(1 / 60), 0.0]

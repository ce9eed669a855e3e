"""A run of several segments with the real program, in this process: killed, out of time, torn, extended, replayed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.manage.caching import enable_caching

from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.dump import read_dump
from aiida_seireact.workchains.produce import ProduceWorkChain
from tests.models import SHORT_MD, rattled_cell

# Written beside the main dump, at strides of its own.
BESIDE = {
    "dumps": {"lithium": {"group": "Li", "every": 4}},
    "computes": {
        "moved": {"kind": "msd", "group": "Li", "every": 4},
        "g": {"kind": "rdf", "pairs": [["Li", "S"]], "every": 20, "bins": 20},
    },
}


@pytest.fixture(scope="module")
def cell(aiida_profile: Any) -> FramesData:
    """Return a rattled crystal of 108 atoms."""
    return rattled_cell((3, 3, 3))


@pytest.fixture(scope="module")
def produce(potential: PotentialData, cell: FramesData, program_code: Any) -> Callable[..., orm.WorkChainNode]:
    """Return a factory of runs."""

    def make(code: orm.AbstractCode | None = None, **parameters: Any) -> orm.WorkChainNode:
        md = {**SHORT_MD, **parameters.pop("md", {})}
        stash = parameters.pop("stash", None)
        builder = ProduceWorkChain.get_builder_from_protocol(
            cell, potential, code or program_code("lmp"), "fast", {"parameters": {"engine": {"stop": None}}}
        )
        builder.parameters = orm.Dict({**builder.parameters.get_dict(), "md": md, **parameters})
        builder.options = {} if stash is None else {"stash": stash}
        with enable_caching():
            return run_get_node(builder).node

    return make


def steps_of(trajectory: Any, dump: str | None = None) -> list[int]:
    """Return the step of each frame of all chunks, of the main dump or another one, read from where they lie."""
    return [frame.step for frame in frames_of(trajectory, dump)]


def frames_of(trajectory: Any, dump: str | None = None) -> list[Any]:
    """Return each frame of all chunks, of the main dump or another one, read from where they lie."""
    found: list[Any] = []
    for chunk in trajectory.manifest if dump is None else trajectory.dumps[dump]:
        copy = trajectory.live_copy(chunk["sha256"])
        assert copy.is_retrieved
        with copy.node.base.repository.as_path(copy.file) as path:
            found += list(read_dump(path))
    return found


def told_by(job: orm.CalcJobNode) -> str:
    """Return the progress lines of a job."""
    return str(job.outputs.retrieved.get_object_content("_scheduler-stderr.txt"))


@pytest.fixture(scope="module")
def battered(produce: Any, program_code: Any, tmp_path_factory: pytest.TempPathFactory) -> orm.WorkChainNode:
    """Return a run of five segments: killed in the second, out of time in the third, torn and killed in the fourth."""
    marks = tmp_path_factory.mktemp("marks")
    killer = Path(__file__).parent / "killer.sh"
    deeds = {"kill": (145, "kill"), "freeze": (210, "freeze 31"), "tear": (345, "tear")}
    lines = [f"{killer} $$ {marks / name} {step} {deed} &" for name, (step, deed) in deeds.items()]
    node = produce(
        program_code("lmp", "\n".join(lines)), md={"steps": 500, **BESIDE}, segment_steps=100, seconds_max=30.0
    )
    assert node.is_finished_ok, node.exit_message
    assert sorted(mark.name for mark in marks.iterdir()) == sorted(deeds)
    return node


def test_whatever_happened_every_step_is_there_once(battered):
    whole = battered.outputs.trajectory
    assert steps_of(whole) == list(range(0, 501, 10))
    steps = whole.thermo["step"].astype(int).tolist()
    assert steps == sorted(set(steps))
    assert set(range(0, 501, 2)) <= set(steps)
    assert whole.base.attributes.get("done")


def test_further_dumps_and_computed_quantities_have_every_step_once(battered):
    whole = battered.outputs.trajectory
    assert steps_of(whole, "lithium") == list(range(0, 501, 4))
    assert {chunk["n_atoms"] for chunk in whole.dumps["lithium"]} == {27}
    moved, pairs = whole.computed["moved"], whole.computed["g"]
    assert moved.steps.tolist() == list(range(0, 501, 4))
    assert pairs.steps.tolist() == list(range(0, 501, 20))
    assert pairs.values.shape == (26, 20, 3)
    # Where the atoms were at the first step goes on in the restart files: no kill and no seam sets it to zero.
    places = np.array([frame.positions for frame in frames_of(whole, "lithium")])
    expected = ((places - places[0]) ** 2).sum(axis=2).mean(axis=1)
    np.testing.assert_allclose(moved.values[:, 3], expected, atol=1e-5)
    assert expected[-1] > 1e-3


def test_a_killed_segment_is_one_segment(battered):
    jobs = {link.link_label: link.node for link in battered.base.links.get_outgoing(node_class=orm.CalcJobNode).all()}
    assert jobs["segment_002"].exit_status == 410
    resumed = jobs["segment_002_try_2"]
    assert resumed.inputs.resume.pk == jobs["segment_002"].outputs.remote_folder.pk
    # From a restart file written on the way, what is before it being kept.
    step = int(re.search(r"goes on from step (\d+)", told_by(resumed))[1])
    assert step in range(140, 200, 10)
    assert resumed.outputs.performance["n_tries"] == 2
    # On a busy machine loading the model takes so much of its time that the try itself runs out of it.
    end = int(resumed.outputs.trajectory.thermo["step"][-1])
    assert step < end <= 200
    assert resumed.outputs.performance["steps"] == end - step
    assert resumed.outputs.trajectory.base.attributes.get("steps") == end - 100


def test_a_torn_restart_file_is_passed_over_for_the_one_before(battered):
    # On a busy machine a further try may follow.
    resumed = next(node for node in battered.called if "resume" in node.inputs and "is torn" in told_by(node))
    assert resumed.outputs.trajectory.base.attributes.get("steps") in range(1, 101)


def test_a_segment_out_of_time_is_a_result(battered):
    jobs = [node for node in battered.called if isinstance(node, orm.CalcJobNode) and node.exit_status == 0]
    ends = [node.outputs.trajectory.base.attributes.all for node in jobs]
    cut = [facts for facts in ends if not facts["done"]]
    assert cut
    assert cut[0]["stopped_by"] is None


def test_nothing_jumps_whatever_happened(battered):
    for seam in battered.outputs.seams["seams"]:
        assert abs(seam["energy_jump_ev_per_atom"]) < 1e-6
        assert abs(seam["volume_jump"]) < 1e-8
        assert seam["conserved_jump_ratio"] is None or seam["conserved_jump_ratio"] <= 5


def test_a_battered_run_is_replayed_without_a_program(battered, produce):
    for job in battered.called_descendants:
        if isinstance(job, orm.CalcJobNode):
            shutil.rmtree(job.get_remote_workdir())
    builder = battered.get_builder_restart()
    builder.unjudged = True  # no node, so no builder brings it back
    with enable_caching():
        again = run_get_node(builder).node
    assert again.is_finished_ok, again.exit_message
    assert all(node.base.caching.is_created_from_cache for node in again.called_descendants)
    assert again.outputs.trajectory.content_hash == battered.outputs.trajectory.content_hash


@pytest.fixture(scope="module")
def chain(produce: Any) -> orm.WorkChainNode:
    """Return a run of three segments."""
    node = produce(md={"steps": 60}, segment_steps=25)
    assert node.is_finished_ok, node.exit_message
    return node


def test_every_step_is_run_once(chain):
    labels = [link.link_label for link in chain.base.links.get_outgoing(node_class=orm.CalcJobNode).all()]
    assert labels == ["segment_001", "segment_002", "segment_003"]
    whole = chain.outputs.trajectory
    assert steps_of(whole) == list(range(0, 61, 10))
    assert whole.thermo["step"].tolist() == sorted({*range(0, 61, 2), 25})
    facts = whole.base.attributes.all
    assert (facts["first_step"], facts["last_step"], facts["steps"], facts["done"]) == (0, 60, 60, True)
    assert chain.outputs.restart.step == 60


def test_nothing_jumps_where_segments_meet(chain):
    seams = chain.outputs.seams["seams"]
    assert [seam["step"] for seam in seams] == [25, 50]
    for seam in seams:
        assert abs(seam["energy_jump_ev_per_atom"]) < 1e-6
        assert abs(seam["volume_jump"]) < 1e-8
        assert seam["conserved_jump_ratio"] <= 5


def test_the_ledger_counts_what_was_run(chain):
    ledger = chain.outputs.ledger
    assert [row["steps"] for row in ledger["segments"]] == [25, 25, 10]
    assert ledger["ns"] == pytest.approx(60e-6)
    assert ledger["rest"]["steps"] == 0
    assert ledger["gpu_hours"] == 0
    assert ledger["core_hours"] == pytest.approx(sum(row["seconds"] for row in ledger["segments"]) / 3600)


def test_a_replay_runs_no_program_though_all_folders_are_gone(chain, produce):
    for job in chain.called_descendants:
        if isinstance(job, orm.CalcJobNode):
            shutil.rmtree(job.get_remote_workdir())
    again = produce(md={"steps": 60}, segment_steps=25)
    assert again.is_finished_ok
    assert all(node.base.caching.is_created_from_cache for node in again.called_descendants)
    assert again.outputs.trajectory.content_hash == chain.outputs.trajectory.content_hash
    assert steps_of(again.outputs.trajectory) == list(range(0, 61, 10))


def test_a_run_is_extended_later(chain, produce):
    builder = ProduceWorkChain.get_builder_to_extend(chain, 80)
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    whole = node.outputs.trajectory
    assert steps_of(whole) == list(range(0, 81, 10))
    assert whole.base.attributes.get("done")
    assert [seam["step"] for seam in node.outputs.seams["seams"]] == [25, 50, 60]
    assert [row["steps"] for row in node.outputs.ledger["segments"]] == [25, 25, 10, 20]
    with pytest.raises(ValueError, match="has 60 steps already"):
        ProduceWorkChain.get_builder_to_extend(chain, 60)


def test_a_segment_whose_time_is_up_ends_cleanly_and_the_next_goes_on(produce):
    # LAMMPS looks at its clock all ten steps, and loading the model takes longer than this.
    node = produce(md={"steps": 30, "thermo_every": 1, "dump_every": 5}, seconds_max=1)
    assert node.is_finished_ok, node.exit_message
    jobs = [child for child in node.called if isinstance(child, orm.CalcJobNode)]
    assert len(jobs) > 1
    assert not jobs[0].outputs.trajectory.base.attributes.get("done")
    assert steps_of(node.outputs.trajectory) == list(range(0, 31, 5))
    np.testing.assert_array_equal(node.outputs.trajectory.thermo["step"], np.arange(31))


def test_a_run_that_is_asked_to_stop_is_whole_so_far_and_can_be_extended(produce, program_code):
    code = program_code("lmp", "echo 'asked: I need the node' > STOP")
    node = produce(code, md={"steps": 50})
    assert node.exit_status == 433
    assert "sound up to step 10" in node.exit_message
    assert "I need the node" in node.exit_message
    assert f"aiida-seireact extend {node.pk}" in node.exit_message
    assert steps_of(node.outputs.trajectory) == [0, 10]
    builder = ProduceWorkChain.get_builder_to_extend(node, 50)
    builder.code = program_code("lmp")
    rest = run_get_node(builder).node
    assert rest.is_finished_ok, rest.exit_message
    assert steps_of(rest.outputs.trajectory) == list(range(0, 51, 10))


def test_what_is_stashed_outlives_scratch(produce, tmp_path):
    stash = {"stash_mode": "copy", "target_base": str(tmp_path), "fail_on_missing": False}
    stash["source_list"] = ["final.restart", "traj.dump.gz", "past_*"]
    node = produce(md={"steps": 40, "dump_every": 8}, retrieve_dump=False, retrieve_restart=False, stash=stash)
    assert node.is_finished_ok, node.exit_message
    for job in node.called:
        if isinstance(job, orm.CalcJobNode):
            shutil.rmtree(job.get_remote_workdir())
    copy = node.outputs.restart.live_copy()
    assert not copy.is_retrieved
    assert Path(copy.path).is_file()
    (chunk,) = node.outputs.trajectory.manifest
    assert Path(node.outputs.trajectory.live_copy(chunk["sha256"]).path).is_file()
    rest = run_get_node(ProduceWorkChain.get_builder_to_extend(node, 48)).node
    assert rest.is_finished_ok, rest.exit_message
    assert rest.outputs.trajectory.base.attributes.get("steps") == 48

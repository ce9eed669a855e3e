"""What failed and what was done about it, from small graphs linked by hand."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_seireact.cli.render.troubles import troubles_of
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.query.tree import processes_under
from tests.cli.conftest import add_job, call, created, finish, workchain
from tests.verdicts import verdict_on


def ended(*nodes: orm.ProcessNode) -> None:
    for node in nodes:
        node.seal()


def troubles(top: orm.ProcessNode) -> list:
    return troubles_of(top, processes_under(top))


@pytest.fixture
def top(aiida_profile) -> orm.WorkChainNode:
    return workchain("ReactWorkChain")


def test_nothing_is_told_of_a_run_in_which_nothing_failed(top):
    job = add_job("lmp", "seireact.lammps", top, "produce")
    finish(job)
    finish(top)
    ended(job, top)
    assert troubles(top) == []


def test_a_job_that_was_tried_again_is_told_with_its_handler(top):
    produce = workchain("ProduceWorkChain", top, "produce")
    first = add_job("lmp", "seireact.lammps", produce, "iteration_01")
    finish(first, 310, "the job was killed")
    produce.logger.report(f"[{produce.pk}|ProduceWorkChain|inspect]: launching LmpCalculation<{first.pk}> iteration #1")
    produce.logger.report(
        f"[{produce.pk}|ProduceWorkChain|again]: LmpCalculation <{first.pk}> left no result; it starts again"
    )
    second = add_job("lmp", "seireact.lammps", produce, "iteration_02")
    for node in (second, produce, top):
        finish(node)
    ended(first, second, produce, top)
    (trouble,) = troubles(top)
    assert trouble.what == f"LmpCalculation <{first.pk}>, exit status 310"
    assert trouble.stage == "produce"
    assert trouble.why == "the job was killed"
    assert trouble.done == (f"LmpCalculation <{first.pk}> left no result; it starts again",)
    assert "ended well" in trouble.outcome
    assert not trouble.is_open


def test_of_a_chain_of_failures_the_lowest_is_told(top):
    produce = workchain("ProduceWorkChain", top, "produce")
    job = add_job("lmp", "seireact.lammps", produce, "iteration_01")
    finish(job, 420, "lost atoms")
    finish(produce, 430, "LmpCalculation can't go on")
    finish(top, 460, "Stage produce failed")
    ended(job, produce, top)
    (trouble,) = troubles(top)
    assert trouble.uuid == job.uuid
    assert trouble.is_open


def test_stop_rule_and_rejected_verdict_are_told_with_what_followed(top):
    job = add_job("lmp", "seireact.lammps", top, "produce")
    facts = {"n_atoms": 3, "species": ["Li"], "timestep_fs": 2.0, "steps": 50, "steps_asked": 200, "done": False}
    facts["stopped_by"] = {"rule": "hole", "message": "hole: radius 4.6 Å, allowed up to 4.5 Å"}
    trajectory = created(TrajectoryData({"step": [0, 50]}, manifest=[], facts=facts), job, "trajectory")
    analyse = add_job("analyse", "seireact.analyse", top, "analyse", trajectory=trajectory)
    judge = orm.CalcFunctionNode()
    judge.set_process_label("judge")
    call(top, judge, "validate")
    judge.store()
    created(orm.Dict(verdict_on("b" * 64, 331.0)), judge, "verdict")
    for node in (job, analyse, judge, top):
        finish(node)
    ended(job, analyse, judge, top)
    stopped, rejected = sorted(troubles(top), key=lambda trouble: trouble.outcome == "rejected")
    assert "hole: radius 4.6 Å" in stopped.why
    assert stopped.done == ("what ran is used: analyse",)
    assert stopped.outcome == "50 of 200 steps"
    assert rejected.stage == "validate"
    assert "miss the target" in rejected.why
    assert rejected.is_open


def stopped_run(caller: orm.WorkChainNode, label: str, link: str) -> orm.CalcJobNode:
    job = add_job("lmp", "seireact.lammps", caller, label)
    facts = {"n_atoms": 3, "species": ["Li"], "timestep_fs": 2.0, "steps": 50, "steps_asked": 200, "done": False}
    facts["stopped_by"] = {"rule": "hole", "message": "hole: radius 4.6 Å, allowed up to 4.5 Å"}
    created(TrajectoryData({"step": [0, 50]}, manifest=[], facts=facts), job, link)
    finish(job)
    return job


def test_two_runs_that_one_rule_ended_are_told_each_and_a_joined_run_once(top):
    nodes = []
    for name in ("produce", "augment"):
        chain = workchain("ProduceChainWorkChain", top, name)
        segment = workchain("ProduceWorkChain", chain, "segment_001")
        jobs = [stopped_run(segment, "iteration_01", "trajectory"), stopped_run(chain, "join", "trajectory")]
        for node in (segment, chain):
            finish(node)
        nodes += [*jobs, segment, chain]
    finish(top)
    ended(*nodes, top)
    assert [trouble.stage for trouble in troubles(top)] == ["produce", "augment"]

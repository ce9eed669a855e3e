from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from plumpy.process_states import ProcessState

from aiida_seireact.cli.progress import last_line, progress_of
from aiida_seireact.query.family import family_of, stage_name

from . import loop_graph
from .conftest import add_job, finish, workchain


def state_of(progress):
    return {stage.name: stage.state for stage in progress.stages}


@pytest.mark.parametrize(
    ("label", "stage"),
    [
        ("label", "label"),
        ("label_md_interface_300", "label"),
        ("sample_starts", "sample"),
        ("reference_Li2S", "references"),
        ("references", "references"),
        ("reference_energies", "reference energies"),
        ("produce", "produce"),
        ("campaign_Li_300", "campaigns"),
        ("ladder_Li_300", "campaigns"),
        ("seeds_Li_300", "seeds"),
        ("leg_001", "legs"),
        ("iteration_01", "iteration_01"),
        ("CALL", "AseCalculation"),
    ],
)
def test_children_belong_to_the_stage_their_link_begins_with(label, stage):
    assert stage_name(label, "AseCalculation") == stage


def test_family_holds_every_process_below_once(study):
    members = family_of(study.top)
    assert members[0].pk == study.top.pk
    assert len(members) == 7
    assert len({member.pk for member in members}) == 7


def test_stages_of_a_running_study(study):
    progress = progress_of(study.top)
    assert progress.state == "running"
    assert not progress.is_terminated
    assert list(state_of(progress)) == [
        *("structures", "sample", "label", "dataset", "train"),
        *("references", "produce", "classify", "analyse", "summary"),
    ]
    assert state_of(progress)["label"] == "done"
    assert state_of(progress)["train"] == "running"
    assert state_of(progress)["produce"] == "waiting"
    assert {stage.name: stage.n_processes for stage in progress.stages}["label"] == 3


def test_labels_and_errors_so_far(study):
    progress = progress_of(study.top)
    assert progress.n_labels == 4
    assert progress.errors == {"force_rmse_ev_per_ang": 0.12, "force_rms_ev_per_ang": 0.4}


def test_a_failure_is_followed_down_to_where_it_began(running):
    produce = workchain("ProduceWorkChain", running, "produce")
    job = add_job("lmp", "seireact.lammps", produce, "iteration_01")
    finish(job, 420, "The program failed: lost atoms")
    finish(produce, 430, "LmpCalculation can't go on")
    finish(running, 460, "Stage produce failed")

    progress = progress_of(running)
    assert progress.is_terminated
    assert state_of(progress)["produce"] == "failed"
    assert progress.n_failed == 3
    assert len(progress.causes) == 3
    assert progress.causes[-1] == f"LmpCalculation <{job.pk}> failed [420]: The program failed: lost atoms"
    assert any(f"verdi calcjob outputcat {job.pk}" in line for line in progress.advice)


def test_a_retried_job_does_not_fail_its_stage(running):
    produce = workchain("ProduceWorkChain", running, "produce")
    finish(add_job("lmp", "seireact.lammps", produce, "iteration_01"), 410, "killed")
    finish(add_job("lmp", "seireact.lammps", produce, "iteration_02"))
    finish(produce)
    assert state_of(progress_of(running))["produce"] == "done"


def test_a_paused_job_is_told_with_its_cure(running):
    produce = workchain("ProduceWorkChain", running, "produce")
    job = add_job("lmp", "seireact.lammps", produce, "iteration_01")
    job.pause()
    job.set_process_status("Pausing after failed transport task: upload")
    progress = progress_of(running)
    assert state_of(progress)["produce"] == "paused"
    assert [job_now.state for job_now in progress.jobs] == ["paused"]
    assert any(f"verdi process play {job.pk}" in line for line in progress.advice)


def test_a_killed_study_says_what_to_do(running):
    running.set_process_state(ProcessState.KILLED)
    progress = progress_of(running)
    assert progress.state == "killed"
    assert "cache" in progress.advice[0]


def test_an_exception_is_told_by_its_last_line(running):
    running.set_process_state(ProcessState.EXCEPTED)
    running.set_exception("Traceback ...\nValueError: no such cell\n")
    assert progress_of(running).message == "ValueError: no such cell"


def test_labels_of_a_running_job_count_as_they_come(running, tmp_path):
    label = workchain("AseLabelWorkChain", running, "label_md_interface")
    job = add_job("label", "seireact.ase", label, "iteration_01")
    job.set_remote_workdir(str(tmp_path))
    Path(tmp_path, "_scheduler-stderr.txt").write_text(
        "md: 1 of 2 frames, 10 labelled\nmd: 2 of 2 frames, 23 labelled\n"
    )
    progress = progress_of(running)
    assert progress.jobs[0].last_line == "md: 2 of 2 frames, 23 labelled"
    assert progress.jobs[0].stage == "label"
    assert progress.n_labels == 23


def test_a_job_that_wrote_nothing_yet_has_no_line(running):
    job = add_job("label", "seireact.ase", None, "")
    assert last_line(job) == ""
    job.set_remote_workdir("/nowhere")
    assert last_line(job) == ""


def test_a_single_job_has_progress_too(study):
    progress = progress_of(study.label_job)
    assert progress.state == "done"
    assert progress.stages == ()
    assert progress.n_labels == 4


def test_study_asked_to_explore_and_augment_has_these_stages(aiida_profile):
    assert list(state_of(progress_of(loop_graph.study()))) == [
        *("structures", "sample", "label", "explore", "dataset", "train"),
        *("augment", "references", "produce", "classify", "analyse", "summary"),
    ]


def test_study_of_a_dataset_has_no_first_set(aiida_profile):
    top = loop_graph.study(start_dataset=orm.Dict({}))
    assert list(state_of(progress_of(top)))[:3] == ["structures", "explore", "dataset"]
    # MD of the labeller may still be asked for.
    workchain("AseLabelWorkChain", top, "label_md_interface_300")
    assert list(state_of(progress_of(top)))[:3] == ["structures", "label", "explore"]


def test_a_relaxation_teaches_nothing_and_counts_as_no_label(running, tmp_path):
    relax = workchain("AseLabelWorkChain", workchain("SampleWorkChain", running, "sample"), "relax")
    job = add_job("label", "seireact.ase", relax, "iteration_01")
    job.set_remote_workdir(str(tmp_path))
    Path(tmp_path, "_scheduler-stderr.txt").write_text("relax: 2 labelled\n")
    progress = progress_of(running)
    assert progress.jobs[0].stage == "sample"
    assert progress.n_labels == 0


def test_each_condition_says_how_far_it_is(aiida_profile):
    top = loop_graph.study()
    explore = workchain("ExploreWorkChain", top, "explore")
    loop_graph.campaign(explore, "interface_300", [46, 90])
    loop_graph.campaign(explore, "Li6PS5Cl_300", [])
    first, second = progress_of(top).conditions
    assert (first.name, first.n_legs, first.step, first.steps, first.n_calls) == ("interface_300", 2, 90, 300, 2)
    assert (second.name, second.n_legs, second.step, second.n_calls) == ("Li6PS5Cl_300", 0, 0, 0)
    assert state_of(progress_of(top))["explore"] == "running"


def test_stages_of_a_part_alone_come_in_the_order_they_were_called(aiida_profile):
    top = workchain("AugmentWorkChain")
    for label in ("run_production", "select", "label", "extend", "retrain"):
        workchain("Part", top, label)
    assert list(state_of(progress_of(top))) == ["run_production", "select", "label", "extend", "retrain"]

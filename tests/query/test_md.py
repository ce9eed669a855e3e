"""Tables of MD runs: segments are one run, debris is none, numbers are those that were put in."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm

from aiida_seireact import query

from .graph import MD, chain, ends, function, job, potential, retrieved, trajectory


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    """A production run of two segments, the run of a first model, and what crashes have left beside them."""
    top = chain("ReactWorkChain")
    top.label = "10k"
    model, old = potential("a"), potential("b")
    produce = chain("ProduceWorkChain", top, "produce")
    parameters = orm.Dict({"md": MD})
    parts = []
    for number, steps in enumerate(([0, 10, 20], [20, 30, 40]), 1):
        segment = job("seireact.lammps", produce, f"segment_{number:03d}", potential=model, parameters=parameters)
        told = {"steps": 20, "ps": 0.04, "md_seconds": 2.0, "seconds": 3.0, "ranks": 2, "threads": 4, "gpus": 1}
        made = {"trajectory": trajectory(steps), "performance": orm.Dict(told)}
        parts.append(ends(segment, **made, retrieved=retrieved({"seconds": 3.0}))["trajectory"])
    join = function("join_segments", produce, "join", parameters=parameters, segment_000=parts[0], segment_001=parts[1])
    ends(join, trajectory=trajectory([0, 10, 20, 30, 40], stopped_by={"reason": "hole", "message": "hole: too wide"}))
    ends(produce)
    augment = chain("AugmentWorkChain", top, "augment")
    first_round = chain("AugmentRoundWorkChain", augment, "round_01")
    first = job("seireact.lammps", first_round, "run_production", potential=old, parameters=parameters)
    ends(first, trajectory=trajectory([0, 10], n_atoms=4))
    ends(augment, exit_status=400)
    # Debris: a run that failed, one that was never sealed, and one of nobody's.
    failed = job("seireact.lammps", top, "broken", potential=model, parameters=parameters)
    ends(failed, 410, message="no result", trajectory=trajectory([0, 90]))
    ends(job("seireact.lammps", top, "killed", parameters=parameters), seal=False, trajectory=trajectory([0, 80]))
    ends(job("seireact.lammps", parameters=parameters), trajectory=trajectory([0, 70]))
    return top


def test_a_run_of_two_segments_is_one_row(study: orm.WorkChainNode) -> None:
    found = query.runs(study)
    assert found["name"].tolist() == ["produce", "augment/round_01/run_production"]
    assert found["part"].tolist() == ["", "first"]
    assert found["run"].unique().tolist() == ["10k"]
    run = found.iloc[0]
    assert (run.n_segments, run.steps, run.time_ps, run.temperature_k) == (2, 40, 0.08, 300.0)
    assert (run.model_hash, run.stopped_by, run.stop_message) == ("a" * 64, "hole", "hole: too wide")
    assert orm.load_node(run.node_uuid).creator.uuid == run.process_uuid


def test_a_run_by_pk_uuid_list_and_group_is_the_same(study: orm.WorkChainNode) -> None:
    group = orm.Group(label="runs").store()
    group.add_nodes(study)
    told = query.runs(study)
    for what in (study.pk, study.uuid, [study, study.pk], group, "runs"):
        assert query.runs(what).equals(told)


def test_traces_have_a_row_for_each_thermo_row_in_our_units(study: orm.WorkChainNode) -> None:
    found = query.traces(study).query("part == ''")
    assert found["step"].tolist() == [0, 10, 20, 30, 40]
    assert found["time_ps"].tolist() == [0.0, 0.02, 0.04, 0.06, 0.08]
    assert set(found["pressure_gpa"]) == {1.0}
    assert set(found["potential_energy_ev_per_atom"]) == {-2.0}
    assert set(found["volume_ang3_per_atom"]) == {20.0}
    assert found["kinetic_energy_ev_per_atom"].isna().all()


def test_speeds_are_those_the_jobs_told(study: orm.WorkChainNode) -> None:
    found = query.speeds(study)
    assert found["atom_steps_per_s"].tolist() == [100.0, 100.0]
    assert found["ns_per_day"].tolist() == pytest.approx([0.04e-3 * 86400 / 2] * 2)
    assert found["model_hash"].tolist() == ["a" * 64] * 2


def test_costs_are_cores_and_gpus_times_hours(study: orm.WorkChainNode) -> None:
    jobs = query.costs(study)
    told = jobs[jobs["basis"] == "program"]
    assert told["cores"].tolist() == [8, 8]
    assert told["gpus"].tolist() == [1, 1]
    assert told["core_hours"].tolist() == pytest.approx([8 * 3 / 3600] * 2)
    by_stage = query.costs(study, by="stage").set_index("stage")
    assert by_stage.loc["produce", "gpu_hours"] == pytest.approx(6 / 3600)
    assert by_stage.loc["broken", "n_failed"] == 1


def test_processes_has_the_failed_ones_too(study: orm.WorkChainNode) -> None:
    found = query.processes(study).set_index("call_label")
    assert found.loc["broken", "exit_message"] == "no result"
    assert not found.loc["killed", "is_sealed"]
    assert found.loc["segment_001", "caller_uuid"] == found.loc["produce", "node_uuid"]
    assert len(found) == 10


def test_a_job_alone_is_asked_like_a_study(study: orm.WorkChainNode) -> None:
    segment = query.processes(study).query("call_label == 'segment_001'")["pk"].item()
    assert query.runs(segment)["steps"].tolist() == [20]


def test_what_a_process_has_not_is_an_empty_table_with_its_columns(study: orm.WorkChainNode) -> None:
    for function_ in (query.phases, query.parity, query.calls, query.thickness, query.ps4, query.models):
        found = function_(study)
        assert found.empty
        assert {"run", "run_uuid", "node_uuid", "process_uuid"} < set(found.columns)


def test_what_is_no_process_gets_a_sentence(study: orm.WorkChainNode) -> None:
    model = potential("c").store()
    with pytest.raises(query.QueryError, match="is a PotentialData, not a process"):
        query.runs(model.pk)
    with pytest.raises(query.QueryError, match="There is no node with the PK 987654"):
        query.runs(987654)
    with pytest.raises(query.QueryError, match="No process is given"):
        query.runs([])
    with pytest.raises(query.QueryError, match="holds no process"):
        query.runs(orm.Group(label="empty").store())
    with pytest.raises(query.QueryError, match="no column 'phase'"):
        query.costs(study, by="phase")


def test_runs_that_were_walked_once_give_the_same_tables(study: orm.WorkChainNode) -> None:
    walked = query.walked([study, study.pk])
    assert query.runs(walked).equals(query.runs(study))
    assert query.costs(walked, by="stage").equals(query.costs(study, by="stage"))

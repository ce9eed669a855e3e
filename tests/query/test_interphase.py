"""Tables of what becomes of a cell, from small labels and analyses with known answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_seireact import query

from .graph import arrays, chain, ends, function, job, potential, trajectory

STEPS = [0, 50, 100]


def course(steps: list[int], lithium: list[int]) -> orm.ArrayData:
    """Return the course of ten environments: so many Li, the rest unknown."""
    counts = np.zeros((len(steps), 3, 4), dtype=np.int64)
    counts[:, 1, 1] = lithium
    counts[:, 0, 0] = 10 - np.array(lithium)
    cores = np.zeros((len(steps), 3), dtype=np.int64)
    cores[:, 1] = np.array(lithium) // 2
    slabs = np.zeros((len(steps), 3, 2), dtype=np.int32)
    digests = np.zeros((len(steps), 32), dtype=np.uint8)
    names = np.array(["unknown", "Li", "Li2S"])
    return arrays(
        steps=steps, heights_ang=[8.0] * len(steps), label_names=names, counts=counts, cores=cores, slabs=slabs,
        digests=digests,
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(aiida_profile: Any) -> orm.WorkChainNode:
    """A study that still runs: a run classified in two parts and analysed, the first model's run classified whole."""
    top = chain("ReactWorkChain")
    run = trajectory(STEPS).store()
    classify = chain("ClassifyWorkChain", top, "classify")
    parts = {}
    for number, (steps, lithium) in enumerate([([0, 50], [8, 4]), ([100], [2])]):
        assign = job("seireact.classify.assign", classify, f"assign_{number:04d}", trajectory=run)
        parts[f"part_{number:03d}"] = ends(assign, labels=course(steps, lithium))
    merged = ends(function("merge_labels", classify, **parts), result=course(STEPS, [8, 4, 2]))
    ends(function("tell_classification", classify, labels=merged), classification=orm.Dict({"of": "Li environments"}))
    first = job("seireact.classify", top, "classify_first", trajectory=trajectory([0, 50], n_atoms=4))
    ends(first, labels=course([0, 50], [10, 10]), classification=orm.Dict({"of": "Li environments"}))
    analyse = job("seireact.analyse", top, "analyse", trajectory=run, labels=merged)
    found = arrays(
        steps=STEPS, n_intact_ps4=[4, 3, 1], thickness_lower_ang=[np.nan, 2.0, 3.0], thickness_upper_ang=[np.nan] * 3,
        thickness_profile_steps=[0, 100], thickness_profile_ang=[1.0, 5.0],
        composition_steps=[0, 50], composition_z_ang=[1.0, 3.0], composition_species=["Li", "S"],
        composition_atoms=[[[1.0, 2.0], [3.0, 0.0]], [[2.0, 2.0], [2.0, 0.0]]], charge_e=[[-5.0, 2.0], [-2.0, 2.0]],
    )  # fmt: skip
    ends(analyse, analysis=orm.Dict({"n_p": 4}), analysis_arrays=found)
    ends(job("seireact.analyse", top, "analyse_broken", trajectory=run), 400, analysis_arrays=found.clone())
    return top


def test_phases_of_parts_are_told_once(study: orm.WorkChainNode) -> None:
    found = query.phases(study)
    last = found.query("part == '' and phase == 'Li'")
    assert last["step"].tolist() == STEPS
    assert last["time_ps"].tolist() == [0.0, 0.1, 0.2]
    assert last["count"].tolist() == [8, 4, 2]
    assert last["fraction"].tolist() == [0.8, 0.4, 0.2]
    assert last["core_fraction"].tolist() == [0.5, 0.5, 0.5]
    assert found["of"].unique().tolist() == ["Li environments"]


def test_shares_of_a_frame_sum_to_one_and_absent_phases_have_no_rows(study: orm.WorkChainNode) -> None:
    found = query.phases(study)
    assert found.groupby(["node_uuid", "step"])["fraction"].sum().to_numpy() == pytest.approx(1.0)
    assert found.query("part == ''")["phase"].unique().tolist() == ["unknown", "Li"]
    assert found.query("part == 'first'")["phase"].unique().tolist() == ["Li"]


def test_ps4_is_counted_of_all_phosphorus(study: orm.WorkChainNode) -> None:
    found = query.ps4(study)
    assert found["n_intact"].tolist() == [4, 3, 1]
    assert found["intact_fraction"].tolist() == [1.0, 0.75, 0.25]
    assert found["path"].unique().tolist() == ["analyse"]
    assert found["n_atoms"].unique().tolist() == [10]


def test_a_run_that_told_no_phosphorus_has_no_fraction(aiida_profile: Any) -> None:
    top = chain("AnalyseWorkChain")
    # It goes on from a cell that has reacted: three of who knows how many are intact.
    analyse = job("seireact.analyse", top, "iteration_01", trajectory=trajectory(STEPS, n_atoms=11))
    ends(analyse, analysis=orm.Dict({}), analysis_arrays=arrays(steps=STEPS, n_intact_ps4=[3, 2, 2]))
    found = query.ps4(top)
    assert found["n_intact"].tolist() == [3, 2, 2]
    assert found["n_p"].isna().all()
    assert found["intact_fraction"].isna().all()


def classified_by_joins(n_joins: int, **ending: Any) -> orm.WorkChainNode:
    """Return a classification whose labels were joined so often; ``ending`` is that of who was given the run."""
    top = chain("ClassifyWorkChain")
    outside = job("seireact.classify.assign", trajectory=trajectory([0, 50], n_atoms=12))
    labels = course([0, 50], [1, 1])
    ends(outside, **ending, labels=labels)
    for _ in range(n_joins):
        labels = ends(function("merge_labels", part_000=labels), result=course([0, 50], [1, 1]))
    ends(function("rename", top, labels=labels), result=course([0, 50], [1, 1]))
    return top


def test_the_run_behind_many_joins_is_found(aiida_profile: Any) -> None:
    found = query.phases(classified_by_joins(12))
    assert found["n_atoms"].unique().tolist() == [12]
    assert found["time_ps"].tolist() == pytest.approx([0.0, 0.1] * 2)


@pytest.mark.parametrize("ending", [{"exit_status": 400}, {"seal": False}])
def test_no_run_is_told_by_who_did_not_end_well(aiida_profile: Any, ending: dict[str, Any]) -> None:
    found = query.phases(classified_by_joins(1, **ending))
    assert set(found["trajectory_uuid"]) == {""}
    assert found["time_ps"].isna().all()


def test_thickness_has_rows_where_it_is_defined(study: orm.WorkChainNode) -> None:
    found = query.thickness(study)[["definition", "side", "time_ps", "thickness_ang"]].to_numpy().tolist()
    assert found == [
        ["ps4", "lower", 0.1, 2.0], ["ps4", "lower", 0.2, 3.0], ["profile", "both", 0.0, 1.0],
        ["profile", "both", 0.2, 5.0],
    ]  # fmt: skip


def paced(**told: Any) -> orm.WorkChainNode:
    """Return an analysis whose result tells this of the pace of the reaction."""
    top = chain("AnalyseWorkChain")
    analyse = job("seireact.analyse", top, "iteration_01", trajectory=trajectory(STEPS))
    ends(analyse, analysis=orm.Dict({"ps4_pace": told}), analysis_arrays=arrays(steps=STEPS, n_intact_ps4=[8, 1, 0]))
    return top


def test_paces_are_a_row_before_and_after_the_break(aiida_profile: Any) -> None:
    break_ = {"break_found": True, "break_ps": 0.06, "break_interval_95_ps": [0.05, 0.07], "best": "two lines"}
    found = query.paces(paced(**break_, rate_before_per_ps=-120.0, rate_after_per_ps=-7.0))
    assert found[["stretch", "rate_per_ps", "kinetics"]].to_numpy().tolist() == [
        ["before", -120.0, "two lines"], ["after", -7.0, "two lines"],
    ]  # fmt: skip
    assert found[["break_ps", "break_low_ps", "break_high_ps"]].to_numpy().tolist() == [[0.06, 0.05, 0.07]] * 2


@pytest.mark.parametrize(
    "told", [{}, {"break_found": False, "break_ps": None}, {"break_found": True, "break_steps": 3}]
)
def test_a_reaction_of_one_pace_or_of_no_time_has_no_row(aiida_profile: Any, told: dict[str, Any]) -> None:
    assert query.paces(paced(**told)).empty


def test_profiles_keep_atoms_slabs_and_charge(study: orm.WorkChainNode) -> None:
    found = query.profiles(study)
    lithium = found.query("of == 'composition' and kind == 'Li' and step == 50")
    assert lithium[["z_ang", "slab_ang", "count", "fraction"]].to_numpy().tolist() == [[1, 2, 2, 0.5], [3, 2, 2, 1.0]]
    assert found.query("of == 'charge'")["count"].tolist() == [-5.0, 2.0, -2.0, 2.0]
    assert found.query("of == 'charge'")["fraction"].isna().all()


def test_a_run_that_an_analysis_was_given_is_told_of_too(study: orm.WorkChainNode) -> None:
    top = chain("AnalyseWorkChain")
    segment = job("seireact.lammps", potential=potential("g"))
    run = ends(segment, trajectory=trajectory([0, 50, 100], n_atoms=12))
    left = ends(job("seireact.lammps"), 400, trajectory=trajectory([0, 60]))
    for number, one in enumerate((run, left)):
        analyse = job("seireact.analyse", top, f"iteration_{number:02d}", trajectory=one)
        ends(analyse, analysis_arrays=arrays(steps=STEPS, n_intact_ps4=[1, 1, 1]))
    found = query.runs(top)
    assert found[["node_uuid", "process_uuid", "stage", "n_atoms"]].to_numpy().tolist() == [
        [run.uuid, segment.uuid, "given", 12]
    ]
    assert found["model_hash"].tolist() == ["g" * 64]
    assert query.ps4(top)["trajectory_uuid"].unique().tolist() == [run.uuid, left.uuid]

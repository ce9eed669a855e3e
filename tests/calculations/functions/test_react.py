from __future__ import annotations

from aiida import orm

from aiida_seireact.calculations.functions.react import numbers_of_run, plan_references


def metrics(**ratios: float) -> orm.Dict:
    rows = {name: {"force_rmse_ev_per_ang": ratio, "force_rms_ev_per_ang": 1.0} for name, ratio in ratios.items()}
    return orm.Dict({"by_type": rows})


def test_the_model_runs_only_phases_it_knows_well_enough(aiida_profile_clean):
    settings = orm.Dict({"phases": ["Li", "Li2S", "LiCl"], "force_error_limit": 0.3})
    plan = plan_references(metrics(Li=0.3, Li2S=0.31), settings)["phases"]
    assert {phase: entry["source"] for phase, entry in plan.items()} == {
        "Li": "model",
        "Li2S": "labeller",
        "LiCl": "labeller",
    }
    assert plan["Li2S"]["force_error_of_rms"] == 0.31
    assert plan["LiCl"]["force_error_of_rms"] is None


def test_a_study_may_leave_the_thickness_out(aiida_profile_clean):
    run = orm.Dict()
    run.base.attributes.set_many({"steps": 100, "n_atoms": 3, "timestep_fs": 2.0, "stopped_by": None})
    fractions = {"first_tenth": {}, "last_tenth": {}, "whole_run": {}}
    classified = orm.Dict({"of": "Li environments", "phase_fractions": fractions})
    told = numbers_of_run(run, classified, orm.Dict({"rdf_frames": 3}))
    assert told["ps4_intact_start"] is None


def test_the_user_may_decide_for_a_phase(aiida_profile_clean):
    settings = orm.Dict({"phases": ["Li"], "force_error_limit": 0.3, "source": {"Li": "labeller"}})
    assert plan_references(metrics(Li=0.1), settings)["phases"]["Li"]["source"] == "labeller"

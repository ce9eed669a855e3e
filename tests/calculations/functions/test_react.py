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


def test_a_phase_that_did_not_hold_in_the_verdict_is_run_by_the_labeller(aiida_profile_clean):
    """As in the demo: small errors on frames, but its MD swells, and references of it name what is broken."""

    def line(subject: str, passed: bool, value: float | None = 2.4, test: str = "stability") -> dict:
        message = f"{subject}: the volume change over its limit is {value}, allowed: at most 1."
        return {"test": test, "subject": subject, "passed": passed, "value": value, "message": message}

    lines = [
        line("Li at 300 K", True, 0.8),
        line("Li6PS5Cl at 300 K", False),
        line("LiCl at 300 K", False, None),
        line("Li2S", False, test="errors"),
    ]
    phases = ["Li", "Li6PS5Cl", "LiCl", "Li2S"]
    settings = {"phases": phases, "force_error_limit": 0.4}
    good = metrics(**dict.fromkeys(phases, 0.2))
    plan = plan_references(good, orm.Dict(settings), verdict=orm.Dict({"lines": lines}))["phases"]
    assert {phase: entry["source"] for phase, entry in plan.items()} == {
        **dict.fromkeys(phases, "model"),
        "Li6PS5Cl": "labeller",
    }
    assert plan["Li6PS5Cl"]["md_failed"].startswith("Li6PS5Cl at 300 K: the volume change")
    assert plan["LiCl"]["md_failed"] is None
    decided = orm.Dict({**settings, "source": {"Li6PS5Cl": "model"}})
    plan = plan_references(good, decided, verdict=orm.Dict({"lines": lines}))["phases"]
    assert plan["Li6PS5Cl"]["source"] == "model"


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

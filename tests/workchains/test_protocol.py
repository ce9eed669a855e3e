from __future__ import annotations

from importlib import resources

import pytest

from aiida_seireact.formats.jobs.aimd import Cp2kMdSettings, QeMdSettings, VaspMdSettings
from aiida_seireact.formats.jobs.explore import MAX_CONDITIONS, MAX_LEGS, ConditionSettings
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.workchains.aimd import AimdWorkChain
from aiida_seireact.workchains.campaign import CampaignWorkChain
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.explore_inputs import level_of_theory
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.protocol import merge
from aiida_seireact.workchains.train import TrainWorkChain


def test_overrides_reach_any_depth_and_leave_the_rest():
    merged = merge({"md": {"steps": 10, "seed": 1}, "list": [1, 2]}, {"md": {"steps": 20}, "list": [3]})
    assert merged == {"md": {"steps": 20, "seed": 1}, "list": [3]}


def test_another_calculator_brings_none_of_the_old_one_s_arguments():
    base = {"calculator": {"name": "chgnet", "kwargs": {"model_name": "0.3.0"}}}
    assert merge(base, {"calculator": {"name": "emt"}}) == {"calculator": {"name": "emt"}}


def test_null_switches_off():
    assert merge({"engine": {"stop": {"volume": 1}}}, {"engine": {"stop": None}}) == {"engine": {"stop": None}}


def test_every_protocol_says_what_it_is_for():
    assert all(len(text) > 20 for text in TrainWorkChain.get_available_protocols().values())


def test_an_unknown_protocol_or_key_names_the_known_ones():
    with pytest.raises(ValueError, match="TrainWorkChain has fast, balanced, paper"):
        TrainWorkChain.get_protocol_inputs("precise")
    with pytest.raises(ValueError, match="Unknown in overrides: epochs; TrainWorkChain has compile, parameters"):
        TrainWorkChain.get_protocol_inputs(overrides={"epochs": 3})


@pytest.mark.parametrize("workchain", [CampaignWorkChain, ExploreWorkChain])
def test_protocols_of_learning_fit_their_schema(workchain):
    for name in workchain.get_available_protocols():
        inputs = workchain.get_protocol_inputs(name)
        conditions = inputs.get("conditions", {"": {"system": "", "leg": inputs.get("parameters")}})
        legs = [LegSettings.model_validate(condition["leg"]) for condition in conditions.values()]
        metal = [condition["system"] == "Li" for condition in conditions.values()]
        thresholds = {False: (0.15, 0.03), True: (0.0005, 0.0001)}
        assert [(leg.call_threshold, leg.learn_threshold) for leg in legs] == [thresholds[is_it] for is_it in metal]
        # Conditions that share a cell and a seed would begin with the same displacements and velocities.
        assert len({leg.seed for leg in legs}) == len(legs)


def test_the_paper_s_exploration_is_that_of_the_paper():
    inputs = ExploreWorkChain.get_protocol_inputs("paper")
    conditions = {name: ConditionSettings.model_validate(given) for name, given in inputs["conditions"].items()}
    assert inputs["systems"] == {"Li": 54, "Li6PS5Cl": 52, "interface": 228}
    assert len(conditions) == 45 <= MAX_CONDITIONS
    for system in inputs["systems"]:
        mine = {name: one for name, one in conditions.items() if one.system == system}
        warm = [one.leg.temperature_k for one in mine.values() if not one.leg.pressure_gpa and not one.strain]
        assert warm == [100, 200, 300, 400, 500, 600, 700, 800, 2000]
        assert [one.leg.pressure_gpa for one in mine.values() if one.leg.pressure_gpa] == [1, 5, 10]
        assert [one.strain for one in mine.values() if one.strain] == [0.01, 0.05, 0.1]
        assert all(one.leg.temperature_k == 300 for one in mine.values() if one.strain or one.leg.pressure_gpa)
        assert all(name.startswith(f"{system}_") for name in mine)
    for one in conditions.values():
        leg = one.leg
        assert (leg.ensemble, leg.timestep_fs, leg.jitter_ang) == ("npt", 1.0, 0.01)
        assert leg.steps * leg.timestep_fs == 1e6
        assert (leg.gp.cutoff_ang, leg.gp.n_max, leg.gp.l_max) == (6.0, 9, 3)
        assert leg.gp.optimise_at == tuple(range(2, MAX_LEGS + 1))
        assert one.after is None
    assert inputs["limits"]["max_failed"] > 1
    assert level_of_theory(inputs["label"]) == LabelWorkChain.get_protocol_inputs("paper")["parameters"]
    assert inputs["engine"] == LabelWorkChain.get_protocol_inputs("paper")["engine"]


def test_what_the_paper_does_not_report_is_marked_as_ours():
    text = resources.files("aiida_seireact.workchains").joinpath("protocols", "explore.yaml").read_text("utf-8")
    ours = {line.split(":")[0].strip() for line in text.partition("  paper:")[2].splitlines() if "# ours" in line}
    reported = {"ensemble", "temperature_k", "steps", "timestep_fs", "jitter_ang", "call_threshold", "learn_threshold"}
    assert ours >= {
        "max_legs", "max_labels", "max_detours", "stop_when_converged", "stop_when_hopeless", "tau_t_fs", "tau_p_fs",
        "label_every", "visit_every", "seconds_max", "guard", "power", "seed", "seeds", "limits", "batch_size",
    }  # fmt: skip
    assert not ours & (reported | {"cutoff_ang", "n_max", "l_max", "pressure_gpa", "strain"})


def test_protocols_of_aimd_fit_their_schema():
    schemas = {
        "seireact.aimd.ase": LabelJob,
        "seireact.aimd.vasp": VaspMdSettings,
        "seireact.aimd.qe": QeMdSettings,
        "seireact.aimd.cp2k": Cp2kMdSettings,
    }
    for name in AimdWorkChain.get_available_protocols():
        inputs = AimdWorkChain.get_protocol_inputs(name)
        schema = schemas[inputs["engine"]]
        job = schema.model_validate(inputs["parameters"] | ({"frames": "f.npz"} if schema is LabelJob else {}))
        # As in the paper: NVT of the products with a Nosé-Hoover thermostat; pw.x has none.
        assert job.md.thermostat == ("andersen" if schema is QeMdSettings else "nose-hoover")


def test_the_paper_s_runs_give_a_hundred_frames_each():
    md = VaspMdSettings.model_validate(AimdWorkChain.get_protocol_inputs("paper")["parameters"]).md
    # 300 frames of Li2S, Li3P and LiCl.
    assert sum(block >= 0 for _, block in md.labelled_steps()) == 100


def test_a_level_of_theory_is_written_once():
    for name, level in (("qe", "qe"), ("paper", "paper"), ("cp2k", "cp2k")):
        parameters = AimdWorkChain.get_protocol_inputs(name)["parameters"]
        assert {key: value for key, value in parameters.items() if key != "md"} == LabelWorkChain.get_protocol_inputs(
            level
        )["parameters"]

from __future__ import annotations

import pytest

from aiida_seireact.formats.jobs.aimd import Cp2kMdSettings, QeMdSettings, VaspMdSettings
from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.formats.jobs.label import LabelJob
from aiida_seireact.workchains.aimd import AimdWorkChain
from aiida_seireact.workchains.campaign import CampaignWorkChain
from aiida_seireact.workchains.explore import ExploreWorkChain
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
    with pytest.raises(ValueError, match="TrainWorkChain has fast"):
        TrainWorkChain.get_protocol_inputs("precise")
    with pytest.raises(ValueError, match="Unknown in overrides: epochs; TrainWorkChain has compile, parameters"):
        TrainWorkChain.get_protocol_inputs(overrides={"epochs": 3})


@pytest.mark.parametrize("workchain", [CampaignWorkChain, ExploreWorkChain])
def test_protocols_of_learning_fit_their_schema(workchain):
    for name in workchain.get_available_protocols():
        inputs = workchain.get_protocol_inputs(name)
        conditions = inputs.get("conditions", {"": {"leg": inputs.get("parameters")}})
        legs = [LegSettings.model_validate(condition["leg"]) for condition in conditions.values()]
        assert all(leg.call_threshold == 0.15 and leg.learn_threshold == 0.03 for leg in legs)
        # Conditions that share a cell and a seed would begin with the same displacements and velocities.
        assert len({leg.seed for leg in legs}) == len(legs)


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

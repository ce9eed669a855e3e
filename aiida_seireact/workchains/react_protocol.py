"""From the protocol of a study, and of each of its stages, to the values of its ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_seireact.calculations.sample import plan_of
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.augment import AugmentWorkChain, validation_inputs
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.close_loop import CloseLoopWorkChain
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.label import ASE_ENGINE
from aiida_seireact.workchains.produce import ProduceWorkChain, start_inputs
from aiida_seireact.workchains.protocol import merge
from aiida_seireact.workchains.react_inputs import SETTINGS
from aiida_seireact.workchains.train import TrainWorkChain

# Where the protocol of a study says nothing, that of the WorkChain of the stage holds.
STAGES = {
    "train": (TrainWorkChain, "parameters"),
    "compile": (TrainWorkChain, "compile"),
    "produce": (ProduceWorkChain, "parameters"),
    "reference_md": (ProduceWorkChain, "parameters"),
    "classify": (ClassifyWorkChain, "parameters"),
    "analyse": (AnalyseWorkChain, "parameters"),
}


def study_inputs(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return port -> value of a study.

    :param inputs: its own protocol with the overrides laid over it; ``stages`` names the protocol of its stages.
    """
    protocol = inputs.pop("stages")
    for name, (workchain, key) in STAGES.items():
        inputs[name] = merge(workchain.get_protocol_inputs(protocol)[key], inputs[name])
    calculator = inputs.pop("calculator")
    if isinstance(calculator, str):
        calculator = {"name": calculator}

    def labelled_by(job: Mapping[str, Any]) -> dict[str, Any]:
        return merge({"calculator": calculator}, job)

    if inputs["engine"] == ASE_ENGINE:
        inputs["label"] = labelled_by(inputs["label"])
    else:
        # Another engine has settings of its own, given whole; what the protocol says is for a calculator of ASE.
        inputs["label"] = {name: value for name, value in inputs["label"].items() if name != "task"}

    def run_by_labeller(run: Mapping[str, Any]) -> dict[str, Any]:
        if inputs["engine"] == ASE_ENGINE:
            return labelled_by(run)
        return merge(inputs["label"], {name: value for name, value in run.items() if name != "task"})

    for name in ("relax", "reference_labeller_md"):
        inputs[name] = labelled_by(inputs[name])
    values: dict[str, Any] = {
        "engine": orm.Str(inputs["engine"]),
        "batch_size": orm.Int(inputs["batch_size"]),
        "labeller_md": {name: orm.Dict(run_by_labeller(run)) for name, run in named(inputs["labeller_md"]).items()},
    }
    if (atoms := inputs["isolated_atoms"]) is not None:
        values["isolated_atoms"] = orm.List(atoms)
    if plan_of(inputs["sampling"]).melts:
        values["melt"] = orm.Dict({"calculator": calculator})
    if inputs["start"] is not None:
        values["start"] = start_inputs(inputs["start"])

    values["accept_rejected"] = orm.Bool(inputs["accept_rejected"])
    if inputs["validate"] is not None:
        values["validate"] = validation_inputs(protocol, inputs["validate"])

    explored = ExploreWorkChain.get_protocol_inputs(protocol)
    inputs["limits"] = explored["limits"]
    if inputs["explore"] is not None:
        explored = merge(explored, inputs["explore"])
        inputs["limits"] = explored["limits"]
        values["conditions"] = {name: orm.Dict(given) for name, given in named(explored["conditions"]).items()}
    if inputs["augment"] is not None:
        augment = merge(AugmentWorkChain.get_protocol_inputs(protocol), inputs["augment"])
        run = ProduceWorkChain.get_protocol_inputs(protocol)["parameters"]
        values["augment"] = {
            "rounds": orm.Dict(augment["rounds"]),
            "md": orm.Dict(merge(run, augment["md"]["training"])),
            "select": orm.Dict(augment["select"]),
            "extend": orm.Dict(augment["extend"]),
            "batch_size": orm.Int(augment["batch_size"]),
            # The network is that of the first model; only the schedule is another.
            "train": orm.Dict(merge(inputs["train"], augment["train"])),
        }
    if inputs["close_loop"] is not None:
        closing = CloseLoopWorkChain.get_protocol_inputs(protocol, inputs["close_loop"])
        values["close_loop"] = {name: orm.Dict(given) for name, given in closing.items()}
    return {**values, **{name: orm.Dict(inputs[name]) for name in SETTINGS}}


def named(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that are not null: an override takes one out by naming it with null."""
    return {name: value for name, value in given.items() if value is not None}

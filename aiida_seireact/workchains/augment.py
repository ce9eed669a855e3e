"""``seireact.augment``: one round in which a model learns from its own runs what it did not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext

from aiida_seireact.calculations.allegro import AllegroCalculation, validate_energies
from aiida_seireact.calculations.compile import CompileCalculation, validate_package
from aiida_seireact.calculations.functions.augment import extend_dataset, summarise_augmentation
from aiida_seireact.calculations.lammps import (
    LammpsCalculation,
    contacts_of,
    validate_potential,
    validate_species,
    validate_structure,
)
from aiida_seireact.calculations.select import SelectSettings, validate_processes
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.jobs.augment import ExtendSettings
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.label import LabelWorkChain, complaint, validate_batch_size, validate_engine
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin, merge
from aiida_seireact.workchains.select import SelectWorkChain
from aiida_seireact.workchains.stages import StagedWorkChain
from aiida_seireact.workchains.train import TrainWorkChain

PROGRAMS = ("lmp", "select", "label", "train", "compile")


class AugmentWorkChain(ProtocolMixin, StagedWorkChain):
    """Runs the model, chooses what it does not know, labels it, learns it, and tells the errors before and after."""

    PROTOCOL_FILE: ClassVar[str] = "augment.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input_namespace("codes", help="One code for each program; `aiida-seireact setup` makes them.")
        for program in PROGRAMS:
            spec.input(f"codes.{program}", valid_type=orm.AbstractCode, help=f"The program seireact-{program}.")
        spec.input("dataset", valid_type=DatasetData, help="What the model has learned from; it keeps its split.")
        spec.input("potential", valid_type=PotentialData, validator=validate_package, help="The package: the parent.")
        spec.input("compiled", valid_type=PotentialData, validator=validate_potential, help="The same model, to run.")
        spec.input(
            "reference_energies",
            valid_type=orm.Dict,
            validator=validate_energies,
            help="Energies of the atoms of the model; the new one keeps them.",
        )
        spec.input_namespace(
            "cells", valid_type=FramesData, dynamic=True, help="The cells to run, one frame each, by name."
        )
        spec.input_namespace(
            "md",
            valid_type=orm.Dict,
            dynamic=True,
            validator=validate_md,
            help="By the name of the cell: settings of its run, those of `seireact.lammps`.",
        )
        spec.input_namespace(
            "gps",
            valid_type=PotentialData,
            dynamic=True,
            required=False,
            validator=validate_processes,
            help="Sparse Gaussian processes whose uncertainty chooses the frames; none: by difference alone.",
        )
        spec.input(
            "select",
            valid_type=orm.Dict,
            validator=job_validator(SelectSettings, gps={}),
            help="Settings of `seireact-select`: `runs`, by the name of the cell, and the rule of the blocks.",
        )
        spec.input("engine", valid_type=orm.Str, validator=validate_engine, help="Labelling engine.")
        spec.input("label", valid_type=orm.Dict, help="Settings of the labels: those of the dataset.")
        spec.input("batch_size", valid_type=orm.Int, validator=validate_batch_size, help="Frames a label job.")
        spec.input(
            "extend",
            valid_type=orm.Dict,
            validator=job_validator(ExtendSettings),
            help="Force limit, blocks that choose the epoch, and how many frames are too few.",
        )
        spec.input(
            "train",
            valid_type=orm.Dict,
            validator=AllegroCalculation.spec().inputs["parameters"].validator,
            help="Settings of the training that starts from the model; its network is that of the model.",
        )
        spec.input(
            "compile",
            valid_type=orm.Dict,
            required=False,
            validator=CompileCalculation.spec().inputs["parameters"].validator,
            help="Target and device of the compiled file.",
        )
        spec.inputs.validator = validate_round
        spec.expose_outputs(TrainWorkChain)
        spec.output("dataset", valid_type=DatasetData, help="The dataset with the new frames.")
        spec.output_namespace("trajectories", valid_type=TrajectoryData, dynamic=True, help="The runs, by name.")
        spec.expose_outputs(SelectWorkChain, include=("selection",))
        spec.output("label_failures", valid_type=orm.Dict, help="Frames without a label, with reason.")
        spec.output("augmentation", valid_type=orm.Dict, help="Numbers of frames, and errors before and after.")
        spec.outline(cls.produce, cls.select, cls.label, cls.retrain, cls.results)

    @classmethod
    def get_builder_from_protocol(
        cls,
        dataset: DatasetData,
        potential: PotentialData,
        compiled: PotentialData,
        reference_energies: orm.Dict,
        cells: Mapping[str, FramesData],
        gps: Mapping[str, PotentialData] | None = None,
        codes: Mapping[str, orm.AbstractCode] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` labels some forty frames and trains for a minute.

        :param cells: ``fast`` knows ``production`` and ``training``; others need their ``md`` and ``select.runs``.
        :param overrides: any value of the protocol; a run that is null under ``md`` and ``select.runs`` is left out.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        md = ProduceWorkChain.get_protocol_inputs(protocol)["parameters"]
        training = TrainWorkChain.get_protocol_inputs(protocol)
        select = {**inputs["select"], "runs": given(inputs["select"]["runs"])}
        builder = cls.get_builder()
        builder.codes = dict(codes or {name: find_code(name) for name in PROGRAMS})
        builder.dataset, builder.potential, builder.compiled = dataset, potential, compiled
        builder.reference_energies = reference_energies
        builder.cells = dict(cells)
        builder.md = {name: orm.Dict(merge(md, changes)) for name, changes in given(inputs["md"]).items()}
        builder.gps = dict(gps or {})
        builder.engine = orm.Str(inputs["engine"])
        builder.label = orm.Dict(inputs["label"])
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.select, builder.extend = orm.Dict(select), orm.Dict(inputs["extend"])
        builder.train = orm.Dict(merge(training["parameters"], inputs["train"]))
        builder.compile = orm.Dict(merge(training["compile"], inputs["compile"]))
        builder.options = dict(options or {})
        return builder

    # ------------------------------------------------------------------ what it does not know
    def produce(self) -> ToContext | ExitCode:
        """Run each cell with the model."""
        self.ctx.names = sorted(self.inputs.cells)
        self.report(f"running the model in the cells {', '.join(self.ctx.names)}")
        runs = {
            f"run_{name}": (
                ProduceWorkChain,
                {
                    "code": self.inputs.codes.lmp,
                    "structure": self.inputs.cells[name],
                    "potential": self.inputs.compiled,
                    "parameters": self.inputs.md[name],
                },
            )
            for name in self.ctx.names
        }
        return self.begin("run", **runs)

    def select(self) -> ToContext | ExitCode:
        """Choose frames of the runs; also of one that the stop rule ended, since its end is what to learn."""
        for name in self.ctx.names:
            if failure := self.failure("run", self.ctx[f"run_{name}"]):
                return failure
            trajectory = self.ctx[f"run_{name}"].outputs.trajectory
            self.out(f"trajectories.{name}", trajectory)
            if (stopped := trajectory.base.attributes.get("stopped_by")) is not None:
                self.report(f"the stop rule ended the run of {name}: {stopped['message']}; its frames are used")
        inputs = {
            "code": self.inputs.codes.select,
            "runs": self.trajectories(),
            "starts": {name: self.inputs.cells[name] for name in self.ctx.names},
            "gps": dict(self.inputs.get("gps", {})),
            "parameters": self.inputs.select,
        }
        return self.begin("select", select=(SelectWorkChain, inputs))

    def label(self) -> ToContext | ExitCode:
        """Label what was chosen."""
        if failure := self.failure("select", self.ctx.select):
            return failure
        chosen = self.ctx.select.outputs
        self.out("selection", chosen.selection)
        self.report(
            f"labelling {chosen.choice['n_learned']} frames to learn from and {chosen.choice['n_held_out']} not"
        )
        inputs = {
            "frames": chosen.frames,
            "code": self.inputs.codes.label,
            "engine": self.inputs.engine,
            "parameters": self.inputs.label,
            "batch_size": self.inputs.batch_size,
        }
        return self.begin("label", label=(LabelWorkChain, inputs))

    # ------------------------------------------------------------------ and learns
    def retrain(self) -> ToContext | ExitCode:
        """Add the labelled frames to the dataset and go on training from the model."""
        if failure := self.failure("label", self.ctx.label):
            return failure
        labelled = self.ctx.label.outputs
        self.out("label_failures", labelled.failures)
        if lost := labelled.failures["failures"]:
            self.report(f"{len(lost)} frames have no label; the first: {lost[0]['reason']}")
        dataset, refusal = attempt(
            extend_dataset,
            self.inputs.dataset,
            labelled.frames,
            self.ctx.select.outputs.choice,
            self.inputs.extend,
            metadata={"call_link_label": "extend"},
        )
        if refusal:
            return self.refused("extend", refusal)
        self.ctx.dataset = dataset.uuid
        self.out("dataset", dataset)
        inputs = {
            "dataset": dataset,
            "parent": self.inputs.potential,
            "reference_energies": self.inputs.reference_energies,
            "code": self.inputs.codes.train,
            "parameters": self.inputs.train,
            "compile_code": self.inputs.codes.compile,
            **({"compile": self.inputs.compile} if "compile" in self.inputs else {}),
        }
        return self.begin("retrain", retrain=(TrainWorkChain, inputs))

    def results(self) -> ExitCode | None:
        """Attach the new model, and the errors before and after."""
        if failure := self.failure("retrain", self.ctx.retrain):
            return failure
        self.out_many(self.exposed_outputs(self.ctx.retrain, TrainWorkChain, agglomerate=False))
        retrained = self.ctx.retrain.outputs
        augmentation, refusal = attempt(
            summarise_augmentation,
            self.inputs.dataset,
            orm.load_node(self.ctx.dataset),
            self.ctx.label.outputs.frames,
            self.ctx.select.outputs.choice,
            retrained.predictions,
            retrained.parent_predictions,
            metadata={"call_link_label": "augmentation"},
            **{f"run_{name}": run for name, run in self.trajectories().items()},
        )
        if refusal:
            return self.refused("augmentation", refusal)
        self.out("augmentation", augmentation)
        return None

    def trajectories(self) -> dict[str, TrajectoryData]:
        """Return the runs by name."""
        return {name: self.ctx[f"run_{name}"].outputs.trajectory for name in self.ctx.names}


def given(runs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the runs that are not null: an override takes one out by naming it with null."""
    return {name: run for name, run in runs.items() if run is not None}


def validate_md(runs: Mapping[str, orm.Dict], context: Any) -> str | None:
    """Refuse settings that the job of the run would refuse."""
    check = LammpsCalculation.spec().inputs["parameters"].validator
    for name, parameters in runs.items():
        if message := check(parameters, context):
            return f"md.{name}: {message}"
    return None


def validate_round(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse runs without cell, settings or numbers, cells the model does not know, and two models in one."""
    if not {"cells", "md", "select", "compiled", "potential"} <= set(inputs):
        return None
    names = set(inputs["cells"])
    parts = {"cells": names, "md": set(inputs["md"]), "select.runs": set(inputs["select"].get_dict()["runs"])}
    for name in sorted(set.union(*parts.values())):
        lacking = [part for part, known in parts.items() if name not in known]
        if lacking:
            return f"The run {name!r} has no {' and no '.join(lacking)}: give `cells`, `md` and `select.runs` of each."
    for name, cell in inputs["cells"].items():
        message = (
            validate_structure(cell, context)
            or validate_species({"structure": cell, "potential": inputs["compiled"]}, context)
            or contacts_of(cell, inputs["md"][name])
        )
        if message:
            return f"cells.{name}: {message}"
    if inputs["potential"].model_hash != inputs["compiled"].model_hash:
        return "`compiled` was not made of `potential`: frames of one model's runs would teach another."
    if {"engine", "label"} <= set(inputs) and (message := complaint(inputs["engine"], inputs["label"], context)):
        return f"label: {message}"
    return None

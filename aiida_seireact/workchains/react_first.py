"""The first half of a study: from cells to the dataset of the first model."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext
from aiida.plugins import WorkflowFactory

from aiida_seireact.calculations.functions.frames import gather_failures, split_by_type
from aiida_seireact.calculations.functions.structures import build_cells
from aiida_seireact.calculations.functions.training import grow_dataset, make_dataset, training_frames
from aiida_seireact.calculations.lammps import contacts_of
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.aimd import md_engine
from aiida_seireact.workchains.atoms import IsolatedAtomsWorkChain
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.label import ASE_ENGINE, LabelWorkChain
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.produce import validate_start
from aiida_seireact.workchains.react_inputs import define_inputs
from aiida_seireact.workchains.sample import SampleWorkChain
from aiida_seireact.workchains.stages import Child, StagedWorkChain

FIRST = "first"
OF_SAMPLE = ("coverage", "choice", "selection")


class LabelledStudy(StagedWorkChain):
    """Builds cells, draws and labels the first set, explores, and joins the labels to a dataset.

    Or, with a dataset that is there already, adds to it what exploration finds.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        define_inputs(spec)
        spec.output("dataset", valid_type=DatasetData)
        spec.output(f"{FIRST}.dataset", valid_type=DatasetData, required=False)
        spec.output("label_failures", valid_type=orm.Dict)
        spec.expose_outputs(SampleWorkChain, namespace="sample", include=OF_SAMPLE)
        spec.expose_outputs(ExploreWorkChain, include=("campaigns", "gps"))
        spec.output("campaign_arrays", valid_type=orm.ArrayData, required=False, help="Uncertainties and canaries.")
        for port in ("sample", "campaigns", "gps", FIRST):
            spec.outputs[port].required = False

    # ------------------------------------------------------------------ structures and first set
    def build_structures(self) -> ExitCode | None:
        """Build the cells that are not given; look at that of the long run before an hour goes into its model."""
        cells, refusal = attempt(build_cells, self.inputs.structures, metadata={"call_link_label": "structures"})
        if refusal:
            return self.refused("structures", refusal)
        self.ctx.cells = {name: node.uuid for name, node in cells.items()}
        for given, built in (("training", "to_relax"), ("production", "production")):
            if given in self.inputs:
                self.ctx.cells[built] = self.inputs[given].uuid
        production = self.cell("production")
        start = {"structure": production, "start": self.inputs.get("start")}
        if too_near := contacts_of(production, self.inputs.produce) or validate_start(start):
            return self.refused("structures", too_near)
        return None

    def cell(self, name: str) -> FramesData:
        """Return the shard of a cell."""
        return orm.load_node(self.ctx.cells[name])

    def should_sample(self) -> bool:
        """Whether there is a first set to be made."""
        return "start_dataset" not in self.inputs

    def sample(self) -> ToContext | ExitCode:
        """Relax the training cells and draw the first set, products in it."""
        inputs = {
            "codes": {name: self.inputs.codes[name] for name in ("sample", "label")},
            "cells": self.cell("to_relax"),
            "plan": self.inputs.sampling,
            "relax": self.inputs.relax,
            "label": self.inputs.label,
            **({"melt": self.inputs.melt} if "melt" in self.inputs else {}),
        }
        self.report("relaxing the training cells and drawing the first set")
        return self.begin("sample", sample=(SampleWorkChain, inputs))

    def inspect_sample(self) -> ExitCode | None:
        """Attach what the first set covers; go on from the relaxed cells."""
        if failure := self.failure("sample", self.ctx.sample):
            return failure
        self.out_many(self.exposed_outputs(self.ctx.sample, SampleWorkChain, namespace="sample", agglomerate=False))
        self.ctx.cells["to_relax"] = self.ctx.sample.outputs.relaxed.uuid
        return None

    def label(self) -> ToContext | ExitCode:
        """Label the first training set; beside it, short MD of the labeller from the training cells."""
        stage = "sample" if self.should_sample() else "structures"
        starts = split_by_type(self.cell("to_relax"), metadata={"call_link_label": f"{stage}_starts"})
        self.ctx.starts = {name: node.uuid for name, node in starts.items()}
        children: dict[str, Child] = {}
        if self.should_sample():
            children["label"] = (LabelWorkChain, {**self.labelling(), "frames": self.ctx.sample.outputs.frames})
        for name, parameters in sorted(self.inputs.get("labeller_md", {}).items()):
            start = starts[name.rsplit("_", 1)[0]]
            children[f"label_md_{name}"] = self.md_of_labeller(start, parameters)
        self.ctx.label_children = sorted(children)
        if "isolated_atoms" in self.inputs:
            atoms = {**self.labelling(), "species": self.inputs.isolated_atoms}
            children["label_isolated_atoms"] = (IsolatedAtomsWorkChain, atoms)
        n_frames = len(self.ctx.sample.outputs.frames) if self.should_sample() else 0
        n_runs = len(children) - self.should_sample()
        self.report(f"labelling {n_frames} frames" + f" and {n_runs} short runs" * (n_runs > 0))
        return self.begin("label", **children)

    def by_labeller(self, frames: FramesData, parameters: orm.Dict) -> Child:
        """Return MD with the labeller itself, to be submitted."""
        return AseLabelWorkChain, {"code": self.inputs.codes.label, "frames": frames, "parameters": parameters}

    def md_of_labeller(self, frames: FramesData, parameters: orm.Dict) -> Child:
        """Return MD with the labelling engine, whichever it is: its frames are of the level of the other labels."""
        if self.inputs.engine.value == ASE_ENGINE:
            return self.by_labeller(frames, parameters)
        process = WorkflowFactory(md_engine(self.inputs.engine.value))
        return process, {"code": self.engine_code(), "frames": frames, "parameters": parameters}

    def engine_code(self) -> orm.AbstractCode:
        """Return the program of the labelling engine."""
        return self.inputs.codes.get("engine", self.inputs.codes.label)

    def labelling(self) -> dict[str, Any]:
        """Return what every process that labels is told."""
        return {
            "code": self.engine_code(),
            "engine": self.inputs.engine,
            "parameters": self.inputs.label,
            "batch_size": self.inputs.batch_size,
        }

    # ------------------------------------------------------------------ exploration
    def should_explore(self) -> bool:
        """Whether there is a condition to explore."""
        return bool(self.inputs.get("conditions", {}))

    def explore(self) -> ToContext | ExitCode:
        """Learn on the fly under each condition, from the labels so far."""
        if failure := self.label_failure():
            return failure
        self.report(f"exploring {', '.join(sorted(self.inputs.conditions))} with a GP that asks when it is unsure")
        inputs = {
            "codes": {"flare": self.inputs.codes.flare, "label": self.engine_code()},
            "systems": {name: orm.load_node(uuid) for name, uuid in self.ctx.starts.items()},
            "labelled": self.known_first(),
            "conditions": dict(self.inputs.conditions),
            "limits": self.inputs.limits,
            **self.reference_energies(),
            "engine": self.inputs.engine,
            "label": self.inputs.label,
            "batch_size": self.inputs.batch_size,
        }
        return self.begin("explore", explore=(ExploreWorkChain, inputs))

    def known_first(self) -> FramesData:
        """Return the labelled frames that exploration begins with; of a dataset none that it is tested on."""
        if self.should_sample():
            return self.ctx.label.outputs.frames
        return training_frames(self.inputs.start_dataset, metadata={"call_link_label": "explore_known"})

    def collect_dataset(self) -> ExitCode | None:
        """Choose and split the labelled frames."""
        if failure := self.label_failure():
            return failure
        if self.should_explore():
            if failure := self.failure("explore", self.ctx.explore):
                return failure
            self.out_many(self.exposed_outputs(self.ctx.explore, ExploreWorkChain))
            self.out("campaign_arrays", self.ctx.explore.outputs.arrays)
            self.ctx.label_children = [*self.ctx.label_children, "explore"]
        failures = gather_failures(
            metadata={"call_link_label": "label_failures"},
            **{name: self.ctx[name].outputs.failures for name in self.ctx.label_children},
        )
        self.out("label_failures", failures)
        if failures["failures"]:
            self.report(f"{len(failures['failures'])} frames have no label; the first: {failures['failures'][0]}")
        dataset, refusal = attempt(self.join_labels)
        if refusal:
            return self.refused("dataset", refusal)
        self.ctx.dataset = dataset.uuid
        self.out(f"{FIRST}.dataset" if self.should_augment() else "dataset", dataset)
        return None

    def join_labels(self) -> DatasetData:
        """Return the dataset of all labels, or the given one with them.

        :raises ValueError: they make none.
        """
        rule, shards, metadata = self.inputs.dataset, self.labelled(), {"call_link_label": "dataset"}
        if self.should_sample():
            return make_dataset(rule, **shards, metadata=metadata)
        given: DatasetData = self.inputs.start_dataset
        return grow_dataset(given, rule, **shards, metadata=metadata) if shards else given

    def label_failure(self) -> ExitCode | None:
        """Return why the first labels are not all there, or None if they are."""
        atoms = ["label_isolated_atoms"] if "isolated_atoms" in self.inputs else []
        failures = (self.failure("label", self.ctx[name]) for name in [*self.ctx.label_children, *atoms])
        return next((failure for failure in failures if failure), None)

    def reference_energies(self) -> dict[str, orm.Dict]:
        """Return the energies of isolated atoms as an input of a learner; without them it fits its own."""
        if "isolated_atoms" not in self.inputs:
            return {}
        return {"reference_energies": self.ctx.label_isolated_atoms.outputs.isolated_atoms}

    def labelled(self) -> dict[str, FramesData]:
        """Return the labelled shards by the name of their child."""
        outputs = {name: self.ctx[name].outputs for name in self.ctx.label_children}
        # An exploration that was sure everywhere asked for no label.
        return {name: made.frames for name, made in outputs.items() if "frames" in made}

    def should_augment(self) -> bool:
        """Whether the first model is to learn from its own run."""
        return "augment" in self.inputs and "select" in self.inputs.augment

"""``seireact.augment_round``: one round in which a model learns from its own runs what it did not know."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_

from aiida_seireact.calculations.functions.augment import extend_dataset, summarise_augmentation
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.workchains.augment_inputs import MODEL, define_inputs, validate_round
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.label import LabelWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.select import SelectWorkChain
from aiida_seireact.workchains.stages import StagedWorkChain
from aiida_seireact.workchains.train import TrainWorkChain
from aiida_seireact.workchains.validate import ValidateWorkChain

JUDGED = ("verdict", "scores")


class AugmentRoundWorkChain(StagedWorkChain):
    """Runs the model, chooses what it does not know, labels it, learns it, and tells the errors before and after."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        define_inputs(spec)
        spec.inputs.validator = validate_round
        spec.expose_outputs(TrainWorkChain)
        spec.output("dataset", valid_type=DatasetData, help="The dataset with the new frames.")
        spec.output_namespace("trajectories", valid_type=TrajectoryData, dynamic=True, help="The runs, by name.")
        spec.expose_outputs(SelectWorkChain, include=("selection",))
        spec.output_namespace(
            "committee", valid_type=PotentialData, dynamic=True, help="The other members, as they have learned."
        )
        spec.output("label_failures", valid_type=orm.Dict, help="Frames without a label, with reason.")
        for port in JUDGED:
            spec.output(port, valid_type=orm.Dict, required=False, help="Of `seireact.validate`, on the new model.")
        spec.output("augmentation", valid_type=orm.Dict, help="Numbers of frames, and errors before and after.")
        spec.outline(
            if_(cls.should_run)(cls.produce),
            cls.inspect_runs,
            if_(cls.should_classify)(cls.classify),
            cls.select,
            cls.label,
            cls.retrain,
            cls.results,
            if_(cls.should_validate)(cls.validate, cls.inspect_verdict),
        )

    # ------------------------------------------------------------------ what it does not know
    def to_run(self) -> list[str]:
        """Return the cells without a run."""
        return sorted(set(self.inputs.cells) - set(self.inputs.get("runs", {})))

    def should_run(self) -> bool:
        """Whether the model has to run."""
        return bool(self.to_run())

    def produce(self) -> ToContext | ExitCode:
        """Run each cell with the model."""
        self.report(f"running the model in the cells {', '.join(self.to_run())}")
        runs = {
            f"run_{name}": (
                ProduceWorkChain,
                {
                    "code": self.inputs.codes.lmp,
                    "structure": self.inputs.cells[name],
                    "potential": self.inputs.compiled,
                    "parameters": self.inputs.md[name],
                    "unjudged": True,
                },
            )
            for name in self.to_run()
        }
        return self.begin("run", **runs)

    def inspect_runs(self) -> ExitCode | None:
        """Attach the runs; also one that the stop rule ended is used, since its end is what to learn."""
        for name in self.to_run():
            if failure := self.failure("run", self.ctx[f"run_{name}"]):
                return failure
        for name, trajectory in self.trajectories().items():
            self.out(f"trajectories.{name}", trajectory)
            if (stopped := trajectory.base.attributes.get("stopped_by")) is not None:
                self.report(f"the stop rule ended the run of {name}: {stopped['message']}; its frames are used")
        return None

    def to_classify(self) -> list[str]:
        """Return the runs without labels that a classifier looks at."""
        has_classifier = "classifier" in self.inputs.get("classify", {})
        return sorted(set(self.inputs.cells) - set(self.inputs.get("labels", {}))) if has_classifier else []

    def should_classify(self) -> bool:
        """Whether a classifier looks for unknown environments."""
        return bool(self.to_classify())

    def classify(self) -> ToContext | ExitCode:
        """Tell which environments of each run are unknown."""
        inputs, runs = self.inputs.classify, self.trajectories()
        children = {
            f"classify_{name}": (ClassifyWorkChain, {**inputs, "trajectory": runs[name], "references": {}})
            for name in self.to_classify()
        }
        return self.begin("classify", **children)

    def select(self) -> ToContext | ExitCode:
        """Choose frames of the runs."""
        labels = dict(self.inputs.get("labels", {}))
        for name in self.to_classify():
            if failure := self.failure("classify", self.ctx[f"classify_{name}"]):
                return failure
            labels[name] = self.ctx[f"classify_{name}"].outputs.labels
        committee = dict(self.inputs.get("committee", {}))
        inputs = {
            "code": self.inputs.codes.select,
            "runs": self.trajectories(),
            "starts": dict(self.inputs.cells),
            "gps": dict(self.inputs.get("gps", {})),
            "committee": {MODEL: self.inputs.potential, **committee} if committee else {},
            "labels": labels,
            "parameters": self.inputs.select,
        }
        if any(run.get("cut") for run in self.inputs.select["runs"].values()):
            inputs["potential"] = self.inputs.potential
            if "classifier" in self.inputs.get("classify", {}):
                inputs["classifier"] = self.inputs.classify.classifier
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
        # Of the others only the package is needed.
        bare = {name: value for name, value in inputs.items() if not name.startswith("compile")}
        others = {
            f"retrain_{name}": (TrainWorkChain, {**bare, "parent": member})
            for name, member in self.inputs.get("committee", {}).items()
        }
        return self.begin("retrain", retrain=(TrainWorkChain, inputs), **others)

    def results(self) -> ExitCode | None:
        """Attach the new model, and the errors before and after."""
        if failure := self.failure("retrain", self.ctx.retrain):
            return failure
        for name in self.inputs.get("committee", {}):
            if failure := self.failure("retrain", self.ctx[f"retrain_{name}"]):
                return failure
            self.out(f"committee.{name}", self.ctx[f"retrain_{name}"].outputs.potential)
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

    # ------------------------------------------------------------------ and is judged
    def should_validate(self) -> bool:
        """Whether there is a scorecard."""
        return "scorecard" in self.inputs.get("validate", {})

    def validate(self) -> ToContext | ExitCode:
        """Judge the new model."""
        learned, codes = self.ctx.retrain.outputs, self.inputs.codes
        inputs = {
            **self.exposed_inputs(ValidateWorkChain, namespace="validate", agglomerate=False),
            "potential": learned.potential,
            "compiled": learned.compiled,
            "dataset": orm.load_node(self.ctx.dataset),
            "codes": {name: codes[name] for name in ("validate", "label", "lmp")},
            "engine": self.inputs.engine,
            "label": self.inputs.label,
            "batch_size": self.inputs.batch_size,
        }
        return self.begin("validate", validate=(ValidateWorkChain, inputs))

    def inspect_verdict(self) -> ExitCode | None:
        """Attach the verdict; a model that was rejected is a result."""
        if failure := self.failure("validate", self.ctx.validate):
            return failure
        self.out_many({port: self.ctx.validate.outputs[port] for port in JUDGED})
        return None

    def trajectories(self) -> dict[str, TrajectoryData]:
        """Return the runs by name."""
        given = self.inputs.get("runs", {})
        return {
            name: given[name] if name in given else self.ctx[f"run_{name}"].outputs.trajectory
            for name in sorted(self.inputs.cells)
        }

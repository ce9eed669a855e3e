"""``seireact.react``: the whole loop, from two materials to the phases between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, if_
from aiida.plugins import WorkflowFactory

from aiida_seireact.calculations.functions.frames import gather_failures, split_by_type
from aiida_seireact.calculations.functions.react import plan_references, summarise
from aiida_seireact.calculations.functions.structures import build_cells, sample_frames
from aiida_seireact.calculations.functions.training import make_dataset
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.aimd import md_engine
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.atoms import IsolatedAtomsWorkChain
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.codes import find_codes
from aiida_seireact.workchains.explore import ExploreWorkChain
from aiida_seireact.workchains.label import ASE_ENGINE, LabelWorkChain
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.react_inputs import define_inputs
from aiida_seireact.workchains.react_protocol import study_inputs
from aiida_seireact.workchains.train import TrainWorkChain

FIRST = "first"
OF_AUGMENTATION = ("augmentation", "selection")


class ReactWorkChain(ProtocolMixin, WorkChain):
    """Label → learn → explore → produce → recognise, for one interface; every number of the summary can be walked back.

    Outputs are those of the last model and its run; those of the model before augmentation lie under ``first``.
    """

    PROTOCOL_FILE: ClassVar[str] = "react.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        define_inputs(spec)

        spec.output("summary", valid_type=orm.Dict, help="Every number of the report.")
        spec.output("dataset", valid_type=DatasetData)
        spec.output("label_failures", valid_type=orm.Dict)
        spec.output("reference_plan", valid_type=orm.Dict)
        spec.expose_outputs(ExploreWorkChain, include=("campaigns", "gps"))
        spec.output("campaign_arrays", valid_type=orm.ArrayData, required=False, help="Uncertainties and canaries.")
        spec.output(f"{FIRST}.dataset", valid_type=DatasetData, required=False)
        for namespace in (None, FIRST):
            for stage in (TrainWorkChain, ProduceWorkChain, ClassifyWorkChain, AnalyseWorkChain):
                spec.expose_outputs(stage, namespace=namespace)
        spec.expose_outputs(AugmentWorkChain, include=OF_AUGMENTATION)
        for port in ("campaigns", "gps", FIRST, *OF_AUGMENTATION):
            spec.outputs[port].required = False
        spec.outline(
            cls.build_structures,
            cls.relax,
            cls.label,
            if_(cls.should_explore)(cls.explore),
            cls.collect_dataset,
            cls.train,
            cls.inspect_training,
            if_(cls.should_augment)(cls.augment, cls.inspect_augmentation),
            cls.produce,
            cls.classify,
            cls.analyse,
            cls.summarise,
        )
        spec.exit_code(250, "ERROR_STAGE_REFUSED", message="Stage {stage} can't be done with these inputs: {message}")
        spec.exit_code(460, "ERROR_STAGE_FAILED", message="Stage {stage} failed in {process} <{pk}>: {message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        codes: Mapping[str, orm.AbstractCode] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder of a study of Li | Li6PS5Cl | Li: ``fast`` ends in about twelve minutes on two cores.

        :param codes: programs by name; default: those of `aiida-seireact setup` on localhost.
        :param overrides: any value of the protocol, nested as there; ``calculator`` names the labeller for all;
            ``explore: null`` or ``augment: null`` leaves that stage out.
        """
        builder = cls.get_builder()
        builder.codes = dict(codes or find_codes())
        for name, value in study_inputs(cls.get_protocol_inputs(protocol, overrides), protocol).items():
            builder[name] = value
        builder.options = dict(options or {})
        return builder

    # ------------------------------------------------------------------ structures and labels
    def build_structures(self) -> ExitCode | None:
        """Build the cells that are not given."""
        cells, refusal = attempt(build_cells, self.inputs.structures, metadata={"call_link_label": "structures"})
        if refusal:
            return self.refused("structures", refusal)
        self.ctx.cells = {name: node.uuid for name, node in cells.items()}
        for given, built in (("training", "to_relax"), ("production", "production")):
            if given in self.inputs:
                self.ctx.cells[built] = self.inputs[given].uuid
        return None

    def cell(self, name: str) -> FramesData:
        """Return the shard of a cell."""
        return orm.load_node(self.ctx.cells[name])

    def by_labeller(self, label: str, frames: FramesData, parameters: orm.Dict) -> orm.ProcessNode:
        """Submit a relaxation or MD with the labeller itself."""
        return self.submit(
            AseLabelWorkChain,
            code=self.inputs.codes.label,
            frames=frames,
            parameters=parameters,
            options=dict(self.inputs.options),
            metadata={"call_link_label": label},
        )

    def md_of_labeller(self, label: str, frames: FramesData, parameters: orm.Dict) -> orm.ProcessNode:
        """Submit MD with the labelling engine, whichever it is: its frames are of the level of the other labels."""
        if self.inputs.engine.value == ASE_ENGINE:
            return self.by_labeller(label, frames, parameters)
        return self.submit(
            WorkflowFactory(md_engine(self.inputs.engine.value)),
            code=self.engine_code(),
            frames=frames,
            parameters=parameters,
            options=dict(self.inputs.options),
            metadata={"call_link_label": label},
        )

    def relax(self) -> ToContext:
        """Relax the training cells with the labeller."""
        self.report("relaxing the training cells")
        return ToContext(relax=self.by_labeller("relax", self.cell("to_relax"), self.inputs.relax))

    def label(self) -> ToContext | ExitCode:
        """Label the first training set; beside it, short MD of the labeller from the relaxed cells."""
        if failure := self.failure("relax", self.ctx.relax, whole=True):
            return failure
        relaxed = self.ctx.relax.outputs.frames
        sampled, refusal = attempt(sample_frames, relaxed, self.inputs.sampling, metadata={"call_link_label": "sample"})
        if refusal:
            return self.refused("sample", refusal)
        starts = split_by_type(relaxed, metadata={"call_link_label": "sample_starts"})
        self.ctx.starts = {name: node.uuid for name, node in starts.items()}
        children = {
            "label": self.submit(
                LabelWorkChain,
                frames=sampled,
                **self.labelling(),
                metadata={"call_link_label": "label"},
            )
        }
        for name, parameters in sorted(self.inputs.get("labeller_md", {}).items()):
            start = starts[name.rsplit("_", 1)[0]]
            children[f"label_md_{name}"] = self.md_of_labeller(f"label_md_{name}", start, parameters)
        self.ctx.label_children = sorted(children)
        if "isolated_atoms" in self.inputs:
            children["label_isolated_atoms"] = self.submit(
                IsolatedAtomsWorkChain,
                species=self.inputs.isolated_atoms,
                **self.labelling(),
                metadata={"call_link_label": "label_isolated_atoms"},
            )
        self.report(f"labelling {len(sampled)} frames" + f" and {len(children) - 1} short runs" * (len(children) > 1))
        return ToContext(**children)

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
            "options": dict(self.inputs.options),
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
        return ToContext(
            explore=self.submit(
                ExploreWorkChain,
                codes={"flare": self.inputs.codes.flare, "label": self.engine_code()},
                systems={name: orm.load_node(uuid) for name, uuid in self.ctx.starts.items()},
                labelled=self.ctx.label.outputs.frames,
                conditions=dict(self.inputs.conditions),
                limits=self.inputs.limits,
                **self.reference_energies(),
                engine=self.inputs.engine,
                label=self.inputs.label,
                batch_size=self.inputs.batch_size,
                options=dict(self.inputs.options),
                metadata={"call_link_label": "explore"},
            )
        )

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
        dataset, refusal = attempt(
            make_dataset, self.inputs.dataset, metadata={"call_link_label": "dataset"}, **self.labelled()
        )
        if refusal:
            return self.refused("dataset", refusal)
        self.ctx.dataset = dataset.uuid
        self.out(f"{FIRST}.dataset" if self.should_augment() else "dataset", dataset)
        return None

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

    # ------------------------------------------------------------------ first model
    def should_augment(self) -> bool:
        """Whether the first model is to learn from its own run."""
        return "augment" in self.inputs and "select" in self.inputs.augment

    def first(self) -> str | None:
        """Return the namespace of outputs of the first model: those of the last have none."""
        return FIRST if self.should_augment() else None

    def train(self) -> ToContext:
        """Train, test, package and compile."""
        dataset = orm.load_node(self.ctx.dataset)
        self.report(f"training on {len(dataset.frame_ids('train'))} of {len(dataset)} frames")
        return ToContext(
            train=self.submit(
                TrainWorkChain,
                dataset=dataset,
                code=self.inputs.codes.train,
                parameters=self.inputs.train,
                compile_code=self.inputs.codes.compile,
                compile=self.inputs.compile,
                **self.reference_energies(),
                options=dict(self.inputs.options),
                metadata={"call_link_label": "train"},
            )
        )

    def inspect_training(self) -> ExitCode | None:
        """Attach the first model."""
        if failure := self.failure("train", self.ctx.train):
            return failure
        self.out_many(self.exposed_outputs(self.ctx.train, TrainWorkChain, self.first(), agglomerate=False))
        return None

    def augment(self) -> ToContext:
        """Run the interface with the first model, and learn from what it did not know."""
        train, codes, settings = self.ctx.train.outputs, self.inputs.codes, self.inputs.augment
        self.report("running the interface with the first model, to learn from what it does not know")
        return ToContext(
            augment=self.submit(
                AugmentWorkChain,
                codes={
                    **{name: codes[name] for name in ("lmp", "select", "train", "compile")},
                    "label": self.engine_code(),
                },
                dataset=orm.load_node(self.ctx.dataset),
                potential=train.potential,
                compiled=train.compiled,
                reference_energies=train.reference_energies,
                cells={"production": self.cell("production"), "training": orm.load_node(self.ctx.starts["interface"])},
                md={"production": self.inputs.produce, "training": settings.md},
                gps=dict(self.ctx.explore.outputs.gps) if self.should_explore() else {},
                select=settings.select,
                extend=settings.extend,
                train=settings.train,
                compile=self.inputs.compile,
                engine=self.inputs.engine,
                label=self.inputs.label,
                batch_size=settings.batch_size,
                options=dict(self.inputs.options),
                metadata={"call_link_label": "augment"},
            )
        )

    def inspect_augmentation(self) -> ExitCode | None:
        """Attach the model that has learned from the run of the first."""
        if failure := self.failure("augment", self.ctx.augment):
            return failure
        augmented = self.ctx.augment.outputs
        self.out("dataset", augmented.dataset)
        self.out_many(self.exposed_outputs(self.ctx.augment, TrainWorkChain, agglomerate=False))
        self.out_many({name: augmented[name] for name in OF_AUGMENTATION})
        self.out(f"{FIRST}.trajectory", augmented.trajectories.production)
        self.ctx.dataset = augmented.dataset.uuid
        return None

    # ------------------------------------------------------------------ last model
    def model(self) -> Any:
        """Return the outputs of the training of the last model."""
        return (self.ctx.augment if self.should_augment() else self.ctx.train).outputs

    def produce(self) -> ToContext | ExitCode:
        """Run the interface with the last model; beside it the reference phases, by it where it is good enough."""
        plan, refusal = attempt(
            plan_references,
            self.model().metrics,
            self.inputs.references,
            metadata={"call_link_label": "references"},
        )
        if refusal:
            return self.refused("references", refusal)
        self.out("reference_plan", plan)
        children = {"produce": self.by_model("produce", self.cell("production"), self.inputs.produce)}
        for phase, decision in sorted(plan["phases"].items()):
            label, start = f"reference_{phase}", self.cell(f"reference_{phase}")
            if decision["source"] == "model":
                children[label] = self.by_model(label, start, self.inputs.reference_md)
            else:
                self.report(f"the labeller makes the reference of {phase}: the model is not good enough there")
                children[label] = self.by_labeller(label, start, self.inputs.reference_labeller_md)
        self.ctx.phases = sorted(plan["phases"])
        self.report("running the interface and the reference phases")
        return ToContext(**children)

    def by_model(self, label: str, structure: FramesData, parameters: orm.Dict) -> orm.ProcessNode:
        """Submit MD with the last model."""
        return self.submit(
            ProduceWorkChain,
            code=self.inputs.codes.lmp,
            structure=structure,
            potential=self.model().compiled,
            parameters=parameters,
            options=dict(self.inputs.options),
            metadata={"call_link_label": label},
        )

    def runs(self) -> dict[str, orm.Data]:
        """Return the trajectories of the interface, by the suffix of the processes that look at them."""
        runs = {"": self.ctx.produce.outputs.trajectory}
        if self.should_augment():
            runs[f"_{FIRST}"] = self.ctx.augment.outputs.trajectories.production
        return runs

    def classify(self) -> ToContext | ExitCode:
        """Recognise the phases along the runs of the interface."""
        if failure := self.failure("produce", self.ctx.produce):
            return failure
        references: dict[str, orm.Data] = {}
        for phase in self.ctx.phases:
            run = self.ctx[f"reference_{phase}"]
            if failure := self.failure("references", run, whole=True):
                return failure
            references[phase] = run.outputs.trajectory if "trajectory" in run.outputs else run.outputs.frames
        self.out_many(self.exposed_outputs(self.ctx.produce, ProduceWorkChain, agglomerate=False))
        children = {}
        for suffix, trajectory in self.runs().items():
            if (stopped := trajectory.base.attributes.get("stopped_by")) is not None:
                self.report(f"the stop rule ended a run of the interface: {stopped['message']}; what ran is classified")
            children[f"classify{suffix}"] = self.submit(
                ClassifyWorkChain,
                code=self.inputs.codes.classify,
                trajectory=trajectory,
                references=references,
                parameters=self.inputs.classify,
                options=dict(self.inputs.options),
                metadata={"call_link_label": f"classify{suffix}"},
            )
        return ToContext(**children)

    def analyse(self) -> ToContext | ExitCode:
        """Follow PS4, thickness, distances and distribution functions along the runs of the interface."""
        children = {}
        for suffix, trajectory in self.runs().items():
            classified = self.ctx[f"classify{suffix}"]
            if failure := self.failure("classify", classified):
                return failure
            self.out_many(self.exposed_outputs(classified, ClassifyWorkChain, suffix[1:] or None, agglomerate=False))
            children[f"analyse{suffix}"] = self.submit(
                AnalyseWorkChain,
                code=self.inputs.codes.analyse,
                trajectory=trajectory,
                labels=classified.outputs.labels,
                parameters=self.inputs.analyse,
                options=dict(self.inputs.options),
                metadata={"call_link_label": f"analyse{suffix}"},
            )
        return ToContext(**children)

    def summarise(self) -> ExitCode | None:
        """Gather the numbers of the report in one node."""
        for suffix in self.runs():
            if failure := self.failure("analyse", self.ctx[f"analyse{suffix}"]):
                return failure
            outputs = self.exposed_outputs(
                self.ctx[f"analyse{suffix}"], AnalyseWorkChain, suffix[1:] or None, agglomerate=False
            )
            self.out_many(outputs)
        model = self.model()
        numbers = {
            "dataset": orm.load_node(self.ctx.dataset),
            "metrics": model.metrics,
            "potential": model.potential,
            "trajectory": self.ctx.produce.outputs.trajectory,
            "classification": self.ctx.classify.outputs.classification,
            "analysis": self.ctx.analyse.outputs.analysis,
        }
        if self.should_explore():
            numbers["campaigns"] = self.ctx.explore.outputs.campaigns
        if self.should_augment():
            numbers["augmentation"] = model.augmentation
            numbers["first_metrics"] = self.ctx.train.outputs.metrics
            numbers["first_potential"] = self.ctx.train.outputs.potential
            numbers["first_trajectory"] = model.trajectories.production
            numbers["first_classification"] = self.ctx[f"classify_{FIRST}"].outputs.classification
            numbers["first_analysis"] = self.ctx[f"analyse_{FIRST}"].outputs.analysis
        summary, refusal = attempt(
            summarise, self.inputs.label, metadata={"call_link_label": "summary"}, **numbers, **self.labelled()
        )
        if refusal:
            return self.refused("summary", refusal)
        self.out("summary", summary)
        return None

    def refused(self, stage: str, refusal: str) -> ExitCode:
        """Return the exit code of a stage whose calcfunction refused its input."""
        return self.exit_codes.ERROR_STAGE_REFUSED.format(stage=stage, message=refusal)

    def failure(self, stage: str, child: orm.ProcessNode, *, whole: bool = False) -> ExitCode | None:
        """Return the exit code that tells why a stage failed, or None if it did not.

        :param whole: a frame that failed fails the stage, since all that follows stands on it.
        """
        if child.is_finished_ok:
            lost = child.outputs.failures["failures"] if whole and "failures" in child.outputs else []
            if not lost:
                return None
            reason = f"frame {lost[0]['index']}: {lost[0]['reason']}"
        else:
            reason = child.exit_message or f"it was {child.process_state.value}"
        return self.exit_codes.ERROR_STAGE_FAILED.format(
            stage=stage, process=child.process_label, pk=child.pk, message=reason
        )

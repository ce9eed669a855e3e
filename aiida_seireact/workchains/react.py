"""``seireact.react``: the whole loop, from two materials to the phases between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_

from aiida_seireact.calculations.functions.react import plan_references, summarise
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.augment_round import JUDGED
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.codes import find_codes
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.react_closing import ClosingStudy
from aiida_seireact.workchains.react_first import FIRST
from aiida_seireact.workchains.react_protocol import study_inputs
from aiida_seireact.workchains.stages import Child
from aiida_seireact.workchains.start import START_NOT_SAFE, sentences_of
from aiida_seireact.workchains.train import TrainWorkChain

OF_AUGMENTATION = ("augmentation", "selection", "rounds")


class ReactWorkChain(ProtocolMixin, ClosingStudy):
    """Label → learn → explore → produce → recognise, for one interface; every number of the summary can be walked back.

    It begins with `seireact.sample`, or with a dataset that is there already. Outputs are those of the last model and
    its run; those of the model before augmentation lie under ``first``.
    """

    PROTOCOL_FILE: ClassVar[str] = "react.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.output("summary", valid_type=orm.Dict, help="Every number of the report.")
        spec.output("reference_plan", valid_type=orm.Dict)
        for namespace in (None, FIRST):
            for stage in (TrainWorkChain, ClassifyWorkChain, AnalyseWorkChain):
                spec.expose_outputs(stage, namespace=namespace)
        spec.expose_outputs(ProduceWorkChain)
        # All that the augmentation hands up of its run; a required `ledger` there would fail every study.
        spec.expose_outputs(ProduceWorkChain, namespace=FIRST, include=("trajectory",))
        spec.expose_outputs(AugmentWorkChain, include=OF_AUGMENTATION)
        for port in (FIRST, *OF_AUGMENTATION):
            spec.outputs[port].required = False
        spec.outline(
            cls.build_structures,
            if_(cls.should_sample)(cls.sample, cls.inspect_sample),
            cls.label,
            if_(cls.should_explore)(cls.explore),
            cls.collect_dataset,
            cls.train,
            cls.inspect_training,
            if_(cls.should_look_at_model)(cls.look_at_model, cls.inspect_verdict),
            if_(cls.should_augment)(cls.inspect_augmentation),
            cls.inspect_model,
            cls.produce,
            cls.classify,
            cls.analyse,
            cls.inspect_analysis,
            if_(cls.should_close_loop)(cls.close_loop, cls.inspect_loop),
            cls.summarise,
        )
        spec.exit_code(START_NOT_SAFE, "ERROR_START_NOT_SAFE", message="No safe start for a long run: {message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        codes: Mapping[str, orm.AbstractCode] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder of a study of Li | Li6PS5Cl | Li: ``fast`` ends in about fourteen minutes on two cores,
        ``careful`` has a safe start before its production run.

        :param codes: programs by name; default: those of `aiida-seireact setup` on localhost.
        :param overrides: any value of the protocol, nested as there; ``calculator`` names the labeller for all;
            ``explore: null`` or ``augment: null`` leaves that stage out; ``close_loop: {}`` learns what is unknown in
            the production run and makes it again.
        """
        builder = cls.get_builder()
        builder.codes = dict(codes or find_codes())
        for name, value in study_inputs(cls.get_protocol_inputs(protocol, overrides)).items():
            builder[name] = value
        builder.options = dict(options or {})
        return builder

    # ------------------------------------------------------------------ first model
    def first(self) -> str | None:
        """Return the namespace of outputs of the first model: those of the last have none."""
        return FIRST if self.should_augment() else None

    def train(self) -> ToContext | ExitCode:
        """Train, test, package and compile."""
        dataset = orm.load_node(self.ctx.dataset)
        self.report(f"training on {len(dataset.frame_ids('train'))} of {len(dataset)} frames")
        inputs = {
            "dataset": dataset,
            "code": self.inputs.codes.train,
            "parameters": self.inputs.train,
            "compile_code": self.inputs.codes.compile,
            "compile": self.inputs.compile,
            **self.reference_energies(),
        }
        return self.begin("train", train=(TrainWorkChain, inputs))

    def inspect_training(self) -> ExitCode | None:
        """Attach the first model."""
        if failure := self.failure("train", self.ctx.train):
            return failure
        self.out_many(self.exposed_outputs(self.ctx.train, TrainWorkChain, self.first(), agglomerate=False))
        return None

    def look_at_model(self) -> ToContext | ExitCode:
        """Judge the first model and, beside that, run the interface with it to learn from what it did not know."""
        children = {}
        if self.should_validate():
            children["validate"] = self.validation()
        if self.should_augment():
            self.report("running the interface with the first model, to learn from what it does not know")
            children["augment"] = AugmentWorkChain, self.augmentation()
        return self.begin("augment" if self.should_augment() else "validate", **children)

    def inspect_augmentation(self) -> ExitCode | None:
        """Attach the model that has learned from the run of the first."""
        if failure := self.failure("augment", self.ctx.augment):
            return failure
        augmented = self.ctx.augment.outputs
        self.out("dataset", augmented.dataset)
        self.out_many(self.exposed_outputs(self.ctx.augment, TrainWorkChain, agglomerate=False))
        self.out_many({name: augmented[name] for name in OF_AUGMENTATION})
        self.out_many({name: augmented[name] for name in JUDGED if name in augmented})
        self.out(f"{FIRST}.trajectory", augmented.trajectories.production)
        self.ctx.dataset = augmented.dataset.uuid
        return None

    # ------------------------------------------------------------------ last model
    def produce(self) -> ToContext | ExitCode:
        """Run the interface with the last model; beside it the reference phases, by it where it is good enough."""
        verdict = self.verdict()
        plan, refusal = attempt(
            plan_references,
            self.model().metrics,
            self.inputs.references,
            metadata={"call_link_label": "references"},
            **({} if verdict is None else {"verdict": verdict}),
        )
        if refusal:
            return self.refused("references", refusal)
        self.out("reference_plan", plan)
        start = {"start": self.inputs.start} if "start" in self.inputs else {}
        children = {"produce": self.by_model(self.cell("production"), self.inputs.produce, **start)}
        for phase, decision in sorted(plan["phases"].items()):
            label, crystal = f"reference_{phase}", self.cell(f"reference_{phase}")
            if decision["source"] == "model":
                children[label] = self.by_model(crystal, self.inputs.reference_md)
            else:
                why = decision["md_failed"] or "the model's error is too large there, or you decided so"
                self.report(f"the labeller makes the reference of {phase}: {why}")
                children[label] = self.by_labeller(crystal, self.inputs.reference_labeller_md)
        self.ctx.phases = sorted(plan["phases"])
        self.report("running the interface and the reference phases")
        return self.begin("produce", **children)

    def by_model(self, structure: FramesData, parameters: orm.Dict, **start: Any) -> Child:
        """Return MD with the last model, to be submitted."""
        inputs = {"code": self.inputs.codes.lmp, "structure": structure, "potential": self.model().compiled}
        return ProduceWorkChain, {**inputs, **self.judged(), "parameters": parameters, **start}

    def runs(self) -> dict[str, orm.Data]:
        """Return the trajectories of the interface, by the suffix of the processes that look at them."""
        runs = {"": self.ctx.produce.outputs.trajectory}
        if self.should_augment():
            runs[f"_{FIRST}"] = self.ctx.augment.outputs.trajectories.production
        return runs

    def classify(self) -> ToContext | ExitCode:
        """Recognise the phases along the runs of the interface."""
        self.out_many(self.exposed_outputs(self.ctx.produce, ProduceWorkChain, agglomerate=False))
        if self.ctx.produce.exit_status == START_NOT_SAFE:
            return self.exit_codes.ERROR_START_NOT_SAFE.format(message=sentences_of(self.ctx.produce))
        if failure := self.failure("produce", self.ctx.produce):
            return failure
        references: dict[str, orm.Data] = {}
        for phase in self.ctx.phases:
            run = self.ctx[f"reference_{phase}"]
            if failure := self.failure("references", run, whole=True):
                return failure
            references[phase] = run.outputs.trajectory if "trajectory" in run.outputs else run.outputs.frames
        children: dict[str, Child] = {}
        for suffix, trajectory in self.runs().items():
            if (stopped := trajectory.base.attributes.get("stopped_by")) is not None:
                self.report(f"the stop rule ended a run of the interface: {stopped['message']}; what ran is classified")
            children[f"classify{suffix}"] = (
                ClassifyWorkChain,
                {
                    "code": self.inputs.codes.classify,
                    "trajectory": trajectory,
                    "references": references,
                    "parameters": self.inputs.classify,
                },
            )
        return self.begin("classify", **children)

    def analyse(self) -> ToContext | ExitCode:
        """Follow PS4, thickness, distances and distribution functions along the runs of the interface."""
        children = {}
        for suffix, trajectory in self.runs().items():
            classified = self.ctx[f"classify{suffix}"]
            if failure := self.failure("classify", classified):
                return failure
            self.out_many(self.exposed_outputs(classified, ClassifyWorkChain, suffix[1:] or None, agglomerate=False))
            children[f"analyse{suffix}"] = (
                AnalyseWorkChain,
                {
                    "code": self.inputs.codes.analyse,
                    "trajectory": trajectory,
                    "labels": classified.outputs.labels,
                    "parameters": self.inputs.analyse,
                },
            )
        return self.begin("analyse", **children)

    def inspect_analysis(self) -> ExitCode | None:
        """Attach what was found along the runs."""
        for suffix in self.runs():
            if failure := self.failure("analyse", self.ctx[f"analyse{suffix}"]):
                return failure
            outputs = self.exposed_outputs(
                self.ctx[f"analyse{suffix}"], AnalyseWorkChain, suffix[1:] or None, agglomerate=False
            )
            self.out_many(outputs)
        return None

    def summarise(self) -> ExitCode | None:
        """Gather the numbers of the report in one node; a loop that could not be closed takes none of them away."""
        model = self.model()
        numbers = {
            "dataset": orm.load_node(self.ctx.dataset),
            "metrics": model.metrics,
            "potential": model.potential,
            "trajectory": self.ctx.produce.outputs.trajectory,
            "classification": self.ctx.classify.outputs.classification,
            "analysis": self.ctx.analyse.outputs.analysis,
        }
        if (verdict := self.verdict()) is not None:
            numbers["verdict"] = verdict
            if self.should_augment():
                numbers["first_verdict"] = self.ctx.validate.outputs.verdict
        if self.should_explore():
            numbers["campaigns"] = self.ctx.explore.outputs.campaigns
        if self.should_augment():
            numbers["augmentation"] = model.augmentation
            numbers["first_metrics"] = self.ctx.train.outputs.metrics
            numbers["first_potential"] = self.ctx.train.outputs.potential
            numbers["first_trajectory"] = model.trajectories.production
            numbers["first_classification"] = self.ctx[f"classify_{FIRST}"].outputs.classification
            numbers["first_analysis"] = self.ctx[f"analyse_{FIRST}"].outputs.analysis
        if (comparison := self.comparison()) is not None:
            numbers["closed"] = comparison
        summary, refusal = attempt(
            summarise, self.inputs.label, metadata={"call_link_label": "summary"}, **numbers, **self.labelled()
        )
        if refusal:
            return self.refused("summary", refusal)
        self.out("summary", summary)
        return self.loop_failure()

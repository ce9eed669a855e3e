"""``seireact.react``: the whole loop, from two materials to the phases between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain

from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.calculations.functions.frames import gather_failures, split_by_type
from aiida_seireact.calculations.functions.react import plan_references, summarise
from aiida_seireact.calculations.functions.structures import build_cells, sample_frames
from aiida_seireact.calculations.functions.training import make_dataset
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.analyse import AnalyseWorkChain
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.codes import PROGRAMS, find_codes
from aiida_seireact.workchains.label import LabelWorkChain, validate_engine
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin, merge
from aiida_seireact.workchains.react_inputs import SETTINGS, validate_batch_size, validate_runs, validate_study
from aiida_seireact.workchains.train import TrainWorkChain


class ReactWorkChain(ProtocolMixin, WorkChain):
    """Label → learn → produce → recognise, for one interface; every number of the summary can be walked back."""

    PROTOCOL_FILE: ClassVar[str] = "react.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input_namespace("codes", help="One code for each program; `aiida-seireact setup` makes them.")
        for program in PROGRAMS:
            spec.input(f"codes.{program}", valid_type=orm.AbstractCode, help=f"The program seireact-{program}.")
        for name, (check, text) in SETTINGS.items():
            spec.input(name, valid_type=orm.Dict, validator=check, help=text)
        spec.input_namespace(
            "labeller_md",
            valid_type=orm.Dict,
            dynamic=True,
            validator=validate_runs,
            help="Short MD of the labeller, one job for each; named `<config type>_<anything>` after the relaxed cell "
            "it starts from.",
        )
        spec.input(
            "isolated_atoms",
            valid_type=orm.Dict,
            validator=AseCalculation.spec().inputs["parameters"].validator,
            required=False,
            help="Job of `seireact-label` that computes isolated atoms, for the reference energies of training; "
            "without it they are fitted to the data, and the model's card says so.",
        )
        spec.input(
            "engine",
            valid_type=orm.Str,
            validator=validate_engine,
            help="Labelling engine, an entry point `seireact.label.<name>`.",
        )
        spec.input("batch_size", valid_type=orm.Int, validator=validate_batch_size, help="Frames a label job.")
        spec.input(
            "production",
            valid_type=FramesData,
            required=False,
            help="Your own production cell; else it is built.",
        )
        spec.input(
            "training",
            valid_type=FramesData,
            required=False,
            help="Your own cells to relax and to train on: one "
            "frame of type `interface`, then one of the electrolyte; else they are built.",
        )
        spec.input("options", valid_type=dict, non_db=True, default=dict, help="Scheduler options of each job.")

        spec.inputs.validator = validate_study
        spec.output("summary", valid_type=orm.Dict, help="Every number of the report.")
        spec.output("dataset", valid_type=DatasetData)
        spec.output("label_failures", valid_type=orm.Dict)
        spec.output("reference_plan", valid_type=orm.Dict)
        spec.expose_outputs(TrainWorkChain)
        spec.expose_outputs(ProduceWorkChain)
        spec.expose_outputs(ClassifyWorkChain)
        spec.expose_outputs(AnalyseWorkChain)
        spec.outline(
            cls.build_structures,
            cls.relax,
            cls.label,
            cls.collect_dataset,
            cls.train,
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
        """Return a builder of a study of Li | Li6PS5Cl | Li: ``fast`` ends in about ten minutes on two cores.

        :param codes: programs by name; default: those of `aiida-seireact setup` on localhost.
        :param overrides: any value of the protocol, nested as there; ``calculator`` names the labeller for all.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        stages = {
            "train": (TrainWorkChain, "parameters"),
            "compile": (TrainWorkChain, "compile"),
            "produce": (ProduceWorkChain, "parameters"),
            "reference_md": (ProduceWorkChain, "parameters"),
            "classify": (ClassifyWorkChain, "parameters"),
            "analyse": (AnalyseWorkChain, "parameters"),
        }
        for name, (workchain, key) in stages.items():
            inputs[name] = merge(workchain.get_protocol_inputs(protocol)[key], inputs[name])
        calculator = inputs.pop("calculator")
        if isinstance(calculator, str):
            calculator = {"name": calculator}
        for name in ("label", "relax", "reference_labeller_md"):
            inputs[name] = merge({"calculator": calculator}, inputs[name])
        isolated_atoms = inputs.pop("isolated_atoms")
        builder = cls.get_builder()
        if isolated_atoms is not None:
            builder.isolated_atoms = orm.Dict(merge({"calculator": calculator}, isolated_atoms))
        builder.codes = dict(codes or find_codes())
        builder.engine = orm.Str(inputs["engine"])
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.labeller_md = {
            name: orm.Dict(merge({"calculator": calculator}, run)) for name, run in inputs["labeller_md"].items()
        }
        for name in SETTINGS:
            builder[name] = orm.Dict(inputs[name])
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

    def by_labeller(self, label: str, frames: FramesData | None, parameters: orm.Dict) -> orm.ProcessNode:
        """Submit a relaxation, MD, or isolated atoms with the labeller itself."""
        start = {} if frames is None else {"frames": frames}
        return self.submit(
            AseLabelWorkChain,
            code=self.inputs.codes.label,
            **start,
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
        children = {
            "label": self.submit(
                LabelWorkChain,
                frames=sampled,
                code=self.inputs.codes.label,
                engine=self.inputs.engine,
                parameters=self.inputs.label,
                batch_size=self.inputs.batch_size,
                options=dict(self.inputs.options),
                metadata={"call_link_label": "label"},
            )
        }
        for name, parameters in sorted(self.inputs.labeller_md.items()):
            start = starts[name.rsplit("_", 1)[0]]
            children[f"label_md_{name}"] = self.by_labeller(f"label_md_{name}", start, parameters)
        self.ctx.label_children = sorted(children)
        if "isolated_atoms" in self.inputs:
            children["label_isolated_atoms"] = self.by_labeller(
                "label_isolated_atoms", None, self.inputs.isolated_atoms
            )
        self.report(f"labelling {len(sampled)} frames and {len(children) - 1} short runs")
        return ToContext(**children)

    def collect_dataset(self) -> ExitCode | None:
        """Choose and split the labelled frames."""
        atoms = ["label_isolated_atoms"] if "isolated_atoms" in self.inputs else []
        for name in [*self.ctx.label_children, *atoms]:
            if failure := self.failure("label", self.ctx[name]):
                return failure
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
        self.out("dataset", dataset)
        return None

    def labelled(self) -> dict[str, FramesData]:
        """Return the labelled shards by the name of their child."""
        return {name: self.ctx[name].outputs.frames for name in self.ctx.label_children}

    # ------------------------------------------------------------------ model
    def train(self) -> ToContext:
        """Train, test, package and compile."""
        dataset = orm.load_node(self.ctx.dataset)
        energies = {}
        if "isolated_atoms" in self.inputs:
            energies["reference_energies"] = self.ctx.label_isolated_atoms.outputs.isolated_atoms
        self.report(f"training on {len(dataset.frame_ids('train'))} of {len(dataset)} frames")
        return ToContext(
            train=self.submit(
                TrainWorkChain,
                dataset=dataset,
                code=self.inputs.codes.train,
                parameters=self.inputs.train,
                compile_code=self.inputs.codes.compile,
                compile=self.inputs.compile,
                **energies,
                options=dict(self.inputs.options),
                metadata={"call_link_label": "train"},
            )
        )

    # ------------------------------------------------------------------ runs
    def produce(self) -> ToContext | ExitCode:
        """Run the interface; beside it the reference phases, by the model where it is good enough."""
        if failure := self.failure("train", self.ctx.train):
            return failure
        self.out_many(self.exposed_outputs(self.ctx.train, TrainWorkChain))
        plan, refusal = attempt(
            plan_references,
            self.ctx.train.outputs.metrics,
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
        """Submit MD with the trained model."""
        return self.submit(
            ProduceWorkChain,
            code=self.inputs.codes.lmp,
            structure=structure,
            potential=self.ctx.train.outputs.compiled,
            parameters=parameters,
            options=dict(self.inputs.options),
            metadata={"call_link_label": label},
        )

    def classify(self) -> ToContext | ExitCode:
        """Recognise the phases along the production run."""
        if failure := self.failure("produce", self.ctx.produce):
            return failure
        references: dict[str, orm.Data] = {}
        for phase in self.ctx.phases:
            run = self.ctx[f"reference_{phase}"]
            if failure := self.failure("references", run, whole=True):
                return failure
            references[phase] = run.outputs.trajectory if "trajectory" in run.outputs else run.outputs.frames
        self.out_many(self.exposed_outputs(self.ctx.produce, ProduceWorkChain))
        if (stopped := self.ctx.produce.outputs.trajectory.base.attributes.get("stopped_by")) is not None:
            self.report(f"the stop rule ended the production run: {stopped['message']}; what ran is classified")
        return ToContext(
            classify=self.submit(
                ClassifyWorkChain,
                code=self.inputs.codes.classify,
                trajectory=self.ctx.produce.outputs.trajectory,
                references=references,
                parameters=self.inputs.classify,
                options=dict(self.inputs.options),
                metadata={"call_link_label": "classify"},
            )
        )

    def analyse(self) -> ToContext | ExitCode:
        """Follow PS4, thickness, distances and distribution functions along the production run."""
        if failure := self.failure("classify", self.ctx.classify):
            return failure
        self.out_many(self.exposed_outputs(self.ctx.classify, ClassifyWorkChain))
        return ToContext(
            analyse=self.submit(
                AnalyseWorkChain,
                code=self.inputs.codes.analyse,
                trajectory=self.ctx.produce.outputs.trajectory,
                labels=self.ctx.classify.outputs.labels,
                parameters=self.inputs.analyse,
                options=dict(self.inputs.options),
                metadata={"call_link_label": "analyse"},
            )
        )

    def summarise(self) -> ExitCode | None:
        """Gather the numbers of the report in one node."""
        if failure := self.failure("analyse", self.ctx.analyse):
            return failure
        self.out_many(self.exposed_outputs(self.ctx.analyse, AnalyseWorkChain))
        train = self.ctx.train.outputs
        summary, refusal = attempt(
            summarise,
            self.inputs.label,
            orm.load_node(self.ctx.dataset),
            train.metrics,
            train.potential,
            self.ctx.produce.outputs.trajectory,
            self.ctx.classify.outputs.classification,
            self.ctx.analyse.outputs.analysis,
            metadata={"call_link_label": "summary"},
            **self.labelled(),
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

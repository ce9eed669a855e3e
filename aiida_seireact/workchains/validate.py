"""``seireact.validate``: a scorecard for one model; what its lines ask for is labelled, run, measured and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext

from aiida_seireact.calculations.functions.validate import CELL, HANDED_IN, MD, judge, library_phases, plan_validation
from aiida_seireact.calculations.validate import validate_dataset
from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.verdict import REJECTED
from aiida_seireact.workchains.aimd import AimdWorkChain
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.evaluate import EvaluateWorkChain
from aiida_seireact.workchains.label import LabelWorkChain, validate_batch_size, validate_engine
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin, merge
from aiida_seireact.workchains.stages import Child, StagedWorkChain
from aiida_seireact.workchains.validate_builder import LABELLER, fill
from aiida_seireact.workchains.validate_checks import in_library, validate_lines, validate_scorecard

LABEL, RUN, REFERENCE = "label", "run_", "labeller_"
PLANNED_FROM = ("scorecard", "evaluate", "phases", "md", "label", "engine")


class ValidateWorkChain(ProtocolMixin, StagedWorkChain):
    """Judges a model by a scorecard; the verdict is what a long run asks for.

    The cells that the lines ask for are labelled once for all models, by the labeller of the dataset. A model that
    fails a line is a result, not a failure of this process.
    """

    PROTOCOL_FILE: ClassVar[str] = "validate.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "potential", valid_type=PotentialData, help="The model: package, compiled file, or Gaussian process."
        )
        spec.input(
            "compiled",
            valid_type=PotentialData,
            required=False,
            help="The same model for LAMMPS; needed where a line runs MD.",
        )
        spec.input(
            "scorecard",
            valid_type=orm.Dict,
            validator=validate_scorecard,
            help="`name` and `lines`, each a test with its parameters, a `target` and `why`.",
        )
        spec.input(
            "dataset",
            valid_type=DatasetData,
            required=False,
            validator=validate_dataset,
            help="What the model has learned from; its test frames are held out. The labels must be of its level.",
        )
        spec.input(
            "phases",
            valid_type=FramesData,
            required=False,
            help="A cell a phase, its name as config type; left out: those of the library.",
        )
        spec.input_namespace(
            "runs",
            valid_type=(TrajectoryData, FramesData),
            dynamic=True,
            required=False,
            help="Runs of this model that exist, by the names that the lines ask for: they are looked at instead of "
            "new ones.",
        )
        spec.input_namespace("codes", help="`validate`; `label` and `lmp` where lines need labels and MD.")
        for program in ("validate", "label", "lmp"):
            spec.input(
                f"codes.{program}",
                valid_type=orm.AbstractCode,
                required=program == "validate",
                help=f"The program seireact-{program}.",
            )
        spec.input(
            "engine",
            valid_type=orm.Str,
            validator=validate_engine,
            default=lambda: orm.Str("seireact.label.ase"),
            help="Labelling engine.",
        )
        spec.input("label", valid_type=orm.Dict, required=False, help="Settings of the labels: those of the dataset.")
        spec.input(
            "batch_size",
            valid_type=orm.Int,
            validator=validate_batch_size,
            default=lambda: orm.Int(200),
            help="Frames a label job.",
        )
        spec.input(
            "md", valid_type=orm.Dict, required=False, help="Settings of a segment of MD, beside what a line asks for."
        )
        spec.input("evaluate", valid_type=orm.Dict, default=lambda: orm.Dict({}), help="`device` and `num_threads`.")
        spec.inputs.validator = validate_lines
        spec.output("verdict", valid_type=orm.Dict, help="`production` or `rejected`, and each line with its number.")
        spec.output("scores", valid_type=orm.Dict, help="By line, each number with its unit, reference and frames.")
        spec.output(
            "predictions", valid_type=orm.ArrayData, help="Predictions beside references, a row for each frame."
        )
        spec.output(
            "frames", valid_type=FramesData, required=False, help="The cells that the lines asked for, labelled."
        )
        spec.output_namespace("trajectories", valid_type=TrajectoryData, dynamic=True, help="The runs made here.")
        spec.outline(cls.plan, cls.prepare, cls.inspect, cls.evaluate, cls.judge)
        spec.exit_code(
            251,
            "ERROR_OTHER_LEVEL",
            message="The labels of <{pk}> are of level {own}, the {others} of {other}: give the settings of the "
            "labeller of the dataset, by the same versions.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        potential: PotentialData,
        compiled: PotentialData | None = None,
        dataset: DatasetData | None = None,
        phases: FramesData | None = None,
        runs: Mapping[str, TrajectoryData] | None = None,
        codes: Mapping[str, orm.AbstractCode] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` asks what a model of a few minutes can answer, ``paper`` what the paper asks.

        The labeller is that of the dataset, if it has labelled in this profile, else that of the protocol's level.

        :param runs: of this model, looked at in place of new ones.
        :param overrides: of any value, ``level``, ``engine`` and ``label`` among them; a line that is null under
            ``scorecard.lines`` is left out.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        nodes = {"potential": potential, "compiled": compiled, "dataset": dataset, "phases": phases}
        return fill(
            cls.get_builder(),
            inputs,
            nodes,
            runs=runs or {},
            codes=codes or {},
            options=options or {},
            own_level=bool({"level", *LABELLER} & set(overrides or {})),
        )

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol with ``overrides`` laid over them; the level is one of `LabelWorkChain`.

        :raises ValueError: no such protocol; an override of a key that does not exist at the top.
        """
        changes = dict(overrides or {})
        own: dict[str, Any] = {name: changes.pop(name) for name in LABELLER if name in changes}
        inputs = super().get_protocol_inputs(protocol, changes)
        labels = LabelWorkChain.get_protocol_inputs(inputs.pop("level"))
        level = {"engine": labels["engine"], "label": labels["parameters"], "batch_size": labels["batch_size"]}
        md = merge(ProduceWorkChain.get_protocol_inputs("fast")["parameters"], inputs["md"])
        if changes.get("scorecard") and "name" not in changes["scorecard"]:
            # The verdict bears the name: nobody shall take it for that of the protocol.
            inputs["scorecard"]["name"] += ", changed"
        return {**inputs, **level, **own, "md": md}

    # ------------------------------------------------------------------ what the lines ask for
    def plan(self) -> ExitCode | None:
        """Work out which cells and runs the lines need."""
        inputs: dict[str, Any] = {name: self.inputs[name] for name in PLANNED_FROM if name in self.inputs}
        if "phases" not in inputs and in_library(self.inputs.potential.species):
            inputs["phases"] = library_phases(self.inputs.potential, metadata={"call_link_label": "phases"})
        runs = {f"{HANDED_IN}{name}": run for name, run in self.inputs.get("runs", {}).items()}
        planned, refusal = attempt(plan_validation, **inputs, **runs, metadata={"call_link_label": "plan"})
        if refusal:
            return self.refused("plan", refusal)
        self.ctx.phases = inputs["phases"].uuid if "phases" in inputs else ""
        self.ctx.planned = {name: node.uuid for name, node in planned.items()}
        return None

    def prepare(self) -> ToContext | ExitCode | None:
        """Label the cells and make the runs, side by side."""
        children: dict[str, Child] = {}
        if "frames" in self.ctx.planned:
            inputs = {"parameters": self.inputs.label, "batch_size": self.inputs.batch_size}
            children[LABEL] = (LabelWorkChain, {**self.labeller(), **inputs, "frames": self.planned("frames")})
        for name, run in self.runs_asked().items():
            if name not in self.inputs.get("runs", {}):
                children[run_label(name, run)] = self.run_of(name, run)
        self.report(f"to prepare: {', '.join(sorted(children)) or 'nothing'}")
        return self.begin("prepare", **children) if children else None

    def run_of(self, name: str, run: Mapping[str, Any]) -> Child:
        """Return the process that makes a run."""
        cell, parameters = self.planned(f"{CELL}{name}"), self.planned(f"{MD}{name}")
        if run["by"] == "labeller":
            own = {"engine": self.planned("md_engine"), "frames": cell, "parameters": parameters}
            return AimdWorkChain, {**self.labeller(), **own}
        model = {"potential": self.inputs.compiled, "code": self.inputs.codes.lmp}
        return ProduceWorkChain, {**model, "structure": cell, "parameters": parameters, "unjudged": True}

    def inspect(self) -> ExitCode | None:
        """Refuse what is not whole, and labels of another level of theory."""
        labels = [name for name in self.ctx if name == LABEL or name.startswith(REFERENCE)]
        for name in sorted([*labels, *(name for name in self.ctx if name.startswith(RUN))]):
            if failure := self.failure(name, self.ctx[name], whole=name in labels):
                return failure
        if failure := self.other_level(labels):
            return failure
        if LABEL in labels:
            self.out("frames", self.ctx[LABEL].outputs.frames)
        return None

    def other_level(self, labels: Sequence[str]) -> ExitCode | None:
        """Refuse labels of another level of theory than the dataset's, or without one, than each other's."""
        level = self.inputs.dataset.settings_hash if "dataset" in self.inputs else None
        others = "other labels are" if level is None else "dataset is"
        pairs = [(self.ctx[name], self.ctx[name].outputs.frames) for name in labels]
        pairs += [(run, run) for run in self.inputs.get("runs", {}).values() if isinstance(run, FramesData)]
        for node, frames in pairs:
            own = str(frames.base.attributes.get("settings_hash", "") or "unknown")
            level = level or own
            if own != level:
                told = {"pk": node.pk, "own": own[:12], "others": others, "other": level[:12]}
                return self.exit_codes.ERROR_OTHER_LEVEL.format(**told)
        return None

    # ------------------------------------------------------------------ and what came of it
    def evaluate(self) -> ToContext | ExitCode:
        """Measure every line."""
        runs = dict(self.inputs.get("runs", {}))
        for name, run in self.runs_asked().items():
            if name not in runs:
                found = self.ctx[run_label(name, run)].outputs
                runs[name] = found.frames if run["by"] == "labeller" else found.trajectory
                if run["by"] == "model":
                    self.out(f"trajectories.{name}", runs[name])
        inputs: dict[str, Any] = {
            "code": self.inputs.codes.validate,
            "potential": self.inputs.potential,
            "parameters": self.planned("parameters"),
            "runs": runs,
        }
        if "dataset" in self.inputs:
            inputs["dataset"] = self.inputs.dataset
        if self.ctx.phases:
            inputs["phases"] = orm.load_node(self.ctx.phases)
        if LABEL in self.ctx:
            inputs["labelled"] = self.ctx[LABEL].outputs.frames
        return self.begin("evaluate", evaluate=(EvaluateWorkChain, inputs))

    def judge(self) -> ExitCode | None:
        """Hold the numbers against the targets."""
        if failure := self.failure("evaluate", self.ctx.evaluate):
            return failure
        found = self.ctx.evaluate.outputs
        self.out("scores", found.scores)
        self.out("predictions", found.predictions)
        inputs = {"scorecard": self.inputs.scorecard, "scores": found.scores, "potential": self.inputs.potential}
        if "dataset" in self.inputs:
            inputs["dataset"] = self.inputs.dataset
        verdict, refusal = attempt(judge, **inputs, metadata={"call_link_label": "judge"})
        if refusal:
            return self.refused("judge", refusal)
        self.out("verdict", verdict)
        failed = [line for line in verdict["lines"] if not line["passed"]]
        self.report(f"{verdict['decision']}: {len(failed)} of {len(verdict['lines'])} numbers miss their target")
        if verdict["decision"] == REJECTED:
            self.report(f"the first: {failed[0]['message']}")
        return None

    # ------------------------------------------------------------------ shared
    def planned(self, name: str) -> Any:
        """Return a node of the plan."""
        return orm.load_node(self.ctx.planned[name])

    def runs_asked(self) -> dict[str, Any]:
        """Return what is asked of each run, by name."""
        return dict(self.planned("runs").get_dict())

    def labeller(self) -> dict[str, Any]:
        """Return who labels."""
        return {"code": self.inputs.codes.label, "engine": self.inputs.engine}


def run_label(name: str, run: Mapping[str, Any]) -> str:
    """Return the call link of the process that makes a run."""
    return f"{REFERENCE if run['by'] == 'labeller' else RUN}{name}"

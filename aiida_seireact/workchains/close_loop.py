"""``seireact.close_loop``: what is unknown in a run is cut out, labelled and learned, and the run made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_

from aiida_seireact.calculations.functions.close_loop import compare_unknown, decide_to_learn
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats.jobs.close_loop import CloseLoopSettings
from aiida_seireact.formats.verdict import PRODUCTION
from aiida_seireact.workchains.augment import AugmentWorkChain
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.classify import ClassifyWorkChain
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.stages import StagedWorkChain

LEARNED, PRODUCED, CLASSIFIED = "learned", "produced", "classified"
MODEL_REJECTED = 530


class CloseLoopWorkChain(ProtocolMixin, StagedWorkChain):
    """Learns from the unknown environments of a run, makes the run again, and tells what is unknown then.

    The classifier is the one the run was classified by, so the clusters before and after are the same. Where less is
    unknown than the limit, nothing is done, and the decision says so.
    """

    PROTOCOL_FILE: ClassVar[str] = "close_loop.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "settings",
            valid_type=orm.Dict,
            validator=job_validator(CloseLoopSettings),
            help="`unknown_limit`, a part `of` the interphase or all environments, `when`; `run`, its name.",
        )
        spec.input("trajectory", valid_type=TrajectoryData, help="The run that was classified.")
        spec.input("classification", valid_type=orm.Dict, help="Its `classification` of `seireact.classify`.")
        spec.input("labels", valid_type=orm.ArrayData, help="Its `labels`: which of its frames hold the unknown.")
        spec.input("phases", valid_type=PhasesData, help="Its `phases`: the classifier.")
        spec.expose_inputs(ClassifyWorkChain, namespace="classify", include=("code", "parameters"))
        spec.expose_inputs(
            AugmentWorkChain,
            namespace="augment",
            exclude=("runs", "labels", "classify", "options"),
            # It looks at judges of the choice, of which the classifier is one.
            namespace_options={"validator": None, "help": "The model that ran, and how it learns; its runs and cells."},
        )
        spec.input(
            "accept_rejected",
            valid_type=orm.Bool,
            required=False,
            help="True: run also a model that its scorecard rejects.",
        )
        spec.inputs.validator = validate_loop
        spec.output("decision", valid_type=orm.Dict, help="How much is unknown, and whether that is learned.")
        spec.output("comparison", valid_type=orm.Dict, required=False, help="What is unknown before and after.")
        for process, namespace in (
            (AugmentWorkChain, LEARNED),
            (ProduceWorkChain, PRODUCED),
            (ClassifyWorkChain, CLASSIFIED),
        ):
            spec.expose_outputs(process, namespace=namespace, namespace_options={"required": False})
        spec.outline(
            cls.decide,
            if_(cls.should_learn)(cls.learn, cls.inspect_learning, cls.produce, cls.classify, cls.compare),
        )
        spec.exit_code(
            MODEL_REJECTED,
            "ERROR_MODEL_REJECTED",
            message="The model that has learned was rejected, so nothing is produced with it: {message} Learn more "
            "rounds, or set `accept_rejected`.",
        )

    # ------------------------------------------------------------------ decision
    def decide(self) -> ExitCode | None:
        """See how much is unknown."""
        decision, refusal = attempt(
            decide_to_learn,
            self.inputs.settings,
            self.inputs.classification,
            metadata={"call_link_label": "decision"},
        )
        if refusal:
            return self.refused("decision", refusal)
        self.ctx.learn = decision["learn"]
        self.out("decision", decision)
        self.report(
            f"{decision['unknown']:.1%} of {decision['n_environments']} environments are unknown, "
            f"{'more' if decision['learn'] else 'not more'} than {decision['limit']:.1%}"
        )
        return None

    def should_learn(self) -> bool:
        """Whether so much is unknown that it is learned."""
        return bool(self.ctx.learn)

    # ------------------------------------------------------------------ learning
    def learn(self) -> ToContext | ExitCode:
        """Cut out what is unknown, label and learn it."""
        given = self.exposed_inputs(AugmentWorkChain, namespace="augment", agglomerate=False)
        inputs, name = {key: value for key, value in given.items() if key != "metadata"}, self.name()
        inputs.update(
            runs={name: self.inputs.trajectory},
            labels={name: self.inputs.labels},
            classify={**self.inputs.classify, "classifier": self.inputs.phases},
        )
        return self.begin(LEARNED, **{LEARNED: (AugmentWorkChain, inputs)})

    def inspect_learning(self) -> ExitCode | None:
        """Attach the new model; end before a run of one that was rejected, unless that was asked for."""
        if failure := self.failure(LEARNED, self.ctx[LEARNED]):
            return failure
        self._give_out(LEARNED, AugmentWorkChain)
        verdict = self.verdict()
        if verdict is None or verdict["decision"] == PRODUCTION or self.accepts_rejected():
            return None
        failed = [line["message"] for line in verdict["lines"] if not line["passed"]]
        return self.exit_codes.ERROR_MODEL_REJECTED.format(message=" ".join(failed[:3]))

    def produce(self) -> ToContext | ExitCode:
        """Make the run again with the new model."""
        learned, given, name = self.ctx[LEARNED].outputs, self.inputs.augment, self.name()
        verdict = self.verdict()
        judged: dict[str, Any] = {"unjudged": True} if verdict is None else {"verdict": verdict}
        if verdict is not None and "accept_rejected" in self.inputs:
            judged["accept_rejected"] = self.inputs.accept_rejected
        inputs = {
            "code": given.codes.lmp,
            "structure": given.cells[name],
            "potential": learned.compiled,
            "parameters": given.md[name],
            **judged,
        }
        return self.begin(PRODUCED, **{PRODUCED: (ProduceWorkChain, inputs)})

    # ------------------------------------------------------------------ and what came of it
    def classify(self) -> ToContext | ExitCode:
        """Classify the new run by the same classifier."""
        if failure := self.failure(PRODUCED, self.ctx[PRODUCED]):
            return failure
        self._give_out(PRODUCED, ProduceWorkChain)
        inputs = {
            **self.inputs.classify,
            "classifier": self.inputs.phases,
            "trajectory": self.ctx[PRODUCED].outputs.trajectory,
            "references": {},
        }
        return self.begin(CLASSIFIED, **{CLASSIFIED: (ClassifyWorkChain, inputs)})

    def compare(self) -> ExitCode | None:
        """Tell what is unknown before and after."""
        if failure := self.failure(CLASSIFIED, self.ctx[CLASSIFIED]):
            return failure
        self._give_out(CLASSIFIED, ClassifyWorkChain)
        learned = self.ctx[LEARNED].outputs
        comparison, refusal = attempt(
            compare_unknown,
            self.inputs.settings,
            self.inputs.classification,
            self.ctx[CLASSIFIED].outputs.classification,
            learned.augmentation,
            learned.selection,
            metadata={"call_link_label": "comparison"},
        )
        if refusal:
            return self.refused("comparison", refusal)
        self.out("comparison", comparison)
        before, after = comparison["before"]["unknown"], comparison["after"]["unknown"]
        self.report(f"unknown: {before:.1%} before, {after:.1%} after {comparison['n_labelled']} labels")
        return None

    def name(self) -> str:
        """Return the name of the run among the cells."""
        return CloseLoopSettings.model_validate(self.inputs.settings.get_dict()).run

    def verdict(self) -> orm.Dict | None:
        """Return the verdict on the new model, None if nobody judges."""
        outputs = self.ctx[LEARNED].outputs
        return outputs.verdict if "verdict" in outputs else None

    def accepts_rejected(self) -> bool:
        """Whether a rejected model runs all the same."""
        return "accept_rejected" in self.inputs and bool(self.inputs.accept_rejected.value)

    def _give_out(self, namespace: str, process: type) -> None:
        self.out_many(self.exposed_outputs(self.ctx[namespace], process, namespace, agglomerate=False))


def validate_loop(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse a run that is not among the cells, and what the learning would refuse."""
    if not {"settings", "augment", "trajectory", "labels", "phases", "classify"} <= set(inputs):
        return None
    name = CloseLoopSettings.model_validate(inputs["settings"].get_dict()).run
    if name not in inputs["augment"].get("cells", {}):
        return f"There is no cell of the run {name!r} under augment.cells: give the one it started from."
    given = {
        **inputs["augment"],
        "runs": {name: inputs["trajectory"]},
        "labels": {name: inputs["labels"]},
        "classify": {**inputs["classify"], "classifier": inputs["phases"]},
    }
    check = AugmentWorkChain.spec().inputs.validator
    message = None if check is None else check(given, context)
    return f"augment: {message}" if message else None

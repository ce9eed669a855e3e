"""What a study does with a scorecard: each model is judged, and one that was rejected makes no long run."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec

from aiida_seireact.formats.verdict import PRODUCTION
from aiida_seireact.workchains.augment_round import JUDGED
from aiida_seireact.workchains.react_first import FIRST, LabelledStudy
from aiida_seireact.workchains.stages import Child
from aiida_seireact.workchains.validate import ValidateWorkChain

MODEL_REJECTED = 530


class JudgedStudy(LabelledStudy):
    """A study whose models are judged, if it has a scorecard."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        for namespace in ("", f"{FIRST}."):
            for port in JUDGED:
                spec.output(
                    f"{namespace}{port}",
                    valid_type=orm.Dict,
                    required=False,
                    help="Of `seireact.validate`, on its model.",
                )
        spec.exit_code(
            MODEL_REJECTED,
            "ERROR_MODEL_REJECTED",
            message="The last model was rejected, so nothing is produced with it: {message} Learn more rounds "
            "(`augment.rounds`), or set `accept_rejected`.",
        )

    def should_validate(self) -> bool:
        """Whether models are judged by a scorecard."""
        return "scorecard" in self.inputs.get("validate", {})

    def should_look_at_model(self) -> bool:
        """Whether the first model is judged or learns further."""
        return self.should_validate() or self.should_augment()

    def validation(self) -> Child:
        """Return the judgement of the first model, to be submitted."""
        train, codes = self.ctx.train.outputs, self.inputs.codes
        return ValidateWorkChain, {
            **self.exposed_inputs(ValidateWorkChain, namespace="validate", agglomerate=False),
            "potential": train.potential,
            "compiled": train.compiled,
            "dataset": orm.load_node(self.ctx.dataset),
            "codes": {"validate": codes.validate, "lmp": codes.lmp, "label": self.engine_code()},
            "engine": self.inputs.engine,
            "label": self.inputs.label,
            "batch_size": self.inputs.batch_size,
        }

    def inspect_verdict(self) -> ExitCode | None:
        """Attach the verdict on the first model; that it was rejected is a result."""
        if not self.should_validate():
            return None
        if failure := self.failure("validate", self.ctx.validate):
            return failure
        prefix = f"{FIRST}." if self.should_augment() else ""
        for port in JUDGED:
            self.out(f"{prefix}{port}", self.ctx.validate.outputs[port])
        self.report(f"the scorecard says of the first model: {self.ctx.validate.outputs.verdict['decision']}")
        return None

    def verdict(self) -> orm.Dict | None:
        """Return the verdict on the last model, None if nobody judges."""
        if not self.should_validate():
            return None
        judged = self.ctx.augment if self.should_augment() else self.ctx.validate
        found: orm.Dict = judged.outputs.verdict
        return found

    def inspect_model(self) -> ExitCode | None:
        """End before a long run of a model that was rejected, unless that was asked for."""
        verdict = self.verdict()
        if verdict is None:
            return None
        self.report(f"the scorecard says of the last model: {verdict['decision']}")
        if verdict["decision"] == PRODUCTION or (
            "accept_rejected" in self.inputs and self.inputs.accept_rejected.value
        ):
            return None
        failed = [line["message"] for line in verdict["lines"] if not line["passed"]]
        return self.exit_codes.ERROR_MODEL_REJECTED.format(message=" ".join(failed[:3]))

    def judged(self) -> dict[str, Any]:
        """Return what a run of the last model is told of the verdict on it."""
        verdict = self.verdict()
        if verdict is None:
            return {"unjudged": True}
        accepted = {"accept_rejected": self.inputs.accept_rejected} if "accept_rejected" in self.inputs else {}
        return {"verdict": verdict, **accepted}

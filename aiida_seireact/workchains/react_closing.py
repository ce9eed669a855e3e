"""How a study learns from its own runs: those of the first model, and on demand what is unknown in the last."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext

from aiida_seireact.data.dataset import DatasetData
from aiida_seireact.workchains.close_loop import CloseLoopWorkChain
from aiida_seireact.workchains.react_judged import JudgedStudy
from aiida_seireact.workchains.react_start import INTERFACE

CLOSED = "closed"
"""Namespace of the outputs of the closed loop."""
STAGE = "close_loop"


class ClosingStudy(JudgedStudy):
    """A study whose models learn from their own runs."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_outputs(CloseLoopWorkChain, namespace=CLOSED, namespace_options={"required": False})

    # ------------------------------------------------------------------ from the first model's runs
    def model(self) -> Any:
        """Return the outputs of the training of the last model."""
        return (self.ctx.augment if self.should_augment() else self.ctx.train).outputs

    def augmentation(self) -> dict[str, Any]:
        """Return the inputs of the rounds of learning from the first model's own runs."""
        return {
            **self._learning(self.ctx.train.outputs, orm.load_node(self.ctx.dataset)),
            "cells": {"production": self.cell("production"), "training": orm.load_node(self.ctx.starts[INTERFACE])},
            "md": {"production": self.inputs.produce, "training": self.inputs.augment.md},
            "rounds": self.inputs.augment.rounds,
            "select": self.inputs.augment.select,
            "extend": self.inputs.augment.extend,
        }

    def _learning(self, model: Any, dataset: DatasetData) -> dict[str, Any]:
        """Return the inputs of any learning from a model's own runs: who learns, and who labels and judges."""
        codes, settings = self.inputs.codes, self.inputs.augment
        return {
            **({"validate": dict(self.inputs.validate)} if self.should_validate() else {}),
            "codes": {
                **{name: codes[name] for name in ("lmp", "select", "train", "compile", "validate")},
                "label": self.engine_code(),
            },
            "dataset": dataset,
            "potential": model.potential,
            "compiled": model.compiled,
            "reference_energies": model.reference_energies,
            "gps": dict(self.ctx.explore.outputs.gps) if self.should_explore() else {},
            "train": settings.train,
            "compile": self.inputs.compile,
            "engine": self.inputs.engine,
            "label": self.inputs.label,
            "batch_size": settings.batch_size,
        }

    # ------------------------------------------------------------------ from what is unknown in the last run
    def should_close_loop(self) -> bool:
        """Whether what is unknown in the production run is to be learned."""
        return "settings" in self.inputs.get("close_loop", {})

    def close_loop(self) -> ToContext | None:
        """Learn from the unknown environments of the production run, and make it again."""
        classified, given = self.ctx.classify, self.inputs.close_loop
        settings = given.settings
        inputs = {
            "settings": settings,
            "trajectory": self.ctx.produce.outputs.trajectory,
            **{name: classified.outputs[name] for name in ("classification", "labels", "phases")},
            "classify": {"code": self.inputs.codes.classify, "parameters": self.inputs.classify},
            "augment": {
                **self._learning(self.model(), orm.load_node(self.ctx.dataset)),
                "cells": {"production": self.cell("production")},
                "md": {"production": self.inputs.produce},
                **{name: given[name] for name in ("rounds", "select", "extend")},
            },
        }
        if "accept_rejected" in self.inputs:
            inputs["accept_rejected"] = self.inputs.accept_rejected
        begun = self.begin(STAGE, **{STAGE: (CloseLoopWorkChain, inputs)})
        if isinstance(begun, ExitCode):
            self.ctx.loop_refused = [begun.status, begun.message]
            return None
        return begun

    def inspect_loop(self) -> None:
        """Attach what came of it; the study ends with its numbers first, then with the failure."""
        if STAGE in self.ctx:
            # Whatever there is: a model that was rejected is a result.
            self.out_many(self.exposed_outputs(self.ctx[STAGE], CloseLoopWorkChain, CLOSED, agglomerate=False))
        if failure := self.loop_failure():
            self.report(f"the loop was not closed: {failure.message}")

    def loop_failure(self) -> ExitCode | None:
        """Return why the loop could not be closed, None if it was, or nobody asked."""
        if "loop_refused" in self.ctx:
            return ExitCode(*self.ctx.loop_refused)
        return self.failure(STAGE, self.ctx[STAGE]) if STAGE in self.ctx else None

    def comparison(self) -> orm.Dict | None:
        """Return what is unknown before and after, None if the loop was not closed."""
        if STAGE not in self.ctx or "comparison" not in self.ctx[STAGE].outputs:
            return None
        found: orm.Dict = self.ctx[STAGE].outputs.comparison
        return found

"""``seireact.label``: frames in, labelled frames and failures out, whatever engine computes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain
from aiida.plugins import WorkflowFactory

from aiida_seireact.calculations.functions.frames import cut_batches, merge_failures, merge_frames
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin

ENGINE_PREFIX = "seireact.label."
MAX_BATCHES = 128  # link creation is quadratic in the number of inputs of one process


class LabelWorkChain(ProtocolMixin, WorkChain):
    """Labels frames by the engine ``seireact.label.<name>``, in batches that run side by side."""

    PROTOCOL_FILE: ClassVar[str] = "label.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("frames", valid_type=FramesData, help="The frames to label; labels they carry are ignored.")
        spec.input("code", valid_type=orm.AbstractCode, help="The program of the engine.")
        spec.input(
            "engine",
            valid_type=orm.Str,
            validator=validate_engine,
            default=lambda: orm.Str("seireact.label.ase"),
            help="Entry point (`aiida.workflows`) of the engine; third parties add theirs as `seireact.label.<name>`.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            help="Settings of the engine, one level of theory for all frames.",
        )
        spec.input(
            "batch_size",
            valid_type=orm.Int,
            default=lambda: orm.Int(200),
            help="Frames a job.",
        )
        spec.input("options", valid_type=dict, non_db=True, default=dict, help="Scheduler options of each job.")
        spec.inputs.validator = validate_batches
        spec.output("frames", valid_type=FramesData, help="What could be labelled, in the order given.")
        spec.output(
            "failures",
            valid_type=orm.Dict,
            help="Index, structure id and reason of each frame without a label.",
        )
        spec.outline(cls.submit_batches, cls.collect)
        spec.exit_code(440, "ERROR_BATCH_FAILED", message="A batch of labels failed in <{pk}>: {message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        frames: FramesData,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` labels with CHGNet on localhost."""
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.frames = frames
        builder.code = code or find_code("label")
        builder.engine = orm.Str(inputs["engine"])
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.options = dict(options or {})
        return builder

    def submit_batches(self) -> ToContext:
        """Cut the frames into batches and send each to the engine."""
        engine = WorkflowFactory(self.inputs.engine.value)
        batches = {"batch_000": self.inputs.frames}
        if len(self.inputs.frames) > self.inputs.batch_size.value:
            batches = cut_batches(
                self.inputs.frames, self.inputs.batch_size, metadata={"call_link_label": "cut_batches"}
            )
        self.ctx.labels = sorted(batches)
        self.report(f"{len(self.inputs.frames)} frames go to {self.inputs.engine.value} in {len(batches)} batches")
        return ToContext(
            **{
                label: self.submit(
                    engine,
                    code=self.inputs.code,
                    frames=frames,
                    parameters=self.inputs.parameters,
                    options=dict(self.inputs.options),
                    metadata={"call_link_label": label},
                )
                for label, frames in batches.items()
            }
        )

    def collect(self) -> ExitCode | None:
        """Join the labelled batches in their order; a failed batch is never passed over."""
        batches = [self.ctx[label] for label in self.ctx.labels]
        for batch in batches:
            if not batch.is_finished_ok:
                return self.exit_codes.ERROR_BATCH_FAILED.format(pk=batch.pk, message=batch.exit_message)
        if len(batches) == 1:
            self.out("frames", batches[0].outputs.frames)
            self.out("failures", batches[0].outputs.failures)
            return None
        named = dict(zip(self.ctx.labels, batches, strict=True))
        self.out(
            "frames",
            merge_frames(
                metadata={"call_link_label": "merge_frames"},
                **{label: batch.outputs.frames for label, batch in named.items()},
            ),
        )
        self.out(
            "failures",
            merge_failures(
                self.inputs.batch_size,
                metadata={"call_link_label": "merge_failures"},
                **{label: batch.outputs.failures for label, batch in named.items()},
            ),
        )
        return None


def validate_engine(engine: orm.Str | None, _: Any) -> str | None:
    """Refuse engines that are not there or don't have the common ports."""
    if engine is None:
        return None
    if not engine.value.startswith(ENGINE_PREFIX):
        return f"A labelling engine is an entry point {ENGINE_PREFIX}<name>, not {engine.value!r}."
    try:
        process = WorkflowFactory(engine.value)
    except EntryPointError:
        return (
            f"There is no labelling engine {engine.value!r}: `verdi plugin list aiida.workflows` shows those installed."
        )
    missing = {"code", "frames", "parameters", "options"} - set(process.spec().inputs)
    return f"The engine {engine.value!r} lacks the inputs {', '.join(sorted(missing))}." if missing else None


def validate_batch_size(size: orm.Int, _: Any) -> str | None:
    """Refuse empty batches."""
    return None if size.value >= 1 else f"batch_size is {size.value}; a job labels at least one frame."


def validate_batches(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse more batches than one process may collect."""
    if "frames" not in inputs or "batch_size" not in inputs:
        return None
    size = inputs["batch_size"].value
    if size < 1:
        return "batch_size must be at least 1."
    batches = -(-len(inputs["frames"]) // size)
    if batches > MAX_BATCHES:
        return f"{batches} batches are more than one process can collect ({MAX_BATCHES}): take a larger batch_size."
    return None

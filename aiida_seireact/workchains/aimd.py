"""``seireact.aimd``: short MD with a labelling engine itself, from each of a few structures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain
from aiida.plugins import WorkflowFactory

from aiida_seireact.calculations.engines import MD_PREFIX
from aiida_seireact.calculations.engines import md_engine as md_engine
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.aimd_ase import AseAimdWorkChain
from aiida_seireact.workchains.label import LabelWorkChain, engine_complaint, engine_refusal, find_code_of
from aiida_seireact.workchains.protocol import ProtocolMixin, merge
from aiida_seireact.workchains.restartable import RestartableMixin

ASE_ENGINE = "seireact.aimd.ase"


class AimdWorkChain(ProtocolMixin, RestartableMixin, WorkChain):
    """Runs NVT from each frame by the engine ``seireact.aimd.<name>``; gives labelled frames of the frame's type.

    Velocities are seeded. Frames of a run fall into time blocks with gaps between them. A block is a group, which
    training and test never share. The labels are of the same level of theory as those of `LabelWorkChain` with the same
    settings, so they may share a dataset.
    """

    PROTOCOL_FILE: ClassVar[str] = "aimd.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_inputs(AseAimdWorkChain, include=("frames", "potential"))
        spec.expose_inputs(LabelWorkChain, include=("code", "parameters", "options"))
        spec.inputs["parameters"].help = (
            "Settings of the engine: the level of theory as for labels, and `md`; of `seireact.aimd.ase` also "
            "`task: md`."
        )
        spec.input(
            "engine",
            valid_type=orm.Str,
            validator=validate_engine,
            default=lambda: orm.Str(ASE_ENGINE),
            help="Entry point (`aiida.workflows`) of the engine; third parties add theirs as `seireact.aimd.<name>`.",
        )
        spec.inputs.validator = validate_parameters
        spec.output("frames", valid_type=FramesData, required=False, help="The labelled steps of all runs.")
        spec.output(
            "failures",
            valid_type=orm.Dict,
            required=False,
            help="`failures`: index and structure id of the start, and reason, of what has no label; `reports`: how "
            "the runs went.",
        )
        spec.outline(cls.run_engine, cls.collect)
        spec.exit_code(443, "ERROR_MD_FAILED", message="MD failed in <{pk}>: {message}")

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol with ``overrides`` laid over them.

        The level of theory is that of the protocol ``level`` of `LabelWorkChain`, so that both give labels of one hash.

        :raises ValueError: no such protocol; an override of a key that does not exist at the top.
        """
        inputs = super().get_protocol_inputs(protocol, overrides)
        level = LabelWorkChain.get_protocol_inputs(inputs.pop("level"))["parameters"]
        return {**inputs, "parameters": merge(level, inputs["parameters"])}

    @classmethod
    def get_builder_from_protocol(
        cls,
        frames: FramesData,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` runs 0.5 ps at 600 K with CHGNet.

        :param code: default: the newest code of the engine's program on localhost.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.frames = frames
        builder.code = code or find_code_of(inputs["engine"])
        builder.engine = orm.Str(inputs["engine"])
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.options = dict(options or {})
        return builder

    def run_engine(self) -> ToContext:
        """Hand the runs to the engine."""
        engine = self.inputs.engine.value
        inputs = {**self.exposed_inputs(LabelWorkChain), **self.exposed_inputs(AseAimdWorkChain)}
        self.report(f"MD from {len(self.inputs.frames)} structures by {engine}")
        return ToContext(md=self.submit(WorkflowFactory(engine), **inputs, metadata={"call_link_label": "md"}))

    def collect(self) -> ExitCode | None:
        """Attach what the engine gave."""
        run = self.ctx.md
        for name in ("frames", "failures"):
            if name in run.outputs:
                self.out(name, run.outputs[name])
        if run.is_finished_ok:
            return None
        message = run.exit_message or f"it was {run.process_state.value}"
        return self.exit_codes.ERROR_MD_FAILED.format(pk=run.pk, message=message)


def validate_engine(engine: orm.Str | None, _: Any) -> str | None:
    """Refuse engines that are not there or don't have the common ports."""
    return None if engine is None else engine_refusal(engine.value, MD_PREFIX, "An engine of MD")


def validate_parameters(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse what the engine would refuse, before anything is submitted."""
    if not {"engine", "parameters", "code", "frames"} <= set(inputs):
        return None
    if message := engine_complaint(inputs, context):
        return message
    ports = WorkflowFactory(inputs["engine"].value).spec().inputs
    for name in ("code", "frames"):
        check = ports[name].validator
        if check is not None and (message := check(inputs[name], context)):
            return f"{name}: {message}"
    return None

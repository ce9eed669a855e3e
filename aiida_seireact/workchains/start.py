"""``seireact.start``: a built cell made ready for a long run, and a verdict whether it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJob, ExitCode, ProcessBuilder, ProcessSpec, while_
from pydantic import ValidationError

from aiida_seireact.calculations.functions.start import judge_start
from aiida_seireact.calculations.start import StartCalculation
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.formats.jobs.start import StartLimitSettings
from aiida_seireact.workchains.base import ProgramWorkChain
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin

START_NOT_SAFE = 510


class StartWorkChain(ProtocolMixin, ProgramWorkChain):
    """Closes the gap, minimises, takes steps of limited length, heats to the target, and looks at what came of it."""

    _process_class: ClassVar[type[CalcJob]] = StartCalculation
    PROTOCOL_FILE: ClassVar[str] = "start.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "limits",
            valid_type=orm.Dict,
            validator=validate_limits,
            help="Bounds of volume, stress, temperature, energy, force, hole and distances that a start must keep.",
        )
        spec.input(
            "accept",
            valid_type=orm.Bool,
            required=False,
            help="True: go on whatever the verdict says, because you have looked; it is in the graph that you did.",
        )
        # Not required: the restart base looks for what is required among the outputs of the job.
        spec.output(
            "verdict",
            valid_type=orm.Dict,
            required=False,
            help="`passed`, `sentences` on what is wrong, and all `checks`.",
        )
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
            cls.judge,
        )
        spec.exit_code(START_NOT_SAFE, "ERROR_START_NOT_SAFE", message="No safe start for a long run: {message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        structure: FramesData,
        potential: PotentialData,
        production: orm.Dict,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``balanced`` takes some 2,000 evaluations of the model, ``careful`` six times as many.

        :param production: `parameters` of the run that follows.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.structure = structure
        builder.potential = potential
        builder.production = production
        builder.code = code or find_code("lmp")
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.limits = orm.Dict(inputs["limits"])
        builder.options = dict(options or {})
        return builder

    def judge(self) -> ExitCode | None:
        """Attach the verdict; end here if it is bad and nobody has accepted it."""
        start = self.ctx.children[-1].outputs
        verdict = judge_start(start.frames, start.record, self.inputs.limits, metadata={"call_link_label": "judge"})
        self.out("verdict", verdict)
        if verdict["passed"]:
            return None
        message = " ".join(sentence[0].upper() + sentence[1:] for sentence in verdict["sentences"])
        if "accept" in self.inputs and self.inputs.accept.value:
            self.report(f"accepted, though: {message}")
            return None
        return self.exit_codes.ERROR_START_NOT_SAFE.format(message=message)


def sentences_of(process: orm.ProcessNode) -> str:
    """Return what is wrong with a start, from the message of the process that ended because of it."""
    return str(process.exit_message).partition(": ")[2]


def validate_limits(limits: orm.Dict, _: Any) -> str | None:
    """Refuse limits that nothing could be held against."""
    try:
        StartLimitSettings.model_validate(limits.get_dict())
    except ValidationError as error:
        return f"These limits of a start don't fit: {readable(error)}."
    return None

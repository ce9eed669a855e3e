"""``seireact.produce``: one MD segment of a trained model, after a safe start if one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJob, ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_, while_

from aiida_seireact.calculations.lammps import LammpsCalculation
from aiida_seireact.calculations.start import contacts_of_start
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.workchains.base import ProgramWorkChain
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.stages import define_refusal, refusal_of
from aiida_seireact.workchains.start import START_NOT_SAFE, StartWorkChain, sentences_of


class ProduceWorkChain(ProtocolMixin, ProgramWorkChain):
    """Runs MD from a structure with a compiled model; a stop rule ends a run that goes wrong, and that is a result."""

    _process_class: ClassVar[type[CalcJob]] = LammpsCalculation
    PROTOCOL_FILE: ClassVar[str] = "produce.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_inputs(
            StartWorkChain,
            namespace="start",
            include=("parameters", "limits", "accept"),
            namespace_options={
                "required": False,
                "populate_defaults": False,
                "help": "A safe start before the run, from its `parameters`; left out: the run begins with the "
                "structure as it is.",
            },
        )
        spec.expose_outputs(StartWorkChain, namespace="start")
        spec.outputs["start"].required = False
        of_job = spec.inputs.validator
        spec.inputs.validator = lambda inputs, port: validate_start(inputs) or (of_job and of_job(inputs, port))
        spec.outline(
            cls.setup,
            if_(cls.should_start)(cls.run_start, cls.inspect_start),
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        define_refusal(spec)
        spec.exit_code(START_NOT_SAFE, "ERROR_START_NOT_SAFE", message="No safe start for a long run: {message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        structure: FramesData,
        potential: PotentialData,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` runs 4 ps at 300 K and zero pressure at once, ``careful`` after a safe start.

        ``overrides["start"]`` is null, or a protocol of `seireact.start` by ``protocol`` and changes to it.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.structure = structure
        builder.potential = potential
        builder.code = code or find_code("lmp")
        builder.parameters = orm.Dict(inputs["parameters"])
        if inputs["start"] is not None:
            builder.start = start_inputs(inputs["start"])
        builder.options = dict(options or {})
        return builder

    def should_start(self) -> bool:
        """Whether a safe start is asked for."""
        return "start" in self.inputs

    def run_start(self) -> ToContext | ExitCode:
        """Bring the cell to where the run begins."""
        inputs = {
            **self.exposed_inputs(StartWorkChain, namespace="start", agglomerate=False),
            "code": self.inputs.code,
            "structure": self.inputs.structure,
            "potential": self.inputs.potential,
            "production": self.inputs.parameters,
            "max_iterations": self.inputs.max_iterations,
            "options": dict(self.inputs.options),
            "metadata": {"call_link_label": "start"},
        }
        if message := refusal_of(StartWorkChain, inputs):
            return self.exit_codes.ERROR_STAGE_REFUSED.format(stage="start", message=message)
        return ToContext(start=self.submit(StartWorkChain, **inputs))

    def inspect_start(self) -> ExitCode | None:
        """Go on from the prepared cell, or end with what is wrong with it."""
        start = self.ctx.start
        self.out_many(self.exposed_outputs(start, StartWorkChain, namespace="start"))
        if start.is_finished_ok:
            self.ctx.inputs.structure = start.outputs.frames
            return None
        if start.exit_status == START_NOT_SAFE:
            return self.exit_codes.ERROR_START_NOT_SAFE.format(message=sentences_of(start))
        return self.unrecoverable(start)

    def run_process(self) -> ToContext | ExitCode:
        """Run, unless the job refuses the cell: that of a safe start was not there when this was submitted."""
        if message := refusal_of(self.process_class, self.ctx.inputs):
            return self.exit_codes.ERROR_STAGE_REFUSED.format(stage="run", message=message)
        return super().run_process()


def start_inputs(settings: Mapping[str, Any]) -> dict[str, orm.Dict]:
    """Return the inputs ``start``: a protocol of `seireact.start` by ``protocol``, with the changes beside it."""
    changes = dict(settings)
    inputs = StartWorkChain.get_protocol_inputs(changes.pop("protocol", None), changes)
    return {name: orm.Dict(inputs[name]) for name in ("parameters", "limits")}


def validate_start(inputs: Mapping[str, Any]) -> str | None:
    """Refuse a safe start of a cell that no frame holds, or of one whose atoms are too near for it."""
    if not inputs.get("start"):
        return None
    if inputs.get("cell"):
        return (
            "A safe start prepares a frame, and `cell` is a file on the compute machine: leave `start` out, or give "
            "the cell as `structure`."
        )
    if "structure" not in inputs or "parameters" not in inputs["start"]:
        return None
    return contacts_of_start(inputs["structure"], inputs["start"]["parameters"])

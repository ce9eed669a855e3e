"""``seireact.melting``: the melting temperature of a crystal by coexistence with its melt, bracketed in rounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, while_
from pydantic import ValidationError

from aiida_seireact.calculations.functions.melting import (
    half_molten,
    judge_coexistence,
    make_two_phases,
    plan_round,
    run_name,
)
from aiida_seireact.calculations.lammps import validate_structure
from aiida_seireact.calculations.native_lammps import is_embedded, n_ranks_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.base import readable
from aiida_seireact.formats.jobs.melting import MeltingSettings
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.codes import find_code, find_lammps
from aiida_seireact.workchains.produce import ProduceWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.stages import Child, StagedWorkChain

OF_RUNS = ("code", "companion", "devices", "potential")


class MeltingWorkChain(ProtocolMixin, StagedWorkChain):
    """Melts one half of a crystal, and lets crystal and melt settle who wins, at temperature after temperature."""

    PROTOCOL_FILE: ClassVar[str] = "melting.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.expose_inputs(ProduceWorkChain, include=OF_RUNS)
        # With the ports comes the validator of a run, whose parameters are others; each run is asked when it begins.
        spec.inputs.validator = None
        spec.input(
            "structure",
            valid_type=FramesData,
            validator=validate_structure,
            help="One frame: a cell of the crystal, relaxed by the model.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=validate_parameters,
            help="`repeat`, `low_k`, `high_k`, `tolerance_k`, `melt`, `steps`, and `segment`, settings of MD.",
        )
        spec.output(
            "melting",
            valid_type=orm.Dict,
            help="`melting_k` and `error_k`, half the bracket; `known`, what became of the runs; `complaint` without a "
            "bracket that is narrow enough.",
        )
        spec.output_namespace(
            "runs", valid_type=orm.Dict, dynamic=True, help="Fraction of crystal along each run, and its outcome."
        )
        spec.outline(
            cls.build,
            cls.melt,
            cls.inspect_melt,
            while_(cls.is_open)(cls.run_round, cls.inspect_round),
            cls.results,
        )
        spec.exit_code(272, "ERROR_CELL_REFUSED", message="There is no cell of two phases: {message}")
        spec.exit_code(550, "ERROR_NOT_BRACKETED", message="There is no melting temperature: {message}")

    @classmethod
    def get_builder_from_protocol(
        cls,
        structure: FramesData,
        potential: PotentialData,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        companion: orm.AbstractCode | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` is a first look at Li, ``paper`` is long enough for a number.

        :param structure: a cell of the crystal.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.structure = structure
        builder.potential = potential
        builder.code = code or find_lammps(n_ranks_of(options or {}))
        if not is_embedded(builder.code):
            builder.companion = companion or find_code("lmp", builder.code.computer.label)
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.options = dict(options or {})
        return builder

    @property
    def settings(self) -> MeltingSettings:
        """The parameters."""
        return MeltingSettings.model_validate(self.inputs.parameters.get_dict())

    # ------------------------------------------------------------------ half a crystal, half a melt
    def build(self) -> ExitCode | None:
        """Build the cell, and plan the first round."""
        built, refusal = attempt(
            make_two_phases, self.inputs.structure, self.inputs.parameters, metadata={"call_link_label": "build"}
        )
        if refusal:
            return self.exit_codes.ERROR_CELL_REFUSED.format(message=refusal)
        self.ctx.update(frames=built["frames"].uuid, cell=built["cell"].uuid, heat=built["melt"].uuid)
        self.ctx.update(outcomes={}, round=0)
        return None

    def melt(self) -> ToContext | ExitCode:
        """Melt the upper half, the lower one held."""
        return self.begin("melt", melt=self.md(orm.load_node(self.ctx.frames), orm.load_node(self.ctx.heat)))

    def inspect_melt(self) -> ExitCode | None:
        """Take the last frame as what every run begins with."""
        if failure := self.failure("melt", self.ctx.melt):
            return failure
        start, refusal = attempt(
            half_molten,
            self.ctx.melt.outputs.trajectory,
            self.cell,
            self.inputs.parameters,
            metadata={"call_link_label": "half_molten"},
        )
        if refusal:
            return self.exit_codes.ERROR_CELL_REFUSED.format(message=refusal)
        self.ctx.start = start.uuid
        self.plan()
        return None

    # ------------------------------------------------------------------ one temperature after another
    def plan(self) -> None:
        """Work out what is known, and which temperatures are next."""
        outcomes = {name: orm.load_node(uuid) for name, uuid in self.ctx.outcomes.items()}
        label = f"plan_{self.ctx.round:02d}"
        planned = plan_round(self.inputs.parameters, metadata={"call_link_label": label}, **outcomes)
        self.ctx.plan = planned.pop("plan").uuid
        self.ctx.asked = {name: settings.uuid for name, settings in planned.items()}

    def is_open(self) -> bool:
        """Whether there are temperatures to run, and rounds left."""
        return bool(self.planned["temperatures_k"]) and self.ctx.round < self.settings.rounds_max

    def run_round(self) -> ToContext | ExitCode:
        """Run all temperatures of a round."""
        self.ctx.round += 1
        self.ctx.tried = {run_name(kelvin): kelvin for kelvin in self.planned["temperatures_k"]}
        self.report(f"round {self.ctx.round}: {', '.join(f'{kelvin:g} K' for kelvin in self.ctx.tried.values())}")
        start = orm.load_node(self.ctx.start)
        runs = {name: self.md(start, orm.load_node(self.ctx.asked[name])) for name in self.ctx.tried}
        return self.begin("coexistence", **runs)

    def inspect_round(self) -> ExitCode | None:
        """See what became of the runs."""
        for name, kelvin in self.ctx.tried.items():
            if failure := self.failure(name, self.ctx[name]):
                return failure
            outcome, refusal = attempt(
                judge_coexistence,
                self.ctx[name].outputs.trajectory,
                self.cell,
                self.inputs.parameters,
                orm.load_node(self.ctx.asked[name]),
                metadata={"call_link_label": f"judge_{name}"},
            )
            if refusal:
                return self.exit_codes.ERROR_NOT_BRACKETED.format(message=f"at {kelvin:g} K, {refusal}")
            self.ctx.outcomes[name] = outcome.uuid
            self.out(f"runs.{name}", outcome)
            self.report(f"{kelvin:g} K: {outcome['outcome']}")
        self.plan()
        return None

    def results(self) -> ExitCode | None:
        """Attach the bracket."""
        plan = self.planned
        self.out("melting", plan)
        if plan["complaint"]:
            return self.exit_codes.ERROR_NOT_BRACKETED.format(message=plan["complaint"])
        if plan["temperatures_k"]:
            message = f"after {self.ctx.round} rounds the bracket is wider than {self.settings.tolerance_k:g} K"
            return self.exit_codes.ERROR_NOT_BRACKETED.format(message=message)
        self.report(f"it melts at {plan['melting_k']:.4g} K, within {plan['error_k']:.2g} K")
        return None

    # ------------------------------------------------------------------ shared
    @property
    def cell(self) -> orm.Dict:
        """What tells the halves apart."""
        return orm.load_node(self.ctx.cell)

    @property
    def planned(self) -> orm.Dict:
        """The last plan."""
        return orm.load_node(self.ctx.plan)

    def md(self, structure: FramesData, settings: orm.Dict) -> Child:
        """Return a run of MD."""
        given = {name: self.inputs[name] for name in OF_RUNS if name in self.inputs}
        run = {"structure": structure, "parameters": settings, "unjudged": True}
        return ProduceWorkChain, {**given, **run}


def validate_parameters(parameters: orm.Dict, _: Any) -> str | None:
    """Refuse settings that don't fit."""
    try:
        MeltingSettings.model_validate(parameters.get_dict())
    except ValidationError as error:
        return f"These parameters don't fit: {readable(error)}."
    return None

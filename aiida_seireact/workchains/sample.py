"""``seireact.sample``: the first training set, from cells to frames worth a label, with what they cover."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, if_, while_

from aiida_seireact.calculations.ase import AseCalculation
from aiida_seireact.calculations.functions.sampling import last_frames, melt_jobs, melt_starts
from aiida_seireact.calculations.sample import plan_of, stage_label
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.sample import MeltEngine, default_plan
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.codes import find_code
from aiida_seireact.workchains.draw import DrawWorkChain
from aiida_seireact.workchains.label_ase import AseLabelWorkChain
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.stages import Child, StagedWorkChain

OF_THE_JOB = ("plan", "cells", "label")


class SampleWorkChain(ProtocolMixin, StagedWorkChain):
    """Relaxes the cells that are given, melts and quenches, draws every class of a plan and chooses within its budget.

    Labels of the cheap engine are dropped: what is labelled is what comes out.
    """

    PROTOCOL_FILE: ClassVar[str] = "sample.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input_namespace("codes", help="One code for each program.")
        spec.input("codes.sample", valid_type=orm.AbstractCode, help="The program seireact-sample.")
        spec.input(
            "codes.label",
            valid_type=orm.AbstractCode,
            required=False,
            help="The program seireact-label, the cheap engine; needed to relax and to melt.",
        )
        spec.expose_inputs(DrawWorkChain, include=OF_THE_JOB)
        spec.input(
            "relax",
            valid_type=orm.Dict,
            required=False,
            validator=AseCalculation.spec().inputs["parameters"].validator,
            help="Job of `seireact-label` that relaxes the cells first; left out: they are taken as they are.",
        )
        spec.input(
            "melt",
            valid_type=orm.Dict,
            required=False,
            validator=job_validator(MeltEngine),
            help="The cheap engine of melts, `{calculator: …}`; needed where the plan has a melt_quench entry.",
        )
        spec.inputs.validator = validate_sample

        spec.expose_outputs(DrawWorkChain)
        spec.output("relaxed", valid_type=FramesData, required=False, help="The cells, relaxed, with their labels.")
        spec.output(
            "failures", valid_type=orm.Dict, required=False, help="Reports of the relaxation, and what failed in it."
        )
        spec.outline(
            if_(cls.should_relax)(cls.relax, cls.inspect_relaxation),
            if_(cls.should_melt)(cls.start_melts, while_(cls.is_hot)(cls.melt, cls.inspect_melts)),
            cls.draw,
            cls.results,
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        cells: FramesData | None = None,
        codes: Mapping[str, orm.AbstractCode] | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder; without a plan in ``overrides`` the default one for the cells: strained, rattled, packed.

        :param codes: ``sample`` and ``label``; default: those of `aiida-seireact setup` on localhost.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.codes = dict(codes or {name: find_code(name) for name in ("sample", "label")})
        plan = inputs["plan"]
        if cells is not None:
            builder.cells = cells
            if set(plan) <= {"seed", "budget"}:
                plan = {**default_plan(sorted(cells.base.attributes.get("config_types"))), **plan}
            if inputs["relax"] is not None:
                builder.relax = orm.Dict({"calculator": inputs["calculator"], **inputs["relax"]})
        builder.plan = orm.Dict(plan)
        if plan_of(plan).melts:
            builder.melt = orm.Dict({"calculator": inputs["calculator"]})
        builder.options = dict(options or {})
        return builder

    # ------------------------------------------------------------------ start cells
    def should_relax(self) -> bool:
        """Whether the cells are relaxed first."""
        return "relax" in self.inputs and "cells" in self.inputs

    def relax(self) -> ToContext | ExitCode:
        """Relax the cells with the cheap engine."""
        self.report(f"relaxing {', '.join(self.inputs.cells.frames.config_type.tolist())}")
        return self.begin("relax", relax=self.by_cheap_engine(self.inputs.cells, self.inputs.relax))

    def by_cheap_engine(self, frames: FramesData, parameters: orm.Dict) -> Child:
        """Return a relaxation or MD, to be submitted."""
        return AseLabelWorkChain, {"code": self.inputs.codes.label, "frames": frames, "parameters": parameters}

    def inspect_relaxation(self) -> ExitCode | None:
        """Refuse to go on with a cell that was not relaxed: frames would be drawn around a wrong one."""
        if failure := self.failure("relax", self.ctx.relax, whole=True):
            return failure
        self.out("relaxed", self.ctx.relax.outputs.frames)
        self.out("failures", self.ctx.relax.outputs.failures)
        return None

    def cells(self) -> dict[str, FramesData]:
        """Return the cells to draw from as an input; none where only known crystals are drawn from."""
        if self.should_relax():
            return {"cells": self.ctx.relax.outputs.frames}
        return {"cells": self.inputs.cells} if "cells" in self.inputs else {}

    # ------------------------------------------------------------------ melts
    def should_melt(self) -> bool:
        """Whether the plan has melts."""
        return bool(plan_of(self.inputs.plan.get_dict()).melts)

    def start_melts(self) -> ExitCode | None:
        """Pack the cells that are melted."""
        starts, refusal = attempt(
            melt_starts, self.inputs.plan, metadata={"call_link_label": "melt_starts"}, **self.cells()
        )
        if refusal:
            return self.refused("melt", refusal)
        jobs = melt_jobs(self.inputs.plan, self.inputs.melt, metadata={"call_link_label": "melt_jobs"})
        self.ctx.jobs = {label: job.uuid for label, job in jobs.items()}
        melts = plan_of(self.inputs.plan.get_dict()).melts
        self.ctx.stage = 0
        self.ctx.n_stages = [len(entry.temperatures_k) for entry in melts]
        self.ctx.starts = {number: starts[f"melt_{number:02d}"].uuid for number in range(len(melts))}
        self.ctx.made = {}
        return None

    def is_hot(self) -> bool:
        """Whether a melt has a stage to come."""
        return self.ctx.stage < max(self.ctx.n_stages)

    def melt(self) -> ToContext | ExitCode:
        """Run the next stage of each melt, all side by side."""
        children = {}
        for number in self.now():
            label = stage_label(number, self.ctx.stage)
            start, job = orm.load_node(self.ctx.starts[number]), orm.load_node(self.ctx.jobs[label])
            children[label] = self.by_cheap_engine(start, job)
        self.report(f"stage {self.ctx.stage + 1} of {len(children)} melts")
        return self.begin("melt", **children)

    def now(self) -> list[int]:
        """Return the melts that have this stage."""
        return [number for number, stages in enumerate(self.ctx.n_stages) if self.ctx.stage < stages]

    def inspect_melts(self) -> ExitCode | None:
        """Keep the frames of this stage; the last of each run starts the next one."""
        for number in self.now():
            label = stage_label(number, self.ctx.stage)
            child = self.ctx[label]
            if failure := self.failure("melt", child):
                return failure
            for lost in child.outputs.failures["failures"]:
                self.report(f"{label}: run {lost['index']} ended early: {lost['reason']}")
            self.ctx.made[label] = child.outputs.frames.uuid
            if self.ctx.stage + 1 < self.ctx.n_stages[number]:
                starts, refusal = attempt(
                    last_frames,
                    child.outputs.frames,
                    orm.load_node(self.ctx.starts[number]),
                    metadata={"call_link_label": f"last_{label}"},
                )
                if refusal:
                    return self.refused("melt", refusal)
                self.ctx.starts[number] = starts.uuid
        self.ctx.stage += 1
        return None

    # ------------------------------------------------------------------ frames
    def draw(self) -> ToContext | ExitCode:
        """Draw, choose, and tell what is covered."""
        made = {label: orm.load_node(uuid) for label, uuid in self.ctx.get("made", {}).items()}
        given = {**self.exposed_inputs(DrawWorkChain), **self.cells()}
        return self.begin("draw", draw=(DrawWorkChain, {**given, "code": self.inputs.codes.sample, "made": made}))

    def results(self) -> ExitCode | None:
        """Attach the frames and what is told of them."""
        child = self.ctx.draw
        if failure := self.failure("draw", child):
            return failure
        self.out_many(self.exposed_outputs(child, DrawWorkChain))
        missing = child.outputs.coverage["missing"]
        self.report(f"{len(child.outputs.frames)} frames; {len(missing)} things are missing{': ' if missing else ''}"
                    f"{' '.join(missing)}")  # fmt: skip
        return None


def validate_sample(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse a relaxation or a melt that has no engine."""
    if "plan" not in inputs or "codes" not in inputs:
        return None
    if (message := validate_names(inputs.get("cells"))) is not None:
        return message
    melts = plan_of(inputs["plan"].get_dict()).melts
    if melts and "melt" not in inputs:
        return (
            f"The plan melts {melts[0].config_type}: give the cheap engine as `melt`, for example "
            "{'calculator': 'chgnet'}, or use kind amorphous, which needs none."
        )
    if (melts or "relax" in inputs) and "label" not in inputs["codes"]:
        return "Relaxing and melting need `codes.label`, the program seireact-label."
    if "relax" in inputs and inputs["relax"].get_dict().get("task") != "relax":
        return f"relax: the task is {inputs['relax'].get_dict().get('task', 'label')!r}, set it to 'relax'."
    return None


def validate_names(cells: FramesData | None) -> str | None:
    """Refuse cells that share a name."""
    counts = {} if cells is None else cells.base.attributes.get("config_types")
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        return f"Two cells are named {twice[0]!r}: the config type of a cell is its name, give another."
    return None

"""``seireact.produce``: MD of a trained model, segment by segment, after a safe start if one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import (
    CalcJob,
    ExitCode,
    ProcessBuilder,
    ProcessHandlerReport,
    ProcessSpec,
    ToContext,
    if_,
    process_handler,
    while_,
)

from aiida_seireact.calculations.lammps import LammpsCalculation
from aiida_seireact.calculations.md_checks import validate_start_of
from aiida_seireact.calculations.monitors import validate_monitors
from aiida_seireact.calculations.native_lammps import is_embedded, n_ranks_of
from aiida_seireact.calculations.start import contacts_of_start
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PotentialData
from aiida_seireact.formats.jobs.lmp import SegmentSettings
from aiida_seireact.workchains.base import ProgramWorkChain, lost_the_database
from aiida_seireact.workchains.codes import find_code, find_lammps
from aiida_seireact.workchains.produce_chain import (
    builder_to_extend,
    define_previous,
    define_verdict,
    is_a_look,
    validate_previous,
    validate_verdict,
    whole_run,
    with_restart_of_previous,
)
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.stages import define_refusal, refusal_of
from aiida_seireact.workchains.start import START_NOT_SAFE, StartWorkChain, sentences_of

# aiida-core: out of walltime, node failure.
ENDED_BY_SCHEDULER = (120, 140)
# Of the job: disk almost full, stopped on request.
ENDED_EARLY = (425, 427)


class ProduceWorkChain(ProtocolMixin, ProgramWorkChain):
    """Runs MD from a structure with a compiled model, in as many segments as it takes; or goes on with such a run.

    A segment ends where it should, or when its time is up, and the next one begins from its restart file. One that is
    killed goes on from its last good restart file. A stop rule ends a run that goes wrong, and that is a result.
    """

    _process_class: ClassVar[type[CalcJob]] = LammpsCalculation
    PROTOCOL_FILE: ClassVar[str] = "produce.yaml"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        for name in ("restart", "resume"):
            del spec.inputs[name]
        # A segment that is ended by the scheduler again and again may still come forward each time.
        spec.inputs["max_iterations"].default = lambda: orm.Int(10)
        define_previous(spec)
        define_verdict(spec)
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
        del spec.outputs["performance"]
        spec.output("ledger", valid_type=orm.Dict, help="What each segment has cost, and what the rest would.")
        spec.output(
            "seams", valid_type=orm.Dict, required=False, help="What jumps where segments meet; of several segments."
        )
        of_job = spec.inputs.validator
        spec.inputs.validator = lambda inputs, port: (
            validate_start(inputs)
            or validate_previous(inputs)
            or validate_verdict(inputs)
            or validate_monitors(inputs)
            or (of_job and of_job(with_restart_of_previous(inputs), port))
        )
        spec.outline(
            cls.setup,
            if_(cls.should_start)(cls.run_start, cls.inspect_start),
            while_(cls.should_run_process)(cls.run_process, cls.inspect_process),
            cls.results,
        )
        define_refusal(spec)
        spec.exit_code(START_NOT_SAFE, "ERROR_START_NOT_SAFE", message="No safe start for a long run: {message}")
        spec.exit_code(
            432,
            "ERROR_NO_PROGRESS",
            message="Segment <{pk}> made no step before its time was up: give it more walltime, or a larger "
            "`seconds_max`.",
        )
        spec.exit_code(
            433,
            "ERROR_ENDED_EARLY",
            message="The run is sound up to step {step}, where it was ended: {message} To go on: "
            "`aiida-seireact extend {pk}`.",
        )
        spec.exit_code(520, "ERROR_SEAM", message="The segments are not one run: {message}")

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
        verdict: orm.Dict | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` runs 4 ps at 300 K and zero pressure at once, ``careful`` after a safe start.

        ``long`` runs 10 ns after a safe start, in segments that are monitored. ``overrides["start"]`` is null, or a
        protocol of `seireact.start` by ``protocol`` and changes to it; ``overrides["monitors"]`` holds monitors of the
        jobs by name, each as AiiDA takes them; null: none.

        :param code: seireact-lmp, or a LAMMPS of its own; default: on this machine, by the number of ranks.
        :param companion: of a LAMMPS of its own; default: the newest seireact-lmp on its computer.
        :param verdict: on the model, of `seireact.validate`. ``long`` asks for it, and so does any run beyond 100 ps; a
            shorter one by the other protocols is a look at a model.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.structure = structure
        builder.potential = potential
        builder.code = code or find_lammps(n_ranks_of(options or {}))
        if not is_embedded(builder.code):
            builder.companion = companion or find_code("lmp", builder.code.computer.label)
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.unjudged = verdict is None and inputs["unjudged"] and is_a_look(builder.parameters)
        if verdict is not None:
            builder.verdict = verdict
        if inputs["start"] is not None:
            builder.start = start_inputs(inputs["start"])
        for name, monitor in (inputs["monitors"] or {}).items():
            if monitor is not None:
                builder.monitors[name] = orm.Dict(monitor)
        builder.options = dict(options or {})
        return builder

    @classmethod
    def get_builder_to_extend(
        cls, run: orm.WorkChainNode, steps: int, options: Mapping[str, Any] | None = None
    ) -> ProcessBuilder:
        """Return a builder that goes on with a run until ``steps`` in all, with all else as it was.

        :param run: a `ProduceWorkChain` that has ended, well or not, with a restart to go on from.
        :raises ValueError: it has none, or has gone that far.
        """
        return builder_to_extend(cls, run, steps, options)

    def setup(self) -> None:
        super().setup()
        self.ctx.segment = 1
        self.ctx.segments = []
        if self.inputs.get("previous"):
            self.ctx.inputs.restart = self.inputs.previous.restart

    # ------------------------------------------------------------------ safe start
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

    # ------------------------------------------------------------------ segment by segment
    def run_process(self) -> ToContext | ExitCode:
        """Run a segment, unless the job refuses it: the cell of a safe start was not there on submission."""
        if message := refusal_of(self.process_class, self.ctx.inputs):
            return self.exit_codes.ERROR_STAGE_REFUSED.format(stage="run", message=message)
        return super().run_process()

    def submit(self, process: Any, *arguments: Any, **inputs: Any) -> Any:
        """Submit as ever, but name a segment by what it is, not by how often its job was tried."""
        if process is self.process_class:
            again = "" if self.ctx.iteration == 1 else f"_try_{self.ctx.iteration}"
            inputs["metadata"]["call_link_label"] = f"segment_{self.ctx.segment:03d}{again}"
        return super().submit(process, *arguments, **inputs)

    def inspect_process(self) -> ExitCode | None:
        """Go on with the next segment if this one ended well and there is more to do."""
        job = self.ctx.children[-1]
        if lost_the_database(job) and "remote_folder" in job.outputs:
            self.ctx.inputs.resume = job.outputs.remote_folder
        refusal = super().inspect_process()
        if refusal is None and self.ctx.is_finished:
            refusal = self._next_segment(self.ctx.children[-1])
        # A handler that has another try run returns an exit code of 0.
        if refusal is not None and refusal.status:
            self._attach()  # nothing that was run is lost
        return refusal

    def _next_segment(self, segment: orm.CalcJobNode) -> ExitCode | None:
        facts = segment.outputs.trajectory.base.attributes.all
        self.ctx.segments.append(segment.uuid)
        asked = SegmentSettings.model_validate(self.inputs.parameters.get_dict()).md.steps
        if facts["stopped_by"] is not None or facts["last_step"] >= asked:
            return None
        if not facts["steps"]:
            # The walltime is no input of the hash: with more of it, the cache must not give this again.
            segment.base.caching.is_valid_cache = False
            return self.exit_codes.ERROR_NO_PROGRESS.format(pk=segment.pk)
        self.report(f"segment {self.ctx.segment} ended at step {facts['last_step']} of {asked}; the next one goes on")
        for name in ("structure", "cell", "resume"):
            self.ctx.inputs.pop(name, None)
        self.ctx.inputs.restart = segment.outputs.restart
        self.ctx.update(segment=self.ctx.segment + 1, is_finished=False, iteration=0, children=[])
        return None

    @process_handler(priority=700)
    def keep_what_was_done(self, calculation: orm.CalcJobNode) -> None:
        """Whatever ended the job, a next try goes on from its last good restart file."""
        if calculation.is_failed and "remote_folder" in calculation.outputs:
            self.ctx.inputs.resume = calculation.outputs.remote_folder

    @process_handler(priority=660)
    def keep_what_was_ended_early(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """Somebody asked for the end, or the disk is full: what there is, is whole, and can be gone on with."""
        if calculation.exit_status not in ENDED_EARLY or "restart" not in calculation.outputs:
            return None
        self.ctx.segments.append(calculation.uuid)
        code = self.exit_codes.ERROR_ENDED_EARLY.format(
            step=calculation.outputs.restart.step, message=calculation.exit_message, pk=self.node.pk
        )
        return ProcessHandlerReport(do_break=True, exit_code=code)

    @process_handler(priority=650)
    def go_on_after_the_scheduler(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport | None:
        """The scheduler ended the job, since its time was up or its node failed: go on."""
        if calculation.exit_status not in ENDED_BY_SCHEDULER:
            return None
        self.report(f"{calculation.process_label} <{calculation.pk}> was ended by the scheduler; it goes on")
        return ProcessHandlerReport(do_break=True)

    # ------------------------------------------------------------------ and what came of it
    def results(self) -> ExitCode | None:
        """Attach the whole run, unless its segments don't fit together."""
        self._attach()
        if "seams" in self.outputs and (message := self.outputs["seams"]["complaint"]):
            return self.exit_codes.ERROR_SEAM.format(message=message)
        return None

    def _attach(self) -> None:
        segments = [orm.load_node(uuid) for uuid in self.ctx.segments]
        if not segments:
            return
        previous = self.inputs.get("previous", {})
        self.out_many(whole_run(self.inputs.parameters, segments, previous))


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
    refused = validate_start_of(inputs["parameters"]) if "parameters" in inputs else None
    return refused or contacts_of_start(inputs["structure"], inputs["start"]["parameters"])

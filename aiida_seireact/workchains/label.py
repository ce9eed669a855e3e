"""``seireact.label``: frames in, labelled frames and failures out, whatever engine computes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.common.exceptions import EntryPointError
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, while_
from aiida.plugins import WorkflowFactory

from aiida_seireact.calculations.functions.frames import MAX_BATCHES, cut_batches, cut_boughs
from aiida_seireact.calculations.functions.labels import join_failures, join_shards, reuse_labels
from aiida_seireact.data.frames import FramesData
from aiida_seireact.workchains.base import attempt
from aiida_seireact.workchains.codes import find_code, find_plugin_code
from aiida_seireact.workchains.known_labels import find_shards, find_twin, shards_of
from aiida_seireact.workchains.protocol import ProtocolMixin
from aiida_seireact.workchains.restartable import RestartableMixin

ENGINE_PREFIX = "seireact.label."
ASE_ENGINE = "seireact.label.ase"
# Call links of the processes that take labels over.
REUSE = "reuse_"


class LabelWorkChain(ProtocolMixin, RestartableMixin, WorkChain):
    """Labels frames by the engine ``seireact.label.<name>``, in batches that run side by side.

    A structure that the same engine, code and settings have labelled before, anywhere in the profile, is not computed
    again: its label is taken over, with the shard it comes from as an input. More batches than one process can collect
    become a tree of processes like this one.
    """

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
            default=lambda: orm.Str(ASE_ENGINE),
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
            validator=validate_batch_size,
            default=lambda: orm.Int(200),
            help="Frames a job.",
        )
        spec.input(
            "max_parallel",
            valid_type=int,
            is_metadata=True,
            default=0,
            validator=validate_max_parallel,
            help="Batches at a time, so that a queue is not flooded; 0 for all at once. Never changes a result.",
        )
        spec.input(
            "reuse",
            valid_type=bool,
            is_metadata=True,
            default=True,
            help="Whether labels that the profile has are taken over. Never changes a result: they are those of the "
            "same engine, code and settings.",
        )
        spec.input("options", valid_type=dict, is_metadata=True, default=dict, help="Scheduler options of each job.")
        spec.inputs.validator = validate_parameters
        spec.output("frames", valid_type=FramesData, required=False, help="What could be labelled, in the order given.")
        spec.output(
            "failures",
            valid_type=orm.Dict,
            required=False,
            help="Index, structure id and reason of each frame without a label.",
        )
        spec.outline(cls.setup, while_(cls.should_submit)(cls.submit_batches), cls.collect)
        spec.exit_code(
            440,
            "ERROR_BATCH_FAILED",
            message="{number} of {total} batches of labels failed, the first in <{pk}>: {message}",
        )
        spec.exit_code(
            441,
            "ERROR_LABELS_DONT_FIT",
            message="The labels can't be joined: {message} If the program was upgraded under the same code, make a "
            "code for the new version, or label with `reuse=False`.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        frames: FramesData,
        code: orm.AbstractCode | None = None,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder: ``fast`` labels with CHGNet on localhost.

        :param code: default: the newest code of the engine's program on localhost.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        builder = cls.get_builder()
        builder.frames = frames
        builder.code = code or find_code_of(inputs["engine"])
        builder.engine = orm.Str(inputs["engine"])
        builder.parameters = orm.Dict(inputs["parameters"])
        builder.batch_size = orm.Int(inputs["batch_size"])
        builder.options = dict(options or {})
        return builder

    def setup(self) -> ExitCode | None:
        """Take over what is labelled already, and cut the rest into batches."""
        self.ctx.known = []
        self.ctx.labels = []
        frames = self.inputs.frames
        for number, shards in enumerate(self.known_shards()):
            parts, refusal = attempt(
                reuse_labels,
                frames,
                metadata={"call_link_label": f"{REUSE}{number:03d}"},
                **{f"shard_{index:03d}": shard for index, shard in enumerate(shards)},
            )
            if refusal:
                return self.exit_codes.ERROR_LABELS_DONT_FIT.format(message=refusal)
            if "known" in parts:
                self.ctx.known.append(parts["known"].uuid)
            if "missing" not in parts:
                self.report(f"all {len(self.inputs.frames)} frames are labelled already")
                return None
            frames = parts["missing"]
        batches = self.cut(frames)
        self.ctx.batches = [(label, batches[label].uuid) for label in sorted(batches)]
        self.report(
            f"{len(frames)} of {len(self.inputs.frames)} frames go to {self.inputs.engine.value} in "
            f"{len(batches)} batches" + " of batches" * self.is_tree(frames)
        )
        return None

    def known_shards(self) -> list[list[FramesData]]:
        """Return what labels are taken from, a list for each call; one without shards drops what is given twice."""
        frames = self.inputs.frames
        if self.inputs.reuse:
            twin = find_twin(self.node.process_type, self.inputs)
            found = shards_of(twin, REUSE) if twin is not None else find_shards(frames, self.inputs)
            if found or twin is not None:
                return found
        return [] if len(set(frames.frames.structure_ids)) == len(frames) else [[]]

    def cut(self, frames: FramesData) -> Mapping[str, FramesData]:
        """Return the batches by their label; those of a tree hold as many frames as one process can collect."""
        size = self.inputs.batch_size.value
        if len(frames) <= size:
            return {"batch_000": frames}
        if not self.is_tree(frames):
            return cut_batches(frames, self.inputs.batch_size, metadata={"call_link_label": "cut_batches"})
        return cut_boughs(frames, self.inputs.batch_size, metadata={"call_link_label": "cut_batches"})

    def is_tree(self, frames: FramesData) -> bool:
        """Whether there are more batches than one process can collect."""
        return len(frames) > MAX_BATCHES * self.inputs.batch_size.value

    def should_submit(self) -> bool:
        """Whether there are batches to come."""
        return len(self.ctx.labels) < len(self.ctx.get("batches", []))

    def submit_batches(self) -> ToContext:
        """Send the next batches to the engine."""
        done = len(self.ctx.labels)
        wave = self.ctx.batches[done : done + (self.inputs.max_parallel or len(self.ctx.batches))]
        self.ctx.labels += [label for label, _ in wave]
        return ToContext(**{label: self.submit_batch(label, orm.load_node(uuid)) for label, uuid in wave})

    def submit_batch(self, label: str, frames: FramesData) -> orm.ProcessNode:
        """Send one batch to the engine, or a bough of the tree to a process like this one."""
        inputs = {
            "code": self.inputs.code,
            "frames": frames,
            "parameters": self.inputs.parameters,
            "options": dict(self.inputs.options),
            "metadata": {"call_link_label": label},
        }
        if len(frames) > self.inputs.batch_size.value:
            return self.submit(
                LabelWorkChain,
                engine=self.inputs.engine,
                batch_size=self.inputs.batch_size,
                max_parallel=self.inputs.max_parallel,
                reuse=False,
                **inputs,
            )
        return self.submit(WorkflowFactory(self.inputs.engine.value), **inputs)

    def collect(self) -> ExitCode | None:
        """Join labels known and new in the order of the frames; a failed batch is told, and costs no other."""
        batches = {label: self.ctx[label] for label in self.ctx.labels}
        failed = [batch for batch in batches.values() if not batch.is_finished_ok]
        shards = {f"known_{number:03d}": orm.load_node(uuid) for number, uuid in enumerate(self.ctx.known)}
        shards |= {label: batch.outputs.frames for label, batch in batches.items() if "frames" in batch.outputs}
        reports = {label: batch.outputs.failures for label, batch in batches.items() if "failures" in batch.outputs}
        if refusal := self.join(shards, reports):
            return self.exit_codes.ERROR_LABELS_DONT_FIT.format(message=refusal)
        if failed:
            return self.exit_codes.ERROR_BATCH_FAILED.format(
                number=len(failed),
                total=len(batches),
                pk=failed[0].pk,
                message=failed[0].exit_message or f"it was {failed[0].process_state.value}",
            )
        return None

    def join(self, shards: Mapping[str, FramesData], reports: Mapping[str, orm.Dict]) -> str:
        """Attach frames and failures; return why the labels can't be joined, or an empty string."""
        frames = self.inputs.frames
        if list(shards) == list(reports) == ["batch_000"] and not self.ctx.known:
            (shard,), (report,) = shards.values(), reports.values()
            if len(shard) + len(report["failures"]) == len(frames):
                self.out("frames", shard)
                self.out("failures", report)
                return ""
        if shards:
            labelled, refusal = attempt(join_shards, frames, metadata={"call_link_label": "join_shards"}, **shards)
            if refusal:
                return refusal
            self.out("frames", labelled)
        self.out("failures", join_failures(frames, metadata={"call_link_label": "join_failures"}, **reports))
        return ""


def find_code_of(engine: str) -> orm.AbstractCode:
    """Return the newest code on localhost of the program of an engine.

    :raises NotExistent: there is none.
    """
    plugin = getattr(WorkflowFactory(engine), "PLUGIN", None)
    return find_code("label") if plugin is None else find_plugin_code(plugin)


def validate_engine(engine: orm.Str | None, _: Any) -> str | None:
    """Refuse engines that are not there or don't have the common ports."""
    return None if engine is None else engine_refusal(engine.value, ENGINE_PREFIX, "A labelling engine")


def engine_refusal(name: str, prefix: str, what: str) -> str | None:
    """Return what speaks against an engine, None if nothing.

    :param name: its entry point.
    :param prefix: what it begins with.
    :param what: what it is called at the begin of a sentence.
    """
    if not name.startswith(prefix):
        return f"{what} is an entry point {prefix}<name>, not {name!r}."
    try:
        process = WorkflowFactory(name)
    except EntryPointError:
        kind = what.partition(" ")[2]
        return f"There is no {kind} {name!r}: `verdi plugin list aiida.workflows` shows those installed."
    missing = {"code", "frames", "parameters", "options"} - set(process.spec().inputs)
    return f"The engine {name!r} lacks the inputs {', '.join(sorted(missing))}." if missing else None


def validate_batch_size(size: orm.Int, _: Any) -> str | None:
    """Refuse empty batches."""
    return None if size.value >= 1 else f"batch_size is {size.value}; a job labels at least one frame."


def validate_max_parallel(number: int, _: Any) -> str | None:
    """Refuse a negative number."""
    return None if number >= 0 else f"max_parallel is {number}; it is a number of batches, 0 for all at once."


def complaint(engine: orm.Str, parameters: orm.Dict, context: Any) -> str | None:
    """Return what an engine says against these settings, None if nothing."""
    check = WorkflowFactory(engine.value).spec().inputs["parameters"].validator
    return None if check is None else check(parameters, context)


def engine_complaint(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Return what an engine says against the inputs of it that are given, None if nothing."""
    if message := complaint(inputs["engine"], inputs["parameters"], context):
        return f"parameters: {message}"
    engine = WorkflowFactory(inputs["engine"].value)
    ports = engine.spec().inputs
    given = {name: inputs[name] for name in ("code", "frames", "parameters", "potential") if name in inputs}
    if foreign := sorted(set(given) - set(ports)):
        return f"{inputs['engine'].value} takes no {', '.join(foreign)}: remove it."
    if ports.validator is not None and (message := ports.validator(given, context)):
        return str(message)
    return None


def validate_parameters(inputs: Mapping[str, Any], context: Any) -> str | None:
    """Refuse what the engine would refuse, before anything is submitted."""
    if not {"engine", "parameters", "code", "frames"} <= set(inputs):
        return None
    if message := engine_complaint(inputs, context):
        return message
    most = getattr(WorkflowFactory(inputs["engine"].value), "MAX_FRAMES", None)
    if most is not None and inputs["batch_size"].value > most:
        return (
            f"{inputs['engine'].value} starts one calculation a frame and takes at most {most} a batch: "
            f"lower batch_size from {inputs['batch_size'].value}."
        )
    return None

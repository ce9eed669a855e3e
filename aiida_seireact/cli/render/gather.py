"""Everything a report shows, read from the graph below one process; finished, running and failed ones alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiida import orm

from aiida_seireact.cli.conditions import ConditionNow, conditions_now
from aiida_seireact.cli.render.augmentation import Augmentation, read_augmentation
from aiida_seireact.cli.render.exploration import Exploration, read_exploration
from aiida_seireact.cli.render.judged import Judged, read_judged
from aiida_seireact.cli.render.ledger import Cost, ledger_of
from aiida_seireact.cli.render.models import Model, read_model
from aiida_seireact.cli.render.outputs import CLOSED, FIRST, Outputs
from aiida_seireact.cli.render.runs import Run, named_fractions, read_run
from aiida_seireact.cli.render.sources import Source, sources_of
from aiida_seireact.cli.render.troubles import Trouble, troubles_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.query.family import LEARNING, Member
from aiida_seireact.query.tree import Process, processes_under, seconds_by_stage
from aiida_seireact.query.versions import versions_of


@dataclass
class ReportData:
    """What the report shows; what is None or empty is missing, and `missing` says why."""

    pk: int
    uuid: str
    label: str
    name: str
    state: str
    exit_status: int | None
    exit_message: str
    started: datetime
    seconds: float
    is_over: bool
    stages: tuple[str, ...] = ()
    """Stages a study goes through; empty for any other process."""
    content: dict[str, Any] = field(default_factory=dict)
    model: Model = field(default_factory=Model)
    """The last model."""
    run: Run = field(default_factory=Run)
    """The run of the interface by the last model."""
    first_model: Model | None = None
    """The model before augmentation; None where there is but one."""
    first_run: Run | None = None
    n_first_frames: int | None = None
    """Frames in the dataset of the first model."""
    n_first_labels: int = 0
    """Frames labelled before exploration."""
    exploration: Exploration | None = None
    conditions: tuple[ConditionNow, ...] = ()
    augmentation: Augmentation | None = None
    closed: dict[str, Any] = field(default_factory=dict)
    """How much of the run is unknown before and after that was learned; empty where the loop was not closed."""
    judged: Judged = field(default_factory=Judged)
    """What a scorecard says of the models."""
    label_failures: list[dict[str, Any]] = field(default_factory=list)
    reference_plan: dict[str, Any] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    seconds_by_stage: dict[str, float] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    """Which node holds which number of the summary, by its key."""
    troubles: list[Trouble] = field(default_factory=list)
    """What failed, and what was done about it."""
    ledger: list[Cost] = field(default_factory=list)
    """What it took of computers, stage by stage."""
    bases: list[str] = field(default_factory=list)
    """Where the hours of the ledger are from."""
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def ended_well(self) -> bool:
        """Finished with exit status 0."""
        return self.state == "finished" and self.exit_status == 0

    @property
    def labeller(self) -> str:
        """Name of the labelling engine's calculator, empty if not known."""
        return str(self.content.get("labeller") or "")

    def has(self, stage: str) -> bool:
        """Whether the process has a stage: that of a study by its inputs, of any other by its children."""
        return stage in (self.stages or {process.stage for process in self.processes})


def gather(top: orm.ProcessNode) -> ReportData:
    """Read the report of ``top`` from the graph."""
    processes = processes_under(top)
    mine = processes[0]
    outputs = Outputs(top, processes)
    data = ReportData(
        pk=mine.pk,
        uuid=mine.member.uuid,
        label=top.label,
        name=mine.member.name,
        state=mine.member.process_state or "created",
        exit_status=mine.member.exit_status,
        exit_message=mine.member.reason if mine.is_failed else "",
        started=mine.member.ctime.astimezone(UTC),
        seconds=mine.seconds,
        is_over=mine.is_sealed,
        stages=outputs.stages,
        conditions=conditions_now(_told(processes)),
        processes=processes,
        seconds_by_stage=seconds_by_stage(processes),
        versions=versions_of(processes),
    )
    data.model, data.run = read_model(outputs), read_run(outputs)
    if outputs.has_first:
        data.first_model, data.first_run = read_model(outputs, FIRST), read_run(outputs, FIRST, draw_cell=False)
        dataset = outputs.find("dataset", FIRST)
        data.n_first_frames = None if dataset is None else len(dataset)
    if data.conditions or data.has("explore"):
        data.exploration = read_exploration(outputs)
    if outputs.has_first or outputs.top.process_label == "AugmentWorkChain":
        data.augmentation = read_augmentation(outputs)
    if data.has("close_loop") or top.process_label == "CloseLoopWorkChain":
        part = CLOSED if outputs.is_study else ""
        comparison = outputs.find("comparison", part)
        data.closed = {} if comparison is None else comparison.get_dict()
    data.judged = read_judged(outputs)
    failures, plan = outputs.find("label_failures"), outputs.find("reference_plan")
    data.label_failures = list(failures["failures"]) if failures is not None else []
    data.reference_plan = dict(plan["phases"]) if plan is not None else {}
    data.n_first_labels = _labelled_frames(outputs)
    data.content = _content(data, top, outputs)
    data.sources = sources_of(outputs)
    data.troubles = troubles_of(top, processes)
    data.ledger, data.bases = ledger_of([top], {top.uuid: data.seconds_by_stage})
    data.missing.update(outputs.missing)
    return data


def _told(processes: Sequence[Process]) -> list[Member]:
    """Return the processes as members of a family, without the legs that are not sealed: their steps may not count."""
    return [process.member for process in processes if process.is_sealed or process.member.process_type != LEARNING]


def _content(data: ReportData, top: orm.ProcessNode, outputs: Outputs) -> dict[str, Any]:
    """Return the numbers of the summary node; of a process without one, those that can be read already."""
    summary, dataset = outputs.find("summary"), outputs.find("dataset")
    content: dict[str, Any] = {}
    if summary is not None:
        content = summary.get_dict()
    else:
        if "label" in top.inputs and isinstance(top.inputs.label, orm.Dict):
            content["labeller"] = top.inputs.label.get_dict().get("calculator", {}).get("name", "")
        # Of an exploration or augmentation alone, the same labels are counted below.
        labels = data.n_first_labels if data.stages or not (data.exploration or data.augmentation) else 0
        if data.exploration is not None:
            content |= data.exploration.content()
            labels += data.exploration.numbers["n_labels"]
        if data.augmentation is not None:
            content |= data.augmentation.content()
            labels += data.augmentation.n_labelled
        content |= {"n_label_calls": labels} if labels else {}
        if dataset is not None:
            attributes = dataset.base.attributes
            content |= {
                "n_frames": len(dataset),
                "frames_by_type": attributes.get("config_types"),
                "frames_by_split": {name: attributes.get(f"n_{name}") for name in ("train", "val", "test")},
                "dataset_hash": dataset.content_hash,
            }
        content |= _numbers(data.model, data.run)
        if data.first_model is not None and data.first_run is not None:
            first = _numbers(data.first_model, data.first_run)
            content |= {FIRST: first} if first else {}
    of = str(data.run.classification.get("of") or "")
    for part in (content, content.get(FIRST) or {}):
        if part.get("phase_fractions"):
            part["phase_fractions"] = named_fractions(part["phase_fractions"], of)
    return content


def _numbers(model: Model, run: Run) -> dict[str, Any]:
    """Return what can be said of a model and its run, named as in the summary."""
    numbers = {key: value for key, value in model.errors.items() if key.split("_")[1] in ("rmse", "rms")}
    if model.metrics.get("by_type"):
        numbers["errors_by_type"] = model.metrics["by_type"]
    if model.model_hash:
        numbers["model_hash"] = model.model_hash
    if run.facts:
        names = {"md_steps": "steps", "md_atoms": "n_atoms", "md_timestep_fs": "timestep_fs"}
        numbers |= {name: run.facts.get(key) for name, key in names.items()}
        numbers["production_stopped_by"] = run.facts.get("stopped_by")
    if run.classification.get("phase_fractions"):
        numbers["phase_fractions"] = run.classification["phase_fractions"]
    numbers |= {key: run.analysis[key] for key in ("ps4_intact_start", "ps4_intact_end") if key in run.analysis}
    return numbers


def _labelled_frames(outputs: Outputs) -> int:
    """Count the labelled frames of all label children that ended well."""
    total = 0
    for child in outputs.children:
        if child.stage == "label" and child.counts:
            node = orm.load_node(child.pk)
            if "frames" in node.outputs and isinstance(node.outputs.frames, FramesData):
                total += len(node.outputs.frames)
    return total

"""Everything a report shows, read from the graph below one process; finished, running and failed ones alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import timezone
from numpy.typing import NDArray

from aiida_seireact.cli.render.processes import Process, processes_under, seconds_by_stage, versions_of
from aiida_seireact.data.frames import FramesData

EV_PER_ANG3_IN_GPA = 160.21766208

Array = NDArray[Any]

OUTPUT_STAGE = {
    "dataset": "dataset",
    "label_failures": "label",
    "metrics": "train",
    "curve": "train",
    "predictions": "train",
    "potential": "train",
    "compiled": "train",
    "reference_plan": "references",
    "trajectory": "produce",
    "classification": "classify",
    "labels": "classify",
    "phases": "classify",
    "analysis": "analyse",
    "analysis_arrays": "analyse",
    "summary": "summary",
}
"""Which stage makes which output: where to look for it while the top process has not passed it on."""


@dataclass(frozen=True)
class Parity:
    """Reference and predicted values of one quantity, ``(n,)`` each, with the config type of each point."""

    reference: Array
    predicted: Array
    kinds: Array
    unit: str


@dataclass(frozen=True)
class Moment:
    """The production cell at one time: what `figures.cell_picture` draws."""

    time_ps: float
    positions: Array
    symbols: Array
    cell: Array
    phases: Array


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
    rendered: datetime
    content: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Parity] = field(default_factory=dict)
    curve: dict[str, Array] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    thermo: dict[str, Array] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    classification: dict[str, Any] = field(default_factory=dict)
    analysis: dict[str, Any] = field(default_factory=dict)
    ps4: tuple[Array, Array, int] | None = None
    fractions: tuple[Array, dict[str, Array], str] | None = None
    profile: tuple[Array, dict[str, dict[str, Array]], str] | None = None
    thickness: tuple[Array, dict[str, Array]] | None = None
    distributions: tuple[Array, dict[str, dict[str, Array]]] | None = None
    displacements: tuple[Array, dict[str, Array]] | None = None
    picture: dict[str, Moment] = field(default_factory=dict)
    label_failures: list[dict[str, Any]] = field(default_factory=list)
    reference_plan: dict[str, Any] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    seconds_by_stage: dict[str, float] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def ended_well(self) -> bool:
        """Finished with exit status 0."""
        return self.state == "finished" and self.exit_status == 0

    @property
    def labeller(self) -> str:
        """Name of the labelling engine's calculator, empty if not known."""
        return str(self.content.get("labeller") or "")


def gather(top: orm.ProcessNode) -> ReportData:
    """Read the report of ``top`` from the graph."""
    processes = processes_under(top)
    mine = processes[0]
    data = ReportData(
        pk=mine.pk,
        uuid=mine.member.uuid,
        label=top.label,
        name=mine.member.name,
        state=mine.member.process_state or "created",
        exit_status=mine.member.exit_status,
        exit_message=mine.member.reason if mine.is_failed else "",
        started=mine.member.ctime,
        seconds=mine.seconds,
        is_over=mine.is_sealed,
        rendered=timezone.now(),
        processes=processes,
        seconds_by_stage=seconds_by_stage(processes),
        versions=versions_of(processes),
    )
    outputs = _Outputs(top, processes)
    _read_content(data, top, outputs)
    _read_training(data, outputs)
    _read_production(data, outputs)
    _read_phases(data, outputs)
    _read_analysis(data, outputs)
    data.missing.update(outputs.missing)
    return data


class _Outputs:
    """Output nodes of the top process, or of the child that made them while it has not passed them on."""

    def __init__(self, top: orm.ProcessNode, processes: list[Process]) -> None:
        self.top = top
        self.children = [process for process in processes if process.depth == 1]
        self.processes = processes
        self.missing: dict[str, str] = {}

    def find(self, name: str) -> Any:
        """Return the output node, or None after noting why it is missing."""
        if name in self.top.outputs:
            return self.top.outputs[name]
        stage = OUTPUT_STAGE[name]
        for child in self.children:
            # A reference run has a trajectory too: only the child of that very stage counts.
            if child.stage == stage and child.member.is_ok:
                outputs = orm.load_node(child.pk).outputs
                if name in outputs:
                    return outputs[name]
        self.missing[name] = self._why(stage)
        return None

    def _why(self, stage: str) -> str:
        mine = [child for child in self.children if child.stage == stage]
        failed = [child.member for child in mine if child.is_failed]
        if failed:
            last = failed[-1]
            reason = last.reason or f"it was {last.process_state}"
            return f"stage {stage} failed in {last.name} <{last.pk}>: {reason}"
        running = [child.member for child in mine if not child.is_sealed]
        if running:
            return f"stage {stage} is not over: {running[-1].name} <{running[-1].pk}> is {running[-1].state}"
        if self.processes[0].is_sealed:
            return f"stage {stage} was not reached"
        return f"stage {stage} has not begun"


def _read_content(data: ReportData, top: orm.ProcessNode, outputs: _Outputs) -> None:
    """The numbers of the summary node; of a run without one, those that can be read already."""
    summary = outputs.find("summary")
    failures = outputs.find("label_failures")
    data.label_failures = list(failures["failures"]) if failures is not None else []
    plan = outputs.find("reference_plan")
    data.reference_plan = dict(plan["phases"]) if plan is not None else {}
    metrics = outputs.find("metrics")
    data.metrics = metrics.get_dict() if metrics is not None else {}
    dataset, potential = outputs.find("dataset"), outputs.find("potential")
    if summary is not None:
        data.content = summary.get_dict()
        return
    content: dict[str, Any] = {}
    if "label" in top.inputs:
        content["labeller"] = top.inputs.label.get_dict().get("calculator", {}).get("name", "")
    labelled = _labelled_frames(outputs)
    if labelled:
        content["n_label_calls"] = labelled
    if dataset is not None:
        attributes = dataset.base.attributes
        content |= {
            "n_frames": len(dataset),
            "frames_by_type": attributes.get("config_types"),
            "frames_by_split": {name: attributes.get(f"n_{name}") for name in ("train", "val", "test")},
            "dataset_hash": dataset.content_hash,
        }
    if data.metrics:
        content |= {key: value for key, value in data.metrics["all"].items() if key != "n_frames"}
        content["errors_by_type"] = data.metrics["by_type"]
    if potential is not None:
        content["model_hash"] = potential.model_hash
    data.content = content


def _labelled_frames(outputs: _Outputs) -> int:
    """Count the labelled frames of all label children that ended well."""
    total = 0
    for child in outputs.children:
        if child.stage == "label" and child.member.is_ok:
            node = orm.load_node(child.pk)
            if "frames" in node.outputs and isinstance(node.outputs.frames, FramesData):
                total += len(node.outputs.frames)
    return total


def _read_training(data: ReportData, outputs: _Outputs) -> None:
    curve = outputs.find("curve")
    if curve is not None:
        data.curve = {name: curve.get_array(name) for name in curve.get_arraynames()}
    predictions = outputs.find("predictions")
    if predictions is None:
        return
    kinds = predictions.get_array("config_type")
    per_atom = np.repeat(kinds, predictions.get_array("n_atoms"))

    def pair(name: str, kind: Array, unit: str, factor: float = 1.0) -> Parity:
        reference = np.asarray(predictions.get_array(f"{name}_reference"), dtype=float) * factor
        predicted = np.asarray(predictions.get_array(f"{name}_predicted"), dtype=float) * factor
        width = reference.shape[1] if reference.ndim == 2 else 1
        return Parity(reference.ravel(), predicted.ravel(), np.repeat(kind, width), unit)

    data.parity = {
        "energy": pair("energy", kinds, "eV/atom"),
        "forces": pair("forces", per_atom, "eV/Å"),
        "stress": pair("stress", kinds, "GPa", EV_PER_ANG3_IN_GPA),
    }


def _read_production(data: ReportData, outputs: _Outputs) -> None:
    trajectory = outputs.find("trajectory")
    if trajectory is None:
        return
    data.run = {key: value for key, value in trajectory.base.attributes.items() if key != "manifest"}
    data.content.setdefault("md_steps", data.run.get("steps"))
    data.content.setdefault("md_atoms", data.run.get("n_atoms"))
    data.content.setdefault("md_timestep_fs", data.run.get("timestep_fs"))
    data.content.setdefault("production_stopped_by", data.run.get("stopped_by"))
    thermo = trajectory.thermo
    data.thermo = (
        {**thermo, "time_ps": thermo["step"] * float(data.run["timestep_fs"]) / 1000} if "step" in thermo else {}
    )


def _read_phases(data: ReportData, outputs: _Outputs) -> None:
    pass


def _read_analysis(data: ReportData, outputs: _Outputs) -> None:
    pass

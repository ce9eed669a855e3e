"""Everything a report shows, read from the graph below one process; finished, running and failed ones alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import timezone
from aiida.common.exceptions import NotExistent
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.cli.render.processes import Process, processes_under, seconds_by_stage, versions_of
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.trajectory import LiveCopy, TrajectoryData
from aiida_seireact.formats.dump import DumpError, Snapshot, read_dump
from aiida_seireact.formats.phases import Labels
from aiida_seireact.science.analysis import profile_along_z
from aiida_seireact.science.labelling import UNKNOWN

EV_PER_ANG3_IN_GPA = 160.21766208
PROFILE_BIN_ANG = 2.0
MOST_ATOMS_DRAWN = 20_000

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


CURVES = {
    "val_forces_rmse_ev_ang": ("force error, validation (eV/Å)", 1.0),
    "val_energy_rmse_ev_atom": ("energy error, validation (meV/atom)", 1000.0),
    "val_stress_rmse_ev_ang3": ("stress error, validation (GPa)", EV_PER_ANG3_IN_GPA),
    "train_loss": ("training loss", 1.0),
}
"""Columns of the training curve that are shown: how they are called, and what turns them into that unit."""


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
    epoch: Array | None = None
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
                # A calcfunction with one output calls it result.
                for label in (name, "result"):
                    if label in outputs:
                        return outputs[label]
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
    if data.metrics.get("all"):
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
        data.epoch = curve.get_array("epoch")
        names = set(curve.get_arraynames())
        data.curve = {text: curve.get_array(name) * factor for name, (text, factor) in CURVES.items() if name in names}
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
    classification = outputs.find("classification")
    if classification is not None:
        data.classification = classification.get_dict()
    fractions = data.content.get("phase_fractions") or data.classification.get("phase_fractions")
    if fractions:
        data.content["phase_fractions"] = named_fractions(fractions, str(data.classification.get("of", "")))
    node = outputs.find("labels")
    if node is None:
        return
    labels = Labels(**{item.name: node.get_array(item.name) for item in fields(Labels)})
    names = [str(name) for name in labels.label_names]
    order = sorted(range(len(names)), key=lambda index: (names[index] == UNKNOWN, index))
    shares = np.stack([(labels.labels == index).mean(axis=1) for index in range(len(names))])
    seen = [index for index in order if shares[index].any()]
    of = str(data.classification.get("of") or "environments")
    data.fractions = (_times(data, labels.steps), {names[index]: shares[index] for index in seen}, of)

    tenth = max(1, round(len(labels.steps) / 10))
    height = float(labels.heights_ang.mean())
    n_bins = max(1, round(height / PROFILE_BIN_ANG))
    panels = {}
    for title, part in (("start", slice(None, tenth)), ("end", slice(-tenth, None))):
        counts = profile_along_z(labels.z_fraction[part], labels.labels[part], len(names), n_bins) / tenth
        panels[title] = {names[index]: counts[index] for index in seen}
    z_ang = (np.arange(n_bins) + 0.5) * height / n_bins
    data.profile = (z_ang, panels, f"Li in {height / n_bins:.1f} Å")
    _read_picture(data, outputs, labels, names)


def named_fractions(fractions: Mapping[str, Any], of: str) -> dict[str, Any]:
    """Return phase fractions as `of`, `first`, `last` and `all`, whichever of its two names each part has."""
    parts = {"first": "first_tenth", "last": "last_tenth", "all": "whole_run"}
    found = {name: fractions.get(name, fractions.get(other)) for name, other in parts.items()}
    return {"of": fractions.get("of") or of, **{name: part for name, part in found.items() if part is not None}}


def _times(data: ReportData, steps: Array) -> Array:
    return np.asarray(steps, dtype=float) * float(data.run.get("timestep_fs", 1.0)) / 1000


def _read_picture(data: ReportData, outputs: _Outputs, labels: Labels, names: list[str]) -> None:
    """The cell at the first and at the last classified frame, from wherever a copy of the dump lies."""
    trajectory = outputs.find("trajectory")
    if trajectory is None or int(data.run.get("n_atoms", 0)) > MOST_ATOMS_DRAWN:
        return
    try:
        for title, row in (("start", 0), ("end", len(labels.steps) - 1)):
            frame = snapshot_at(trajectory, int(labels.steps[row]))
            phase_of = dict(zip(labels.atom_ids.tolist(), labels.labels[row].tolist(), strict=True))
            time_ps = float(_times(data, labels.steps[row : row + 1])[0])
            data.picture[f"{title}, {time_ps:.3g} ps"] = Moment(
                positions=frame.positions - frame.origin,
                symbols=np.array([chemical_symbols[number] for number in frame.numbers]),
                cell=frame.cell,
                phases=np.array([names[phase_of[key]] if key in phase_of else "" for key in frame.ids.tolist()]),
            )
    except (NotExistent, DumpError, OSError) as error:
        data.picture = {}
        outputs.missing["picture"] = str(error)


def snapshot_at(trajectory: TrajectoryData, step: int) -> Snapshot:
    """Return one frame of a trajectory.

    :raises NotExistent: no copy of its chunk can be read here, or it was not dumped.
    """
    for chunk in trajectory.manifest:
        if chunk["first_step"] <= step <= chunk["last_step"]:
            copy = trajectory.live_copy(chunk["sha256"])
            with _readable(copy) as path:
                for frame in read_dump(path, stop_before_truncated=True):
                    if frame.step == step:
                        return frame
    raise NotExistent(f"The trajectory has no frame of step {step}.")


@contextmanager
def _readable(copy: LiveCopy) -> Iterator[Path]:
    """Give the path of a chunk on this machine."""
    if isinstance(copy.node, orm.RemoteData):
        if copy.node.computer is None or copy.node.computer.transport_type != "core.local":
            raise NotExistent(f"{copy.file} lies on another machine: the cell is not drawn.")
        yield Path(copy.node.get_remote_path()) / copy.file
        return
    with copy.node.base.repository.as_path(copy.file) as path:
        yield path


def _read_analysis(data: ReportData, outputs: _Outputs) -> None:
    analysis, node = outputs.find("analysis"), outputs.find("analysis_arrays")
    if analysis is not None:
        data.analysis = analysis.get_dict()
        for key in ("ps4_intact_start", "ps4_intact_end"):
            data.content.setdefault(key, data.analysis.get(key))
    if node is None:
        return
    arrays = {name: node.get_array(name) for name in node.get_arraynames()}
    times = _times(data, arrays["steps"])
    data.ps4 = (times, arrays["n_intact_ps4"], int(data.analysis.get("n_p") or arrays["n_intact_ps4"].max()))
    curves = {
        "from the last intact PS₄ to the outermost S, P or Cl, lower side": arrays["thickness_lower_ang"],
        "the same, upper side": arrays["thickness_upper_ang"],
    }
    if "thickness_profile_ang" in arrays:
        known = dict(zip(arrays["thickness_profile_steps"].tolist(), arrays["thickness_profile_ang"], strict=True))
        profile = np.array([known.get(step, np.nan) for step in arrays["steps"].tolist()])
        curves["where neither metal nor electrolyte fills half"] = profile
    defined = {name: values for name, values in curves.items() if np.isfinite(values).any()}
    if defined:
        data.thickness = (times, defined)
    if "rdf_g" in arrays:
        averaged = f"the last {data.analysis.get('rdf_frames', '')} frames"
        pairs = {
            str(pair).replace("-", "–"): {averaged: g}
            for pair, g in zip(arrays["rdf_pairs"], arrays["rdf_g"], strict=True)
        }
        data.distributions = (arrays["rdf_r_ang"], pairs)
    if "msd_ang2" in arrays and len(arrays["msd_lag_steps"]) > 3:
        # Beyond half of the run too few origins are left to mean anything.
        half = len(arrays["msd_lag_steps"]) // 2 + 1
        sums = arrays["msd_ang2"].sum(axis=-1)[:, :half]
        data.displacements = (
            _times(data, arrays["msd_lag_steps"][:half]),
            {str(symbol): values for symbol, values in zip(arrays["msd_species"], sums, strict=True)},
        )

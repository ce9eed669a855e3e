"""What goes to CP2K, and what comes back as labels; aiida-cp2k runs the jobs between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import chemical_symbols

from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_cp2k import ISOLATED_ATOM, Cp2kSettings, Mesh
from aiida_seireact.formats.labels import Label, join_labels, level_hash

FIRST, REST = "job", "rest"
LABELS = "_labels"


@dataclass(frozen=True)
class Group:
    """Frames of one job: the same atoms in the same order, and the same k-mesh.

    :param indices: of the frames, in the order given.
    """

    symbols: tuple[str, ...]
    mesh: Mesh
    isolated: bool
    indices: tuple[int, ...]


def groups_of(frames: Frames, settings: Cp2kSettings) -> list[Group]:
    """Return the frames by job, in the order of the first frame of each."""
    found: dict[tuple[tuple[str, ...], Mesh, bool], list[int]] = {}
    for index in range(len(frames)):
        numbers = frames.numbers[frames.offsets[index] : frames.offsets[index + 1]]
        symbols = tuple(chemical_symbols[number] for number in numbers.tolist())
        isolated = bool(frames.config_type[index] == ISOLATED_ATOM)
        mesh = settings.mesh(symbols, frames.cells[index], isolated=isolated)
        found.setdefault((symbols, mesh, isolated), []).append(index)
    return [Group(*key, tuple(indices)) for key, indices in found.items()]


@dataclass(frozen=True, eq=False)
class Cp2kRun:
    """One run of CP2K, found from the node it left that says most.

    :param labels: arrays of the whole frames, empty if there is none.
    :param version: of CP2K.
    :param abort: what CP2K said when it gave up.
    :param reason: how the job ended, None if regularly.
    """

    labels: dict[str, Any]
    version: str = ""
    abort: str | None = None
    reason: str | None = "no job came so far"

    @classmethod
    def of(cls, output: orm.Data | None, labels: orm.ArrayData | None) -> Cp2kRun:
        """Return the run of its ``output_parameters``, or of ``retrieved`` or ``remote_folder`` of a failed one."""
        if output is None:
            return cls({})
        job = output.creator
        found = output.get_dict() if isinstance(output, orm.Dict) else {}
        arrays = {} if labels is None else {name: labels.get_array(name) for name in labels.get_arraynames()}
        reason = None
        if not job.is_finished_ok:
            reason = f"CP2K stopped: {found.get('abort') or job.exit_message or 'unknown'} (exit {job.exit_status})"
        return cls(arrays, str(found.get("version", "")), found.get("abort"), reason)

    def __len__(self) -> int:
        return len(self.labels.get("energy", ()))

    def skipped(self, n_frames: int) -> int:
        """Return how many of the frames sent need no further run: those that are whole, and the one that made CP2K
        give up. A frame during which the job was killed is not to blame."""
        return n_frames if self.reason is None else min(n_frames, len(self) + (self.abort is not None))

    def label(self, place: int) -> Label | str:
        """Return the label of a frame by its place in the job, or why there is none."""
        if place < len(self):
            return Label(
                energy=float(self.labels["energy"][place]),
                forces=self.labels["forces"][place],
                converged=bool(self.labels["converged"][place]),
                stress=self.labels["stress"][place] if "stress" in self.labels else None,
                numbers=self.labels["numbers"][place],
                positions=self.labels["positions"][place],
                cell=self.labels["cells"][place],
            )
        if self.reason is None:
            return "CP2K came to its end without a whole output of this frame"
        if place == len(self):
            return self.reason
        return f"not reached: at an earlier frame of its job {self.reason}"


@calcfunction
def prepare_cp2k(frames: FramesData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the inputs of ``cp2k`` for each group of frames: ``job_000_structure``, the first frame,
    ``job_000_trajectory``, all of them, and ``job_000_parameters``, the input file."""
    columns, settings = frames.frames, Cp2kSettings.model_validate(parameters.get_dict())
    inputs: dict[str, orm.Data] = {}
    for number, group in enumerate(groups_of(columns, settings)):
        inputs |= _job_inputs(f"{FIRST}_{number:03d}", columns, group, group.indices, settings)
    return inputs


@calcfunction
def prepare_rest(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Return the same, as ``rest_000_…``, for the frames that jobs which did not end regularly left undone.

    :param linked: as of :func:`collect_cp2k`.
    """
    columns, settings = frames.frames, Cp2kSettings.model_validate(parameters.get_dict())
    inputs: dict[str, orm.Data] = {}
    for number, group in enumerate(groups_of(columns, settings)):
        rest = group.indices[_run(linked, FIRST, number).skipped(len(group.indices)) :]
        if rest:
            inputs |= _job_inputs(f"{REST}_{number:03d}", columns, group, rest, settings)
    return inputs


@calcfunction
def collect_cp2k(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Join what the jobs left into ``frames``, the labelled shard (missing if not one is taken), and ``failures``.

    :param linked: of each job, by its name (``job_000``, and ``rest_000`` for the second one of a group),
        ``output_parameters``, else ``retrieved`` or ``remote_folder``; with ``_labels`` behind the name its
        ``output_labels``, if it left some.
    """
    columns, settings = frames.frames, Cp2kSettings.model_validate(parameters.get_dict())
    labels: list[Label | str] = ["no job came so far"] * len(columns)
    version = ""
    reports: list[dict[str, Any]] = []
    for number, group in enumerate(groups_of(columns, settings)):
        first = _run(linked, FIRST, number)
        left = first.skipped(len(group.indices))
        second = _run(linked, REST, number) if f"{REST}_{number:03d}" in linked else None
        if second is not None:
            left_out = [columns.structure_ids[index] for index in group.indices[left:]]
            reports.append({"report": f"computed by a second job, since {first.reason}", "structure_ids": left_out})
        for place, index in enumerate(group.indices):
            run, there = (first, place) if second is None or place < left else (second, place - left)
            label = run.label(there)
            if isinstance(label, Label) and (version := version or run.version) != run.version:
                label = f"CP2K {run.version} computed it, the others CP2K {version}: label it again with one version"
            labels[index] = label
    acceptance = settings.acceptance
    if ISOLATED_ATOM in columns.config_type:
        # The stress of an atom in a box means nothing; a shard of atoms (never mixed with cells) holds none.
        acceptance = acceptance.model_copy(update={"stress": False})
    taken, failures = join_labels(columns, labels, level_hash(settings.identity(version)), acceptance)
    outputs: dict[str, orm.Data] = {"failures": orm.Dict({"failures": failures, "reports": reports})}
    if taken is not None:
        outputs["frames"] = FramesData(taken)
    return outputs


def _run(linked: dict[str, orm.Data], kind: str, number: int) -> Cp2kRun:
    name = f"{kind}_{number:03d}"
    return Cp2kRun.of(linked.get(name), linked.get(name + LABELS))


def _job_inputs(
    name: str, frames: Frames, group: Group, indices: tuple[int, ...], settings: Cp2kSettings
) -> dict[str, orm.Data]:
    positions = np.array([frames.positions[frames.offsets[index] : frames.offsets[index + 1]] for index in indices])
    cells = frames.cells[list(indices)]
    trajectory = orm.TrajectoryData()
    # Without pbc aiida-cp2k could not make structures of the steps; CP2K repeats every cell.
    trajectory.set_trajectory(list(group.symbols), positions, cells=cells, pbc=(True, True, True))
    structure = orm.StructureData(cell=cells[0], pbc=(True, True, True))
    for symbol, position in zip(group.symbols, positions[0], strict=True):
        structure.append_atom(symbols=symbol, position=position)
    parameters = settings.parameters(group.symbols, group.mesh, len(indices), isolated=group.isolated)
    return {
        f"{name}_structure": structure,
        f"{name}_trajectory": trajectory,
        f"{name}_parameters": orm.Dict(parameters),
    }

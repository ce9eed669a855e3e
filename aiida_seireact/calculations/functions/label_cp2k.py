"""What goes to CP2K, and what comes back as labels; aiida-cp2k runs the jobs between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import chemical_symbols

from aiida_seireact.calculations.cp2k_run import Cp2kRun
from aiida_seireact.calculations.functions.labels import collected
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_cp2k import Cp2kSettings, Mesh
from aiida_seireact.formats.labels import Label, level_hash
from aiida_seireact.science.structures import ISOLATED_ATOM

# Inputs of jobs are made as `group_000_structure`, …; their outputs are linked as `group_000_run_1`.
INPUTS = ("structure", "trajectory", "parameters")


def group_label(number: int) -> str:
    """Return the name of a group of frames."""
    return f"group_{number:03d}"


def run_label(number: int, run: int) -> str:
    """Return the link label of what the job of a group left, the first run being 1."""
    return f"{group_label(number)}_run_{run}"


def symbols_of(frames: Frames, index: int) -> list[str]:
    """Return the symbols of the atoms of a frame."""
    numbers = frames.numbers[frames.offsets[index] : frames.offsets[index + 1]]
    return [chemical_symbols[number] for number in numbers.tolist()]


def is_atom(frames: Frames, index: int) -> bool:
    """Return whether a frame is an isolated atom."""
    return bool(frames.config_type[index] == ISOLATED_ATOM)


def mesh_of(frames: Frames, index: int, settings: Cp2kSettings) -> Mesh:
    """Return the k-mesh of a frame."""
    return settings.mesh(symbols_of(frames, index), frames.cells[index], isolated=is_atom(frames, index))


def groups_of(frames: Frames, settings: Cp2kSettings) -> list[list[int]]:
    """Return the frames that can share a job: of the same atoms in the same order, and the same k-mesh."""
    groups: dict[tuple[tuple[str, ...], Mesh], list[int]] = {}
    for index in range(len(frames)):
        alike = tuple(symbols_of(frames, index)), mesh_of(frames, index, settings)
        groups.setdefault(alike, []).append(index)
    return list(groups.values())


def runs_of(linked: Mapping[str, orm.Data], number: int) -> list[Cp2kRun]:
    """Return the jobs of a group in their order."""
    labels = sorted(label for label in linked if label.startswith(f"{group_label(number)}_run_"))
    return [Cp2kRun.of(linked[label]) for label in labels]


@calcfunction
def prepare_cp2k(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Return structure, trajectory and parameters of the jobs that are to be run, as ``group_000_structure``, ….

    :param linked: ``group_000_run_1``, … what the jobs so far have left; a group that is done gets no inputs.
    """
    columns, settings = frames.frames, Cp2kSettings.model_validate(parameters.get_dict())
    inputs: dict[str, orm.Data] = {}
    for number, sent in enumerate(groups_of(columns, settings)):
        for run in runs_of(linked, number):
            sent = run.left(sent)
        if sent:
            nodes = job_inputs(columns, sent, settings)
            inputs |= {f"{group_label(number)}_{name}": node for name, node in zip(INPUTS, nodes, strict=True)}
    return inputs


def job_inputs(
    frames: Frames, sent: list[int], settings: Cp2kSettings
) -> tuple[orm.StructureData, orm.TrajectoryData, orm.Dict]:
    """Return the inputs of one job: its first frame, all its frames, and the parameters."""
    first, symbols = frames.to_atoms(sent[0]), symbols_of(frames, sent[0])
    first.pbc = True  # the box of an atom too is repeated
    trajectory = orm.TrajectoryData()
    trajectory.set_trajectory(
        symbols=symbols,
        positions=np.array([frames.to_atoms(index).positions for index in sent]),
        cells=frames.cells[sent],
        pbc=(True, True, True),
    )
    asked = settings.parameters(
        symbols, n_frames=len(sent), mesh=mesh_of(frames, sent[0], settings), isolated=is_atom(frames, sent[0])
    )
    return orm.StructureData(ase=first), trajectory, orm.Dict(asked)


@calcfunction
def collect_cp2k(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Join what the jobs left into ``frames``, the labelled shard (missing if not one is taken), and ``failures``.

    :param linked: ``group_000_run_1``, … the output of each job that says most: ``output_parameters``, else
        ``retrieved`` or ``remote_folder``. The job that made it is one link away.
    """
    columns, settings = frames.frames, Cp2kSettings.model_validate(parameters.get_dict())
    labels: list[Label | str] = ["no job of CP2K was started for it"] * len(columns)
    reports: list[dict[str, Any]] = []
    version, kinds = "", dict[str, str]()
    # Which input each frame came by: the way back from a frame to its job.
    links: dict[str, str] = {}
    for number, sent in enumerate(groups_of(columns, settings)):
        for count, run in enumerate(runs_of(linked, number), start=1):
            version, kinds = version or run.version, run.kinds_sha256 | kinds
            other = unlike(run, version, kinds)
            for position, index in enumerate(sent):
                label = run.label(position)
                labels[index] = other if other and isinstance(label, Label) else label
                links[str(index)] = f"{group_label(number)}_run_{count}"
                if count > 1 and isinstance(labels[index], Label):
                    row = {"index": index, "structure_id": columns.structure_ids[index], "report": f"by run {count}"}
                    reports.append(row)
            sent = run.left(sent)
    return collected(
        columns,
        labels,
        level_hash(settings.identity(version)),
        settings.acceptance,
        reports=reports,
        kinds_sha256=kinds,
        links=links,
    )


def unlike(run: Cp2kRun, version: str, kinds: Mapping[str, str]) -> str:
    """Return why a job is of another level of theory than those before it, an empty string if it is not."""
    if run.version != version:
        return f"CP2K {run.version} computed it, the others CP2K {version}: label it again with one version"
    if changed := [element for element, sha256 in run.kinds_sha256.items() if kinds[element] != sha256]:
        return f"basis set or potential of {', '.join(changed)} changed between the jobs: label it again with one set"
    return ""

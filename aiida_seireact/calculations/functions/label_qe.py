"""What goes to pw.x, and what comes back as labels; aiida-quantumespresso runs the jobs between."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import calcfunction
from ase.data import chemical_symbols

from aiida_seireact.calculations.functions.labels import collected
from aiida_seireact.calculations.pw_run import PwRun
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_qe import Mesh, QeSettings
from aiida_seireact.formats.labels import Label, level_hash
from aiida_seireact.science.structures import ISOLATED_ATOM

# As `workchains.label_engine.POTENTIAL`.
PSEUDO = "potential_"


def symbols_of(frames: Frames, index: int) -> list[str]:
    """Return the symbols of the atoms of a frame."""
    numbers = frames.numbers[frames.offsets[index] : frames.offsets[index + 1]]
    return [chemical_symbols[number] for number in numbers.tolist()]


def is_atom(frames: Frames, index: int) -> bool:
    """Return whether a frame is an isolated atom."""
    return bool(frames.config_type[index] == ISOLATED_ATOM)


def mesh_of(frames: Frames, index: int, settings: QeSettings) -> Mesh:
    """Return the k-mesh of a frame."""
    return settings.mesh(symbols_of(frames, index), frames.cells[index], isolated=is_atom(frames, index))


def mesh_label(mesh: Mesh) -> str:
    """Return the link label of a k-mesh, as ``kpoints_4x4x4``."""
    return "kpoints_" + "x".join(map(str, mesh))


def settings_label(mesh: Mesh) -> str:
    """Return the link label of the settings of the plugin that belong to a k-mesh."""
    return "settings_gamma" if mesh == (1, 1, 1) else "settings"


def parameters_label(frames: Frames, index: int, settings: QeSettings) -> str:
    """Return the link label of the namelists of a frame: alike for all frames that share them."""
    symbols = symbols_of(frames, index)
    if is_atom(frames, index):
        return f"parameters_atom_{symbols[0]}"
    occupations = settings.parameters(symbols)["SYSTEM"]["occupations"]
    return f"parameters_{occupations}_{len(symbols)}"


@calcfunction
def prepare_pw(frames: FramesData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the inputs of ``quantumespresso.pw.base`` beside structures and pseudopotentials.

    Namelists under the labels of :func:`parameters_label`, k-meshes under those of :func:`mesh_label`, settings under
    those of :func:`settings_label`, one node for each that occurs, and ``max_iterations``.
    """
    return pw_inputs(frames.frames, QeSettings.model_validate(parameters.get_dict()))


def pw_inputs(columns: Frames, settings: QeSettings) -> dict[str, orm.Data]:
    """Return what `prepare_pw` does."""
    inputs: dict[str, orm.Data] = {"max_iterations": orm.Int(settings.max_runs)}
    for index in range(len(columns)):
        label = parameters_label(columns, index, settings)
        if label not in inputs:
            asked = settings.parameters(symbols_of(columns, index), isolated=is_atom(columns, index))
            inputs[label] = orm.Dict(asked)
        mesh = mesh_of(columns, index, settings)
        if mesh_label(mesh) not in inputs:
            kpoints = orm.KpointsData()
            kpoints.set_kpoints_mesh(mesh)
            inputs[mesh_label(mesh)] = kpoints
        # At Γ alone wave functions are real: the same numbers in half the time.
        inputs.setdefault(settings_label(mesh), orm.Dict({"gamma_only": True} if mesh == (1, 1, 1) else {}))
    return inputs


@calcfunction
def collect_pw(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Join what the jobs left into ``frames``, the labelled shard (missing if not one is taken), and ``failures``.

    :param linked: ``potential_Li``, … the pseudopotential of each element of the settings; ``frame_000``, … of each
        frame the output of its last job that says most: ``output_parameters``, else ``retrieved`` or
        ``remote_folder``. The job that made it, with the namelists it ran with in the end, is one link away.
    """
    columns, settings = frames.frames, QeSettings.model_validate(parameters.get_dict())
    md5 = {name.removeprefix(PSEUDO): node.md5 for name, node in linked.items() if name.startswith(PSEUDO)}
    labels: list[Label | str] = []
    reports: list[dict[str, Any]] = []
    version = ""
    for index in range(len(columns)):
        asked = settings.parameters(symbols_of(columns, index), isolated=is_atom(columns, index))
        run = PwRun.of(linked.get(f"frame_{index:03d}"))
        reason = run.refusal(asked, md5)
        if reason is None and (version := version or run.version) != run.version:
            reason = f"pw.x {run.version} computed it, the others pw.x {version}: label it again with one version"
        labels.append(reason or run.label())
        if reason is None:
            told = run.changed(asked)
            if run.magnetization is not None:
                told.append(f"total magnetisation {run.magnetization:.2f} μB")
            if told:
                row = {"index": index, "structure_id": columns.structure_ids[index], "report": "; ".join(told)}
                reports.append(row)
    return collected(columns, labels, level_hash(settings.identity(version, md5)), settings.acceptance, reports=reports)

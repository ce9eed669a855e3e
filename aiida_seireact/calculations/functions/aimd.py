"""What goes to VASP, pw.x and CP2K for MD, and what comes back as labelled frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

from aiida_seireact.calculations.cp2k_run import Cp2kRun
from aiida_seireact.calculations.functions import label_cp2k, label_qe, label_vasp
from aiida_seireact.calculations.md_runs import cp2k_md, pw_md, vasp_md
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.aimd import Cp2kMdSettings, QeMdSettings, VaspMdSettings
from aiida_seireact.formats.labels import level_hash
from aiida_seireact.formats.md_run import MdRun, frames_of_run

POTENTIAL = "potential_"
# MD ends at its last step, not where a relaxation would. Its steps are read from vasprun.xml, torn or not; aiida-vasp
# would call a torn one an output without a trajectory (exit 1004), and not say that it was killed.
VASP_MD_SETTINGS = {
    **label_vasp.VASP_SETTINGS,
    "parser_settings": {"energy_type": ["energy_free"]},
    "CHECK_IONIC_CONVERGENCE": False,
}
# A second run would begin with new velocities: what a cut one has is kept, and the rest told.
RUNS = 1


def frame_label(index: int) -> str:
    """Return the link label of what the run from a frame left."""
    return f"frame_{index:03d}"


def incar_label(index: int) -> str:
    """Return the link label of the INCAR of the run from a frame."""
    return f"incar_{index:03d}"


def settings_label(index: int) -> str:
    """Return the link label of the settings of aiida-quantumespresso, with the velocities, for the run from a frame."""
    return f"settings_{index:03d}"


def parameters_label(index: int) -> str:
    """Return the link label of the input of CP2K for the run from a frame."""
    return f"parameters_{index:03d}"


# ---------------------------------------------------------------------- VASP
@calcfunction
def prepare_vasp_md(frames: FramesData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the inputs of ``vasp.v2.vasp`` beside the structures: as :func:`label_vasp.prepare_vasp`, but an INCAR for
    each run, ``incar_000``, …, since each has its seed."""
    columns, settings = frames.frames, VaspMdSettings.model_validate(parameters.get_dict())
    inputs: dict[str, orm.Data] = {
        "settings": orm.Dict(VASP_MD_SETTINGS),
        "potential_family": orm.Str(settings.potential_family),
        "potential_mapping": orm.Dict(settings.potential_mapping),
        "max_iterations": orm.Int(RUNS),
    }
    for index, tags in enumerate(vasp_tags(columns, settings)):
        inputs[incar_label(index)] = orm.Dict({"incar": tags})
    for mesh in sorted(set(label_vasp.meshes(columns, settings))):
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(mesh)
        inputs[label_vasp.mesh_label(mesh)] = kpoints
    return inputs


def vasp_tags(frames: Frames, settings: VaspMdSettings) -> list[dict[str, Any]]:
    """Return the INCAR of the run from each frame."""
    return [
        settings.md_tags(frames.cells[index], int(frames.n_atoms[index]), frames.structure_ids[index])
        for index in range(len(frames))
    ]


@calcfunction
def collect_vasp_md(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Join the steps of all runs into ``frames`` (missing if not one is taken), and ``failures``.

    :param linked: ``potential_Li``, … as in :func:`label_vasp.collect_vasp`; ``frame_000``, … the files of each run.
    """
    columns, settings = frames.frames, VaspMdSettings.model_validate(parameters.get_dict())
    sha512 = {element: str(node.base.attributes.get("sha512")) for element, node in potentials(linked).items()}
    runs = []
    for index, asked in enumerate(vasp_tags(columns, settings)):
        order = label_vasp.species_order(columns.numbers[columns.offsets[index] : columns.offsets[index + 1]])
        runs.append(vasp_md(linked.get(frame_label(index)), asked, sha512, order))
    return collected_runs(columns, runs, settings, lambda version: settings.identity(version, sha512))


# ---------------------------------------------------------------------- Quantum ESPRESSO
@calcfunction
def prepare_pw_md(frames: FramesData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the inputs of ``quantumespresso.pw.base`` beside structures and pseudopotentials: as
    :func:`label_qe.prepare_pw`, but settings for each run, ``settings_000``, …, since each has its velocities."""
    columns, settings = frames.frames, QeMdSettings.model_validate(parameters.get_dict())
    inputs: dict[str, orm.Data] = {"max_iterations": orm.Int(RUNS)}
    for index, structure_id in enumerate(columns.structure_ids):
        symbols, mesh = label_qe.symbols_of(columns, index), label_qe.mesh_of(columns, index, settings)
        label = label_qe.parameters_label(columns, index, settings)
        if label not in inputs:
            inputs[label] = orm.Dict(settings.md_parameters(symbols))
        if label_qe.mesh_label(mesh) not in inputs:
            kpoints = orm.KpointsData()
            kpoints.set_kpoints_mesh(mesh)
            inputs[label_qe.mesh_label(mesh)] = kpoints
        told: dict[str, Any] = {"gamma_only": True} if mesh == (1, 1, 1) else {}
        inputs[settings_label(index)] = orm.Dict(
            {**told, "ATOMIC_VELOCITIES": settings.velocities(symbols, structure_id)}
        )
    return inputs


@calcfunction
def collect_pw_md(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Join the steps of all runs into ``frames`` (missing if not one is taken), and ``failures``.

    :param linked: ``potential_Li``, … as in :func:`label_qe.collect_pw`; ``frame_000``, … the files of each run.
    """
    columns, settings = frames.frames, QeMdSettings.model_validate(parameters.get_dict())
    md5 = {element: node.md5 for element, node in potentials(linked).items()}
    runs = [
        pw_md(linked.get(frame_label(index)), settings.md_parameters(label_qe.symbols_of(columns, index)), md5)
        for index in range(len(columns))
    ]
    return collected_runs(columns, runs, settings, lambda version: settings.identity(version, md5))


# ---------------------------------------------------------------------- CP2K
@calcfunction
def prepare_cp2k_md(frames: FramesData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the parameters of each run, ``parameters_000``, …, beside the structures."""
    columns, settings = frames.frames, Cp2kMdSettings.model_validate(parameters.get_dict())
    return {
        parameters_label(index): orm.Dict(
            settings.md_parameters(
                label_cp2k.symbols_of(columns, index),
                structure_id,
                mesh=label_cp2k.mesh_of(columns, index, settings),
            )
        )
        for index, structure_id in enumerate(columns.structure_ids)
    }


@calcfunction
def collect_cp2k_md(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Join the steps of all runs into ``frames`` (missing if not one is taken), and ``failures``.

    :param linked: ``frame_000``, … the output of each job that says most: ``output_parameters``, else ``retrieved`` or
        ``remote_folder``.
    """
    columns, settings = frames.frames, Cp2kMdSettings.model_validate(parameters.get_dict())
    runs, kinds = [], dict[str, str]()
    for index in range(len(columns)):
        output = linked.get(frame_label(index))
        run = cp2k_md(output)
        if output is not None and run.labels:
            job = Cp2kRun.of(output)
            kinds = job.kinds_sha256 | kinds
            if reason := label_cp2k.unlike(job, job.version, kinds):
                run = MdRun(ended=reason)
        runs.append(run)
    return collected_runs(columns, runs, settings, settings.identity, kinds_sha256=kinds)


# ---------------------------------------------------------------------- all
def potentials(linked: Mapping[str, orm.Data]) -> dict[str, Any]:
    """Return the pseudopotential of each element."""
    return {name.removeprefix(POTENTIAL): node for name, node in linked.items() if name.startswith(POTENTIAL)}


def collected_runs(
    starts: Frames,
    runs: Sequence[MdRun],
    settings: VaspMdSettings | QeMdSettings | Cp2kMdSettings,
    identity: Callable[[str], Mapping[str, Any]],
    **told: Any,
) -> dict[str, orm.Data]:
    """Return the outputs of a calcfunction that joins runs: ``frames``, if a step is taken, and ``failures``.

    :param identity: what decides a label, from the version of the program.
    :param told: what ``failures`` tells beside failures and reports.
    """
    version = next((run.version for run in runs if run.labels), "")
    settings_hash = level_hash(identity(version))
    parts = []
    for index, run in enumerate(runs):
        if run.labels and run.version != version:
            run = MdRun(ended=f"version {run.version} computed it, the others {version}: run it again with one version")
        parts.append(frames_of_run(starts, index, run, settings.md, settings.acceptance, settings_hash))
    outputs: dict[str, orm.Data] = {
        "failures": orm.Dict(
            {
                "failures": [failure for part in parts for failure in part.failures],
                "reports": [part.report for part in parts],
                **told,
            }
        )
    }
    taken = [part.frames for part in parts if part.frames is not None]
    if taken:
        outputs["frames"] = FramesData(Frames.concatenate(taken))
    return outputs

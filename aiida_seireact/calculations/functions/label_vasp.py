"""What goes to VASP, and what comes back as labels; aiida-vasp runs the jobs between."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.calculations.vasp_run import VaspRun
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_vasp import Mesh, VaspSettings
from aiida_seireact.formats.labels import Label, join_labels, level_hash
from aiida_seireact.science.structures import ISOLATED_ATOM

# `energy_free` is the one the forces belong to; of aiida-vasp's own default only E0 would come back. The trajectory
# tells which atoms VASP computed, and where. No quantity is required: aiida-vasp would call a killed run unreadable
# (exit 1002) and not start it again; what is missing we tell ourselves. The monitors of aiida-vasp watch long
# relaxations, and cost a look at the machine each time a job is polled.
VASP_SETTINGS = {
    "parser_settings": {
        "energy_type": ["energy_free", "energy_extrapolated", "energy_no_entropy"],
        "include_node": ["trajectory"],
    },
    "poscar_precision": 14,
    "no_default_monitors": True,
}


def species_order(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order in which atoms go to VASP: by element, ``(n_atoms,)``, the first of each kind first.

    A POSCAR names a species for each run of equal atoms and needs a POTCAR for each; the 24 Li of a disordered cell
    among its anions would make dozens.
    """
    return np.argsort(numbers, kind="stable")


def mesh_label(mesh: Mesh) -> str:
    """Return the link label of a k-mesh, as ``kpoints_4x4x4``."""
    return "kpoints_" + "x".join(map(str, mesh))


def meshes(frames: Frames, settings: VaspSettings) -> list[Mesh]:
    """Return the k-mesh of each frame."""
    return [
        settings.mesh(
            frames.numbers[frames.offsets[index] : frames.offsets[index + 1]],
            frames.cells[index],
            frames.pbc[index],
            isolated=bool(frames.config_type[index] == ISOLATED_ATOM),
        )
        for index in range(len(frames))
    ]


def lone_elements(frames: Frames) -> list[str | None]:
    """Return for each frame the element if it is an isolated atom, else None."""
    return [
        chemical_symbols[frames.numbers[first]] if config_type == ISOLATED_ATOM else None
        for first, config_type in zip(frames.offsets[:-1], frames.config_type, strict=True)
    ]


def incar_label(element: str | None) -> str:
    """Return the link label of the INCAR of a cell, or of an isolated atom."""
    return "incar" if element is None else f"incar_atom_{element}"


@calcfunction
def cut_vasp_structures(frames: FramesData) -> dict[str, orm.StructureData]:
    """Return the frames as ``frame_000``, ``frame_001``, …, their atoms sorted by element."""
    columns = frames.frames
    structures = {}
    for index, atoms in enumerate(columns.iter_atoms()):
        structures[f"frame_{index:03d}"] = orm.StructureData(ase=atoms[species_order(atoms.numbers)])
    return structures


@calcfunction
def prepare_vasp(frames: FramesData, parameters: orm.Dict) -> dict[str, orm.Data]:
    """Return the inputs of ``vasp.v2.vasp`` beside the structures.

    INCARs under the labels of :func:`incar_label`, k-meshes under those of :func:`mesh_label`, one node for each that
    occurs, and ``settings``,
    ``potential_family``, ``potential_mapping`` and ``max_iterations``.
    """
    columns, settings = frames.frames, VaspSettings.model_validate(parameters.get_dict())
    inputs: dict[str, orm.Data] = {
        "settings": orm.Dict(VASP_SETTINGS),
        "potential_family": orm.Str(settings.potential_family),
        "potential_mapping": orm.Dict(settings.potential_mapping),
        "max_iterations": orm.Int(settings.max_runs),
    }
    for element in dict.fromkeys(lone_elements(columns)):
        inputs[incar_label(element)] = orm.Dict({"incar": settings.tags(element)})
    for mesh in sorted(set(meshes(columns, settings))):
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(mesh)
        inputs[mesh_label(mesh)] = kpoints
    return inputs


@calcfunction
def collect_vasp(frames: FramesData, parameters: orm.Dict, **linked: orm.Data) -> dict[str, orm.Data]:
    """Join what the jobs left into ``frames``, the labelled shard (missing if not one is taken), and ``failures``.

    :param linked: ``potential_Li``, … the POTCAR of each element of the mapping; ``frame_000``, … of each frame the
        files of its last job, ``retrieved`` (``remote_folder`` if none came back). The job that made them is one link
        away, with what aiida-vasp read in them and the INCAR it ran with in the end. Not ``misc`` itself: when a
        process is made each input is compared with each other, and 64 Dicts of forces cost seconds.
    """
    columns, settings = frames.frames, VaspSettings.model_validate(parameters.get_dict())
    potentials = {
        name.removeprefix("potential_"): node for name, node in linked.items() if name.startswith("potential_")
    }
    sha512 = {element: str(node.base.attributes.get("sha512")) for element, node in potentials.items()}
    labels: list[Label | str] = []
    reports: list[dict[str, Any]] = []
    version = ""
    for index, element in enumerate(lone_elements(columns)):
        run, asked = VaspRun.of(linked.get(f"frame_{index:03d}")), settings.tags(element)
        order = species_order(columns.numbers[columns.offsets[index] : columns.offsets[index + 1]])
        label = run.refusal(asked, sha512) or run.label(order)
        if isinstance(label, Label):
            version = version or run.version
            if run.version != version:
                label = f"VASP {run.version} computed it, the others VASP {version}: label all with one version"
            elif changed := run.changed(asked):
                report = {"index": index, "structure_id": columns.structure_ids[index], "report": "; ".join(changed)}
                reports.append(report)
        labels.append(label)
    acceptance = settings.acceptance
    if ISOLATED_ATOM in columns.config_type:
        # The stress of an atom in a box means nothing; a shard of atoms (never mixed with cells) holds none.
        acceptance = acceptance.model_copy(update={"stress": False})
    taken, failures = join_labels(columns, labels, level_hash(settings.identity(version, sha512)), acceptance)
    outputs: dict[str, orm.Data] = {"failures": orm.Dict({"failures": failures, "reports": reports})}
    if taken is not None:
        outputs["frames"] = FramesData(taken)
    return outputs

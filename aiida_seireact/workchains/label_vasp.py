"""``seireact.label.vasp``: labels by VASP through aiida-vasp, one ``vasp.v2.vasp`` a frame."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain
from aiida.plugins import DataFactory, WorkflowFactory

from aiida_seireact.calculations.functions.label_vasp import (
    collect_vasp,
    cut_vasp_structures,
    incar_label,
    lone_elements,
    mesh_label,
    meshes,
    prepare_vasp,
)
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_vasp import VaspSettings
from aiida_seireact.science.structures import ISOLATED_ATOM

ENGINE = "vasp.v2.vasp"
UPLOAD = "aiida-vasp potcar uploadfamily --path FOLDER --name '{family}' --description 'PAW PBE'"


class VaspLabelWorkChain(WorkChain):
    """Labels one batch: ``code``, ``frames``, ``parameters``, ``options`` in; ``frames``, ``failures`` out.

    The handlers of aiida-vasp try again with another ALGO or mixing where the electrons don't converge. A frame that
    is given up costs no other one.
    """

    # One link each when they are collected; more than 128 inputs of a process freeze a worker.
    MAX_FRAMES: ClassVar[int] = 64

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("code", valid_type=orm.AbstractCode, help="VASP.")
        spec.input(
            "frames",
            valid_type=FramesData,
            validator=validate_number,
            help=f"At most {cls.MAX_FRAMES} frames: cells, or isolated atoms (type `{ISOLATED_ATOM}`), not both.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(VaspSettings),
            help="INCAR, k-meshes, POTCARs and what a label must fulfil; see protocol `paper` of `seireact.label`.",
        )
        spec.input(
            "options",
            valid_type=dict,
            non_db=True,
            default=dict,
            help="Scheduler options of each job as in `metadata.options` (queue, account, walltime, resources); with "
            "`withmpi` true unless you say otherwise.",
        )
        spec.inputs.validator = validate_inputs
        spec.output(
            "frames",
            valid_type=FramesData,
            required=False,
            help="What could be labelled, in the order given; none if nothing could.",
        )
        spec.output(
            "failures",
            valid_type=orm.Dict,
            help="`failures`: index, structure id and reason of each frame without a label; `reports`: labels that "
            "converged only after INCAR tags were changed.",
        )
        spec.outline(cls.prepare, cls.run_vasp, cls.collect)
        spec.exit_code(
            490,
            "ERROR_NO_FRAME_LABELLED",
            message="Not one of {count} frames could be labelled; the first, because {message}",
        )

    def prepare(self) -> None:
        """Make the inputs of VASP: a structure a frame, and what the frames share."""
        frames = self.inputs.frames
        structures = cut_vasp_structures(frames, metadata={"call_link_label": "cut_vasp_structures"})
        shared = prepare_vasp(frames, self.inputs.parameters, metadata={"call_link_label": "prepare_vasp"})
        self.ctx.structures = {label: node.uuid for label, node in structures.items()}
        self.ctx.shared = {label: node.uuid for label, node in shared.items()}
        # Now, not when the labels are there: a family that loses a POTCAR meanwhile must not cost them.
        self.ctx.potcars = {element: node.uuid for element, node in potcars(self.settings).items()}

    def run_vasp(self) -> ToContext:
        """Send each frame to VASP."""
        frames, settings = self.inputs.frames.frames, self.settings
        shared = {label: orm.load_node(uuid) for label, uuid in self.ctx.shared.items()}
        every = {name: shared[name] for name in ("settings", "potential_family", "potential_mapping", "max_iterations")}
        per_frame = zip(sorted(self.ctx.structures), lone_elements(frames), meshes(frames, settings), strict=True)
        self.report(f"{len(frames)} frames go to VASP, POTCARs of {settings.potential_family}")
        return ToContext(
            **{
                label: self.submit(
                    WorkflowFactory(ENGINE),
                    code=self.inputs.code,
                    structure=orm.load_node(self.ctx.structures[label]),
                    parameters=shared[incar_label(element)],
                    kpoints=shared[mesh_label(mesh)],
                    calc={"metadata": {"options": self.options}},
                    metadata={"call_link_label": label},
                    **every,
                )
                for label, element, mesh in per_frame
            }
        )

    def collect(self) -> ExitCode | None:
        """Join the labels; what failed is told by frame."""
        runs = {label: last_output(self.ctx[label]) for label in sorted(self.ctx.structures)}
        outputs = collect_vasp(
            self.inputs.frames,
            self.inputs.parameters,
            metadata={"call_link_label": "collect_vasp"},
            **{label: output for label, output in runs.items() if output is not None},
            **{f"potential_{element}": orm.load_node(uuid) for element, uuid in self.ctx.potcars.items()},
        )
        self.out_many(outputs)
        failures = outputs["failures"]["failures"]
        if failures:
            self.report(f"{len(failures)} of {len(runs)} frames have no label; the first: {failures[0]['reason']}")
        if "frames" not in outputs:
            return self.exit_codes.ERROR_NO_FRAME_LABELLED.format(count=len(runs), message=failures[0]["reason"])
        return None

    @property
    def settings(self) -> VaspSettings:
        """The level of theory."""
        return VaspSettings.model_validate(self.inputs.parameters.get_dict())

    @property
    def options(self) -> dict[str, Any]:
        """Scheduler options of each job, those left out filled in."""
        return {"resources": {"num_machines": 1}, "withmpi": True, **self.inputs.options}


def last_output(workchain: orm.WorkChainNode) -> orm.Data | None:
    """Return the output of the last job under ``workchain`` that says most, None if no job came so far."""
    jobs = [node for node in workchain.called if isinstance(node, orm.CalcJobNode)]
    if not jobs:
        return None
    outputs = max(jobs, key=lambda job: job.pk).base.links.get_outgoing()
    found = {link.link_label: link.node for link in outputs.all()}
    return next((found[label] for label in ("misc", "retrieved", "remote_folder") if label in found), None)


def potcars(settings: VaspSettings) -> dict[str, orm.Data]:
    """Return the POTCAR of each element of the mapping, as aiida-vasp finds it.

    :raises NotExistent: the family lacks one.
    """
    mapping = settings.potential_mapping
    return dict(DataFactory("vasp.potcar").get_potcars_dict(sorted(mapping), settings.potential_family, mapping))


def validate_number(frames: FramesData | None, _: Any) -> str | None:
    """Refuse more frames than one process can collect."""
    most = VaspLabelWorkChain.MAX_FRAMES
    if frames is None or len(frames) <= most:
        return None
    return (
        f"{len(frames)} frames are too many for one batch of VASP, at most {most}: "
        f"let LabelWorkChain cut them, with batch_size {most} or less."
    )


def validate_frames(columns: Frames) -> str | None:
    """Refuse isolated atoms beside cells, and frames without a box."""
    atoms = columns.config_type == ISOLATED_ATOM
    if atoms.any() and not atoms.all():
        return (
            f"{int(atoms.sum())} of {len(columns)} frames are isolated atoms: label them apart from the cells, since "
            "the stress of an atom in a box means nothing and a shard has a stress for every frame or for none."
        )
    if (large := atoms & (columns.n_atoms != 1)).any():
        index = int(large.argmax())
        return f"Frame {index} is called {ISOLATED_ATOM} and has {columns.n_atoms[index]} atoms: give it another type."
    if (flat := np.abs(np.linalg.det(columns.cells)) < 1e-3).any():
        return f"Frame {int(flat.argmax())} has a cell without volume, and VASP needs one: put its atoms into a box."
    return None


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse what would fail on the compute machine: no aiida-vasp, no POTCAR, no resources."""
    if find_spec("aiida_vasp") is None:
        return "aiida-vasp is not installed where AiiDA runs: `pip install 'aiida-seireact[vasp]'`."
    if not {"frames", "parameters", "code"} <= set(inputs):
        return None
    frames, settings = inputs["frames"].frames, VaspSettings.model_validate(inputs["parameters"].get_dict())
    refused = validate_code(inputs["code"]) or validate_frames(frames) or validate_potcars(frames.species, settings)
    if refused or "options" not in inputs:
        return refused
    return validate_resources(inputs["code"], inputs["options"])


def validate_code(code: orm.AbstractCode) -> str | None:
    """Refuse a code that says itself that it is another program, as those of `aiida-seireact setup` do."""
    plugin = code.default_calc_job_plugin
    if plugin in (None, "vasp.vasp"):
        return None
    return f"The code {code.full_label!r} is of {plugin}, not of VASP: give the code of your VASP as `code`."


def validate_potcars(species: list[str], settings: VaspSettings) -> str | None:
    """Refuse a family that is not there, elements without a POTCAR in the mapping, and POTCARs not in the family."""
    family, mapping = settings.potential_family, settings.potential_mapping
    upload = UPLOAD.format(family=family)
    if unmapped := sorted(set(species) - set(mapping)):
        return (
            f"potential_mapping names no POTCAR for {', '.join(unmapped)}: add it, as {unmapped[0]}: {unmapped[0]}, "
            f"and have it in the family (`{upload}`)."
        )
    group = DataFactory("vasp.potcar").get_potcar_group(family)
    if group is None:
        return (
            f"There is no POTCAR family {family!r} in this profile, so no POTCAR for {', '.join(sorted(mapping))}: "
            f"upload those of your licence by `{upload}`, or name another family in `potential_family` "
            "(`aiida-vasp potcar listfamilies` shows them)."
        )
    there = {str(node.base.attributes.get("full_name")) for node in group.nodes}
    if missing := {element: name for element, name in sorted(mapping.items()) if name not in there}:
        named = ", ".join(f"{name} for {element}" for element, name in missing.items())
        return (
            f"The POTCAR family {family!r} lacks {named}: upload it by `{upload}`, or change `potential_mapping` "
            f"(`aiida-vasp potcar listsymbols '{family}'` shows what is there)."
        )
    return None


def validate_resources(code: orm.AbstractCode, options: Mapping[str, Any]) -> str | None:
    """Refuse jobs of which nobody says how many cores they get."""
    computer = getattr(code, "computer", None)
    if "resources" in options or computer is None or computer.get_default_mpiprocs_per_machine():
        return None
    return (
        "Nobody says how many cores VASP gets: give options, as {'resources': {'num_machines': 1, "
        f"'num_mpiprocs_per_machine': 32}}}}, or the computer {computer.label!r} a default number of them."
    )

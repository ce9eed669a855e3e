"""``seireact.label.vasp``: labels by VASP through aiida-vasp, one ``vasp.v2.vasp`` a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext
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
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_vasp import VaspSettings
from aiida_seireact.workchains.label_engine import POTENTIAL, LabelEngine, last_job, last_output

ENGINE = "vasp.v2.vasp"
UPLOAD = "aiida-vasp potcar uploadfamily --path FOLDER --name '{family}' --description 'PAW PBE'"


class VaspLabelWorkChain(LabelEngine):
    """Labels one batch by VASP; see protocol ``paper`` of ``seireact.label``.

    The handlers of aiida-vasp try again with another ALGO or mixing where the electrons don't converge. A frame that
    is given up costs no other one. Jobs run with MPI unless ``options`` say otherwise.
    """

    PROGRAM = "VASP"
    SETTINGS = VaspSettings
    PLUGIN = "vasp.vasp"
    SETUP = "verdi code create core.code.installed --default-calc-job-plugin vasp.vasp"
    PACKAGE = ("aiida_vasp", "pip install 'aiida-seireact[vasp]'")
    # One link each when they are collected, and each is read by a calcfunction: 32 keep that below a second.
    MAX_FRAMES = 32
    PREPARE: ClassVar[Callable[..., Any]] = staticmethod(prepare_vasp)
    COLLECT: ClassVar[Callable[..., Any]] = staticmethod(collect_vasp)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.outline(cls.prepare, cls.run_vasp, cls.collect)

    def prepare(self) -> None:
        """Make the inputs of VASP: a structure a frame, and what the frames share."""
        frames = self.inputs.frames
        structures = cut_vasp_structures(frames, metadata={"call_link_label": "cut_vasp_structures"})
        shared = self.PREPARE(frames, self.inputs.parameters, metadata={"call_link_label": self.PREPARE.__name__})
        self.ctx.structures = {label: node.uuid for label, node in structures.items()}
        self.ctx.shared = {label: node.uuid for label, node in shared.items()}
        # Now, not when the labels are there: a family that loses a POTCAR meanwhile must not cost them.
        self.ctx.potcars = {element: node.uuid for element, node in self.potentials(self.settings).items()}

    def run_vasp(self) -> ToContext:
        """Send each frame to VASP."""
        frames, settings = self.inputs.frames.frames, self.settings
        shared = {label: orm.load_node(uuid) for label, uuid in self.ctx.shared.items()}
        every = {name: shared[name] for name in ("settings", "potential_family", "potential_mapping", "max_iterations")}
        per_frame = zip(sorted(self.ctx.structures), self.incar_labels(frames), meshes(frames, settings), strict=True)
        self.report(f"{len(frames)} frames go to VASP, POTCARs of {settings.potential_family}")
        return ToContext(
            **{
                label: self.submit(
                    WorkflowFactory(ENGINE),
                    code=self.inputs.code,
                    structure=orm.load_node(self.ctx.structures[label]),
                    parameters=shared[incar],
                    kpoints=shared[mesh_label(mesh)],
                    calc={"metadata": {"options": self.options}},
                    metadata={"call_link_label": label},
                    **every,
                )
                for label, incar, mesh in per_frame
            }
        )

    def collect(self) -> ExitCode | None:
        """Join the labels; what failed is told by frame."""
        # Not `misc`: when a process is made its inputs are compared with each other, and Dicts of forces cost seconds.
        runs = {
            label: last_output(last_job(self.ctx[label]), ("retrieved", "remote_folder"))
            for label in sorted(self.ctx.structures)
        }
        return self.tell(
            self.COLLECT(
                self.inputs.frames,
                self.inputs.parameters,
                metadata={"call_link_label": self.COLLECT.__name__},
                **{label: output for label, output in runs.items() if output is not None},
                **{f"{POTENTIAL}{element}": orm.load_node(uuid) for element, uuid in self.ctx.potcars.items()},
            )
        )

    @staticmethod
    def incar_labels(frames: Frames) -> list[str]:
        """Return which INCAR each frame gets."""
        return [incar_label(element) for element in lone_elements(frames)]

    @property
    def options(self) -> dict[str, Any]:
        """Scheduler options of each job, those left out filled in."""
        return {"resources": {"num_machines": 1}, "withmpi": True, **self.inputs.options}

    @classmethod
    def potentials(cls, settings: VaspSettings) -> dict[str, orm.Data]:
        """Return the POTCAR of each element of the mapping, as aiida-vasp finds it.

        :raises NotExistent: the family lacks one.
        """
        mapping = settings.potential_mapping
        return dict(DataFactory("vasp.potcar").get_potcars_dict(sorted(mapping), settings.potential_family, mapping))

    @classmethod
    def complaint(cls, inputs: Mapping[str, Any], settings: VaspSettings) -> str | None:
        """Refuse what would fail on the compute machine: no POTCAR, no resources."""
        refused = validate_potcars(inputs["frames"].frames.species, settings)
        if refused or not {"code", "options"} <= set(inputs):
            return refused
        return validate_resources(inputs["code"], inputs["options"])


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

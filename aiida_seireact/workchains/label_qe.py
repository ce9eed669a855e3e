"""``seireact.label.qe``: labels by Quantum ESPRESSO through aiida-quantumespresso, one ``pw.base`` a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.engine import ExitCode, ProcessSpec, ToContext
from aiida.plugins import GroupFactory, WorkflowFactory

from aiida_seireact.calculations.functions.frames import cut_structures
from aiida_seireact.calculations.functions.label_qe import (
    collect_pw,
    mesh_label,
    mesh_of,
    parameters_label,
    prepare_pw,
    settings_label,
    symbols_of,
)
from aiida_seireact.formats.jobs.label_qe import Mesh, QeSettings
from aiida_seireact.science.structures import ISOLATED_ATOM
from aiida_seireact.workchains.label_engine import POTENTIAL, LabelEngine, last_job, last_output

ENGINE = "quantumespresso.pw.base"
ONE_CORE = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
SETUP = "aiida-seireact setup --with-qe"
INSTALL = "aiida-pseudo install family FOLDER LABEL -P pseudo.upf"


class QeLabelWorkChain(LabelEngine):
    """Labels one batch by pw.x; see protocol ``qe`` of ``seireact.label``.

    The handlers of aiida-quantumespresso try again with gentler mixing where the electrons don't converge. A frame
    that is given up costs no other one. Jobs run without MPI unless ``options`` say otherwise.
    """

    PROGRAM = "pw.x"
    SETTINGS = QeSettings
    PLUGIN = "quantumespresso.pw"
    SETUP = SETUP
    PACKAGE = ("aiida_quantumespresso", "pip install 'aiida-seireact[qe]'")
    # One link each when they are collected; more than 128 inputs of a process freeze a worker.
    MAX_FRAMES = 64
    PREPARE: ClassVar[Callable[..., Any]] = staticmethod(prepare_pw)
    COLLECT: ClassVar[Callable[..., Any]] = staticmethod(collect_pw)
    # Outputs of a job, those that tell most first.
    LEFT: ClassVar[tuple[str, ...]] = ("output_parameters", "retrieved", "remote_folder")

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.outline(cls.prepare, cls.run_pw, cls.collect)

    def prepare(self) -> None:
        """Make the inputs of pw.x: a structure a frame, and what the frames share."""
        frames = self.inputs.frames
        structures = cut_structures(frames, metadata={"call_link_label": "cut_structures"})
        shared = self.PREPARE(frames, self.inputs.parameters, metadata={"call_link_label": self.PREPARE.__name__})
        self.ctx.structures = {label: node.uuid for label, node in structures.items()}
        self.ctx.shared = {label: node.uuid for label, node in shared.items()}
        pseudos = self.potentials(self.settings)
        self.ctx.pseudos = {element: node.uuid for element, node in pseudos.items()}

    def run_pw(self) -> ToContext:
        """Send each frame to pw.x."""
        frames, settings = self.inputs.frames.frames, self.settings
        shared = {label: orm.load_node(uuid) for label, uuid in self.ctx.shared.items()}
        pseudos = {element: orm.load_node(uuid) for element, uuid in self.ctx.pseudos.items()}
        self.report(f"{len(frames)} frames go to pw.x, pseudopotentials of {settings.pseudo_family}")
        jobs = {}
        for index, label in enumerate(sorted(self.ctx.structures)):
            mesh = mesh_of(frames, index, settings)
            pw = {
                "code": self.inputs.code,
                "structure": orm.load_node(self.ctx.structures[label]),
                "parameters": shared[parameters_label(frames, index, settings)],
                "pseudos": {element: pseudos[element] for element in sorted(set(symbols_of(frames, index)))},
                "settings": shared[self.settings_label(index, mesh)],
                "metadata": {"options": self.options},
            }
            jobs[label] = self.submit(
                WorkflowFactory(ENGINE),
                pw=pw,
                kpoints=shared[mesh_label(mesh)],
                max_iterations=shared["max_iterations"],
                metadata={"call_link_label": label},
            )
        return ToContext(**jobs)

    def collect(self) -> ExitCode | None:
        """Join the labels; what failed is told by frame."""
        runs = {label: last_output(last_job(self.ctx[label]), self.LEFT) for label in sorted(self.ctx.structures)}
        return self.tell(
            self.COLLECT(
                self.inputs.frames,
                self.inputs.parameters,
                metadata={"call_link_label": self.COLLECT.__name__},
                **{label: output for label, output in runs.items() if output is not None},
                **{f"{POTENTIAL}{element}": orm.load_node(uuid) for element, uuid in self.ctx.pseudos.items()},
            )
        )

    @staticmethod
    def settings_label(index: int, mesh: Mesh) -> str:
        """Return which settings of the plugin a frame gets."""
        return settings_label(mesh)

    @property
    def options(self) -> dict[str, Any]:
        """Scheduler options of each job, those left out filled in; the plugin's own default is to run with MPI."""
        return {"resources": dict(ONE_CORE), "withmpi": False, **self.inputs.options}

    @classmethod
    def potentials(cls, settings: QeSettings) -> dict[str, orm.Data]:
        """Return the pseudopotential of each element of the settings.

        :raises NotExistent: there is no such family, or it lacks one.
        """
        query = orm.QueryBuilder().append(GroupFactory("pseudo.family"), filters={"label": settings.pseudo_family})
        try:
            family = query.one()[0]
        except (NotExistent, MultipleObjectsError):
            raise NotExistent(
                f"There is no pseudopotential family {settings.pseudo_family!r} in this profile, so none for "
                f"{', '.join(settings.species)}: `{SETUP}` makes the one of protocol `qe`, `aiida-pseudo list` shows "
                "those that are there; name one in `pseudo_family`."
            ) from None
        if missing := sorted(set(settings.species) - set(family.elements)):
            raise NotExistent(
                f"The pseudopotential family {settings.pseudo_family!r} has none for {', '.join(missing)}: put the UPF "
                f"file of each element of the study into one folder, `{INSTALL}`, and name it in `pseudo_family`."
            )
        return {element: family.get_pseudo(element) for element in settings.species}

    @classmethod
    def complaint(cls, inputs: Mapping[str, Any], settings: QeSettings) -> str | None:
        """Refuse a frame that is not periodic, and an element without a pseudopotential."""
        for index, pbc in enumerate(inputs["frames"].frames.pbc):
            if not pbc.all() and inputs["frames"].frames.config_type[index] != ISOLATED_ATOM:
                return (
                    f"Frame {index} is not periodic in all directions, and pw.x repeats every cell: give it room "
                    "around and set pbc to true."
                )
        if foreign := sorted(set(inputs["frames"].frames.species) - set(settings.species)):
            return (
                f"species names {', '.join(settings.species)}, but frames hold {', '.join(foreign)}: add it there, and "
                f"have its UPF file in the family (`{INSTALL}`)."
            )
        try:
            cls.potentials(settings)
        except NotExistent as error:
            return str(error)
        return None

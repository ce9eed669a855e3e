"""``seireact.label.qe``: labels by Quantum ESPRESSO through aiida-quantumespresso, one ``pw.base`` a frame."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain
from aiida.plugins import GroupFactory, WorkflowFactory

from aiida_seireact.calculations.functions.frames import cut_structures
from aiida_seireact.calculations.functions.label_qe import (
    PSEUDO,
    collect_pw,
    mesh_label,
    mesh_of,
    parameters_label,
    prepare_pw,
    settings_label,
    symbols_of,
)
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.label_qe import QeSettings
from aiida_seireact.science.structures import ISOLATED_ATOM

ENGINE, PLUGIN = "quantumespresso.pw.base", "quantumespresso.pw"
MAX_FRAMES = 64  # one link each when they are collected; more than 128 inputs freeze a worker
ONE_CORE = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
SETUP = "aiida-seireact setup --with-qe"
INSTALL = "aiida-pseudo install family FOLDER LABEL -P pseudo.upf"


class QeLabelWorkChain(WorkChain):
    """Labels one batch: ``code``, ``frames``, ``parameters``, ``options`` in; ``frames``, ``failures`` out.

    The handlers of aiida-quantumespresso try again with gentler mixing where the electrons don't converge. A frame
    that is given up costs no other one.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("code", valid_type=orm.AbstractCode, validator=validate_code, help="pw.x.")
        spec.input(
            "frames",
            valid_type=FramesData,
            validator=validate_frames,
            help=f"At most {MAX_FRAMES} frames: cells, or isolated atoms (config type `{ISOLATED_ATOM}`), not both.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(QeSettings),
            help="Pseudopotentials, cut-offs, k-meshes, occupations and what a label must fulfil; see protocol `qe` of "
            "`seireact.label`.",
        )
        spec.input(
            "options",
            valid_type=dict,
            non_db=True,
            default=dict,
            help="Scheduler options of each job as in `metadata.options` (queue, account, walltime, resources); "
            "without MPI unless `withmpi` is true.",
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
            "converged only after namelists were changed, and the magnetisation of isolated atoms.",
        )
        spec.outline(cls.prepare, cls.run_pw, cls.collect)
        spec.exit_code(
            490,
            "ERROR_NO_FRAME_LABELLED",
            message="Not one of {count} frames could be labelled; the first, because {message}",
        )

    def prepare(self) -> None:
        """Make the inputs of pw.x: a structure a frame, and what the frames share."""
        frames = self.inputs.frames
        structures = cut_structures(frames, metadata={"call_link_label": "cut_structures"})
        shared = prepare_pw(frames, self.inputs.parameters, metadata={"call_link_label": "prepare_pw"})
        self.ctx.structures = {label: node.uuid for label, node in structures.items()}
        self.ctx.shared = {label: node.uuid for label, node in shared.items()}
        pseudos = pseudopotentials(self.settings)
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
                "settings": shared[settings_label(mesh)],
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
        runs = {label: last_output(self.ctx[label]) for label in sorted(self.ctx.structures)}
        outputs = collect_pw(
            self.inputs.frames,
            self.inputs.parameters,
            metadata={"call_link_label": "collect_pw"},
            **{label: output for label, output in runs.items() if output is not None},
            **{f"{PSEUDO}{element}": orm.load_node(uuid) for element, uuid in self.ctx.pseudos.items()},
        )
        self.out_many(outputs)
        failures = outputs["failures"]["failures"]
        if failures:
            self.report(f"{len(failures)} of {len(runs)} frames have no label; the first: {failures[0]['reason']}")
        if "frames" not in outputs:
            return self.exit_codes.ERROR_NO_FRAME_LABELLED.format(count=len(runs), message=failures[0]["reason"])
        return None

    @property
    def settings(self) -> QeSettings:
        """The level of theory."""
        return QeSettings.model_validate(self.inputs.parameters.get_dict())

    @property
    def options(self) -> dict[str, Any]:
        """Scheduler options of each job, those left out filled in; the plugin's own default is to run with MPI."""
        return {"resources": dict(ONE_CORE), "withmpi": False, **self.inputs.options}


def last_output(workchain: orm.WorkChainNode) -> orm.Data | None:
    """Return the output of the last job under ``workchain`` that says most, None if no job came so far."""
    jobs = [node for node in workchain.called if isinstance(node, orm.CalcJobNode)]
    if not jobs:
        return None
    outputs = max(jobs, key=lambda job: job.pk).base.links.get_outgoing()
    found = {link.link_label: link.node for link in outputs.all()}
    return next((found[label] for label in ("output_parameters", "retrieved", "remote_folder") if label in found), None)


def pseudopotentials(settings: QeSettings) -> dict[str, orm.Data]:
    """Return the pseudopotential of each element of the settings.

    :raises NotExistent: there is no such family, or it lacks one.
    """
    query = orm.QueryBuilder().append(GroupFactory("pseudo.family"), filters={"label": settings.pseudo_family})
    try:
        family = query.one()[0]
    except (NotExistent, MultipleObjectsError):
        raise NotExistent(
            f"There is no pseudopotential family {settings.pseudo_family!r} in this profile, so none for "
            f"{', '.join(settings.species)}: `{SETUP}` makes the one of protocol `qe`, `aiida-pseudo list` shows those "
            "that are there; name one in `pseudo_family`."
        ) from None
    if missing := sorted(set(settings.species) - set(family.elements)):
        raise NotExistent(
            f"The pseudopotential family {settings.pseudo_family!r} has none for {', '.join(missing)}: put the UPF "
            f"file of each element of the study into one folder, `{INSTALL}`, and name it in `pseudo_family`."
        )
    return {element: family.get_pseudo(element) for element in settings.species}


def validate_code(code: orm.AbstractCode | None, _: Any) -> str | None:
    """Refuse a code of another program."""
    if code is None or code.default_calc_job_plugin in (None, PLUGIN):
        return None
    return (
        f"The code {code.full_label!r} runs {code.default_calc_job_plugin}, not pw.x: `{SETUP}` makes one, "
        "`verdi code list` shows all."
    )


def validate_frames(frames: FramesData | None, _: Any) -> str | None:
    """Refuse what one batch can't hold."""
    if frames is None:
        return None
    if len(frames) > MAX_FRAMES:
        return (
            f"{len(frames)} frames are too many for one batch of pw.x, at most {MAX_FRAMES}: "
            f"let LabelWorkChain cut them, with batch_size {MAX_FRAMES} or less."
        )
    columns = frames.frames
    atoms = columns.config_type == ISOLATED_ATOM
    if atoms.any() and not atoms.all():
        return (
            f"{int(atoms.sum())} of {len(columns)} frames are isolated atoms: label them apart from the cells, since "
            "the stress of an atom in a box means nothing and a shard has a stress for every frame or for none."
        )
    if (large := atoms & (columns.n_atoms != 1)).any():
        index = int(large.argmax())
        return f"Frame {index} is called {ISOLATED_ATOM} and has {columns.n_atoms[index]} atoms: give it another type."
    for index, volume in enumerate(abs(np.linalg.det(columns.cells))):
        if volume < 1e-3:
            return f"Frame {index} has a cell without volume, and pw.x needs one: put the atoms into a box."
        if not columns.pbc[index].all() and not atoms[index]:
            return (
                f"Frame {index} is not periodic in all directions, and pw.x repeats every cell: give it room around "
                "and set pbc to true."
            )
    return None


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse what would fail on the compute machine: no plugin, an element without a pseudopotential."""
    if find_spec("aiida_quantumespresso") is None:
        return "aiida-quantumespresso is not installed where AiiDA runs: `pip install 'aiida-seireact[qe]'`."
    if not {"frames", "parameters"} <= set(inputs):
        return None
    settings = QeSettings.model_validate(inputs["parameters"].get_dict())
    if foreign := sorted(set(inputs["frames"].frames.species) - set(settings.species)):
        return (
            f"species names {', '.join(settings.species)}, but frames hold {', '.join(foreign)}: add it there, and "
            f"have its UPF file in the family (`{INSTALL}`)."
        )
    try:
        pseudopotentials(settings)
    except NotExistent as error:
        return str(error)
    return None

"""``seireact.label.cp2k``: labels by CP2K through aiida-cp2k, frames of the same atoms in one job."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain, while_
from aiida.plugins import CalculationFactory

from aiida_seireact.calculations.functions.label_cp2k import (
    INPUTS,
    collect_cp2k,
    group_label,
    groups_of,
    prepare_cp2k,
    run_label,
)
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.frames import Frames
from aiida_seireact.formats.jobs.label_cp2k import Cp2kSettings
from aiida_seireact.science.structures import ISOLATED_ATOM

PLUGIN, PARSER = "cp2k", "seireact.cp2k"
MAX_GROUPS = 32  # three inputs each are made, three runs each are collected; 128 links freeze a worker
ONE_CORE = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
SETUP = "aiida-seireact setup --with-cp2k"


class Cp2kLabelWorkChain(WorkChain):
    """Labels one batch: ``code``, ``frames``, ``parameters``, ``options`` in; ``frames``, ``failures`` out.

    Frames of the same atoms in the same order, and the same k-mesh, are one job. A frame that does not converge costs
    no other one; what a killed job left is computed by another one, up to ``max_runs``.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("code", valid_type=orm.AbstractCode, validator=validate_code, help="CP2K.")
        spec.input(
            "frames",
            valid_type=FramesData,
            validator=validate_frames,
            help=f"Cells, or isolated atoms (config type `{ISOLATED_ATOM}`), not both.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(Cp2kSettings),
            help="Basis sets, potentials, cut-offs, SCF, k-meshes and what a label must fulfil; see protocol `cp2k` of "
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
            "needed another run; `kinds_sha256`: basis set and potential of each element.",
        )
        spec.outline(cls.start, while_(cls.should_run)(cls.run_cp2k, cls.inspect), cls.collect)
        spec.exit_code(
            490,
            "ERROR_NO_FRAME_LABELLED",
            message="Not one of {count} frames could be labelled; the first, because {message}",
        )

    def start(self) -> None:
        """Make the inputs of the first jobs."""
        self.ctx.run = 0
        self.ctx.left = {}
        self.prepare()

    def prepare(self) -> None:
        """Make the inputs of the jobs that are to be run."""
        made = prepare_cp2k(
            self.inputs.frames,
            self.inputs.parameters,
            metadata={"call_link_label": f"prepare_cp2k_{self.ctx.run + 1}"},
            **self.left,
        )
        self.ctx.made = {label: node.uuid for label, node in made.items()}

    def should_run(self) -> bool:
        """Whether there are frames to be computed, and runs to do it."""
        return bool(self.ctx.made) and self.ctx.run < self.settings.max_runs

    def run_cp2k(self) -> ToContext:
        """Send each group of frames to CP2K."""
        self.ctx.run += 1
        numbers = [number for number in range(self.n_groups) if f"{group_label(number)}_{INPUTS[0]}" in self.ctx.made]
        self.report(f"run {self.ctx.run}: {len(self.inputs.frames)} frames, {len(numbers)} jobs of CP2K")
        self.ctx.jobs = [run_label(number, self.ctx.run) for number in numbers]
        return ToContext(
            **{
                run_label(number, self.ctx.run): self.submit(
                    CalculationFactory(PLUGIN),
                    code=self.inputs.code,
                    **{name: orm.load_node(self.ctx.made[f"{group_label(number)}_{name}"]) for name in INPUTS},
                    metadata={"options": self.options, "call_link_label": run_label(number, self.ctx.run)},
                )
                for number in numbers
            }
        )

    def inspect(self) -> None:
        """See what the jobs left, and what is to be run again."""
        for label in self.ctx.jobs:
            job = self.ctx[label]
            output = last_output(job)
            if output is not None:
                self.ctx.left[label] = output.uuid
            if not job.is_finished_ok:
                self.report(f"{job.process_label} <{job.pk}> failed: {job.exit_message}")
        if self.ctx.run < self.settings.max_runs and any(not self.ctx[label].is_finished_ok for label in self.ctx.jobs):
            self.prepare()
        else:
            self.ctx.made = {}

    def collect(self) -> ExitCode | None:
        """Join the labels; what failed is told by frame."""
        outputs = collect_cp2k(
            self.inputs.frames, self.inputs.parameters, metadata={"call_link_label": "collect_cp2k"}, **self.left
        )
        self.out_many(outputs)
        failures, count = outputs["failures"]["failures"], len(self.inputs.frames)
        if failures:
            self.report(f"{len(failures)} of {count} frames have no label; the first: {failures[0]['reason']}")
        if "frames" not in outputs:
            return self.exit_codes.ERROR_NO_FRAME_LABELLED.format(count=count, message=failures[0]["reason"])
        return None

    @property
    def left(self) -> dict[str, orm.Data]:
        """What the jobs so far have left, by their link label."""
        return {label: orm.load_node(uuid) for label, uuid in self.ctx.left.items()}

    @property
    def n_groups(self) -> int:
        """Number of groups of frames that share a job."""
        return len(groups_of(self.inputs.frames.frames, self.settings))

    @property
    def settings(self) -> Cp2kSettings:
        """The level of theory."""
        return Cp2kSettings.model_validate(self.inputs.parameters.get_dict())

    @property
    def options(self) -> dict[str, Any]:
        """Scheduler options of each job, those left out filled in; the plugin's own default is to run with MPI."""
        return {"resources": dict(ONE_CORE), "withmpi": False, **self.inputs.options, "parser_name": PARSER}


def last_output(job: orm.CalcJobNode) -> orm.Data | None:
    """Return the output of a job that says most, None if it came not so far."""
    found = {link.link_label: link.node for link in job.base.links.get_outgoing().all()}
    return next((found[label] for label in ("output_parameters", "retrieved", "remote_folder") if label in found), None)


def validate_code(code: orm.AbstractCode | None, _: Any) -> str | None:
    """Refuse a code of another program."""
    if code is None or code.default_calc_job_plugin in (None, PLUGIN):
        return None
    return (
        f"The code {code.full_label!r} runs {code.default_calc_job_plugin}, not CP2K: `{SETUP}` makes one, "
        "`verdi code list` shows all."
    )


def validate_frames(frames: FramesData | None, _: Any) -> str | None:
    """Refuse what one batch can't hold."""
    if frames is None:
        return None
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
            return f"Frame {index} has a cell without volume, and CP2K needs one here: put the atoms into a box."
        if not columns.pbc[index].all() and not atoms[index]:
            return (
                f"Frame {index} is not periodic in all directions, and CP2K repeats every cell here: give it room "
                "around and set pbc to true."
            )
    return None


def validate_groups(frames: Frames, settings: Cp2kSettings) -> str | None:
    """Refuse elements without a basis set, and frames of more kinds than one process can collect jobs of."""
    if foreign := sorted(set(frames.species) - set(settings.kinds)):
        return (
            f"kinds names {', '.join(sorted(settings.kinds))}, but frames hold {', '.join(foreign)}: add it there, as "
            f"{foreign[0]}: {{basis_set: …, potential: …}}, by the names in {settings.basis_set_file} and "
            f"{settings.potential_file} of CP2K."
        )
    if (number := len(groups_of(frames, settings))) > MAX_GROUPS:
        return (
            f"The {len(frames)} frames are of {number} compositions, orders of atoms or k-meshes, and each is a job: "
            f"at most {MAX_GROUPS} a batch. Let LabelWorkChain cut them, with batch_size {MAX_GROUPS} or less."
        )
    return None


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse what would fail on the compute machine: no plugin, an element without a basis set."""
    if find_spec("aiida_cp2k") is None:
        return "aiida-cp2k is not installed where AiiDA runs: `pip install 'aiida-seireact[cp2k]'`."
    if not {"frames", "parameters"} <= set(inputs):
        return None
    settings = Cp2kSettings.model_validate(inputs["parameters"].get_dict())
    return validate_groups(inputs["frames"].frames, settings)

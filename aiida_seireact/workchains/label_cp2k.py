"""``seireact.label.cp2k``: labels by CP2K through aiida-cp2k, all frames of one composition in one job (REFTRAJ)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain, if_
from aiida.plugins import CalculationFactory

from aiida_seireact.calculations.functions.label_cp2k import (
    LABELS,
    collect_cp2k,
    groups_of,
    prepare_cp2k,
    prepare_rest,
)
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.label_cp2k import ISOLATED_ATOM, Cp2kSettings

PLUGIN, PARSER = "cp2k", "seireact.cp2k"
MAX_JOBS = 25  # three inputs and up to four links to collect each, and more than 128 links freeze a worker
ONE_CORE = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
SETUP = "aiida-seireact setup --with-cp2k"


class Cp2kLabelWorkChain(WorkChain):
    """Labels one batch: ``code``, ``frames``, ``parameters``, ``options`` in; ``frames``, ``failures`` out.

    Frames of the same atoms in the same order go into one job. A frame that is given up costs no other one: what a
    job finished before it was killed is taken, and the rest goes into a second one.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("code", valid_type=orm.AbstractCode, validator=validate_code, help="cp2k.")
        spec.input(
            "frames",
            valid_type=FramesData,
            validator=validate_frames,
            help=f"Cells, or isolated atoms (config type `{ISOLATED_ATOM}`), not both; at most {MAX_JOBS} kinds of "
            "cells, told by their atoms, the order of these and the k-mesh. Sort frames so that neighbours are alike.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(Cp2kSettings),
            help="Basis sets, potentials, grids, smearing, k-meshes and what a label must fulfil; see protocol `cp2k` "
            "of `seireact.label`.",
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
            help="`failures`: index, structure id and reason of each frame without a label; `reports`: frames that "
            "were computed by a second job.",
        )
        spec.outline(cls.prepare, cls.run_cp2k, if_(cls.is_frame_left)(cls.prepare_rest, cls.run_rest), cls.collect)
        spec.exit_code(
            490,
            "ERROR_NO_FRAME_LABELLED",
            message="Not one of {count} frames could be labelled; the first, because {message}",
        )

    def prepare(self) -> None:
        """Make the inputs of CP2K, a job for each kind of cell."""
        inputs = prepare_cp2k(self.inputs.frames, self.inputs.parameters, metadata={"call_link_label": "prepare_cp2k"})
        self.ctx.prepared = {label: node.uuid for label, node in inputs.items()}
        self.ctx.rest = {}

    def run_cp2k(self) -> ToContext:
        """Send all frames to CP2K."""
        names = names_of(self.ctx.prepared)
        self.report(f"{len(self.inputs.frames)} frames go to CP2K in {len(names)} jobs")
        return ToContext(**{name: self._start(name, self.ctx.prepared) for name in names})

    def is_frame_left(self) -> bool:
        """Return whether a job ended before its time."""
        return any(not self.ctx[name].is_finished_ok for name in names_of(self.ctx.prepared))

    def prepare_rest(self) -> None:
        """Make the inputs of a second job for what is left."""
        rest = prepare_rest(
            self.inputs.frames,
            self.inputs.parameters,
            metadata={"call_link_label": "prepare_rest"},
            **self._found(),
        )
        self.ctx.rest = {label: node.uuid for label, node in rest.items()}

    def run_rest(self) -> ToContext:
        """Send what is left to CP2K, once."""
        names = names_of(self.ctx.rest)
        if names:
            self.report(f"{len(names)} jobs ended before their time; what they left goes to CP2K again")
        return ToContext(**{name: self._start(name, self.ctx.rest) for name in names})

    def collect(self) -> ExitCode | None:
        """Join the labels; what failed is told by frame."""
        outputs = collect_cp2k(
            self.inputs.frames,
            self.inputs.parameters,
            metadata={"call_link_label": "collect_cp2k"},
            **self._found(),
        )
        self.out_many(outputs)
        failures, count = outputs["failures"]["failures"], len(self.inputs.frames)
        if failures:
            self.report(f"{len(failures)} of {count} frames have no label; the first: {failures[0]['reason']}")
        if "frames" not in outputs:
            return self.exit_codes.ERROR_NO_FRAME_LABELLED.format(count=count, message=failures[0]["reason"])
        return None

    def _start(self, name: str, prepared: Mapping[str, str]) -> orm.CalcJobNode:
        inputs = {port: orm.load_node(prepared[f"{name}_{port}"]) for port in ("structure", "trajectory", "parameters")}
        options = {"resources": dict(ONE_CORE), "withmpi": False, **self.inputs.options, "parser_name": PARSER}
        return self.submit(
            CalculationFactory(PLUGIN),
            code=self.inputs.code,
            metadata={"options": options, "call_link_label": name},
            **inputs,
        )

    def _found(self) -> dict[str, orm.Data]:
        """Return what the jobs so far left, under the link labels of :func:`collect_cp2k`."""
        found: dict[str, orm.Data] = {}
        for name in names_of(self.ctx.prepared) + names_of(self.ctx.rest):
            outputs = {link.link_label: link.node for link in self.ctx[name].base.links.get_outgoing().all()}
            says_most = next((key for key in ("output_parameters", "retrieved", "remote_folder") if key in outputs), "")
            if says_most:
                found[name] = outputs[says_most]
            if "output_labels" in outputs:
                found[name + LABELS] = outputs["output_labels"]
        return found


def names_of(prepared: Iterable[str]) -> list[str]:
    """Return the names of the jobs of prepared inputs, as ``job_000`` or ``rest_000``, sorted."""
    return sorted({label.rpartition("_")[0] for label in prepared})


def validate_code(code: orm.AbstractCode | None, _: Any) -> str | None:
    """Refuse a code of another program."""
    if code is None or code.default_calc_job_plugin in (None, PLUGIN):
        return None
    return (
        f"The code {code.full_label!r} runs {code.default_calc_job_plugin}, not cp2k: `{SETUP}` makes one, "
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
            return f"Frame {index} has a cell without volume, and CP2K needs one: put the atoms into a box."
        if not columns.pbc[index].all() and not atoms[index]:
            return (
                f"Frame {index} is not periodic in all directions, and CP2K repeats every cell: give it room around "
                "and set pbc to true."
            )
    return None


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse what would fail on the compute machine: no plugin, an element without a potential, too many jobs."""
    if find_spec("aiida_cp2k") is None:
        return "aiida-cp2k is not installed where AiiDA runs: `pip install 'aiida-seireact[cp2k]'`."
    if not {"frames", "parameters"} <= set(inputs):
        return None
    columns = inputs["frames"].frames
    settings = Cp2kSettings.model_validate(inputs["parameters"].get_dict())
    if foreign := sorted(set(columns.species) - set(settings.elements)):
        return (
            f"elements names {', '.join(sorted(settings.elements))}, but frames hold {', '.join(foreign)}: add each "
            "there with its basis_set, potential and multiplicity, by the names in CP2K's data files."
        )
    if (count := len(groups_of(columns, settings))) > MAX_JOBS:
        return (
            f"The frames are of {count} kinds (atoms, their order, k-mesh), and each is a job of its own, at most "
            f"{MAX_JOBS} in one batch: sort the atoms of all frames alike, or set a smaller batch_size."
        )
    return None

"""``seireact.label.cp2k``: labels by CP2K through aiida-cp2k, frames of the same atoms in one job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, while_
from aiida.plugins import CalculationFactory

from aiida_seireact.calculations.functions.label_cp2k import (
    INPUTS,
    collect_cp2k,
    group_label,
    groups_of,
    prepare_cp2k,
    run_label,
)
from aiida_seireact.formats.jobs.label_cp2k import Cp2kSettings
from aiida_seireact.science.structures import ISOLATED_ATOM
from aiida_seireact.workchains.label_engine import LabelEngine, last_output

PARSER = "seireact.cp2k"
MAX_GROUPS = 32  # three inputs each are made, three runs each are collected; 128 links freeze a worker
ONE_CORE = {"num_machines": 1, "num_mpiprocs_per_machine": 1}


class Cp2kLabelWorkChain(LabelEngine):
    """Labels one batch by CP2K; see protocol ``cp2k`` of ``seireact.label``.

    Frames of the same atoms in the same order, and the same k-mesh, are one job. A frame that does not converge costs
    no other one; what a killed job left is computed by another one, up to ``max_runs``. Jobs run without MPI unless
    ``options`` say otherwise.
    """

    PROGRAM = "CP2K"
    SETTINGS = Cp2kSettings
    PLUGIN = "cp2k"
    SETUP = "aiida-seireact setup --with-cp2k"
    PACKAGE = ("aiida_cp2k", "pip install 'aiida-seireact[cp2k]'")
    # A job writes and reads all its frames at once, and the worker waits for it.
    MAX_FRAMES = 200

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.outline(cls.start, while_(cls.should_run)(cls.run_cp2k, cls.inspect), cls.collect)

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
                    CalculationFactory(self.PLUGIN),
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
            output = last_output(job, ("output_parameters", "retrieved", "remote_folder"))
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
        return self.tell(
            collect_cp2k(
                self.inputs.frames, self.inputs.parameters, metadata={"call_link_label": "collect_cp2k"}, **self.left
            )
        )

    @property
    def left(self) -> dict[str, orm.Data]:
        """What the jobs so far have left, by their link label."""
        return {label: orm.load_node(uuid) for label, uuid in self.ctx.left.items()}

    @property
    def n_groups(self) -> int:
        """Number of groups of frames that share a job."""
        return len(groups_of(self.inputs.frames.frames, self.settings))

    @property
    def options(self) -> dict[str, Any]:
        """Scheduler options of each job, those left out filled in; the plugin's own default is to run with MPI."""
        return {"resources": dict(ONE_CORE), "withmpi": False, **self.inputs.options, "parser_name": PARSER}

    @classmethod
    def complaint(cls, inputs: Mapping[str, Any], settings: Cp2kSettings) -> str | None:
        """Refuse elements without a basis set, slabs in vacuum, and more groups than one process can collect."""
        frames = inputs["frames"].frames
        if foreign := sorted(set(frames.species) - set(settings.kinds)):
            return (
                f"kinds names {', '.join(sorted(settings.kinds))}, but frames hold {', '.join(foreign)}: add it there, "
                f"as {foreign[0]}: {{basis_set: …, potential: …, multiplicity: …}}, by the names in "
                f"{settings.basis_set_file} and {settings.potential_file} of CP2K."
            )
        open_cells = ~frames.pbc.all(axis=1) & (frames.config_type != ISOLATED_ATOM)
        if open_cells.any():
            return (
                f"Frame {int(open_cells.argmax())} is not periodic in all directions, and CP2K repeats every cell "
                "here: give it room around and set pbc to true."
            )
        if (number := len(groups_of(frames, settings))) > MAX_GROUPS:
            return (
                f"The {len(frames)} frames are of {number} compositions, orders of atoms or k-meshes, and each is a "
                f"job: at most {MAX_GROUPS} a batch. Let LabelWorkChain cut them, with batch_size {MAX_GROUPS} or less."
            )
        return None

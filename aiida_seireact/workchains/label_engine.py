"""What the engines over plug-ins of other codes share: the ports of a labelling engine, and how they tell the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, WorkChain

from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.science.structures import ISOLATED_ATOM
from aiida_seireact.workchains.restartable import RestartableMixin

# Links of the process that collects, by which it knows what it was computed with.
POTENTIAL = "potential_"


class LabelEngine(RestartableMixin, WorkChain):
    """Labels one batch: ``code``, ``frames``, ``parameters``, ``options`` in; ``frames``, ``failures`` out.

    :cvar PROGRAM: name of the program in sentences.
    :cvar SETTINGS: what ``parameters`` must be.
    :cvar PLUGIN: entry point of the job that the code is for.
    :cvar SETUP: command that makes such a code.
    :cvar PACKAGE: module of the plug-in, and how to install it.
    :cvar MAX_FRAMES: most frames of a batch.
    :cvar WAY_OUT: what to do with more.
    """

    PROGRAM: ClassVar[str]
    SETTINGS: ClassVar[type[Job]]
    PLUGIN: ClassVar[str]
    SETUP: ClassVar[str]
    PACKAGE: ClassVar[tuple[str, str]]
    MAX_FRAMES: ClassVar[int]
    WAY_OUT: ClassVar[str] = "let LabelWorkChain cut them, with batch_size {most} or less"

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.input("code", valid_type=orm.AbstractCode, validator=cls.validate_code, help=f"{cls.PROGRAM}.")
        spec.input(
            "frames",
            valid_type=FramesData,
            validator=cls.validate_frames,
            help=f"At most {cls.MAX_FRAMES} frames: cells, or isolated atoms (type `{ISOLATED_ATOM}`), not both.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(cls.SETTINGS),
            help="The level of theory, and what a label must fulfil; the protocols of `seireact.label` have examples.",
        )
        spec.input(
            "options",
            valid_type=dict,
            is_metadata=True,
            default=dict,
            help="Scheduler options of each job as in `metadata.options` (queue, account, walltime, resources).",
        )
        spec.inputs.validator = cls.validate_inputs
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
            "were made otherwise than asked, and how.",
        )
        spec.exit_code(
            490,
            "ERROR_NO_FRAME_LABELLED",
            message="Not one of {count} frames could be labelled; the first, because {message}",
        )

    @property
    def settings(self) -> Any:
        """The level of theory."""
        return self.SETTINGS.model_validate(self.inputs.parameters.get_dict())

    def tell(self, outputs: Mapping[str, orm.Data]) -> ExitCode | None:
        """Attach what was collected; an error if there is not one label."""
        self.out_many(outputs)
        failures, count = outputs["failures"]["failures"], len(self.inputs.frames)
        if failures:
            self.report(f"{len(failures)} of {count} frames have no label; the first: {failures[0]['reason']}")
        if "frames" not in outputs:
            return self.exit_codes.ERROR_NO_FRAME_LABELLED.format(count=count, message=failures[0]["reason"])
        return None

    # ------------------------------------------------------------------ before submission
    @classmethod
    def potentials(cls, settings: Any) -> dict[str, orm.Data]:
        """Return the pseudopotential of each element of the settings, where these name a family; else none.

        They are linked to the process that collects as ``potential_<element>``.

        :raises NotExistent: the family is not there, or lacks one.
        """
        return {}

    @classmethod
    def validate_code(cls, code: orm.AbstractCode | None, _: Any) -> str | None:
        """Refuse a code of another program."""
        if code is None or code.default_calc_job_plugin in (None, cls.PLUGIN):
            return None
        return (
            f"The code {code.full_label!r} runs {code.default_calc_job_plugin}, not {cls.PROGRAM}: `{cls.SETUP}` makes "
            "one, `verdi code list` shows all."
        )

    @classmethod
    def validate_frames(cls, frames: FramesData | None, _: Any) -> str | None:
        """Refuse what one batch can't hold."""
        if frames is None:
            return None
        if len(frames) > cls.MAX_FRAMES:
            return (
                f"{len(frames)} frames are too many for one batch of {cls.PROGRAM}, at most {cls.MAX_FRAMES}: "
                f"{cls.WAY_OUT.format(most=cls.MAX_FRAMES)}."
            )
        columns = frames.frames
        atoms = columns.config_type == ISOLATED_ATOM
        if atoms.any() and not atoms.all():
            return (
                f"{int(atoms.sum())} of {len(columns)} frames are isolated atoms: label them apart from the cells, "
                "since the stress of an atom in a box means nothing and a shard has a stress for every frame or for "
                "none."
            )
        if (large := atoms & (columns.n_atoms != 1)).any():
            index = int(large.argmax())
            return (
                f"Frame {index} is called {ISOLATED_ATOM} and has {columns.n_atoms[index]} atoms: give it another type."
            )
        if (flat := np.abs(np.linalg.det(columns.cells)) < 1e-3).any():
            return (
                f"Frame {int(flat.argmax())} has a cell without volume, and {cls.PROGRAM} needs one: put its atoms "
                "into a box."
            )
        return None

    @classmethod
    def validate_inputs(cls, inputs: Mapping[str, Any], _: Any) -> str | None:
        """Refuse what would fail on the compute machine, first of all that the plug-in is not there."""
        module, install = cls.PACKAGE
        if find_spec(module) is None:
            return f"{module.replace('_', '-')} is not installed where AiiDA runs: `{install}`."
        if not {"frames", "parameters"} <= set(inputs):
            return None
        return cls.complaint(inputs, cls.SETTINGS.model_validate(inputs["parameters"].get_dict()))

    @classmethod
    def complaint(cls, inputs: Mapping[str, Any], settings: Any) -> str | None:
        """Return what speaks against inputs that fit each alone, None if nothing."""
        return None


def last_output(job: orm.CalcJobNode | None, labels: Sequence[str]) -> orm.Data | None:
    """Return the first of these outputs that a job has, None if it has none or there is no job."""
    if job is None:
        return None
    found = {link.link_label: link.node for link in job.base.links.get_outgoing().all()}
    return next((found[label] for label in labels if label in found), None)


def last_job(workchain: orm.WorkChainNode) -> orm.CalcJobNode | None:
    """Return the last job that a WorkChain has started, None if it came not so far."""
    return max(
        (node for node in workchain.called if isinstance(node, orm.CalcJobNode)), key=lambda job: job.pk, default=None
    )

"""``seireact.ase``: single points, relaxations and short MD with a calculator of ASE (``seireact-label``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.potential import PACKAGE_KINDS, PotentialData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.label import LabelJob


class AseCalculation(ProgramCalculation):
    """Frames in, labelled frames out. One job labels a whole batch; a frame that fails does not stop the others."""

    PARSER = "seireact.ase"
    # What is finished is there only if the program was cut short; it removes the file when it ends well.
    RETRIEVE_TEMPORARY = (files.LABELLED, files.FINISHED)
    UNHASHED = ("finished",)
    CACHE_VERSION = 2

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "frames",
            valid_type=FramesData,
            required=False,
            help="The frames to label, to relax, or to start MD from; not needed for isolated atoms.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(LabelJob, frames=files.FRAMES),
            help="The keys of a `seireact-label` job but `frames`: calculator, task, and the settings of the task. "
            "`seireact-label --help` explains each.",
        )
        spec.input(
            "potential",
            valid_type=PotentialData,
            required=False,
            help="The model that labels, if the calculator is `nequip`: a package, or compiled for the target ase.",
        )
        spec.input(
            "finished",
            valid_type=orm.SinglefileData,
            required=False,
            help="The output `partial` of a job of the same inputs that was cut short: only what is missing in it is "
            "computed. It changes no output, so it is no part of the hash by which a cached job is found.",
        )
        spec.inputs.validator = validate_model
        spec.output("frames", valid_type=FramesData, required=False, help="The labelled frames, in the order given.")
        spec.output(
            "isolated_atoms",
            valid_type=orm.Dict,
            required=False,
            help="`energies_ev` of isolated atoms by species, if the task was that, and their `source`.",
        )
        spec.output(
            "failures",
            valid_type=orm.Dict,
            required=False,
            help="`failures`: index, id, reason of frames without a label; `reports`: how relaxations and runs went.",
        )

        spec.output(
            "labeller",
            valid_type=orm.Dict,
            required=False,
            help="What the `settings_hash` of the labels stands for: calculator, arguments, model, version; and the "
            "`kind` of the labeller, `stand-in` for a pretrained universal potential.",
        )
        spec.output(
            "partial",
            valid_type=orm.SinglefileData,
            required=False,
            help="Of a job that was cut short: what had been finished. The next one takes it as `finished`.",
        )

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = self.inputs.parameters.get_dict()
        if "frames" in self.inputs:
            self.inputs.frames.frames.save(folder / files.FRAMES)
            job["frames"] = files.FRAMES
        if "potential" in self.inputs:
            potential = self.inputs.potential
            name = files.PACKAGE if potential.kind in PACKAGE_KINDS else files.COMPILED
            links.local_copy.append((potential.uuid, potential.filename, name))
            calculator = LabelJob.model_validate({**job, "frames": files.FRAMES}).calculator.model_dump()
            job["calculator"] = {**calculator, "kwargs": {"model": name, "model_hash": potential.model_hash}}
        if "finished" in self.inputs:
            links.local_copy.append((self.inputs.finished.uuid, self.inputs.finished.filename, files.FINISHED))
        return job


def validate_model(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse a model that no calculator takes, and one known by a path only: what lies there may change."""
    if "parameters" not in inputs:
        return None
    given = inputs["parameters"].get_dict().get("calculator", {})
    calculator = {"name": given} if isinstance(given, str) else given
    name, kwargs = calculator.get("name"), calculator.get("kwargs", {})
    if name != "nequip":
        return f"`potential` is for the calculator 'nequip', not for {name!r}." if "potential" in inputs else None
    if "potential" in inputs:
        return "The calculator takes its model from `potential`: remove its kwargs." if kwargs else None
    if {"model", "model_hash"} - set(kwargs):
        return "The calculator 'nequip' needs the input `potential`, or kwargs with model (a path) and model_hash."
    return None

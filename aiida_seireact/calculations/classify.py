"""``seireact.classify``: density peaks of environments, named by reference runs (``seireact-classify``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.trajectories import place_run
from aiida_seireact.calculations.validation import job_validator
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.formats.jobs.frame_files import FrameFiles


class FrameChoice(Job):
    """Which frames of a run are taken: ``FrameFiles`` without its files."""

    skip_first: int = FrameFiles.model_fields["skip_first"].default
    stride: int = FrameFiles.model_fields["stride"].default
    stop_before_truncated: bool = FrameFiles.model_fields["stop_before_truncated"].default


class ClassifySettings(ClassifyJob):
    """What the ``parameters`` hold: the job without its files."""

    trajectory: FrameChoice = FrameChoice()  # type: ignore[assignment]
    references: FrameChoice = FrameChoice()  # type: ignore[assignment]


class ClassifyCalculation(ProgramCalculation):
    """A run and reference runs of known phases in; the classifier and the label of every environment out."""

    PARSER = "seireact.classify"
    RETRIEVE_TEMPORARY = (files.PHASES, files.LABELS)
    CACHE_VERSION = 1

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input("trajectory", valid_type=TrajectoryData, help="The run whose environments are classified.")
        spec.input_namespace(
            "references",
            valid_type=(TrajectoryData, FramesData),
            dynamic=True,
            help="Runs of the pure phases, by the name their environments get.",
        )
        spec.input("classifier", valid_type=PhasesData, required=False, help="Label by it, without clustering again.")
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(ClassifySettings, classifier=None),
            help="`trajectory` and `references`: `skip_first` and `stride` of their frames; `spec` of the descriptors, "
            "`n_landmarks`, `maxk`, `alpha`, `z`, `gates`, `keep_variance`, `seed`: see `seireact-classify --help`.",
        )
        spec.output("phases", valid_type=PhasesData, help="The classifier.")
        spec.output("classification", valid_type=orm.Dict, help="Fractions of the phases, clusters, and their numbers.")
        spec.output("labels", valid_type=orm.ArrayData, help="Label, core flag and place of every environment.")

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        job: dict[str, Any] = self.inputs.parameters.get_dict()
        computer = self.inputs.code.computer
        chosen = job.pop("references", {})
        run = place_run(self.inputs.trajectory, "trajectory", computer, folder, links)
        job["trajectory"] = {**job.get("trajectory", {}), "files": run}
        job["references"] = {
            name: {**chosen, "files": place_run(reference, f"reference_{number}", computer, folder, links)}
            for number, (name, reference) in enumerate(sorted(self.inputs.get("references", {}).items()))
        }
        if "classifier" in self.inputs:
            job["classifier"] = "classifier.npz"
            links.local_copy.append((self.inputs.classifier.uuid, self.inputs.classifier.filename, "classifier.npz"))
        return job

"""``seireact.classify``: density peaks of environments, named by reference runs (``seireact-classify``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_seireact.calculations.base import Links, ProgramCalculation
from aiida_seireact.calculations.trajectories import place_run
from aiida_seireact.calculations.validation import job_validator, link_name_complaint
from aiida_seireact.data.frames import FramesData
from aiida_seireact.data.phases import PhasesData
from aiida_seireact.data.trajectory import TrajectoryData
from aiida_seireact.formats import files
from aiida_seireact.formats.jobs.base import Job
from aiida_seireact.formats.jobs.classify import ClassifyJob, beside_classifier
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.science.labelling import LabellingError, require_name


class FrameChoice(Job):
    """Which frames of a run are taken: ``FrameFiles`` without its files."""

    skip_first: int = FrameFiles.model_fields["skip_first"].default
    stride: int = FrameFiles.model_fields["stride"].default
    stop_before_truncated: bool = FrameFiles.model_fields["stop_before_truncated"].default


class ClassifySettings(ClassifyJob):
    """What the ``parameters`` hold: the job without its files, and without its part in a larger whole."""

    trajectory: FrameChoice = FrameChoice()  # type: ignore[assignment]
    references: FrameChoice = FrameChoice()  # type: ignore[assignment]


def validate_references(references: Mapping[str, Any] | None, _: Any) -> str | None:
    """Refuse what can't be the name of a phase."""
    try:
        for name in references or {}:
            if message := link_name_complaint(require_name(name), "a reference"):
                return message
    except LabellingError as error:
        return str(error)
    return None


def define_discovery(spec: CalcJobProcessSpec) -> None:
    """Add the outputs about unknown clusters and known phases, which are there unless `discover` is null."""
    spec.output(
        "discovery",
        valid_type=orm.Dict,
        required=False,
        help="What each group of environments is, with a suggested name; of antifluorites whether all-S ones cluster.",
    )
    spec.output("discovery_arrays", valid_type=orm.ArrayData, required=False, help="Its curves: RDF, XRD, profiles.")
    spec.output("examples", valid_type=FramesData, required=False, help="Environments of each to look at.")


def write_classify_files(inputs: Mapping[str, Any], folder: Path, links: Links, **changes: Any) -> dict[str, Any]:
    """Bring the files that the inputs name into the folder of a job and return the job.

    :param changes: keys of the job on top of `parameters`.
    """
    given = inputs["parameters"].get_dict()
    # What is left the program compares with the classifier.
    job: dict[str, Any] = {**(beside_classifier(given) if "classifier" in inputs else given), **changes}
    computer = inputs["code"].computer
    chosen, of_run = job.pop("references", {}), job.pop("trajectory", {})
    if "trajectory" in inputs:
        run = place_run(inputs["trajectory"], "trajectory", computer, folder, links)
        job["trajectory"] = {**of_run, "files": run}
    job["references"] = {
        name: {**chosen, "files": place_run(reference, f"reference_{number}", computer, folder, links)}
        for number, (name, reference) in enumerate(sorted(inputs.get("references", {}).items()))
    }
    for port, key, name in (
        ("classifier", "classifier", "classifier.npz"),
        ("landmark_places", "landmark_places", files.LANDMARK_PLACES),
    ):
        if port in inputs:
            job[key] = name
            links.local_copy.append((inputs[port].uuid, inputs[port].filename, name))
    return job


class ClassifyCalculation(ProgramCalculation):
    """A run and reference runs of known phases in; the classifier and the label of every environment out."""

    PARSER = "seireact.classify"
    RETRIEVE_TEMPORARY = (files.PHASES, files.LABELS, files.DISCOVERY, files.EXAMPLES)
    CACHE_VERSION = 4

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        super().define(spec)
        spec.input(
            "trajectory",
            valid_type=(TrajectoryData, FramesData),
            help="The run whose environments are classified.",
        )
        spec.input_namespace(
            "references",
            valid_type=(TrajectoryData, FramesData),
            dynamic=True,
            validator=validate_references,
            help="Runs of the pure phases, by the name their environments get.",
        )
        spec.input(
            "classifier",
            valid_type=PhasesData,
            required=False,
            help="Label by it, without clustering again. Settings of the clustering and gates are its own: those in "
            "`parameters` may repeat them or be defaults.",
        )
        spec.input(
            "parameters",
            valid_type=orm.Dict,
            validator=job_validator(ClassifySettings, classifier=None, part="all"),
            help="`trajectory` and `references`: `skip_first` and `stride` of their frames; `spec` of the descriptors, "
            "`n_landmarks`, `engine`, `maxk`, `alpha`, `z`, `gates`, `normalisation`, `keep_variance`, `sensitivity`, "
            "`metal`, `electrolyte`, `discover`, `seed`: see `seireact-classify --help`.",
        )
        spec.output("phases", valid_type=PhasesData, help="The classifier.")
        spec.output(
            "classification",
            valid_type=orm.Dict,
            help="Fractions of the phases, of all centres and of the interphase; clusters, dendrogram, sensitivity.",
        )
        spec.output(
            "labels",
            valid_type=orm.ArrayData,
            help="Course of the labels in time and along z; of a run of up to `most_in_one_file` environments also "
            "label, stage and place of each. Of a larger one these lie in chunks beside the trajectory, which the "
            "attribute `chunks` names.",
        )
        define_discovery(spec)

    def write_files(self, folder: Path, links: Links) -> dict[str, Any]:
        return write_classify_files(self.inputs, folder, links)

"""``seireact-classify``: which phases the environments of a run belong to, without supervision."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiida_seireact.formats import files
from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.dump import DumpError
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.formats.label_chunks import LabelsOf
from aiida_seireact.formats.phases import load_sensitivity, save_classifier
from aiida_seireact.programs._classify_assign import assign_frames
from aiida_seireact.programs._classify_cluster import (
    Landmarks,
    cluster,
    describe_references,
    facts_of,
    references_for,
    sensitivity,
)
from aiida_seireact.programs._classify_draw import Drawn, draw, gathered
from aiida_seireact.programs._classify_frames import Progress, Run, stream_of
from aiida_seireact.programs._classify_known import known_classifier, require_settled
from aiida_seireact.programs._classify_result import facts_of_course, null_expectation
from aiida_seireact.programs._discovery import discover
from aiida_seireact.programs._program import program
from aiida_seireact.science.density_peaks import DensityPeaksError, MissingPackageError, PeaksInput
from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, MissingSourceError
from aiida_seireact.science.labelling import Classifier, LabellingError, relabel

PACKAGES = ("ase", "dadapy", "faiss-cpu", "matscipy", "numba", "numpy", "scipy")
EXAMPLE = """
{"trajectory": {"files": ["production.dump.gz"], "skip_first": 1},
 "references": {"Li":   {"files": ["li.dump"],   "skip_first": 5},
                "Li2S": {"files": ["li2s.dump"], "skip_first": 5, "stride": 2}},
 "z": 2.0}
"""


def run(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Cluster the local environments of a run by density peaks and name the clusters by reference phases.

    Writes phases.npz (the classifier, which labels new points without clustering again) and labels.npz (one
    label for each environment of each frame; of a large run labels.json and the chunks it names).
    """
    require_packages(job)
    with as_invalid_input():
        return PARTS[job.part](job, folder, progress)


def classify_all(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Do the whole work in one job."""
    spec = job.spec.spec()
    assert job.trajectory is not None  # the job says so
    run = Run.open(job.trajectory, folder, spec)
    # References first: a mistake in them should not cost a clustering.
    described = describe_references(job, folder, spec, progress)
    if job.classifier is None:
        drawn = _draw(run, job, progress)
        unnamed, made = cluster(drawn, job, progress)
        landmarks = Landmarks(drawn.frames, drawn.rows)
    else:
        unnamed, made, landmarks = known_classifier(job, folder, spec), None, Landmarks.none()
        require_settled(job, unnamed)
    classifier = relabel(unnamed, add=references_for(job, described, unnamed))
    facts = _facts(job, classifier, made, spec, folder, progress)
    save_classifier(folder / files.PHASES, classifier, spec, facts["sensitivity"])
    course, chunks = assign_frames(run, classifier, landmarks, job, folder, progress)
    outputs = {
        **facts,
        **facts_of_course(course, chunks, centre=spec.centre, metal=job.metal, electrolyte=job.electrolyte),
        "notes": _notes(job, run.n_environments),
        "null_expectation": null_expectation(run.numbers),
        "files": {"phases": files.PHASES, "labels": files.LABELS},
    }
    if job.discover is not None:
        outputs["discovery"] = _discover(job, run, classifier, folder, progress)
    return outputs


def draw_share(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Draw the landmarks of a share of the frames."""
    assert job.trajectory is not None
    run = Run.open(job.trajectory, folder, job.spec.spec())
    drawn = _draw(run, job, progress)
    drawn.save(folder / files.DRAWN)
    return {
        "files": {"drawn": files.DRAWN},
        "n_landmarks": len(drawn.frames),
        "n_environments": drawn.n_environments,
        "notes": _notes(job, run.n_environments),
    }


def gather_shares(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Put the landmarks of several shares into one file."""
    drawn = gathered([Drawn.load(folder / name) for name in job.drawn])
    drawn.save(folder / files.DRAWN)
    progress(f"{len(drawn.frames)} landmarks from {len(job.drawn)} files")
    return {"files": {"drawn": files.DRAWN}, "n_landmarks": len(drawn.frames), "n_environments": drawn.n_environments}


def cluster_drawn(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Cluster the landmarks of all shares, or take a classifier that is there, and name the clusters."""
    spec = job.spec.spec()
    described = describe_references(job, folder, spec, progress)
    outputs: dict[str, Any] = {"files": {"phases": files.PHASES}, "notes": []}
    if job.classifier is None:
        drawn = gathered([Drawn.load(folder / name) for name in job.drawn])
        unnamed, made = cluster(drawn, job, progress)
        Landmarks(drawn.frames, drawn.rows).save(folder / files.LANDMARK_PLACES)
        outputs["files"]["landmark_places"] = files.LANDMARK_PLACES
        outputs["notes"] = _notes(job, drawn.n_environments)
    else:
        unnamed, made = known_classifier(job, folder, spec), None
        require_settled(job, unnamed)
    classifier = relabel(unnamed, add=references_for(job, described, unnamed))
    facts = _facts(job, classifier, made, spec, folder, progress)
    save_classifier(folder / files.PHASES, classifier, spec, facts["sensitivity"])
    return {**facts, **outputs}


def assign_share(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Label a share of the frames by a classifier that is there."""
    spec = job.spec.spec()
    assert job.trajectory is not None
    run = Run.open(job.trajectory, folder, spec)
    classifier = known_classifier(job, folder, spec)
    landmarks = Landmarks.none() if job.landmark_places is None else Landmarks.load(folder / job.landmark_places)
    course, chunks = assign_frames(run, classifier, landmarks, job, folder, progress)
    return {
        "files": {"labels": files.LABELS},
        "chunks": chunks,
        "n_environments": course.n_environments,
        "null_expectation": null_expectation(run.numbers),
    }


def discover_unknown(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Look at the groups of a run whose labels lie in the folder, the unknown ones above all."""
    spec = job.spec.spec()
    assert job.trajectory is not None
    run, classifier = Run.open(job.trajectory, folder, spec), known_classifier(job, folder, spec)
    return {"discovery": _discover(job, run, classifier, folder, progress)}


PARTS: dict[str, Callable[[ClassifyJob, Path, Progress], dict[str, Any]]] = {
    "all": classify_all,
    "draw": draw_share,
    "gather": gather_shares,
    "cluster": cluster_drawn,
    "assign": assign_share,
    "discover": discover_unknown,
}


def require_packages(job: ClassifyJob) -> None:
    """Refuse to begin what will lack a package.

    :raises MissingPackage: with the command that installs it.
    """
    needed = ["matscipy", "numba"]
    if job.classifier is None and job.part in ("all", "cluster") and job.engine == "dadapy":
        needed.append("dadapy")
    for package in needed:
        if importlib.util.find_spec(package) is None:
            raise MissingPackage(f"{package} is not installed, classification needs it: pip install {package}.")


@contextmanager
def as_invalid_input() -> Iterator[None]:
    """Let what the floors below refuse be the fault of the input; what they lack that of the installation."""
    try:
        yield
    except (MissingPackageError, MissingSourceError) as error:
        raise MissingPackage(str(error)) from error
    except (DensityPeaksError, DescriptorError, DumpError, FramesError, LabellingError, PhasesError) as error:
        raise InvalidInput(str(error)) from error


def _draw(run: Run, job: ClassifyJob, progress: Progress) -> Drawn:
    return draw(
        run,
        job.share,
        n_landmarks=job.n_landmarks,
        slab_ang=job.landmark_slab_ang,
        seed=job.seed,
        progress=progress,
    )


def _discover(job: ClassifyJob, run: Run, classifier: Classifier, folder: Path, progress: Progress) -> dict[str, Any]:
    assert job.discover is not None
    return discover(
        run.stream,
        LabelsOf(folder, progress),
        names=classifier.names,
        cluster_labels=classifier.cluster_labels.tolist(),
        centre=run.spec.centre,
        settings=job.discover.model_copy(update={"metal": job.metal, "electrolyte": job.electrolyte}),
        folder=folder,
        progress=progress,
        references={name: stream_of(chosen, folder, one_run=False) for name, chosen in job.references.items()},
    )


def _facts(
    job: ClassifyJob,
    classifier: Classifier,
    made: PeaksInput | None,
    spec: DescriptorSpec,
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    # Densities and neighbours are not kept, so the table of a classifier is that of the run it was made of.
    if made is None:
        table = load_sensitivity(folder / str(job.classifier))
    else:
        table = sensitivity(classifier, made, job, progress)
    return {
        **facts_of(classifier),
        "clustered_anew": made is not None,
        "spec": spec.to_dict(),
        "spec_hash": spec.content_hash,
        "normalisation": classifier.reduction.normalisation,
        "sensitivity": table,
    }


def _notes(job: ClassifyJob, n_environments: int) -> list[str]:
    """Say what a reader should know before the numbers."""
    if job.classifier is None and n_environments < job.n_landmarks:
        return [
            f"The run has {n_environments} environments, fewer than the {job.n_landmarks} landmarks asked for: all of "
            "them are landmarks. Fewer landmarks need a smaller z; the sensitivity table shows what it changes."
        ]
    return []


main = program(
    "seireact-classify",
    ClassifyJob,
    run,
    packages=PACKAGES,
    example=EXAMPLE,
)

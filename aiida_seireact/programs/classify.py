"""``seireact-classify``: which phases the environments of a run belong to, without supervision."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.dump import DumpError, Snapshot
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.formats.phases import Labels, PhasesError, load_classifier, save_classifier
from aiida_seireact.programs._program import program
from aiida_seireact.science.analysis import height_along_z, profile_along_z, z_fractions
from aiida_seireact.science.density_peaks import DensityPeaksError, MissingPackageError, density_peaks
from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec, b2_descriptors
from aiida_seireact.science.labelling import (
    Assignment,
    Classifier,
    LabellingError,
    assign,
    build_classifier,
    fit_reduction,
    reference,
    relabel,
    same_neighbours_expectation,
)

ANIONS = ("S", "P", "Cl")
Progress = Callable[[str], None]
EXAMPLE = """
{"trajectory": {"files": ["production.dump.gz"], "skip_first": 1},
 "references": {"Li":   {"files": ["li.dump"],   "skip_first": 5},
                "Li2S": {"files": ["li2s.dump"], "skip_first": 5, "stride": 2}},
 "z": 2.0}
"""


def run(job: ClassifyJob, folder: Path, progress: Progress) -> dict[str, Any]:
    """Cluster the local environments of a run by density peaks and name the clusters by reference phases.

    Writes phases.npz (the classifier, which labels new points without clustering again) and labels.npz (one
    label for each environment of each frame).
    """
    _require("matscipy", *([] if job.classifier else ["numba"]))
    with _as_invalid_input():
        spec = job.spec.spec()
        stream = _stream(job.trajectory, folder, one_run=True)
        # References first: a mistake in them should not cost a clustering.
        described = _describe_references(job, folder, spec, progress)
        kept, plain = None, None
        if job.classifier is None:
            kept = _draw(stream, spec, job.n_landmarks, job.seed, progress)
            classifier, plain = _cluster(kept, job, progress)
        else:
            classifier, known_spec = load_classifier(folder / job.classifier)
            if known_spec.content_hash != spec.content_hash:
                raise InvalidInput(
                    f"{job.classifier} was made with the descriptors {known_spec.to_dict()}, the job asks for "
                    f"{spec.to_dict()}: points of unlike descriptors can't be compared; give the same spec."
                )
        references = [
            reference(name, classifier.reduction.apply(points), most=job.n_references, seed=job.seed)
            for name, points in described.items()
        ]
        classifier = relabel(classifier, add=references)
        save_classifier(folder / files.PHASES, classifier, spec)
        labels = _label(stream, spec, classifier, kept, job.bin_width_ang, progress)
        labels.save(folder / files.LABELS)
        composition = next(iter(stream)).numbers
    return _outputs(job, spec, classifier, labels, composition, plain)


def _require(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingPackage(f"{package} is not installed, classification needs it: pip install {package}.")


@contextmanager
def _as_invalid_input() -> Iterator[None]:
    try:
        yield
    except MissingPackageError as error:
        raise MissingPackage(str(error)) from error
    except (DensityPeaksError, DescriptorError, DumpError, FramesError, LabellingError, PhasesError) as error:
        raise InvalidInput(str(error)) from error


def _stream(files: FrameFiles, folder: Path, *, one_run: bool) -> FrameStream:
    return FrameStream(
        [folder / name for name in files.files],
        skip_first=files.skip_first,
        stride=files.stride,
        one_run=one_run,
        stop_before_truncated=files.stop_before_truncated,
    )


def _describe(frame: Snapshot, spec: DescriptorSpec, what: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    try:
        return b2_descriptors(frame.positions, frame.numbers, frame.cell, frame.pbc, spec)
    except DescriptorError as error:
        raise InvalidInput(f"{what}, step {frame.step}: {error}") from error


# ------------------------------------------------------------------------------------------------ landmarks


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Descriptors of the landmarks and, frame by frame, which centres they are; whether they are all there are."""

    descriptors: NDArray[np.float32]
    n_environments: int

    @property
    def is_all(self) -> bool:
        return len(self.descriptors) == self.n_environments


def _draw(stream: FrameStream, spec: DescriptorSpec, n_landmarks: int, seed: int, progress: Progress) -> _Drawn:
    """Draw environments, as many from each frame, so that a phase that lives shortly is not lost."""
    n_frames = len(stream)
    share, rest = divmod(n_landmarks, n_frames)
    parts, total = [], 0
    for number, frame in enumerate(stream):
        descriptors, centres = _describe(frame, spec, "trajectory")
        total += len(centres)
        quota = share + (number < rest)
        if len(centres) > quota:
            rng = np.random.default_rng([seed, number])
            descriptors = descriptors[np.sort(rng.choice(len(centres), quota, replace=False))]
        parts.append(descriptors)
        progress(f"descriptors: frame {number + 1} of {n_frames}, step {frame.step}, {len(centres)} environments")
    return _Drawn(np.concatenate(parts), total)


def _cluster(drawn: _Drawn, job: ClassifyJob, progress: Progress) -> tuple[Classifier, int]:
    reduction = fit_reduction(drawn.descriptors, job.keep_variance)
    landmarks = reduction.apply(drawn.descriptors)
    progress(
        f"clustering {len(landmarks)} of {drawn.n_environments} environments, {landmarks.shape[1]} features, "
        f"{reduction.kept_variance:.4%} of the variance"
    )
    peaks = density_peaks(landmarks, z=job.z, maxk=job.maxk, alpha=job.alpha)
    progress(
        f"{peaks.n_clusters} clusters, {peaks.core.mean():.0%} core, "
        f"intrinsic dimension {peaks.intrinsic_dimension:.1f}"
    )
    return build_classifier(
        reduction, landmarks, peaks, gates=job.gates.gates(), maxk=job.maxk, alpha=job.alpha
    ), peaks.n_plain


def _describe_references(
    job: ClassifyJob, folder: Path, spec: DescriptorSpec, progress: Progress
) -> dict[str, NDArray[np.float32]]:
    found = {}
    for name, chosen in job.references.items():
        frames = _stream(chosen, folder, one_run=False)
        found[name] = np.concatenate([_describe(frame, spec, f"reference {name}")[0] for frame in frames])
        progress(f"reference {name}: {len(found[name])} environments in {len(frames)} frames")
    return found


# ------------------------------------------------------------------------------------------------ labels


def _label(
    stream: FrameStream,
    spec: DescriptorSpec,
    classifier: Classifier,
    drawn: _Drawn | None,
    bin_width_ang: float,
    progress: Progress,
) -> Labels:
    """Label every environment of every frame; landmarks that are all environments need no second description."""
    all_known = drawn is not None and drawn.is_all
    n_frames = len(stream)
    found: list[Assignment] = []
    z, heights = [], []
    ids: NDArray[np.int64] | None = None
    first = 0
    for number, frame in enumerate(stream):
        centres = np.flatnonzero(frame.numbers == atomic_numbers[spec.centre])
        if ids is None:
            ids = frame.ids[centres]
        elif not np.array_equal(ids, frame.ids[centres]):
            raise InvalidInput(
                f"trajectory, step {frame.step}: the {spec.centre} atoms are not those of the first frame; classify "
                "runs of other cells apart."
            )
        if all_known:
            rows = np.arange(first, first + len(centres))
            found.append(assign(classifier.landmarks[rows], classifier, landmark=rows))
            first += len(centres)
        else:
            descriptors, _ = _describe(frame, spec, "trajectory")
            found.append(assign(classifier.reduction.apply(descriptors), classifier))
            progress(f"labels: frame {number + 1} of {n_frames}, step {frame.step}")
        z.append(z_fractions(frame.positions[centres], frame.cell, frame.origin).astype(np.float32))
        heights.append(height_along_z(frame.cell))
    assert ids is not None  # a stream has at least one frame
    labels = np.stack([part.labels for part in found])
    # Rounding to float32 may reach 1.
    places = np.where(np.stack(z) >= 1.0, np.float32(0.0), np.stack(z))
    last = slice(-_tenth(n_frames), None)
    n_bins = max(1, round(float(np.mean(heights[last])) / bin_width_ang))
    return Labels(
        steps=np.array(stream.steps, dtype=np.int64),
        atom_ids=ids,
        labels=labels,
        clusters=np.stack([part.clusters for part in found]).astype(np.int16),
        core=np.stack([part.core for part in found]),
        ratio=np.stack([part.ratio for part in found]),
        z_fraction=places,
        heights_ang=np.array(heights),
        label_names=np.array(classifier.names),
        profile=profile_along_z(places[last], labels[last], len(classifier.names), n_bins),
    )


def _tenth(n_frames: int) -> int:
    return max(1, round(n_frames / 10))


# ------------------------------------------------------------------------------------------------ outputs


def _outputs(
    job: ClassifyJob,
    spec: DescriptorSpec,
    classifier: Classifier,
    labels: Labels,
    numbers: NDArray[np.int64],
    n_plain: int | None,
) -> dict[str, Any]:
    names = classifier.names
    tenth = _tenth(len(labels.steps))
    members = np.bincount(classifier.clusters, minlength=classifier.n_clusters)
    cores = np.bincount(classifier.clusters[classifier.core], minlength=classifier.n_clusters)

    def fractions(frames: slice) -> dict[str, float]:
        counts = np.bincount(labels.labels[frames].ravel(), minlength=len(names))
        return {name: float(count) / float(counts.sum()) for name, count in zip(names, counts, strict=True)}

    heights = labels.heights_ang[-tenth:]
    return {
        "files": {"phases": files.PHASES, "labels": files.LABELS},
        "of": f"{spec.centre} environments of the whole cell",
        "n_frames": len(labels.steps),
        "n_environments": int(labels.labels.size),
        "first_step": int(labels.steps[0]),
        "last_step": int(labels.steps[-1]),
        "phase_fractions": {
            "whole_run": fractions(slice(None)),
            "first_tenth": fractions(slice(None, tenth)),
            "last_tenth": fractions(slice(-tenth, None)),
        },
        "n_landmarks": len(classifier.landmarks),
        "n_clusters": classifier.n_clusters,
        "n_unknown_clusters": int((classifier.cluster_labels == 0).sum()),
        "clusters": [
            {
                "label": names[classifier.cluster_labels[cluster]],
                "n_landmarks": int(members[cluster]),
                "n_core": int(cores[cluster]),
                "accepted": {
                    name: int(count)
                    for name, count in zip(names[1:], classifier.accepted[cluster], strict=True)
                    if count
                },
            }
            for cluster in range(classifier.n_clusters)
        ],
        "core_fraction": float(classifier.core.mean()),
        "intrinsic_dimension": classifier.peaks.intrinsic_dimension,
        "n_plain_density": n_plain,
        "z": classifier.peaks.z,
        "clustered_anew": job.classifier is None,
        "kept_variance": classifier.reduction.kept_variance,
        "n_features": int(classifier.landmarks.shape[1]),
        "spec_hash": spec.content_hash,
        "references": {
            item.name: {"n_environments": len(item.points), "gate": item.gate} for item in classifier.references
        },
        "profile_last_tenth": {
            "bin_width_ang": float(heights.mean()) / labels.profile.shape[1],
            "counts": {name: labels.profile[row].tolist() for row, name in enumerate(names)},
        },
        "null_expectation": _null_expectation(numbers),
    }


def _null_expectation(numbers: NDArray[np.int64]) -> dict[str, Any] | None:
    """What a random antifluorite mixture of the cell's anions would show as Li2S; None without sulfur."""
    counts = {symbol: int((numbers == atomic_numbers[symbol]).sum()) for symbol in ANIONS}
    if not counts["S"]:
        return None
    share = counts["S"] / sum(counts.values())
    return {
        "x_s": share,
        "four_sulfur": same_neighbours_expectation(share),
        "meaning": (
            "Share of Li with four S neighbours if all anions of the cell lay at random on the sites of one "
            "antifluorite: that much 'Li2S' needs no Li2S domains."
        ),
    }


main = program(
    "seireact-classify",
    ClassifyJob,
    run,
    packages=("ase", "faiss-cpu", "matscipy", "numba", "numpy", "scipy"),
    example=EXAMPLE,
)

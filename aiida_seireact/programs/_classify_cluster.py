"""Between the passes of ``seireact-classify``: landmarks become clusters, clusters get names, z is varied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats.arrays_file import load_arrays
from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.programs._classify_draw import Drawn
from aiida_seireact.programs._classify_frames import Progress, describe_frame, stream_of
from aiida_seireact.science.agreement import adjusted_rand
from aiida_seireact.science.density_peaks import DensityPeaksError, PeaksInput, linkage, peaks_input, scan_z
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import (
    Classifier,
    Reference,
    assign,
    build_classifier,
    fit_reduction,
    follow,
    reference,
)
from aiida_seireact.science.labelling.naming import name_clusters


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Which environments of the run are landmarks: their labels need neither descriptors nor a search.

    :param frames: ``(n,)`` place of each one's frame, ascending.
    :param rows: ``(n,)`` which of the centres of that frame it is.
    """

    frames: NDArray[np.int64]
    rows: NDArray[np.int64]

    @classmethod
    def none(cls) -> Landmarks:
        """Return none at all: the classifier was made of another run."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

    def of(self, place: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of the landmarks of a frame, and their numbers among all landmarks."""
        first, last = np.searchsorted(self.frames, [place, place + 1])
        return self.rows[first:last], np.arange(first, last)

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        with write_atomically(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, frames=self.frames, rows=self.rows)

    @classmethod
    def load(cls, path: Path) -> Landmarks:
        """Read what :meth:`save` wrote.

        :raises PhasesError: missing, truncated or foreign file.
        """
        return cls(**load_arrays(path, "places of landmarks", ["frames", "rows"]))


@dataclass(frozen=True, eq=False)
class Described:
    """Environments of a reference phase.

    :param descriptors: ``(n, n_features)``
    :param atoms: ``(n,)`` the atom each is of; equal ids are one atom in all files, which may be chunks of one run.
    """

    descriptors: NDArray[np.float32]
    atoms: NDArray[np.int64]

    def reference(self, name: str, classifier: Classifier, *, most: int, seed: int) -> Reference:
        """Make the phase of them, reduced as the classifier's landmarks are."""
        return reference(name, classifier.reduction.apply(self.descriptors), atoms=self.atoms, most=most, seed=seed)


def describe_references(
    job: ClassifyJob, folder: Path, spec: DescriptorSpec, progress: Progress
) -> dict[str, Described]:
    """Return the environments of each reference phase of a job."""
    return describe_files(job.references, folder, spec, progress)


def describe_files(
    references: Mapping[str, FrameFiles], folder: Path, spec: DescriptorSpec, progress: Progress
) -> dict[str, Described]:
    """Return the environments of each reference phase, by name."""
    found = {}
    for name, chosen in references.items():
        frames = stream_of(chosen, folder, one_run=False)
        parts, atoms = [], []
        for frame in frames:
            parts.append(describe_frame(frame, spec, f"reference {name}"))
            atoms.append(frame.ids[frame.numbers == atomic_numbers[spec.centre]])
        found[name] = Described(np.concatenate(parts), np.concatenate(atoms))
        progress(f"reference {name}: {len(found[name].atoms)} environments in {len(frames)} frames")
    return found


def references_for(job: ClassifyJob, described: Mapping[str, Described], classifier: Classifier) -> list[Reference]:
    """Make reference phases of what was described."""
    return [one.reference(name, classifier, most=job.n_references, seed=job.seed) for name, one in described.items()]


def cluster(drawn: Drawn, job: ClassifyJob, progress: Progress) -> tuple[Classifier, PeaksInput]:
    """Cluster the landmarks; the clusters have no names yet.

    :raises DensityPeaksError: too few, equal, or not finite.
    """
    if drawn.spec_hash != job.spec.spec().content_hash:
        raise InvalidInput("The landmarks were drawn with other descriptors than the job asks for: draw them anew.")
    reduction = fit_reduction(drawn.descriptors, job.keep_variance, normalisation=job.normalisation)
    landmarks = reduction.apply(drawn.descriptors)
    progress(
        f"clustering {len(landmarks)} of {drawn.n_environments} environments, {landmarks.shape[1]} features, "
        f"{reduction.kept_variance:.4%} of the variance"
    )
    made = peaks_input(
        landmarks, maxk=job.maxk, alpha=job.alpha, engine=job.engine, neighbours=job.neighbours, seed=job.seed
    )
    (peaks,) = scan_z(made, [job.z])
    progress(
        f"{peaks.n_clusters} clusters, {peaks.core.mean():.0%} core, "
        f"intrinsic dimension {peaks.intrinsic_dimension:.1f}"
    )
    gates = job.gates.gates()
    return build_classifier(reduction, landmarks, peaks, gates=gates, maxk=job.maxk, alpha=job.alpha), made


def sensitivity(classifier: Classifier, made: PeaksInput, job: ClassifyJob, progress: Progress) -> list[dict[str, Any]]:
    """Tell what another z would have changed: clusters, cores, agreement, and the names of the landmarks.

    Fractions are of the landmarks, each labelled as :func:`aiida_seireact.science.labelling.assign` would.
    """
    chosen = sorted({*job.sensitivity, job.z})
    own = assign(classifier.landmarks, classifier, landmark=np.arange(len(classifier.landmarks)))
    rows: list[dict[str, Any]] = []
    for z in chosen:
        try:
            (peaks,) = scan_z(made, [z])
        except DensityPeaksError as error:
            rows.append({"z": z, "refused": str(error)})
            continue
        naming = name_clusters(
            classifier.landmarks, peaks, classifier.references, classifier.placements, classifier.gates
        )
        other = replace(classifier, peaks=peaks, naming=naming)
        labels = follow(own, classifier, other).labels
        counts = np.bincount(labels, minlength=len(other.names)) / len(labels)
        rows.append(
            {
                "z": z,
                "n_clusters": peaks.n_clusters,
                "n_unknown_clusters": int((naming.cluster_labels == 0).sum()),
                "core_fraction": float(peaks.core.mean()),
                "adjusted_rand": adjusted_rand(peaks.clusters, classifier.peaks.clusters),
                "fractions": dict(zip(other.names, counts.tolist(), strict=True)),
            }
        )
    told = [f"{row['z']:g}: {row.get('n_clusters', 'refused')}" for row in rows]
    progress(f"sensitivity: clusters for each z, {', '.join(told)}")
    return rows


def facts_of(classifier: Classifier) -> dict[str, Any]:
    """Return what the result tells of the clusters."""
    names, peaks = classifier.names, classifier.peaks
    members = np.bincount(classifier.clusters, minlength=classifier.n_clusters)
    cores = np.bincount(classifier.clusters[classifier.core], minlength=classifier.n_clusters)
    facts: dict[str, Any] = {
        "n_landmarks": len(classifier.landmarks),
        "n_clusters": classifier.n_clusters,
        "n_unknown_clusters": int((classifier.cluster_labels == 0).sum()),
        "clusters": [
            {
                "label": names[classifier.cluster_labels[number]],
                "n_landmarks": int(members[number]),
                "n_core": int(cores[number]),
                "n_halo": int(members[number] - cores[number]),
                "log_density_peak": float(classifier.peaks.log_density[classifier.clusters == number].max()),
                "log_density_saddle": _finite(classifier.peaks.saddle[number]),
                "accepted": {
                    name: int(count)
                    for name, count in zip(names[1:], classifier.accepted[number], strict=True)
                    if count
                },
            }
            for number in range(classifier.n_clusters)
        ],
        "core_fraction": float(classifier.core.mean()),
        "intrinsic_dimension": classifier.peaks.intrinsic_dimension,
        "z": classifier.peaks.z,
        "kept_variance": classifier.reduction.kept_variance,
        "n_features": int(classifier.landmarks.shape[1]),
        "references": {
            item.name: {"n_environments": len(item.points), "gate": item.gate} for item in classifier.references
        },
        "n_plain_density": peaks.n_plain,
        "engine": peaks.engine,
        "neighbour_search": peaks.neighbour_search,
        "neighbour_recall": peaks.neighbour_recall,
        "dendrogram": linkage(peaks).tolist(),
    }
    return facts


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None

"""Second pass of ``seireact-classify``: a label for every environment of every frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.environments import Course, Labels, course_of
from aiida_seireact.formats.jobs.classify import ClassifyJob
from aiida_seireact.formats.label_chunks import LabelsWriter
from aiida_seireact.programs._classify_cluster import Landmarks
from aiida_seireact.programs._classify_frames import Progress, Run, describe_frame_blocks
from aiida_seireact.science.analysis import height_along_z, profile_along_z, z_fractions
from aiida_seireact.science.labelling import Assignment, Classifier, assign

BLOCK = 20_000
"""Environments that are labelled at once: of a frame of three million the distances alone would fill the memory."""


def assign_frames(
    run: Run,
    classifier: Classifier,
    landmarks: Landmarks,
    job: ClassifyJob,
    folder: Path,
    progress: Progress,
) -> tuple[Course, list[dict[str, Any]]]:
    """Label a share of the frames and write the labels, see :class:`LabelsWriter`.

    :returns: course and chunks.
    """
    n_frames = len(run.stream)
    n_bins = max(1, round(run.height_ang / job.bin_width_ang))
    late = n_frames - tenth_of(n_frames)
    writer = LabelsWriter(folder, run.n_environments, most_in_one=job.most_in_one_file, chunk=job.chunk_environments)
    places = run.places(job.share)
    for place, frame in zip(places, run.stream.at(places), strict=True):
        centres = run.centres_of(frame)
        found = _assign(run, frame, classifier, *landmarks.of(place))
        z = z_fractions(frame.positions[centres], frame.cell, frame.origin).astype(np.float32)
        # Rounding to float32 may reach 1.
        z = np.where(z >= 1.0, np.float32(0.0), z)
        slabs = profile_along_z(z, found.labels, len(classifier.names), n_bins)
        labels = Labels(
            steps=np.array([frame.step], dtype=np.int64),
            atom_ids=run.centre_ids,
            labels=found.labels[None],
            clusters=found.clusters.astype(np.int16)[None],
            core=found.core[None],
            ratio=found.ratio[None],
            z_fraction=z[None],
            heights_ang=np.array([height_along_z(frame.cell)]),
            label_names=np.array(classifier.names),
            profile=slabs if place >= late else np.zeros_like(slabs),
            stage=found.stage[None],
            landmark=found.landmark[None],
            distance=found.distance[None],
        )
        writer.add(labels, course_of(labels))
        progress(f"labels: frame {place + 1} of {n_frames}, step {frame.step}")
    return writer.finish()


def tenth_of(n_frames: int) -> int:
    """Return how many frames the first and the last tenth are."""
    return max(1, round(n_frames / 10))


def _assign(
    run: Run, frame: Snapshot, classifier: Classifier, rows: NDArray[np.int64], numbers: NDArray[np.int64]
) -> Assignment:
    """Label a frame of which some environments are landmarks: these are known, whoever else is in the job."""
    n_centres = len(run.centre_ids)
    parts: list[tuple[NDArray[np.int64], Assignment]] = []
    if len(rows):
        parts.append((rows, assign(classifier.landmarks[numbers], classifier, landmark=numbers)))
    others = np.setdiff1d(np.arange(n_centres), rows, assume_unique=True)
    if len(others):
        for block, descriptors in describe_frame_blocks(frame, run.spec, "trajectory", rows=others, most=BLOCK):
            parts.append((block, assign(classifier.reduction.apply(descriptors), classifier)))
    return joined_assignment(parts, n_centres)


def joined_assignment(parts: list[tuple[NDArray[np.int64], Assignment]], n_points: int) -> Assignment:
    """Put assignments of some rows together."""
    first = parts[0][1]
    whole = {name: np.empty(n_points, dtype=getattr(first, name).dtype) for name in first.__dataclass_fields__}
    for rows, part in parts:
        for name, values in whole.items():
            values[rows] = getattr(part, name)
    return Assignment(**whole)

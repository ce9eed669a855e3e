"""Labels of a run follow a classifier whose clusters got other names: no frame is read, nothing is clustered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aiida_seireact.formats import files
from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.environments import Course, Labels, course_of
from aiida_seireact.formats.label_chunks import LabelsWriter, iter_labels
from aiida_seireact.formats.phases import split_table
from aiida_seireact.programs._classify_cluster import Described, facts_of
from aiida_seireact.programs._classify_result import facts_of_course
from aiida_seireact.science.labelling import Assignment, Classifier, adopt, follow, relabel

GONE = ("discovery", "files")
"""Parts of a result that would tell of the names of before."""


def changed(
    old: Classifier,
    settings: Mapping[str, Any],
    described: Mapping[str, Described],
    *,
    most: int = 1000,
    seed: int = 0,
) -> Classifier:
    """Return a classifier with other names.

    :param settings: ``adopt`` (``clusters`` and ``name``), or ``remove`` (names) and ``gates`` (those that change).
    :param described: environments of further references, by name.
    :param most: environments kept of each, drawn by the seed.
    :raises LabellingError: a name that is there already or is not, no such cluster, or too few references.
    """
    if settings.get("adopt") is not None:
        return adopt(old, settings["adopt"]["clusters"], settings["adopt"]["name"], most=most, seed=seed)
    add = [one.reference(name, old, most=most, seed=seed) for name, one in sorted(described.items())]
    gates = replace(old.gates, **settings.get("gates", {}))
    return relabel(old, add=add, remove=settings.get("remove", []), gates=gates)


def followed(labels: Labels, old: Classifier, new: Classifier) -> Labels:
    """Return labels by the names of another classifier of the same clustering.

    :raises PhasesError: labels of an older version, which don't know their landmarks.
    :raises LabellingError: another clustering.
    """
    if labels.stage is None or labels.landmark is None or labels.distance is None:
        raise PhasesError("These labels were made by an older version and don't know their landmarks: classify anew.")
    shape = labels.labels.shape
    before = Assignment(
        labels=labels.labels.ravel(),
        clusters=labels.clusters.ravel().astype(np.int64),
        core=labels.core.ravel(),
        ratio=labels.ratio.ravel(),
        stage=labels.stage.ravel(),
        landmark=labels.landmark.ravel(),
        distance=labels.distance.ravel(),
    )
    after = follow(before, old, new)
    n_labels, n_bins = len(new.names), labels.profile.shape[1]
    renamed = replace(
        labels,
        labels=after.labels.reshape(shape),
        ratio=after.ratio.reshape(shape).astype(np.float32),
        stage=after.stage.reshape(shape),
        distance=after.distance.reshape(shape).astype(np.float32),
        label_names=np.array(new.names),
        profile=np.zeros((n_labels, n_bins), dtype=np.int64),
    )
    return replace(renamed, profile=_profile(renamed, labels))


def follow_run(source: Path, target: Path, old: Classifier, new: Classifier) -> tuple[Course, list[dict[str, Any]]]:
    """Write the labels of a folder anew into another one, chunk by chunk.

    :returns: course and chunks.
    :raises PhasesError: labels that are missing, torn, or of an older version.
    """
    in_one = not (source / files.LABELS_MANIFEST).exists()
    n_environments = Course.read(source / files.LABELS).n_environments
    writer = LabelsWriter(target, n_environments, most_in_one=n_environments if in_one else 0, chunk=1)
    for labels in iter_labels(source):
        renamed = followed(labels, old, new)
        writer.add(renamed, course_of(renamed))
    return writer.finish()


def renamed_outputs(
    outputs: Mapping[str, Any], classifier: Classifier, course: Course, chunks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the numbers of a run after its clusters were named anew.

    :param outputs: those of before.
    """
    kept = {name: value for name, value in outputs.items() if name not in GONE}
    interphase = outputs["interphase"]
    regions = _regions_before(outputs)
    return {
        **kept,
        **({"regions_before": regions} if regions else {}),
        **facts_of(classifier),
        **facts_of_course(
            course,
            chunks,
            centre=outputs["spec"]["centre"],
            metal=interphase["metal"],
            electrolyte=interphase["electrolyte"],
        ),
        # How clusters split with z is still so; which names they had then is not.
        "sensitivity": split_table(kept.get("sensitivity", [])),
        "clustered_anew": False,
    }


def _regions_before(outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what stays true of regions: they are atoms of one structure type, whatever their clusters are called."""
    if outputs.get("discovery") is None:
        return list(outputs.get("regions_before", []))
    return [{key: region[key] for key in OF_REGION} for region in outputs["discovery"]["regions"]]


OF_REGION = (
    *("structure_type", "like", "name", "formula", "composition", "step", "n_environments", "share_of_all"),
    *("crystallinity", "sulfur"),
)


def _profile(renamed: Labels, before: Labels) -> Any:
    """Count by label and slab in the frames that the profile of before was of: the last of these, or none."""
    course = course_of(renamed)
    n_late = int(before.profile.sum()) // max(1, len(before.atom_ids))
    return course.slabs[len(course.steps) - n_late :].sum(axis=0).astype(np.int64)

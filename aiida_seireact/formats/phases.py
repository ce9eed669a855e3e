"""The file of a classifier, ``phases.npz``; the labels it gives are in :mod:`.environments`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from aiida_seireact.formats.arrays_file import PhasesError, load_arrays, require_arrays, save_arrays
from aiida_seireact.formats.environments import Labels
from aiida_seireact.science.density_peaks import DensityPeaks
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Classifier, Gates, Naming, Placement, Reduction, Reference

__all__ = ["Labels", "PhasesError", "load_classifier", "load_sensitivity", "save_classifier", "split_table"]

FORM = 2
"""Form of the file: 1 had no saddles between clusters, no second pass and no settings of the density estimate."""

# Arrays of the clustering, arrays of what is known, and the rest as JSON.
PEAKS = tuple(item.name for item in fields(DensityPeaks) if "Array" in str(item.type))
NAMING = tuple(item.name for item in fields(Naming))
OTHERS = (
    *("form", "settings", "landmarks", "reduction_mean", "reduction_scale", "reduction_vectors", "label_names"),
    *("reference_gates", "reference_points", "reference_offsets", "reference_landmark", "reference_distance"),
    "landmark_distance",
)


SPLIT = ("z", "n_clusters", "core_fraction", "adjusted_rand", "refused")
"""Columns of a sensitivity table that tell how clusters split with z, whatever they are called."""


def save_classifier(
    path: str | Path,
    classifier: Classifier,
    spec: DescriptorSpec,
    sensitivity: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write a classifier with the spec of its descriptors: arrays and JSON, no pickles, atomically.

    :param sensitivity: what another z would have given; of it the columns ``SPLIT`` are kept.
    """
    references, placements = classifier.references, classifier.placements
    vectors, scale, n_landmarks = classifier.reduction.vectors, classifier.reduction.scale, len(classifier.landmarks)
    no_points = np.zeros((0, classifier.landmarks.shape[1]), dtype=np.float32)
    peaks = {item.name: getattr(classifier.peaks, item.name) for item in fields(DensityPeaks)}
    settings = {
        "spec": spec.to_dict(),
        "spec_hash": spec.content_hash,
        "kept_variance": classifier.reduction.kept_variance,
        "normalisation": classifier.reduction.normalisation,
        "maxk": classifier.maxk,
        "alpha": classifier.alpha,
        "gates": asdict(classifier.gates),
        "adopted": [list(item.adopted) for item in references],
        "peaks": {name: value for name, value in peaks.items() if name not in PEAKS},
        "sensitivity": split_table(sensitivity),
    }
    arrays: dict[str, Any] = {
        "form": FORM,
        "settings": json.dumps(settings, sort_keys=True),
        "landmarks": classifier.landmarks,
        "reduction_mean": classifier.reduction.mean,
        "reduction_scale": np.zeros(0) if scale is None else scale,
        "reduction_vectors": np.zeros((0, 0)) if vectors is None else vectors,
        "label_names": np.array(classifier.names),
        "reference_gates": np.array([item.gate for item in references], dtype=np.float64),
        "reference_points": np.concatenate([no_points, *(item.points for item in references)]),
        "reference_offsets": np.cumsum([0, *(len(item.points) for item in references)]),
        "reference_landmark": np.concatenate([np.zeros(0, np.int64), *(item.landmark for item in placements)]),
        "reference_distance": np.concatenate([np.zeros(0), *(item.distance for item in placements)]),
        "landmark_distance": np.reshape([item.landmark_distance for item in placements], (-1, n_landmarks)),
    }
    naming = {name: getattr(classifier.naming, name) for name in NAMING}
    save_arrays(path, {**arrays, **naming, **{name: peaks[name] for name in PEAKS}})


def split_table(sensitivity: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns of a sensitivity table that stay when clusters get other names."""
    return [{key: row[key] for key in SPLIT if key in row} for row in sensitivity]


def load_sensitivity(path: str | Path) -> list[dict[str, Any]]:
    """Return the sensitivity table that a classifier carries; empty in files from before they carried one.

    :raises PhasesError: missing, truncated or foreign file.
    """
    settings = json.loads(str(load_arrays(path, "phases", ("settings",))["settings"]))
    table: list[dict[str, Any]] = settings.get("sensitivity", [])
    return table


def load_classifier(path: str | Path) -> tuple[Classifier, DescriptorSpec]:
    """Read what :func:`save_classifier` wrote.

    :raises PhasesError: missing, truncated or foreign file, one of an earlier form, or of another form of descriptor.
    """
    arrays = load_arrays(path, "phases")
    if "landmarks" in arrays and arrays.get("form", 1) != FORM:
        raise PhasesError(
            f"{path} was written by another version of aiida-seireact, with another form of classifier: classify the "
            "run anew."
        )
    require_arrays(arrays, path, "phases", (*OTHERS, *PEAKS, *NAMING))
    settings = json.loads(str(arrays["settings"]))
    spec = DescriptorSpec(**{**settings["spec"], "species": tuple(settings["spec"]["species"])})
    if spec.content_hash != settings["spec_hash"]:
        raise PhasesError(f"{path} was made with another form of descriptor than this version has: classify anew.")
    offsets, vectors = arrays["reference_offsets"], arrays["reduction_vectors"]
    parts = [slice(*offsets[number : number + 2]) for number in range(len(offsets) - 1)]
    names = arrays["label_names"].tolist()[1:]
    classifier = Classifier(
        reduction=Reduction(
            mean=arrays["reduction_mean"],
            vectors=vectors if vectors.size else None,
            kept_variance=settings["kept_variance"],
            normalisation=settings["normalisation"],
            scale=arrays["reduction_scale"] if arrays["reduction_scale"].size else None,
        ),
        landmarks=arrays["landmarks"],
        peaks=DensityPeaks(**settings["peaks"], **{name: arrays[name] for name in PEAKS}),
        maxk=settings["maxk"],
        alpha=settings["alpha"],
        references=tuple(
            Reference(name, arrays["reference_points"][part], float(gate), tuple(adopted))
            for name, part, gate, adopted in zip(
                names, parts, arrays["reference_gates"], settings["adopted"], strict=True
            )
        ),
        placements=tuple(
            Placement(arrays["reference_landmark"][part], arrays["reference_distance"][part], distance)
            for part, distance in zip(parts, arrays["landmark_distance"], strict=True)
        ),
        gates=Gates(**settings["gates"]),
        naming=Naming(**{name: arrays[name] for name in NAMING}),
    )
    return classifier, spec

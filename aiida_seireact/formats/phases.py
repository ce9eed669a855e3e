"""The file of a classifier, ``phases.npz``; the labels it gives are in :mod:`.environments`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from aiida_seireact.formats.arrays_file import PhasesError, load_arrays, save_arrays
from aiida_seireact.formats.environments import Labels
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Classifier, Gates, Reduction, Reference

__all__ = ["Labels", "PhasesError", "load_classifier", "save_classifier"]

PLAIN = ("landmarks", "clusters", "core", "log_density", "log_density_error", "saddle", "cluster_labels", "accepted")

OTHERS = (
    *("spec", "spec_hash", "reduction_mean", "reduction_vectors", "kept_variance", "intrinsic_dimension", "z"),
    *("label_names", "reference_gates", "reference_points", "reference_offsets", "gates"),
)


def save_classifier(path: str | Path, classifier: Classifier, spec: DescriptorSpec) -> None:
    """Write a classifier with the spec of its descriptors: arrays only, no pickles, atomically."""
    vectors = classifier.reduction.vectors
    gates = classifier.gates
    points = [item.points for item in classifier.references]
    empty = np.zeros((0, classifier.landmarks.shape[1]), dtype=np.float32)
    arrays: dict[str, Any] = {
        "spec": json.dumps(spec.to_dict(), sort_keys=True),
        "spec_hash": spec.content_hash,
        "reduction_mean": classifier.reduction.mean,
        "reduction_vectors": np.zeros((0, 0)) if vectors is None else vectors,
        "kept_variance": classifier.reduction.kept_variance,
        "intrinsic_dimension": classifier.intrinsic_dimension,
        "z": classifier.z,
        "label_names": np.array(classifier.names),
        "reference_gates": np.array([item.gate for item in classifier.references], dtype=np.float64),
        "reference_points": np.concatenate([empty, *points]),
        "reference_offsets": np.cumsum([0, *(len(part) for part in points)]),
        # accept, majority, point; NaN: no gate for points.
        "gates": np.array([gates.accept, gates.majority, np.nan if gates.point is None else gates.point]),
    }
    save_arrays(path, {**arrays, **{name: getattr(classifier, name) for name in PLAIN}})


def load_classifier(path: str | Path) -> tuple[Classifier, DescriptorSpec]:
    """Read what :func:`save_classifier` wrote.

    :raises PhasesError: missing, truncated or foreign file, or one of another form of descriptor.
    """
    arrays = load_arrays(path, "phases", [*PLAIN, *OTHERS])
    settings = json.loads(str(arrays["spec"]))
    spec = DescriptorSpec(**{**settings, "species": tuple(settings["species"])})
    if spec.content_hash != str(arrays["spec_hash"]):
        raise PhasesError(f"{path} was made with another form of descriptor than this version has: classify anew.")
    offsets, vectors = arrays["reference_offsets"], arrays["reduction_vectors"]
    accept, majority, point = arrays["gates"].tolist()
    classifier = Classifier(
        **{name: arrays[name] for name in PLAIN},
        reduction=Reduction(
            mean=arrays["reduction_mean"],
            vectors=vectors if vectors.size else None,
            kept_variance=float(arrays["kept_variance"]),
        ),
        intrinsic_dimension=float(arrays["intrinsic_dimension"]),
        z=float(arrays["z"]),
        references=tuple(
            Reference(
                name=str(name),
                points=arrays["reference_points"][offsets[number] : offsets[number + 1]],
                gate=float(arrays["reference_gates"][number]),
            )
            for number, name in enumerate(arrays["label_names"][1:])
        ),
        gates=Gates(accept=accept, majority=majority, point=None if np.isnan(point) else point),
    )
    return classifier, spec

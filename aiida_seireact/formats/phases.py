"""Files of a classification: the classifier itself (``phases.npz``) and the labels along a run (``labels.npz``)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.science.density_peaks import DensityPeaks
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Classifier, Gates, Naming, Placement, Reduction, Reference

FORM = 2
"""Form of the file: 1 had no saddles between clusters, no second pass and no settings of the density estimate."""

# Arrays of the clustering, arrays of what is known, and the rest as JSON.
PEAKS = tuple(item.name for item in fields(DensityPeaks) if "Array" in str(item.type))
NAMING = tuple(item.name for item in fields(Naming))
OTHERS = (
    *("form", "settings", "landmarks", "reduction_mean", "reduction_vectors", "label_names"),
    *("reference_gates", "reference_points", "reference_offsets", "reference_landmark", "reference_distance"),
    "landmark_distance",
)


class PhasesError(ValueError):
    """A file that is not what it should be; the message says which and why."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of the environments of a run.

    :param steps: ``(n_frames,)`` MD steps.
    :param atom_ids: ``(n_centres,)`` id of the atom at the centre of each environment.
    :param labels: ``(n_frames, n_centres)`` int8, index into ``label_names``; 0 is unknown.
    :param clusters: ``(n_frames, n_centres)`` int16 cluster.
    :param core: ``(n_frames, n_centres)`` whether the nearest landmark is in its cluster's core.
    :param ratio: ``(n_frames, n_centres)`` float32 distance to the phase's references over its gate.
    :param z_fraction: ``(n_frames, n_centres)`` float32 place along the third lattice vector, [0, 1).
    :param heights_ang: ``(n_frames,)`` height of the cell over its first two lattice vectors.
    :param label_names: ``(n_labels,)``
    :param profile: ``(n_labels, n_bins)`` environments by label and slab in the last tenth of the frames.
    """

    steps: NDArray[np.int64]
    atom_ids: NDArray[np.int64]
    labels: NDArray[np.int8]
    clusters: NDArray[np.int16]
    core: NDArray[np.bool_]
    ratio: NDArray[np.float32]
    z_fraction: NDArray[np.float32]
    heights_ang: NDArray[np.float64]
    label_names: NDArray[np.str_]
    profile: NDArray[np.int64]

    def save(self, path: str | Path) -> None:
        """Write all arrays under their names, atomically."""
        _save(path, {item.name: getattr(self, item.name) for item in fields(self)})

    @classmethod
    def load(cls, path: str | Path) -> Labels:
        """Read what :meth:`save` wrote.

        :raises PhasesError: missing, truncated or foreign file.
        """
        arrays, names = _load(path, "labels"), [item.name for item in fields(cls)]
        _require(arrays, path, "labels", names)
        return cls(**{name: arrays[name] for name in names})


def save_classifier(path: str | Path, classifier: Classifier, spec: DescriptorSpec) -> None:
    """Write a classifier with the spec of its descriptors: arrays and JSON, no pickles, atomically."""
    references, placements = classifier.references, classifier.placements
    vectors, n_landmarks = classifier.reduction.vectors, len(classifier.landmarks)
    no_points = np.zeros((0, classifier.landmarks.shape[1]), dtype=np.float32)
    peaks = {item.name: getattr(classifier.peaks, item.name) for item in fields(DensityPeaks)}
    settings = {
        "spec": spec.to_dict(),
        "spec_hash": spec.content_hash,
        "kept_variance": classifier.reduction.kept_variance,
        "maxk": classifier.maxk,
        "alpha": classifier.alpha,
        "gates": asdict(classifier.gates),
        "adopted": [list(item.adopted) for item in references],
        "peaks": {name: value for name, value in peaks.items() if name not in PEAKS},
    }
    arrays: dict[str, Any] = {
        "form": FORM,
        "settings": json.dumps(settings, sort_keys=True),
        "landmarks": classifier.landmarks,
        "reduction_mean": classifier.reduction.mean,
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
    _save(path, {**arrays, **naming, **{name: peaks[name] for name in PEAKS}})


def load_classifier(path: str | Path) -> tuple[Classifier, DescriptorSpec]:
    """Read what :func:`save_classifier` wrote.

    :raises PhasesError: missing, truncated or foreign file, one of an earlier form, or of another form of descriptor.
    """
    arrays = _load(path, "phases")
    if "landmarks" in arrays and arrays.get("form", 1) != FORM:
        raise PhasesError(
            f"{path} was written by another version of aiida-seireact, with another form of classifier: classify the "
            "run anew."
        )
    _require(arrays, path, "phases", (*OTHERS, *PEAKS, *NAMING))
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


def _save(path: str | Path, arrays: Mapping[str, Any]) -> None:
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _load(path: str | Path, kind: str) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except FileNotFoundError:
        raise PhasesError(f"There is no {kind} file {path}.") from None
    except Exception as error:  # zipfile, numpy and zlib each have their own
        raise PhasesError(f"{path} is not a whole {kind} file ({error}): write it again.") from error


def _require(arrays: Mapping[str, Any], path: str | Path, kind: str, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in arrays]
    if missing:
        raise PhasesError(f"{path} is not a {kind} file: it lacks {', '.join(missing)}.")

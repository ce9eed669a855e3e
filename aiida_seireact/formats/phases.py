"""Files of a classification: the classifier itself (``phases.npz``) and the labels along a run (``labels.npz``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically
from aiida_seireact.science.descriptors import DescriptorSpec
from aiida_seireact.science.labelling import Classifier, Gates, Reduction, Reference

PLAIN = ("landmarks", "clusters", "core", "log_density", "log_density_error", "saddle", "cluster_labels", "accepted")

OTHERS = (
    *("spec", "spec_hash", "reduction_mean", "reduction_vectors", "kept_variance", "intrinsic_dimension", "z"),
    *("label_names", "reference_gates", "reference_points", "reference_offsets", "gates"),
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
        arrays = _load(path, "labels", [item.name for item in fields(cls)])
        return cls(**arrays)


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
    _save(path, {**arrays, **{name: getattr(classifier, name) for name in PLAIN}})


def load_classifier(path: str | Path) -> tuple[Classifier, DescriptorSpec]:
    """Read what :func:`save_classifier` wrote.

    :raises PhasesError: missing, truncated or foreign file, or one of another form of descriptor.
    """
    arrays = _load(path, "phases", [*PLAIN, *OTHERS])
    settings = json.loads(str(arrays["spec"]))
    spec = DescriptorSpec(**settings)
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


def _save(path: str | Path, arrays: Mapping[str, Any]) -> None:
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _load(path: str | Path, kind: str, names: list[str]) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise PhasesError(f"{path} is not a {kind} file: it lacks {', '.join(missing)}.")
            return {name: archive[name] for name in names}
    except FileNotFoundError:
        raise PhasesError(f"There is no {kind} file {path}.") from None
    except PhasesError:
        raise
    except Exception as error:  # zipfile, numpy and zlib each have their own
        raise PhasesError(f"{path} is not a whole {kind} file ({error}): write it again.") from error

"""Labels of the environments of a run: one by one (:class:`Labels`), and how they change with time (:class:`Course`).

The labels of a small run are one file, ``labels.npz``, which holds both. Those of a large one are chunks, see
:mod:`.label_chunks`; the file then holds the course alone, and says so when it is asked for labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.arrays_file import PhasesError, load_arrays, save_arrays

Counts = NDArray[np.int64]
STAGES = ("unknown", "core", "joined", "non-core")
"""How an environment came to its label, as :class:`aiida_seireact.science.labelling.Stage` counts it."""
_LATER = ("stage", "landmark", "distance")
_FOUND = ("labels", "clusters", "core", "ratio", *_LATER)


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of the environments of a run, or of some frames in a row of it.

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
    :param stage: ``(n_frames, n_centres)`` int8, index into :data:`STAGES`; None in files of older versions.
    :param landmark: ``(n_frames, n_centres)`` int32, nearest landmark of the classifier; None as before.
    :param distance: ``(n_frames, n_centres)`` float32 distance to it; None as before. By these three labels follow a
        classifier whose clusters get other names.
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
    profile: Counts
    stage: NDArray[np.int8] | None = None
    landmark: NDArray[np.int32] | None = None
    distance: NDArray[np.float32] | None = None

    def arrays(self) -> dict[str, Any]:
        """Return all arrays by their names."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: values for name, values in found.items() if values is not None}

    def save(self, path: str | Path) -> None:
        """Write all arrays under their names, atomically."""
        save_arrays(path, self.arrays())

    @classmethod
    def load(cls, path: str | Path) -> Labels:
        """Read what :meth:`save` wrote.

        :raises PhasesError: missing, truncated or foreign file, or one that holds only the course of a large run.
        """
        try:
            held = load_arrays(path, "labels", _REQUIRED)
        except PhasesError:
            _refuse_course(path)
            raise
        with np.load(path, allow_pickle=False) as archive:
            later = {name: archive[name] for name in _LATER if name in archive.files}
        return cls(**held, **later)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Labels:
        """Take them out of arrays by name, as a node holds them.

        :raises PhasesError: one is missing: the node holds only the course of a large run.
        """
        missing = [name for name in _REQUIRED if name not in arrays]
        if missing:
            raise PhasesError(f"These are no labels of single environments, they lack {', '.join(missing)}: {_COARSE}")
        return cls(**{item.name: arrays[item.name] for item in fields(cls) if item.name in arrays})


_REQUIRED = [item.name for item in fields(Labels) if item.name not in _LATER]
_COARSE = "those of a large run lie in chunks beside the trajectory, named in its labels.json."


@dataclass(frozen=True, eq=False)
class Course:
    """What labels show in each frame: small, whatever the number of environments.

    :param steps: ``(n_frames,)`` MD steps.
    :param heights_ang: ``(n_frames,)`` height of the cell.
    :param label_names: ``(n_labels,)``
    :param counts: ``(n_frames, n_labels, 4)`` environments by label and stage (:data:`STAGES`).
    :param cores: ``(n_frames, n_labels)`` those of a label that lie in the core of their cluster.
    :param slabs: ``(n_frames, n_labels, n_bins)`` environments by label and slab along z.
    :param digests: ``(n_frames, 32)`` uint8, sha256 of each frame's labels.
    """

    steps: NDArray[np.int64]
    heights_ang: NDArray[np.float64]
    label_names: NDArray[np.str_]
    counts: Counts
    cores: Counts
    slabs: NDArray[np.int32]
    digests: NDArray[np.uint8]

    @property
    def n_environments(self) -> int:
        """Number of environments in all frames."""
        return int(self.counts.sum())

    @property
    def content_hash(self) -> str:
        """Hash of all labels, however they were cut into chunks or jobs."""
        head = "\n".join(self.label_names.tolist()).encode()
        return hashlib.sha256(head + self.digests.tobytes()).hexdigest()

    @property
    def unknown(self) -> NDArray[np.float64]:
        """Share of unknown environments in each frame, ``(n_frames,)``."""
        return np.asarray(self.counts[:, 0].sum(axis=1) / self.counts.sum(axis=(1, 2)))

    def arrays(self) -> dict[str, Any]:
        """Return all arrays by their names."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def save(self, path: str | Path, labels: Labels | None = None) -> None:
        """Write it, with the labels themselves where they are few enough to lie beside it."""
        save_arrays(path, {**self.arrays(), **({} if labels is None else labels.arrays())})

    @classmethod
    def load(cls, path: str | Path) -> Course:
        """Read what :meth:`save` wrote.

        :raises PhasesError: missing, truncated or foreign file.
        """
        return cls(**load_arrays(path, "labels", [item.name for item in fields(cls)]))

    @classmethod
    def read(cls, path: str | Path) -> Course:
        """Read the course of a labels file, or count it where an older version has written only the labels.

        :raises PhasesError: missing, truncated or foreign file.
        """
        return cls.of_arrays(load_arrays(path, "labels"))

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Course:
        """Take it out of arrays by name, as a node holds them; count it where there are labels only.

        :raises PhasesError: neither is there.
        """
        names = [item.name for item in fields(cls)]
        if all(name in arrays for name in names):
            return cls(**{name: arrays[name] for name in names})
        return course_of(Labels.of_arrays(arrays))


def course_of(labels: Labels) -> Course:
    """Count what labels show in each frame.

    Without a stage (in files of older versions) cores and the rest of clusters are told apart alone.
    """
    n_labels, n_bins = labels.profile.shape
    stages = np.where(labels.core, 1, 2) * (labels.labels > 0) if labels.stage is None else labels.stage
    each = range(len(labels.steps))
    slabs = np.minimum((labels.z_fraction * n_bins).astype(np.int64), n_bins - 1)
    names = [name for name in _FOUND if name in labels.arrays()]
    return Course(
        steps=labels.steps,
        heights_ang=labels.heights_ang,
        label_names=labels.label_names,
        counts=np.stack([counted(labels.labels[frame], stages[frame], n_labels, len(STAGES)) for frame in each]),
        cores=np.stack([np.bincount(labels.labels[n][labels.core[n]], minlength=n_labels) for n in each]),
        slabs=np.stack([counted(labels.labels[n], slabs[n], n_labels, n_bins) for n in each]).astype(np.int32),
        digests=np.stack(
            [digest_of(labels.steps[n], **{name: getattr(labels, name)[n] for name in names}) for n in each]
        ),
    )


def counted(labels: NDArray[Any], classes: NDArray[Any], n_labels: int, n_classes: int) -> Counts:
    """Count environments by label and by another class, ``(n_labels, n_classes)``."""
    cells = labels.astype(np.int64) * n_classes + classes
    return np.bincount(cells, minlength=n_labels * n_classes).reshape(n_labels, n_classes)


_BY_FRAME = [item.name for item in fields(Course) if item.name != "label_names"]


def joined(parts: Sequence[Course]) -> Course:
    """Put the courses of parts of a run one after the other.

    :raises PhasesError: unlike labels or slabs, or parts out of order.
    """
    first = parts[0]
    for before, after in pairwise(parts):
        if not np.array_equal(first.label_names, after.label_names) or first.slabs.shape[2] != after.slabs.shape[2]:
            raise PhasesError("Parts of a run have unlike labels or slabs: they were not made by one classifier.")
        if before.steps[-1] >= after.steps[0]:
            raise PhasesError(f"Step {after.steps[0]} comes after step {before.steps[-1]}: give the parts in order.")
    each = {name: [getattr(part, name) for part in parts] for name in _BY_FRAME}
    return Course(label_names=first.label_names, **{name: np.concatenate(held) for name, held in each.items()})


def joined_labels(parts: Sequence[Labels]) -> Labels:
    """Put the labels of parts of a run one after the other; the caller sees to their order.

    :raises PhasesError: other atoms or other labels.
    """
    first = parts[0]
    for part in parts[1:]:
        if not np.array_equal(first.atom_ids, part.atom_ids):
            raise PhasesError(f"The atoms of step {part.steps[0]} are not those of step {first.steps[0]}.")
        if not np.array_equal(first.label_names, part.label_names):
            raise PhasesError("Parts of a run have unlike labels: they were not made by one classifier.")
    whole = {"atom_ids", "label_names", "profile"}
    names = [name for name in first.arrays() if name not in whole and all(name in part.arrays() for part in parts)]
    return Labels(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        atom_ids=first.atom_ids,
        label_names=first.label_names,
        profile=np.sum([part.profile for part in parts], axis=0),
    )


def digest_of(step: int, **arrays: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the sha256 of the labels of a frame, ``(32,)``.

    :param arrays: what was found of its environments, under the names of :class:`Labels`.
    """
    digest = hashlib.sha256(np.int64(step).tobytes())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def _refuse_course(path: str | Path) -> None:
    """Say of a file of a large run what it lacks, and where that is.

    :raises PhasesError: it is one.
    """
    try:
        course = Course.load(path)
    except PhasesError:
        return
    raise PhasesError(
        f"{path} holds the course of a run of {course.n_environments} environments, not their labels: {_COARSE}"
    )

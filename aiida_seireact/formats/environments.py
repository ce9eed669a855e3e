"""Labels of the environments of a run: one by one (:class:`Labels`), and how they change with time (:class:`Course`).

The labels of a small run are one file, ``labels.npz``, which holds both. Those of a large one are chunks, see
:mod:`.label_chunks`; the file then holds the course alone, and says so when it is asked for labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.arrays_file import PhasesError, load_arrays, save_arrays

Counts = NDArray[np.int64]
STAGES = ("core", "joined", "non-core")
"""How an environment came to its label: from the core of its cluster, by a later pass, or as the rest of a cluster."""


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
        return cls(**held, stage=_optional(path, "stage"))


_REQUIRED = [item.name for item in fields(Labels) if item.name != "stage"]


@dataclass(frozen=True, eq=False)
class Course:
    """What labels show in each frame: small, whatever the number of environments.

    :param steps: ``(n_frames,)`` MD steps.
    :param heights_ang: ``(n_frames,)`` height of the cell.
    :param label_names: ``(n_labels,)``
    :param counts: ``(n_frames, n_labels, 3)`` environments by label and stage (:data:`STAGES`).
    :param slabs: ``(n_frames, n_labels, n_bins)`` environments by label and slab along z.
    :param digests: ``(n_frames, 32)`` uint8, sha256 of each frame's labels.
    """

    steps: NDArray[np.int64]
    heights_ang: NDArray[np.float64]
    label_names: NDArray[np.str_]
    counts: Counts
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
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Course:
        """Take it out of arrays by name, as a node holds them.

        :raises PhasesError: one is missing.
        """
        missing = [item.name for item in fields(cls) if item.name not in arrays]
        if missing:
            raise PhasesError(f"These labels lack {', '.join(missing)}: classify the run again.")
        return cls(**{item.name: arrays[item.name] for item in fields(cls)})


def joined(parts: Sequence[Course]) -> Course:
    """Put the courses of parts of a run one after the other.

    :raises PhasesError: unlike labels or slabs, or parts out of order.
    """
    first = parts[0]
    for before, after in zip(parts, parts[1:], strict=False):
        if not np.array_equal(first.label_names, after.label_names) or first.slabs.shape[2] != after.slabs.shape[2]:
            raise PhasesError("Parts of a run have unlike labels or slabs: they were not made by one classifier.")
        if before.steps[-1] >= after.steps[0]:
            raise PhasesError(f"Step {after.steps[0]} comes after step {before.steps[-1]}: give the parts in order.")
    each = {name: [getattr(part, name) for part in parts] for name in ("steps", "heights_ang", "counts", "slabs")}
    digests = np.concatenate([part.digests for part in parts])
    return Course(
        label_names=first.label_names, digests=digests, **{name: np.concatenate(held) for name, held in each.items()}
    )


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
    alike = {"atom_ids", "label_names", "profile", "stage"}
    each = {name: np.concatenate([getattr(part, name) for part in parts]) for name in set(_REQUIRED) - alike}
    stages = [part.stage for part in parts if part.stage is not None]
    return Labels(
        **each,
        atom_ids=first.atom_ids,
        label_names=first.label_names,
        profile=np.sum([part.profile for part in parts], axis=0),
        stage=np.concatenate(stages) if len(stages) == len(parts) else None,
    )


def digest_of(
    step: int, labels: NDArray[Any], clusters: NDArray[Any], stage: NDArray[Any], ratio: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the sha256 of the labels of a frame, ``(32,)``."""
    digest = hashlib.sha256(np.int64(step).tobytes())
    for values, kind in ((labels, np.int8), (clusters, np.int16), (stage, np.int8), (ratio, np.float32)):
        digest.update(np.ascontiguousarray(values, dtype=kind).tobytes())
    return np.frombuffer(digest.digest(), dtype=np.uint8)


def _optional(path: str | Path, name: str) -> Any:
    with np.load(path, allow_pickle=False) as archive:
        return archive[name] if name in archive.files else None


def _refuse_course(path: str | Path) -> None:
    """Say of a file of a large run what it lacks, and where that is.

    :raises PhasesError: it is one.
    """
    try:
        course = Course.load(path)
    except PhasesError:
        return
    raise PhasesError(
        f"{path} holds the course of a run of {course.n_environments} environments, not their labels: those lie in "
        "chunks beside the trajectory, named in its labels.json."
    )

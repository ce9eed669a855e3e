"""Labels of a large run: chunks of whole frames, and a manifest that is written last and knows their sha256."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats import files
from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.atomic import write_json
from aiida_seireact.formats.environments import Course, Labels, joined, joined_labels
from aiida_seireact.formats.hashed_file import hashed_file

SCHEMA = "seireact-labels/1"


class LabelsWriter:
    """Takes the labels of a run frame by frame and keeps at most one chunk of them in memory.

    :param most_in_one: environments up to which a run is one file, ``labels.npz``.
    :param chunk: environments after which a chunk of a larger run is closed; a frame is never cut.
    """

    def __init__(self, folder: Path, n_environments: int, *, most_in_one: int, chunk: int) -> None:
        self._folder, self._chunk = folder, chunk
        self._in_one = n_environments <= most_in_one
        self._open: list[Labels] = []
        self._held = 0
        self._courses: list[Course] = []
        self._chunks: list[dict[str, Any]] = []
        # What an earlier, killed run has left must not pass for whole.
        (folder / files.LABELS_MANIFEST).unlink(missing_ok=True)

    def add(self, labels: Labels, course: Course) -> None:
        """Take the next frame, or frames."""
        self._courses.append(course)
        self._open.append(labels)
        self._held += labels.labels.size
        if not self._in_one and self._held >= self._chunk:
            self._close()

    def finish(self) -> tuple[Course, list[dict[str, Any]]]:
        """Write what is open, the course, and last the manifest.

        :returns: the course and the chunks: none if all labels lie in ``labels.npz``.
        """
        course = joined(self._courses)
        if self._in_one:
            course.save(self._folder / files.LABELS, joined_labels(self._open))
            return course, []
        if self._open:
            self._close()
        course.save(self._folder / files.LABELS)
        write_manifest(self._folder / files.LABELS_MANIFEST, course, self._chunks)
        return course, self._chunks

    def _close(self) -> None:
        whole = joined_labels(self._open)
        self._open, self._held = [], 0
        # By step, so that the chunks of jobs side by side have names of their own.
        path = self._folder / f"labels_{int(whole.steps[0]):012d}.npz"
        with hashed_file(path) as stream:
            # A zip is rewound for its sizes unless it is told that it can't be.
            np.savez_compressed(stream, **whole.arrays())
        self._chunks.append(
            {
                **stream.written().facts(),
                "first_step": int(whole.steps[0]),
                "last_step": int(whole.steps[-1]),
                "n_frames": len(whole.steps),
                "n_environments": int(whole.labels.size),
            }
        )


def write_manifest(path: Path, course: Course, chunks: Sequence[Mapping[str, Any]]) -> None:
    """Write which chunks hold the labels of a run."""
    write_json(
        path,
        {
            "schema": SCHEMA,
            "label_names": course.label_names.tolist(),
            "n_environments": course.n_environments,
            "content_hash": course.content_hash,
            "chunks": [dict(chunk) for chunk in chunks],
        },
    )


def read_manifest(path: str | Path) -> list[dict[str, Any]]:
    """Return the chunks of a manifest.

    :raises PhasesError: missing, torn or foreign.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise PhasesError(f"{path} has the schema {content['schema']}, this version reads {SCHEMA}.")
        return list(content["chunks"])
    except FileNotFoundError:
        raise PhasesError(
            f"There is no manifest of labels {path}: the run that writes it last has not ended."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise PhasesError(f"{path} is not a whole manifest of labels ({error}).") from error


def iter_labels(folder: str | Path) -> Iterator[Labels]:
    """Yield the labels of a run in order, chunk by chunk; of a small run all at once.

    :param folder: where ``labels.npz`` lies, or ``labels.json`` with its chunks.
    :raises PhasesError: no labels there, or a chunk that is missing, torn or not the one the manifest means.
    """
    place = Path(folder)
    if not (place / files.LABELS_MANIFEST).exists():
        yield Labels.load(place / files.LABELS)
        return
    for chunk in read_manifest(place / files.LABELS_MANIFEST):
        yield load_chunk(place, chunk)


def load_chunk(folder: Path, chunk: Mapping[str, Any]) -> Labels:
    """Return the labels of a chunk, if it is the one that the manifest means.

    :raises PhasesError: missing, torn or another.
    """
    path = folder / chunk["file"]
    if not path.is_file():
        raise PhasesError(f"There is no {path}, which {files.LABELS_MANIFEST} names: bring all chunks.")
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    if digest.hexdigest() != chunk["sha256"]:
        raise PhasesError(f"{path} is not the chunk that {files.LABELS_MANIFEST} means: its sha256 differs.")
    return Labels.load(path)


class LabelsOf:
    """Labels and clusters of any frame of a run, with one chunk of them in memory.

    :param folder: as of :func:`iter_labels`.
    :param progress: told when a chunk is read.
    """

    def __init__(self, folder: str | Path, progress: Callable[[str], None] = lambda line: None) -> None:
        self._folder, self._progress = Path(folder), progress
        self._chunks: list[dict[str, Any]] = []
        self._first = [0]
        self._held: tuple[int, Labels] | None = None
        if (self._folder / files.LABELS_MANIFEST).exists():
            self._chunks = read_manifest(self._folder / files.LABELS_MANIFEST)
            self._first = [0, *np.cumsum([chunk["n_frames"] for chunk in self._chunks]).tolist()]

    def __call__(self, place: int) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
        """Return label and cluster of each centre of a frame, ``(n_centres,)`` each.

        :param place: of the frame in the run, from 0.
        :raises PhasesError: a chunk that is missing or torn.
        """
        number = max(0, bisect_right(self._first, place) - 1) if self._chunks else 0
        if self._held is None or self._held[0] != number:
            if not self._chunks:
                self._held = (0, Labels.load(self._folder / files.LABELS))
            else:
                self._held = (number, load_chunk(self._folder, self._chunks[number]))
                self._progress(f"labels: chunk {number + 1} of {len(self._chunks)} is read")
        labels, row = self._held[1], place - self._first[number]
        return labels.labels[row], labels.clusters[row]

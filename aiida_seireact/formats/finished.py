"""What is finished of a job that labels (``finished.jsonl``): a line for each start frame, written as it is done.

A killed program leaves whole lines and at most one torn one, so the next run computes only what is missing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically

FloatArray = NDArray[np.float64]

OPTIONAL = ("stress", "energy_e0")
COLUMNS = ("positions", "cells", "energy", "forces", *OPTIONAL, "md_steps", "blocks")


@dataclass(frozen=True, eq=False)
class Finished:
    """What came of one start frame: one image of a single point or a relaxation, several of MD. Units as in `Label`.

    :param task: hash of all that decides the images of a start, see `LabelJob.task_hash`.
    :param structure_id: of the start.
    :param positions: ``(n_images, n_atoms, 3)``
    :param cells: ``(n_images, 3, 3)``
    :param energy: ``(n_images,)`` the energy the forces belong to
    :param forces: ``(n_images, n_atoms, 3)``
    :param stress: ``(n_images, 6)``, None where none was asked for
    :param energy_e0: ``(n_images,)`` extrapolated to zero smearing, None where the calculator gives none
    :param md_steps: ``(n_images,)`` MD step of each image, -1 for none
    :param blocks: ``(n_images,)`` its time block, -1 for none
    :param report: how the relaxation or the run went
    """

    task: str
    structure_id: str
    positions: FloatArray
    cells: FloatArray
    energy: FloatArray
    forces: FloatArray
    stress: FloatArray | None
    energy_e0: FloatArray | None
    md_steps: NDArray[np.int64]
    blocks: NDArray[np.int64]
    report: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.energy)

    def line(self) -> bytes:
        """Return the record as one line that begins with the sha256 of the rest."""
        stream = io.BytesIO()
        np.savez(stream, **{name: getattr(self, name) for name in COLUMNS if getattr(self, name) is not None})
        content = {
            "task": self.task,
            "structure_id": self.structure_id,
            "report": self.report,
            "arrays": base64.b64encode(stream.getvalue()).decode(),
        }
        body = json.dumps(content, sort_keys=True).encode()
        return hashlib.sha256(body).hexdigest().encode() + b" " + body + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Finished | None:
        """Read what :meth:`line` wrote; None if it is torn."""
        digest, _, body = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or hashlib.sha256(body).hexdigest().encode() != digest:
            return None
        try:
            content = json.loads(body)
            with np.load(io.BytesIO(base64.b64decode(content.pop("arrays"))), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            return cls(**content, **{**dict.fromkeys(OPTIONAL), **arrays})
        except (ValueError, TypeError, KeyError, BadZipFile, binascii.Error):
            return None


def read_finished(path: str | Path) -> list[Finished]:
    """Return the whole records of a file, in its order; none if there is no file. Torn lines are passed over."""
    try:
        lines = Path(path).read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [record for record in map(Finished.from_line, lines) if record is not None]


def write_finished(path: str | Path, records: Iterable[Finished]) -> None:
    """Write records in an order of their own, each once, atomically: which worker was faster leaves no trace."""
    lines = sorted({record.line() for record in records})
    with write_atomically(path) as temporary:
        temporary.write_bytes(b"".join(lines))


@contextmanager
def finished_log(path: str | Path) -> Iterator[tuple[list[Finished], Callable[[Finished], None]]]:
    """Give the whole records of a file, and a function that appends one and returns when it is on disk.

    :raises OSError: the folder is not writable, or the disk full.
    """
    records = read_finished(path)
    # Rewritten without a torn line: what is appended must not continue one.
    write_finished(path, records)
    with Path(path).open("ab") as stream:

        def append(record: Finished) -> None:
            stream.write(record.line())
            stream.flush()
            os.fsync(stream.fileno())

        yield records, append

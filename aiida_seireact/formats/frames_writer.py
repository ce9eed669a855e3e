"""One frame of any size as a frames file, block by block: what `Frames.load` reads, with the same structure id."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.hashed_file import HashedStream, hashed_file

FloatArray = NDArray[np.float64]
# numpy does not say the types of these.
npy: Any = np.lib.format
_CHUNK = 1 << 22


class FramesWriter:
    """Writes positions as they come; the numbers wait for their column, a byte an atom.

    :param structure_id: as of `Frames.structure_ids`; there when the file is.
    """

    def __init__(self, positions: IO[bytes]) -> None:
        self._positions = positions
        self._numbers: list[NDArray[np.uint8]] = []
        self.structure_id = ""

    def add(self, numbers: NDArray[np.integer[Any]], positions: FloatArray) -> None:
        """Write some atoms: atomic numbers ``(n,)``, positions ``(n, 3)`` in Å."""
        self._numbers.append(np.asarray(numbers, dtype=np.uint8))
        # Adding zero turns -0.0 into 0.0, as the structure id has it.
        self._positions.write((np.asarray(positions, dtype="<f8") + 0.0).tobytes())

    def columns(self) -> Iterator[NDArray[np.int64]]:
        """Yield the atomic numbers, block by block."""
        for numbers in self._numbers:
            yield numbers.astype("<i8")


@contextmanager
def frames_writer(
    path: str | Path, cell: FloatArray, n_atoms: int, *, config_type: str = "", group: str = ""
) -> Iterator[tuple[FramesWriter, HashedStream]]:
    """Give a writer of a file with one frame, periodic in all directions, and its stream.

    The file appears when all is written. It holds no date: equal cells have equal bytes.

    :param cell: ``(3, 3)``, Å; rows are lattice vectors.
    :param n_atoms: atoms that will come.
    :param config_type: see `Frames`, as ``group``.
    :raises OSError: the disk is full or the folder is not writable.
    """
    cells = np.array(cell, dtype="<f8").reshape(1, 3, 3) + 0.0
    small = {
        "offsets": np.array([0, n_atoms], dtype="<i8"),
        "cells": cells,
        "pbc": np.ones((1, 3), dtype=bool),
        "config_type": np.array([config_type]),
        "group": np.array([group]),
        "parent_id": np.array([""]),
        "md_step": np.array([-1], dtype="<i8"),
        "settings_hash": np.array(""),
    }
    with hashed_file(path) as stream:
        with zipfile.ZipFile(cast(IO[bytes], stream), "w", zipfile.ZIP_STORED) as archive:
            with _column(archive, "positions", (n_atoms, 3), "<f8") as column:
                writer = FramesWriter(column)
                yield writer, stream
            with _column(archive, "numbers", (n_atoms,), "<i8") as column:
                for numbers in writer.columns():
                    column.write(numbers.tobytes())
            for name, array in small.items():
                with archive.open(f"{name}.npy", "w") as column:
                    npy.write_array(column, array, allow_pickle=False)
        stream.flush()
        writer.structure_id = _structure_id(stream.path, writer, cells)


@contextmanager
def _column(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: str) -> Iterator[IO[bytes]]:
    """Give a stream to one array of an ``.npz``, its head written."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as column:
        npy.write_array_header_1_0(
            column, {"descr": npy.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        )
        yield column


def _structure_id(path: Path, writer: FramesWriter, cells: FloatArray) -> str:
    """Hash numbers, cell, periodicity and positions as `Frames.structure_ids`; the numbers come first there.

    The positions are read from where they have just been written, which also checks them.
    """
    digest = hashlib.sha256()

    def begin(size: int) -> None:
        digest.update(size.to_bytes(8, "little"))

    n_atoms = sum(len(numbers) for numbers in writer.columns())
    begin(8 * n_atoms)
    for numbers in writer.columns():
        digest.update(numbers.tobytes())
    for part in (cells.tobytes(), np.ones(3, dtype="<i8").tobytes()):
        begin(len(part))
        digest.update(part)
    begin(24 * n_atoms)
    with zipfile.ZipFile(path) as archive, archive.open("positions.npy") as column:
        assert npy.read_magic(column) == (1, 0)
        npy.read_array_header_1_0(column)
        while content := column.read(_CHUNK):
            digest.update(content)
    return digest.hexdigest()

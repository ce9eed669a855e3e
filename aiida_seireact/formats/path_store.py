"""Paths of atoms over a whole run on disk: written frame by frame, read atom by atom."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Paths = NDArray[np.float32]
_RECORD = 15  # numbers kept of a frame: drift 3, cell 9, origin 3


class PathStore:
    """Displacements of atoms from where they began, float32, in a file without a name: whoever is killed leaves none.

    A displacement is the change of unwrapped fractional coordinates times **the cell of the first frame**: an atom that
    does not move relative to a cell that breathes, shrinks or shears has none. Lengths are those of the first frame.

    Atoms lie together in blocks, each with all its frames in a row, so that a time correlation reads one block after
    the other and holds one at a time. Frames may be put in any order, by processes forked after it was made too: each
    writes to its own places. Displacements are small numbers, which float32 keeps to 1e-6 Å at 10 Å.

    :param start: ``(n_atoms, 3)`` unwrapped positions of the first frame, Å.
    :param cell: ``(3, 3)`` of the first frame, rows are lattice vectors; ``origin``: ``(3,)``, its corner.
    :param masses: ``(n_atoms,)``; the drift of their centre is kept beside the paths.
    :param n_frames: frames that will be put.
    :param folder: where there is room, 13 bytes an atom and frame, 14 with structures; None for the temporary
        folder of the machine.
    :param block_bytes: size of a block; a block has one atom at least.
    """

    def __init__(
        self,
        start: ArrayLike,
        masses: ArrayLike,
        n_frames: int,
        *,
        cell: ArrayLike,
        origin: ArrayLike = (0.0, 0.0, 0.0),
        folder: Path | None = None,
        block_bytes: int = 1 << 20,
    ) -> None:
        self._start = np.asarray(start, dtype=np.float64)
        self._cell, self._origin = np.asarray(cell, dtype=np.float64), np.asarray(origin, dtype=np.float64)
        weights = np.asarray(masses, dtype=np.float64)
        self._weights = weights / weights.sum()
        self.n_frames, self.n_atoms = n_frames, len(self._start)
        width = max(1, min(self.n_atoms, block_bytes // (12 * n_frames)))
        self._bounds = [*range(0, self.n_atoms, width), self.n_atoms]
        self._records_at = 12 * n_frames * self.n_atoms
        self._labels_at = self._records_at + 8 * _RECORD * n_frames
        self._structures_at = self._labels_at + self.n_atoms * n_frames
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        # A hole in the file reads as zeros; frames that nobody put are told by a NaN.
        self._write(self._records_at, np.full((n_frames, _RECORD), np.nan))

    def put(
        self,
        number: int,
        positions: ArrayLike,
        cell: ArrayLike,
        origin: ArrayLike = (0.0, 0.0, 0.0),
        labels: ArrayLike | None = None,
    ) -> None:
        """Write the frame ``number``.

        :param positions: ``(n_atoms, 3)`` unwrapped, Å, as MD engines do it: by whole vectors of the cell of the frame.
        :param cell: ``(3, 3)``, rows are lattice vectors; ``origin``: ``(3,)``, its corner.
        :param labels: ``(n_atoms,)`` label of the environment of each atom, −1 for none.
        """
        places, corner = np.asarray(positions, dtype=np.float64), np.asarray(origin, dtype=np.float64)
        lattice = unflipped(cell, self._cell)
        if np.array_equal(lattice, self._cell) and np.array_equal(corner, self._origin):
            moved = places - self._start
        else:
            moved = (places - corner) @ np.linalg.solve(lattice, self._cell) - (self._start - self._origin)
        short = moved.astype(np.float32)
        for first, last in pairwise(self._bounds):
            self._write(12 * (first * self.n_frames + number * (last - first)), short[first:last])
        record = np.concatenate([self._weights @ moved, np.ravel(lattice), corner]).astype(np.float64)
        if labels is not None:
            self._put_marks(self._labels_at, number, labels)
        self._write(self._records_at + 8 * _RECORD * number, record)

    def put_structures(self, number: int, structures: ArrayLike) -> None:
        """Write the crystal structure around each atom in the frame ``number``, beside its labels.

        :param structures: ``(n_atoms,)`` small whole numbers, −1 for none.
        """
        self._put_marks(self._structures_at, number, structures)

    def drift(self) -> FloatArray:
        """Return the displacement of the centre of mass of all atoms, ``(n_frames, 3)``, Å of the first frame.

        :raises ValueError: frames are missing.
        """
        return self._records()[:, :3]

    def cells(self) -> tuple[FloatArray, FloatArray]:
        """Return the cell ``(n_frames, 3, 3)`` and its corner ``(n_frames, 3)`` in each frame, Å.

        A tilted cell that the MD engine flipped is given as if it had not been: the same lattice.


        :raises ValueError: frames are missing.
        """
        records = self._records()
        return records[:, 3:12].reshape(-1, 3, 3), records[:, 12:]

    def blocks(self, chosen: ArrayLike | None = None) -> Iterator[tuple[NDArray[np.int64], Paths]]:
        """Yield the paths of all atoms, or of those of ``chosen``, a block at a time.

        :param chosen: mask ``(n_atoms,)``. Blocks without any of them are not read.
        :returns: index of each atom ``(n,)``, displacements from the first frame ``(n_frames, n, 3)``, Å.
        """
        mask = np.ones(self.n_atoms, dtype=bool) if chosen is None else np.asarray(chosen, dtype=bool)
        for first, last in pairwise(self._bounds):
            wanted = np.flatnonzero(mask[first:last])
            if len(wanted):
                block = np.empty((self.n_frames, last - first, 3), dtype=np.float32)
                self._read(12 * first * self.n_frames, block)
                yield first + wanted, block if len(wanted) == last - first else block[:, wanted]

    def places(self, number: int, atoms: ArrayLike | None = None) -> FloatArray:
        """Return the unwrapped positions in one frame, in its own cell, ``(n, 3)``, Å.

        :param atoms: indices; None: all.
        """
        which = np.arange(self.n_atoms) if atoms is None else np.asarray(atoms, dtype=np.int64)
        return self.placed(self._start[which] + self.frame(number)[which], np.full(len(which), number))

    def placed(self, lengths_of_first: ArrayLike, frames: ArrayLike) -> FloatArray:
        """Return where places in the first frame's cell lie in the cells of other frames, ``(n, 3)``, Å.

        :param lengths_of_first: ``(n, 3)`` Å, such as the start of an atom with its displacement.
        :param frames: ``(n,)`` number of the frame of each.
        """
        fractions = (np.asarray(lengths_of_first, dtype=np.float64) - self._origin) @ np.linalg.inv(self._cell)
        cells, corners = self.cells()
        which = np.asarray(frames, dtype=np.int64)
        return np.asarray(np.einsum("nk,nkd->nd", fractions, cells[which]) + corners[which])

    def largest_strain(self) -> float:
        """Return by how much the cell of a frame differs at most from that of the first, 0.03 for 3 % along a vector.

        :raises ValueError: frames are missing.
        """
        change = self.cells()[0] @ np.linalg.inv(self._cell) - np.eye(3)
        return float(np.abs(change).max())

    def frame(self, number: int) -> Paths:
        """Return the displacements in one frame, ``(n_atoms, 3)``, Å of the first frame."""
        found = np.empty((self.n_atoms, 3), dtype=np.float32)
        for first, last in pairwise(self._bounds):
            self._read(12 * (first * self.n_frames + number * (last - first)), found[first:last])
        return found

    def labels(self, number: int) -> NDArray[np.int8]:
        """Return the labels in one frame, ``(n_atoms,)``; −1 for atoms or frames without one."""
        return self._marks(self._labels_at, number)

    def structures(self, number: int) -> NDArray[np.int8]:
        """Return the structures in one frame, ``(n_atoms,)``; −1 for frames without."""
        return self._marks(self._structures_at, number)

    def start(self) -> FloatArray:
        """Return the unwrapped positions of the first frame, ``(n_atoms, 3)``, Å."""
        return self._start

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put_marks(self, place: int, number: int, marks: ArrayLike) -> None:
        # Zero is a hole: they are kept one higher.
        self._write(place + self.n_atoms * number, (np.asarray(marks) + 1).astype(np.int8))

    def _marks(self, place: int, number: int) -> NDArray[np.int8]:
        found = np.empty(self.n_atoms, dtype=np.int8)
        self._read(place + self.n_atoms * number, found)
        return np.asarray(found - 1, dtype=np.int8)

    def _records(self) -> FloatArray:
        records = np.empty((self.n_frames, _RECORD))
        self._read(self._records_at, records)
        if missing := np.flatnonzero(np.isnan(records[:, 0])).tolist():
            raise ValueError(f"The path store lacks {len(missing)} of its {self.n_frames} frames, first {missing[0]}.")
        return records

    def _write(self, place: int, array: NDArray[Any]) -> None:
        content = np.ascontiguousarray(array).view(np.uint8).reshape(-1).data
        while len(content):
            done = os.pwrite(self._file.fileno(), content, place)
            content, place = content[done:], place + done

    def _read(self, place: int, array: NDArray[Any]) -> None:
        """Fill a contiguous array. Read, not mapped: pages of a map count as memory of this process."""
        content = array.reshape(-1).view(np.uint8).data
        while len(content):
            done = os.preadv(self._file.fileno(), [content], place)
            if not done:  # behind the last byte that was written: a hole like the others
                content[:] = bytes(len(content))
                break
            content, place = content[done:], place + done


def unflipped(cell: ArrayLike, reference: ArrayLike) -> FloatArray:
    """Return the vectors of a lattice that are nearest to those of a reference, where the cell was flipped.

    LAMMPS replaces a tilted cell by one of less tilt and the same lattice (``fix npt``, ``flip yes``), and leaves
    unwrapped positions as they are; fractional coordinates would jump. A cell that has sheared by more than half of a
    lattice vector for good is taken for one that flipped.

    :param cell: ``(3, 3)``, rows are lattice vectors; ``reference``: the same, of another frame.
    """
    lattice = np.asarray(cell, dtype=np.float64)
    whole = np.rint(lattice @ np.linalg.inv(np.asarray(reference, dtype=np.float64)))
    if np.array_equal(whole, np.eye(3)) or abs(round(float(np.linalg.det(whole)))) != 1:
        return lattice
    return np.asarray(np.linalg.solve(whole, lattice))

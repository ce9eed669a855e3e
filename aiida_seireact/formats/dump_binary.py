"""Frames of one binary dump of LAMMPS (``dump ... custom N file.bin``, format revision 2, since 2020).

Source of the format: LAMMPS documentation of the command ``dump`` and its tool ``binary2txt``. A frame is the header,
then for each process the number of its values (int32) and the values (doubles), row by row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.dump_header import DumpError, Header, box_of_bounds, cut_off
from aiida_seireact.formats.dump_plan import ELEMENT, Columns, Plan

MAGIC = b"DUMPCUSTOM"
_MARK = np.array([-len(MAGIC)], dtype="<i8").tobytes() + MAGIC
_REVISION = 2


def is_binary(path: Path) -> bool:
    """Tell whether a file starts as a binary dump does."""
    with path.open("rb") as probe:
        return probe.read(len(_MARK)) == _MARK


class BinaryFrames:
    """Goes through a binary dump frame by frame: `header`, then either `atoms` or `pass_over`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._size = path.stat().st_size
        self._index = -1
        self._n_chunks = 0
        self._where = ""

    @property
    def offset(self) -> int:
        """Place in the file, bytes."""
        return self._file.tell()

    def header(self) -> Header | None:
        """Return what stands before the atoms of the next frame; None at the end.

        :raises DumpError: cut off, or of another format or byte order.
        """
        self._index += 1
        self._where = f"the header of frame {self._index}"
        if self._file.tell() == self._size:
            return None
        if self._take(len(_MARK)) != _MARK:
            raise DumpError(f"{self.path}: {self._where} is not that of a binary dump of LAMMPS since 2020.")
        endian, revision = self._numbers("<i4", 2)
        if endian != 1 or revision != _REVISION:
            raise DumpError(
                f"{self.path} is a binary dump of revision {revision}, byte order {endian}; revision {_REVISION}, byte "
                "order 1 is read: turn it into text with LAMMPS's binary2txt."
            )
        step, n_atoms = (int(number) for number in self._numbers("<i8", 2))
        self._where = f"the header of frame {self._index} (step {step})"
        triclinic = int(self._numbers("<i4", 1)[0])
        faces = self._numbers("<i4", 6).reshape(3, 2)
        if triclinic == 2:
            box = self._numbers("<f8", 12).reshape(4, 3)
            cell, origin = box[:3].copy(), box[3].copy()
        else:
            bounds = self._numbers("<f8", 6).reshape(3, 2)
            xy, xz, yz = self._numbers("<f8", 3) if triclinic else np.zeros(3)
            cell, origin = box_of_bounds(bounds[:, 0].copy(), bounds[:, 1].copy(), (float(xy), float(xz), float(yz)))
        width = int(self._numbers("<i4", 1)[0])
        self._text()  # units
        if self._take(1) != b"\0":
            self._take(8)  # time
        # Symbols are not written: a column that is called `element` holds the atom types.
        columns = tuple("type" if name == ELEMENT else name for name in self._text().split())
        self._n_chunks = int(self._numbers("<i4", 1)[0])
        if len(columns) != width or n_atoms < 0:
            raise DumpError(f"{self.path}: {self._where} names {len(columns)} columns and holds {width}.")
        return Header(step, n_atoms, cell, origin, (faces == 0).all(axis=1), columns)

    def pass_over(self, header: Header) -> None:
        """Pass over the atoms of a frame.

        :raises TruncatedDumpError: they are not all there.
        """
        self._where = f"the atoms of step {header.step}"
        for _ in range(self._n_chunks):
            stop = self._file.tell() + 4 + 8 * int(self._numbers("<i4", 1)[0])
            if stop > self._size:
                raise cut_off(self.path, self._where)
            self._file.seek(stop)

    def atoms(self, header: Header, plan: Plan) -> Columns:
        """Return the columns of the plan, each ``(n_atoms,)``.

        :raises DumpError: not as many atoms as the header says.
        :raises TruncatedDumpError: the atoms are not all there.
        """
        self._where = f"the atoms of step {header.step}"
        parts = [self._numbers("<f8", int(self._numbers("<i4", 1)[0])) for _ in range(self._n_chunks)]
        values = np.concatenate(parts) if parts else np.zeros(0)
        if len(values) != header.n_atoms * len(plan.names):
            raise DumpError(f"{self.path}: {self._where} are {len(values) / len(plan.names):g}, not {header.n_atoms}.")
        table = values.reshape(header.n_atoms, len(plan.names))
        columns: Columns = {name: table[:, plan.place(name)].astype(np.int64) for name in plan.whole}
        return columns | {name: table[:, plan.place(name)] for name in plan.real}

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _take(self, size: int) -> bytes:
        # What is not there is not asked for: a broken length must not fill the memory.
        if size < 0 or self._file.tell() + size > self._size:
            raise cut_off(self.path, self._where)
        return self._file.read(size)

    def _numbers(self, kind: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self._take(count * np.dtype(kind).itemsize), dtype=kind)

    def _text(self) -> str:
        return self._take(int(self._numbers("<i4", 1)[0])).decode(errors="replace")

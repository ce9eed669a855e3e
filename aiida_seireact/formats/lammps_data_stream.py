"""LAMMPS data files of any size, block by block; the format of `lammps_input.write_data`, in seconds for millions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.lammps import Prism
from ase.data import atomic_masses, atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.fixed_text import decimal_fields, integers, put_decimals
from aiida_seireact.formats.hashed_file import HashedStream, hashed_file

FloatArray = NDArray[np.float64]
_TYPE_WIDTH = 4


class LammpsData:
    """What a data file of style atomic says: masses, and for each atom its type and its position with 8 decimals.

    The cell is turned so that its first vector lies along x, as LAMMPS wants; a cell with other angles than 90° gets
    tilt factors (an input needs ``box tilt large`` for some).

    :param cell: ``(3, 3)``, Å; rows are lattice vectors.
    :param counts: atoms of each element.
    :param species: element of each LAMMPS type, in order; elements that don't occur are kept as types.
    :raises ValueError: an atom of another element, or a cell that is left-handed or without volume.
    """

    def __init__(self, cell: FloatArray, counts: Mapping[str, int], species: Sequence[str]) -> None:
        absent = sorted(symbol for symbol, count in counts.items() if count and symbol not in species)
        if absent:
            raise ValueError(
                f"The cell holds {', '.join(absent)}, but the types of the file are {', '.join(species)}: name each "
                "element of the cell."
            )
        if not np.linalg.det(cell) > 0:
            raise ValueError("The lattice vectors are left-handed or without volume: swap two of them.")
        self.n_atoms = sum(counts.values())
        self._species = list(species)
        self._prism = Prism(np.asarray(cell, dtype=np.float64))
        # A cell that lies as LAMMPS wants keeps its positions to the last bit.
        self._is_turned = not np.allclose(self._prism.rot_mat, np.eye(3), rtol=0.0, atol=1e-12)
        self._types = np.zeros(len(chemical_symbols), dtype=f"S{_TYPE_WIDTH}")
        for number, symbol in enumerate(species, start=1):
            self._types[atomic_numbers[symbol]] = f"{number:{_TYPE_WIDTH}d}".encode()
        self._id_width = max(6, len(str(self.n_atoms)))
        self._line = np.dtype(
            [
                ("id", f"S{self._id_width}"),
                ("type", f"S{_TYPE_WIDTH}"),
                *[field for axis in "xyz" for field in [(f"{axis}_blank", "S1"), *decimal_fields(axis)]],
                ("end", "S1"),
            ]
        )

    @property
    def n_bytes(self) -> int:
        """Size of the whole file, known before an atom is."""
        return len(self.head()) + self.n_atoms * self._line.itemsize

    def head(self) -> bytes:
        """Return all before the first atom."""
        xhi, yhi, zhi, xy, xz, yz = self._prism.get_lammps_prism()
        lines = ["(written by aiida-seireact)", "", f"{self.n_atoms} atoms", f"{len(self._species)} atom types", ""]
        lines += [f"0.0 {high:23.17g}  {axis}lo {axis}hi" for axis, high in zip("xyz", (xhi, yhi, zhi), strict=True)]
        if self._prism.is_skewed():
            lines.append(f"{xy:23.17g} {xz:23.17g} {yz:23.17g}  xy xz yz")
        lines += ["", "Masses", ""]
        for number, symbol in enumerate(self._species, start=1):
            lines.append(f"{number} {atomic_masses[atomic_numbers[symbol]]:23.17g} # {symbol}")
        return "\n".join([*lines, "", "Atoms # atomic", "", ""]).encode()

    def lines(self, first_id: int, numbers: NDArray[np.integer[Any]], positions: FloatArray) -> NDArray[Any]:
        """Return the lines of some atoms as records ``(n,)``, whose bytes are the text.

        :param first_id: id of the first of them.
        :raises ValueError: an element without a type, or a position that is not finite.
        """
        types = self._types[numbers]
        if not np.all(types != b""):
            unknown = chemical_symbols[int(numbers[np.argmax(types == b"")])]
            raise ValueError(f"An atom of {unknown} came, which is not announced: count every element of the cell.")
        text = np.zeros(len(numbers), dtype=self._line)
        text["id"] = integers(first_id, len(numbers), self._id_width)
        text["type"] = types
        turned = self._prism.vector_to_lammps(positions) if self._is_turned else positions
        for index, axis in enumerate("xyz"):
            text[f"{axis}_blank"] = b" "
            put_decimals(text, axis, turned[:, index])
        text["end"] = b"\n"
        return text


class LammpsDataWriter:
    """Writes the atoms of a data file as they come."""

    def __init__(self, stream: HashedStream, data: LammpsData) -> None:
        self._stream, self._data, self._next_id = stream, data, 1
        stream.write(data.head())

    def add(self, numbers: NDArray[np.integer[Any]], positions: FloatArray) -> None:
        """Write some atoms: atomic numbers ``(n,)``, positions ``(n, 3)`` in Å."""
        self._stream.write(self._data.lines(self._next_id, numbers, positions).data)
        self._next_id += len(numbers)


@contextmanager
def lammps_data_writer(path: str | Path, data: LammpsData) -> Iterator[tuple[LammpsDataWriter, HashedStream]]:
    """Give a writer of one data file, and its stream; the file appears when all is written.

    :raises OSError: the disk is full or the folder is not writable.
    """
    with hashed_file(path) as stream:
        yield LammpsDataWriter(stream, data), stream

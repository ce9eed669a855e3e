"""LAMMPS restart files: at which step they were written, and whether they are whole."""

from __future__ import annotations

import struct
from pathlib import Path

MAGIC = b"LammpS RestartT\0"
_LITTLE_ENDIAN = 1
# The head is a list of entries: its number, then its value, an int but for these. Numbers as in LAMMPS's lmprestart.h.
_VERSION, _UNITS, _STEP, _ENTRIES = 0, 4, 5, 100
_TEXTS = (_VERSION, _UNITS)


class RestartError(ValueError):
    """A restart file that is torn, foreign or not there; the message names it."""


def restart_step(path: str | Path) -> int:
    """Return the step of a restart file that is whole.

    LAMMPS puts the same mark at both ends and writes from front to back: a file with both has all between. A flipped
    byte in its middle is found by sha256, where one is known, else by LAMMPS itself.

    :raises RestartError: missing, torn, or not a restart file of LAMMPS.
    """
    source = Path(path)
    try:
        with source.open("rb") as stream:
            head = stream.read(512)
            size = stream.seek(0, 2)
            stream.seek(max(0, size - len(MAGIC)))
            tail = stream.read()
    except FileNotFoundError:
        raise RestartError(f"There is no restart file {source.name}.") from None
    if not head.startswith(MAGIC):
        raise RestartError(f"{source.name} is not a restart file of LAMMPS.")
    if tail != MAGIC or size < 2 * len(MAGIC):
        raise RestartError(f"{source.name} is torn: LAMMPS was killed, or the disk was full, while it was written.")
    try:
        return _step(head)
    except (struct.error, IndexError) as error:
        raise RestartError(f"{source.name} is of a LAMMPS whose restart files are not known here ({error}).") from error


def _step(head: bytes) -> int:
    place = len(MAGIC)

    def integer(code: str = "i") -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{code}", head, place)
        place += struct.calcsize(f"<{code}")
        return int(value)

    if integer() != _LITTLE_ENDIAN:
        raise IndexError("the file is big-endian")
    integer()  # revision of the format
    while (entry := integer()) != _STEP:
        if not 0 <= entry < _ENTRIES:
            raise IndexError(f"entry {entry}")
        value = integer()
        if entry in _TEXTS:
            place += value  # its length
    return integer("q")

"""A planned cell as files, in one pass over its atoms: LAMMPS data, our frames file, or both.

Memory holds a block of atoms and one byte for each; a hundred atoms or three million are written by the same lines.
"""

from __future__ import annotations

import errno
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.frames_writer import frames_writer
from aiida_seireact.formats.hashed_file import Written
from aiida_seireact.formats.lammps_data_stream import LammpsData, lammps_data_writer

LAMMPS, FRAMES = "lammps", "frames"
FORMATS = {LAMMPS: ".data", FRAMES: ".npz"}
"""What can be written, and how the names of such files end."""
# Bytes an atom of a frames file: three coordinates and a number.
_FRAMES_BYTES = 32
_SMALL_FILES = 1 << 16


class AtomBlock(Protocol):
    """Some atoms of a cell, in its order."""

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Atomic numbers, ``(n,)``."""

    @property
    def positions(self) -> NDArray[np.float64]:
        """``(n, 3)``, Å."""


class PlannedCell(Protocol):
    """A cell whose composition is known before an atom is made; `CellPlan` is one."""

    @property
    def cell(self) -> NDArray[np.float64]:
        """``(3, 3)``, Å; rows are lattice vectors."""

    @property
    def counts(self) -> Mapping[str, int]:
        """Atoms of each element."""

    def blocks(self) -> Iterable[AtomBlock]:
        """Make the atoms, in their order."""


class NoSpace(OSError):
    """The disk has no room for a cell; the message says how much it needs."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.ENOSPC, message)

    def __str__(self) -> str:
        return str(self.strerror)


def species_of(counts: Mapping[str, int]) -> list[str]:
    """Return the elements that occur, by atomic number: the order of LAMMPS types where no other is asked."""
    return sorted((symbol for symbol, count in counts.items() if count), key=atomic_numbers.__getitem__)


def describe(plan: PlannedCell, species: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, int]]:
    """Return what a cell is, and how many bytes it takes in each format, before an atom of it is made.

    :param species: element of each LAMMPS type; empty: those that occur, by atomic number.
    :returns: ``n_atoms``, ``counts``, ``cell_ang`` and ``species``; and bytes by output.
    :raises ValueError: species that lack an element of the cell, or a left-handed cell.
    """
    counts = {symbol: int(count) for symbol, count in sorted(plan.counts.items()) if count}
    types = list(species) or species_of(counts)
    data = LammpsData(plan.cell, counts, types)
    facts = {
        "n_atoms": data.n_atoms,
        "counts": counts,
        "cell_ang": np.asarray(plan.cell, dtype=np.float64).tolist(),
        "species": types,
    }
    return facts, {LAMMPS: data.n_bytes, FRAMES: data.n_atoms * _FRAMES_BYTES + _SMALL_FILES}


def write_cell(
    plan: PlannedCell,
    folder: Path,
    outputs: Sequence[str],
    *,
    name: str = "cell",
    species: Sequence[str] = (),
    config_type: str = "",
    group: str = "",
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Write a cell as ``name.data`` and ``name.npz`` into ``folder``. A file is there only if it is whole.

    :param outputs: keys of `FORMATS`.
    :param species: element of each LAMMPS type; empty: those that occur, by atomic number.
    :param config_type: of the frame, as ``group``.
    :param progress: takes a line now and then.
    :returns: ``n_atoms``, ``counts``, ``cell_ang``, ``species`` (of the LAMMPS types), ``structure_id`` (with a frames
        file) and ``files``: by output ``file``, ``sha256`` and ``bytes``.
    :raises ValueError: an unknown output, species that don't fit, a left-handed cell, or blocks that are not what the
        plan has announced.
    :raises NoSpace: the disk is too full, told before an atom is made.
    """
    unknown = [output for output in outputs if output not in FORMATS]
    if unknown or not outputs:
        raise ValueError(f"A cell is written as {' or '.join(FORMATS)}, not as {', '.join(unknown) or 'nothing'}.")
    facts, sizes = describe(plan, species)
    _refuse_full_disk(folder, sum(sizes[output] for output in outputs))
    data = LammpsData(plan.cell, facts["counts"], facts["species"])
    with ExitStack() as stack:
        streams, writers, frames = {}, [], None
        # Files that are opened first appear last: the frames file, whose end takes longest, before the other.
        if LAMMPS in outputs:
            lammps, streams[LAMMPS] = stack.enter_context(lammps_data_writer(folder / f"{name}.data", data))
            writers.append(lammps.add)
        if FRAMES in outputs:
            frames, streams[FRAMES] = stack.enter_context(
                frames_writer(folder / f"{name}.npz", plan.cell, data.n_atoms, config_type=config_type, group=group)
            )
            writers.append(frames.add)
        _all_blocks(plan, facts["counts"], writers, progress)
    files: dict[str, Written] = {output: streams[output].written() for output in FORMATS if output in streams}
    return {
        **facts,
        "structure_id": None if frames is None else frames.structure_id,
        "files": {output: written.facts() for output, written in files.items()},
    }


def _all_blocks(
    plan: PlannedCell,
    counts: Mapping[str, int],
    writers: Sequence[Callable[[NDArray[np.int64], NDArray[np.float64]], None]],
    progress: Callable[[str], None],
) -> None:
    """Give every block to every writer.

    :raises ValueError: other atoms than announced; the files are then not made.
    """
    n_atoms, done, tenth = sum(counts.values()), 0, 0
    came: Counter[str] = Counter()
    for block in plan.blocks():
        for add in writers:
            add(block.numbers, block.positions)
        for number, count in zip(*np.unique(block.numbers, return_counts=True), strict=True):
            came[chemical_symbols[int(number)]] += int(count)
        done += len(block.numbers)
        if 10 * done // n_atoms > tenth:
            tenth = 10 * done // n_atoms
            progress(f"{done:,} of {n_atoms:,} atoms written")
    if dict(came) != dict(counts):
        raise ValueError(f"The plan announced {dict(counts)}, but {dict(sorted(came.items()))} came: no file was made.")


def _refuse_full_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpace(
            f"The cell takes {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free on the disk of the working folder: "
            "make room, or write one file only."
        )

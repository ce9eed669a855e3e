"""Streaming reader of LAMMPS dumps: one frame in memory, whatever the length of the file.

Our own dumps have the columns ``id element xu yu zu``; others are read by their header.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.dump_header import DumpError, FloatArray, Header, NotFiniteError, TruncatedDumpError
from aiida_seireact.formats.dump_parts import FrameSource, open_dump
from aiida_seireact.formats.dump_plan import ELEMENT, numbers_of_types, plan_of, positions_of

__all__ = ["DumpError", "NotFiniteError", "Snapshot", "TruncatedDumpError", "read_dump", "scan_dump"]
# Ids up to this many times the number of atoms are put in order by a table, which is faster than sorting.
_SPARSE = 4


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One frame of a trajectory, atoms sorted by id.

    :param step: MD step, -1 where none is known.
    :param ids: ``(n_atoms,)``
    :param numbers: ``(n_atoms,)`` atomic numbers.
    :param positions: ``(n_atoms, 3)``, Å, in the frame of the file: not shifted by the origin.
    :param cell: ``(3, 3)``, rows are lattice vectors.
    :param origin: ``(3,)`` corner of the cell.
    :param pbc: ``(3,)``
    :param unwrapped: whether positions keep track of crossed boundaries.
    """

    step: int
    ids: NDArray[np.int64]
    numbers: NDArray[np.int64]
    positions: FloatArray
    cell: FloatArray
    origin: FloatArray
    pbc: NDArray[np.bool_]
    unwrapped: bool


def read_dump(
    path: str | Path,
    *,
    indices: Container[int] | None = None,
    types: Mapping[int, str] | None = None,
    stop_before_truncated: bool = False,
) -> Iterator[Snapshot]:
    """Yield the frames of a dump one at a time.

    :param path: text dump, plain, gzipped or zstd, or binary dump; orthogonal, triclinic or general triclinic box.
        A name with ``*`` or ``%``, as it was given to LAMMPS, stands for one file a frame or one a process.
    :param indices: frames to give, counted from 0 (a range or a set); the others are passed over unparsed.
    :param types: element symbol of each atom type, for dumps without a column ``element``.
    :param stop_before_truncated: end quietly before a last frame that is cut off.
    :raises DumpError: missing file, broken header, missing column, NaN, repeated ids; naming file and step.
    :raises TruncatedDumpError: the last frame is cut off and ``stop_before_truncated`` is not set.
    :raises ModuleNotFoundError: the dump is zstd and the package zstandard is not installed.
    """
    source = Path(path)
    with closing(open_dump(source)) as frames:
        index = 0
        try:
            while (header := frames.header()) is not None:
                if indices is None or index in indices:
                    yield _snapshot(source, header, frames, types)
                else:
                    frames.pass_over(header)
                index += 1
        except TruncatedDumpError:
            if not stop_before_truncated:
                raise


def scan_dump(path: str | Path, *, stop_before_truncated: bool = False) -> list[int]:
    """Return the step of each whole frame, without parsing atoms.

    :raises DumpError: as :func:`read_dump`, for what the headers and the number of lines tell.
    """
    steps: list[int] = []
    with closing(open_dump(Path(path))) as frames:
        try:
            while (header := frames.header()) is not None:
                frames.pass_over(header)
                steps.append(header.step)
        except TruncatedDumpError:
            if not stop_before_truncated:
                raise
    return steps


def _snapshot(path: Path, header: Header, frames: FrameSource, types: Mapping[int, str] | None) -> Snapshot:
    where = f"{path}, step {header.step}"
    plan = plan_of(header, where, by_type=types is not None)
    columns = frames.atoms(header, plan)
    numbers = columns[ELEMENT] if plan.has_symbols else numbers_of_types(columns["type"], types or {}, where)
    positions, unwrapped = positions_of(columns, plan, header)
    ids = columns["id"]
    order = _order(ids, where)
    if order is not None:
        ids, numbers, positions = ids[order], numbers[order], positions[order]
    if not (np.isfinite(positions).all() and np.isfinite(header.cell).all()):
        raise NotFiniteError(f"{where}: positions or box hold NaN or infinity, so the run broke before this step.")
    return Snapshot(
        step=header.step,
        ids=ids,
        numbers=numbers,
        positions=positions,
        cell=header.cell,
        origin=header.origin,
        pbc=header.pbc,
        unwrapped=unwrapped,
    )


def _order(ids: NDArray[np.int64], where: str) -> NDArray[np.int64] | None:
    """Return the order that sorts the ids; None if they are sorted.

    :raises DumpError: an id occurs twice.
    """
    if (ids[1:] > ids[:-1]).all():
        return None
    lowest = int(ids.min())
    width = int(ids.max()) - lowest + 1
    if width <= _SPARSE * len(ids):
        places = np.full(width, -1, dtype=np.int64)
        places[ids - lowest] = np.arange(len(ids))
        order = places[places >= 0]
        if len(order) == len(ids):
            return order
    order = np.argsort(ids, kind="stable")
    twice = np.diff(ids[order]) == 0
    if twice.any():
        raise DumpError(f"{where}: atom id {ids[order][:-1][twice][0]} occurs twice.")
    return order

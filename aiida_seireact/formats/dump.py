"""Streaming reader of LAMMPS text dumps: one frame in memory, whatever the length of the file.

Our own dumps have the columns ``id element xu yu zu``; others are read by their header.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Container, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
# Coordinates in order of preference; the flags: scaled by the cell, unwrapped.
COORDINATES = {
    ("xu", "yu", "zu"): (False, True),
    ("x", "y", "z"): (False, False),
    ("xsu", "ysu", "zsu"): (True, True),
    ("xs", "ys", "zs"): (True, False),
}
IMAGES = ("ix", "iy", "iz")


class DumpError(ValueError):
    """A dump that is cut off or can't be understood; the message names file and step."""


class TruncatedDumpError(DumpError):
    """The last frame of the dump is not whole."""


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


@dataclass(frozen=True)
class _Header:
    step: int
    n_atoms: int
    cell: FloatArray
    origin: FloatArray
    pbc: NDArray[np.bool_]
    columns: tuple[str, ...]


class _Lines:
    """Lines of a text file, plain or gzipped, that tell a cut-off file from an ended one."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise DumpError(f"There is no dump file {path}.")
        with path.open("rb") as probe:
            zipped = probe.read(2) == b"\x1f\x8b"
        self.path = path
        self.stream: TextIO = gzip.open(path, "rt") if zipped else path.open("rt")  # noqa: SIM115, closed below

    def take(self, count: int, where: str) -> list[str]:
        """Return up to ``count`` lines; fewer only at the end of the file."""
        try:
            return list(islice(self.stream, count))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise TruncatedDumpError(self.cut(where)) from error
        except UnicodeDecodeError as error:
            raise DumpError(f"{self.path} is not a LAMMPS text dump: it holds binary data.") from error

    def cut(self, where: str) -> str:
        return (
            f"{self.path} is cut off in {where}: the run was killed while it wrote. Remove the last frame, or read "
            "the dump with the option to stop before it."
        )

    def close(self) -> None:
        self.stream.close()


def read_dump(
    path: str | Path,
    *,
    indices: Container[int] | None = None,
    types: Mapping[int, str] | None = None,
    stop_before_truncated: bool = False,
) -> Iterator[Snapshot]:
    """Yield the frames of a dump one at a time.

    :param path: text dump, plain or gzipped; orthogonal, triclinic or general triclinic box.
    :param indices: frames to give, counted from 0 (a range or a set); the others are passed over unparsed.
    :param types: element symbol of each atom type, for dumps without a column ``element``.
    :param stop_before_truncated: end quietly before a last frame that is cut off.
    :raises DumpError: missing file, broken header, missing column, NaN, repeated ids; naming file and step.
    :raises TruncatedDumpError: the last frame is cut off and ``stop_before_truncated`` is not set.
    """
    source = Path(path)
    with closing(_Lines(source)) as lines:
        index = 0
        try:
            while (header := _read_header(lines, index)) is not None:
                if indices is None or index in indices:
                    yield _snapshot(source, header, _atom_lines(lines, header), types)
                else:
                    _pass_over(lines, header)
                index += 1
        except TruncatedDumpError:
            if not stop_before_truncated:
                raise


def scan_dump(path: str | Path, *, stop_before_truncated: bool = False) -> list[int]:
    """Return the step of each whole frame, without parsing atoms.

    :raises DumpError: as :func:`read_dump`, for what the headers and the number of lines tell.
    """
    steps: list[int] = []
    with closing(_Lines(Path(path))) as lines:
        try:
            while (header := _read_header(lines, len(steps))) is not None:
                _pass_over(lines, header)
                steps.append(header.step)
        except TruncatedDumpError:
            if not stop_before_truncated:
                raise
    return steps


def _read_header(lines: _Lines, index: int) -> _Header | None:
    """Read up to the atoms of the next frame; None at the end of the file."""
    step, n_atoms = -1, -1
    box: tuple[FloatArray, FloatArray, NDArray[np.bool_]] | None = None
    where = f"the header of frame {index}"
    first = True
    while True:
        found = lines.take(1, where)
        if not found and first:
            return None
        if not found or not found[0].endswith("\n"):
            raise TruncatedDumpError(lines.cut(where))
        title = found[0].strip()
        if first and not title:
            continue
        first = False
        if not title.startswith("ITEM:"):
            raise DumpError(
                f"{lines.path} is not a LAMMPS text dump: {where} holds {title[:60]!r} where an ITEM: line belongs."
            )
        item = title.removeprefix("ITEM:").strip()
        try:
            if item.startswith("ATOMS"):
                if step < 0 or n_atoms < 0 or box is None:
                    raise DumpError(f"{lines.path}: {where} lacks step, number of atoms or box.")
                return _Header(step, n_atoms, *box, columns=tuple(item.split()[1:]))
            if item.startswith("BOX BOUNDS"):
                box = _box(item, _whole(lines, 3, where))
                continue
            value = _whole(lines, 1, where)[0]
            if item == "TIMESTEP":
                step = int(value)
                where = f"the header of frame {index} (step {step})"
            elif item == "NUMBER OF ATOMS":
                n_atoms = int(value)
        except DumpError:
            raise
        except (ValueError, IndexError) as error:
            raise DumpError(f"{lines.path}: {where} is not readable ({error}).") from error


def _whole(lines: _Lines, count: int, where: str) -> list[str]:
    found = lines.take(count, where)
    if len(found) < count or not found[-1].endswith("\n"):
        raise TruncatedDumpError(lines.cut(where))
    return found


def _box(item: str, rows: list[str]) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Return cell, origin and periodicity; the bounds of a triclinic box enclose it and are undone here."""
    words = item.split()[2:]
    numbers = np.array([[float(word) for word in row.split()] for row in rows])
    periodic = np.array([word == "pp" for word in words[-3:]]) if len(words) >= 3 else np.ones(3, dtype=bool)
    if "abc" in words:
        return numbers[:, :3], numbers[:, 3], periodic
    low, high = numbers[:, 0].copy(), numbers[:, 1].copy()
    xy, xz, yz = numbers[:, 2] if numbers.shape[1] > 2 else (0.0, 0.0, 0.0)
    low[0] -= min(0.0, xy, xz, xy + xz)
    high[0] -= max(0.0, xy, xz, xy + xz)
    low[1] -= min(0.0, yz)
    high[1] -= max(0.0, yz)
    lengths = high - low
    cell = np.array([[lengths[0], 0.0, 0.0], [xy, lengths[1], 0.0], [xz, yz, lengths[2]]])
    return cell, low, periodic


def _atom_lines(lines: _Lines, header: _Header) -> list[str]:
    return _whole(lines, header.n_atoms, f"the atoms of step {header.step}")


def _pass_over(lines: _Lines, header: _Header) -> None:
    # In pieces: a frame that isn't wanted need not be held as millions of strings.
    left = header.n_atoms
    while left:
        piece = min(left, 65536)
        _whole(lines, piece, f"the atoms of step {header.step}")
        left -= piece


def _snapshot(path: Path, header: _Header, rows: list[str], types: Mapping[int, str] | None) -> Snapshot:
    where = f"{path}, step {header.step}"
    names = {name: column for column, name in enumerate(header.columns)}
    tokens = " ".join(rows).split()
    if len(tokens) != header.n_atoms * len(names):
        wrong = next((row for row in rows if len(row.split()) != len(names)), "")
        if wrong is rows[-1]:
            raise TruncatedDumpError(
                f"{path} is cut off in the atoms of step {header.step}: its last line has "
                f"{len(wrong.split())} of {len(names)} columns."
            )
        raise DumpError(f"{where}: a line does not have {len(names)} columns: {wrong.strip()[:80]!r}.")
    table = np.array(tokens).reshape(header.n_atoms, len(names))
    try:
        ids = _column(table, names, "id", where).astype(np.int64)
        numbers = _elements(table, names, types, where)
        positions, unwrapped = _positions(table, names, header, where)
    except DumpError:
        raise
    except ValueError as error:
        raise DumpError(f"{where}: a value is not a number ({error}).") from error
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if (np.diff(ids) == 0).any():
        raise DumpError(f"{where}: atom id {ids[:-1][np.diff(ids) == 0][0]} occurs twice.")
    if not (np.isfinite(positions).all() and np.isfinite(header.cell).all()):
        raise DumpError(f"{where}: positions or box hold NaN or infinity, so the run broke before this step.")
    return Snapshot(
        step=header.step,
        ids=ids,
        numbers=numbers[order],
        positions=positions[order],
        cell=header.cell,
        origin=header.origin,
        pbc=header.pbc,
        unwrapped=unwrapped,
    )


def _column(table: NDArray[Any], names: Mapping[str, int], name: str, where: str) -> NDArray[Any]:
    if name not in names:
        raise DumpError(
            f"{where}: the dump has no column {name!r}, only {' '.join(names)}: "
            "write it with 'dump ... custom N file id element xu yu zu'."
        )
    return np.asarray(table[:, names[name]])


def _elements(
    table: NDArray[Any], names: Mapping[str, int], types: Mapping[int, str] | None, where: str
) -> NDArray[np.int64]:
    if "element" not in names and types is not None:
        kinds = _column(table, names, "type", where).astype(np.int64)
        given, inverse = np.unique(kinds, return_inverse=True)
        missing = [int(kind) for kind in given if int(kind) not in types]
        if missing:
            raise DumpError(f"{where}: atom type {missing[0]} has no element among the types given.")
        symbols = np.array([types[int(kind)] for kind in given])
    else:
        symbols, inverse = np.unique(_column(table, names, "element", where), return_inverse=True)
    unknown = [str(symbol) for symbol in symbols if str(symbol) not in atomic_numbers]
    if unknown:
        raise DumpError(f"{where}: {unknown[0]!r} is no element symbol: set the names by 'dump_modify ... element'.")
    return np.array([atomic_numbers[str(symbol)] for symbol in symbols], dtype=np.int64)[np.ravel(inverse)]


def _positions(table: NDArray[Any], names: Mapping[str, int], header: _Header, where: str) -> tuple[FloatArray, bool]:
    for wanted, (scaled, unwrapped) in COORDINATES.items():
        if all(name in names for name in wanted):
            places = table[:, [names[name] for name in wanted]].astype(np.float64)
            if scaled:
                places = places @ header.cell + header.origin
            if not unwrapped and all(name in names for name in IMAGES):
                images = table[:, [names[name] for name in IMAGES]].astype(np.float64)
                return places + images @ header.cell, True
            return places, unwrapped
    raise DumpError(f"{where}: the dump has no coordinates (xu yu zu, x y z, xsu … or xs …), only {' '.join(names)}.")

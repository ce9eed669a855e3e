"""What stands before the atoms of a frame of a LAMMPS dump, and what is wrong with a dump in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.dump_bytes import ByteLines, CutStreamError

FloatArray = NDArray[np.float64]


class DumpError(ValueError):
    """A dump that is cut off or can't be understood; the message names file and step."""


class TruncatedDumpError(DumpError):
    """The last frame of the dump is not whole."""


class NotFiniteError(DumpError):
    """Positions or box of a frame hold NaN or infinity."""


class ForeignFileError(DumpError):
    """No text dump of LAMMPS at all."""


@dataclass(frozen=True)
class Header:
    """Step, number of atoms, box and columns of one frame.

    :param cell: ``(3, 3)``, rows are lattice vectors.
    :param origin: ``(3,)`` corner of the cell.
    :param pbc: ``(3,)``
    """

    step: int
    n_atoms: int
    cell: FloatArray
    origin: FloatArray
    pbc: NDArray[np.bool_]
    columns: tuple[str, ...]


def cut_off(path: Path, where: str) -> TruncatedDumpError:
    """Return the complaint about a dump that ends in the middle of a frame."""
    return TruncatedDumpError(
        f"{path} is cut off in {where}: the run was killed while it wrote. Remove the last frame, or read "
        "the dump with the option to stop before it."
    )


def read_header(lines: ByteLines, index: int) -> Header | None:
    """Read up to the atoms of the next frame, frame ``index``; None at the end of the file.

    :raises DumpError: cut off, not a text dump, or lacking something.
    """
    step, n_atoms = -1, -1
    box: tuple[FloatArray, FloatArray, NDArray[np.bool_]] | None = None
    where = f"the header of frame {index}"
    first = True
    while True:
        title = _line(lines, where)
        if not title and first:
            return None
        if not title.endswith("\n"):
            raise cut_off(lines.path, where)
        title = title.strip()
        if first and not title:
            continue
        first = False
        if not title.startswith("ITEM:"):
            raise ForeignFileError(
                f"{lines.path} is not a LAMMPS text dump: {where} holds {title[:60]!r} where an ITEM: line belongs."
            )
        item = title.removeprefix("ITEM:").strip()
        try:
            if item.startswith("ATOMS"):
                if step < 0 or n_atoms < 0 or box is None:
                    raise DumpError(f"{lines.path}: {where} lacks step, number of atoms or box.")
                return Header(step, n_atoms, *box, columns=tuple(item.split()[1:]))
            if item.startswith("BOX BOUNDS"):
                box = _box(item, [_whole(lines, where) for _ in range(3)])
                continue
            value = _whole(lines, where)
            if item == "TIMESTEP":
                step = int(value)
                where = f"the header of frame {index} (step {step})"
            elif item == "NUMBER OF ATOMS":
                n_atoms = int(value)
        except DumpError:
            raise
        except (ValueError, IndexError) as error:
            raise DumpError(f"{lines.path}: {where} is not readable ({error}).") from error


def box_of_bounds(
    low: FloatArray, high: FloatArray, tilts: tuple[float, float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return cell and origin; the bounds of a triclinic box enclose it, and that is undone here.

    Source: LAMMPS documentation, "Triclinic (non-orthogonal) simulation boxes", output of bounding boxes.

    :param low: ``(3,)``; changed.
    :param high: ``(3,)``; changed.
    :param tilts: xy, xz, yz.
    """
    xy, xz, yz = tilts
    low[0] -= min(0.0, xy, xz, xy + xz)
    high[0] -= max(0.0, xy, xz, xy + xz)
    low[1] -= min(0.0, yz)
    high[1] -= max(0.0, yz)
    lengths = high - low
    return np.array([[lengths[0], 0.0, 0.0], [xy, lengths[1], 0.0], [xz, yz, lengths[2]]]), low


def _line(lines: ByteLines, where: str) -> str:
    try:
        return lines.line().decode()
    except CutStreamError as error:
        raise cut_off(lines.path, where) from error
    except UnicodeDecodeError as error:
        raise ForeignFileError(f"{lines.path} is not a LAMMPS text dump: it holds binary data.") from error


def _whole(lines: ByteLines, where: str) -> str:
    text = _line(lines, where)
    if not text.endswith("\n"):
        raise cut_off(lines.path, where)
    return text


def _box(item: str, rows: list[str]) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    words = item.split()[2:]
    numbers = np.array([[float(word) for word in row.split()] for row in rows])
    periodic = np.array([word == "pp" for word in words[-3:]]) if len(words) >= 3 else np.ones(3, dtype=bool)
    if "abc" in words:
        return numbers[:, :3], numbers[:, 3], periodic
    tilts = (float(numbers[0, 2]), float(numbers[1, 2]), float(numbers[2, 2])) if numbers.shape[1] > 2 else (0.0,) * 3
    return *box_of_bounds(numbers[:, 0].copy(), numbers[:, 1].copy(), tilts), periodic

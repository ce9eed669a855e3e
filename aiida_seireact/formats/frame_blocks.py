"""Frames files in blocks: a file of any size, and some thousand atoms of it in memory at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.frames import Frames, FramesError

MOST_ATOMS = 50_000
BY_ATOM = ("positions", "numbers", "forces")


def frame_blocks(path: Path, most_atoms: int = MOST_ATOMS) -> Iterator[Frames]:
    """Yield the frames of a file in order, in blocks of about ``most_atoms`` atoms, at least one frame each.

    Of an ``.npz`` a block at a time is in memory; extended XYZ is read as a whole.

    :raises FramesError: missing, truncated or foreign file.
    """
    if path.suffix in (".extxyz", ".xyz"):
        frames = Frames.from_extxyz(path)
        for first, last in _cuts(frames.offsets, most_atoms):
            yield frames.select(np.arange(first, last))
        return
    try:
        yield from _blocks_of_archive(path, most_atoms)
    except FileNotFoundError:
        raise FramesError(f"There is no frames file {path}.") from None
    except FramesError:
        raise
    except Exception as error:  # zipfile, numpy and zlib each have their own
        raise FramesError(f"{path} is not a whole frames file ({error}): write it again.") from error


class _Column:
    """One array of an archive, read row by row from its start."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self._stream, self._path = stream, path
        npy = cast(Any, np.lib.format)
        read = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
        self.shape, by_column, self._dtype = read(stream)
        if self._dtype.hasobject or (by_column and len(self.shape) > 1):
            raise ValueError(f"{path} is not stored row by row")

    def read(self, count: int) -> NDArray[Any]:
        """Return the next ``count`` rows."""
        shape = (count, *self.shape[1:])
        n_bytes = int(np.prod(shape)) * self._dtype.itemsize
        content = self._stream.read(n_bytes)
        if len(content) < n_bytes:
            raise ValueError(f"{self._path} ends early")
        return np.frombuffer(content, dtype=self._dtype).reshape(shape)


def _blocks_of_archive(path: Path, most_atoms: int) -> Iterator[Frames]:
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        names = {name.removesuffix(".npy") for name in archive.namelist()}
        if unknown := sorted(names - {item.name for item in fields(Frames)}):
            raise ValueError(f"unknown is {unknown[0]!r}")
        whole = {}
        for name in ("offsets", *(["settings_hash"] if "settings_hash" in names else [])):
            with archive.open(f"{name}.npy") as stream:
                whole[name] = cast(Any, np.lib.format).read_array(stream, allow_pickle=False)
        columns = {
            name: _Column(stack.enter_context(archive.open(f"{name}.npy")), name) for name in sorted(names - set(whole))
        }
        offsets = whole["offsets"]
        for first, last in _cuts(offsets, most_atoms):
            n_atoms = int(offsets[last] - offsets[first])
            rows = {name: column.read(n_atoms if name in BY_ATOM else last - first) for name, column in columns.items()}
            block: dict[str, Any] = {**rows, "offsets": offsets[first : last + 1] - offsets[first]}
            yield Frames(**block, settings_hash=str(whole.get("settings_hash", "")))


def _cuts(offsets: NDArray[np.int64], most_atoms: int) -> Iterator[tuple[int, int]]:
    """Yield first frame and end of each block."""
    first, n_frames = 0, len(offsets) - 1
    while first < n_frames:
        last = int(np.searchsorted(offsets, offsets[first] + most_atoms, side="right")) - 1
        yield first, (first := max(last, first + 1))

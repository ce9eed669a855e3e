"""Arrays that don't fit in memory together: written once, read back in any order, gone with the process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.sketches import FloatArray, Rows


class Scratch:
    """A file without a name in ``folder``: whoever is killed leaves nothing.

    :param folder: where there is room; None for the temporary folder of the machine.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        self._end = 0

    def put(self, array: FloatArray) -> int:
        """Append an array; return where it lies."""
        place = self._end
        self._end += self._file.write(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        return place

    def rows(self, places: NDArray[np.int64], shape: tuple[int, ...]) -> Rows:
        """Return a function that gives arrays of one shape, ``(n, *shape)``, by their index in ``places``."""
        self._file.flush()
        n_bytes = int(np.prod(shape)) * 8

        def read(indices: NDArray[np.int64]) -> FloatArray:
            # Read, not mapped: pages of a map count as memory of this process.
            content = b"".join(os.pread(self._file.fileno(), n_bytes, place) for place in places[indices].tolist())
            return np.frombuffer(content, dtype=np.float64).reshape(len(indices), *shape)

        return read

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

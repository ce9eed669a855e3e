"""Paths of atoms as they come from a disk: a block of atoms at a time, all frames of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
PathBlocks = Iterable[tuple[IntArray, NDArray[Any]]]
"""Indices of atoms and their displacements from the first frame, Å, ``(n_frames, n_atoms_of_block, 3)``, unwrapped.

What takes such blocks iterates over them once and holds one at a time.
"""


class InMemory:
    """Blocks of atoms of an array that is held whole, as often as asked.

    :param positions: unwrapped, ``(n_frames, n_atoms, 3)`` Å.
    :param size: atoms of a block.
    :raises ValueError: no frame, no atom or another shape.
    """

    def __init__(self, positions: ArrayLike, size: int = 512) -> None:
        self.positions = np.asarray(positions)
        self.size = size
        if self.positions.ndim != 3 or self.positions.shape[2] != 3 or 0 in self.positions.shape:
            raise ValueError(f"Positions have shape {self.positions.shape}, expected (n_frames, n_atoms, 3).")

    def __iter__(self) -> Iterator[tuple[IntArray, NDArray[Any]]]:
        n_atoms = self.positions.shape[1]
        for start in range(0, n_atoms, self.size):
            atoms = np.arange(start, min(start + self.size, n_atoms), dtype=np.int64)
            yield atoms, self.positions[:, atoms]


def even_interval(times: ArrayLike) -> float:
    """Return the interval of evenly spaced frames.

    :param times: ``(n_frames,)``, steps or ps.
    :raises ValueError: fewer than two, or unevenly spaced; the message says where and what to set.
    """
    at = np.asarray(times, dtype=np.float64)
    if len(at) < 2:
        raise ValueError(f"{len(at)} frame has no interval: time correlations need two frames or more.")
    intervals = np.diff(at)
    uneven = np.abs(intervals - intervals[0]) > 1e-6 * abs(intervals[0])
    if intervals[0] <= 0 or uneven.any():
        first = int(np.argmax(uneven)) if intervals[0] > 0 else 0
        raise ValueError(
            f"the frames are not equally spaced: {at[first]:g} is followed by {at[first + 1]:g}, the first interval is "
            f"{intervals[0]:g}. Set trajectory.skip_first and trajectory.stride so that they are."
        )
    return float(intervals.mean())

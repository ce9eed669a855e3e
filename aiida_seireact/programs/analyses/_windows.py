"""Profiles along z with time: frames are summed in windows, so that a long run takes no more room than a short one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.programs.analyses._protocol import IntArray, Run
from aiida_seireact.science import analysis

FloatArray = NDArray[np.float64]


class Windows:
    """Counts by kind and slab along z, summed over windows of equally many frames.

    :param n_kinds: kinds that are counted.
    :param bin_width_ang: thickness of a slab in the first frame; the slabs move with the cell.
    :param n_times: windows, at most.
    """

    def __init__(self, run: Run, n_kinds: int, *, bin_width_ang: float, n_times: int) -> None:
        self.height = analysis.height_along_z(run.first.cell)
        self.n_bins = max(1, round(self.height / bin_width_ang))
        self._n_kinds, self._n_frames = n_kinds, run.n_frames
        self._n_windows = min(n_times, run.n_frames)
        self._counts: dict[int, NDArray[np.int64]] = {}
        self._frames: dict[int, int] = {}
        self._heights: dict[int, float] = {}

    def add(self, number: int, fractions: ArrayLike, kinds: ArrayLike, *, height: float = 0.0) -> NDArray[np.int64]:
        """Count a frame: place along z in [0, 1) and kind of each; return its counts ``(n_kinds, n_bins)``."""
        profile = analysis.profile_along_z(fractions, kinds, self._n_kinds, self.n_bins)
        window = number * self._n_windows // self._n_frames
        self._counts[window] = self._counts[window] + profile if window in self._counts else profile
        self._frames[window] = self._frames.get(window, 0) + 1
        self._heights[window] = self._heights.get(window, 0.0) + height
        return profile

    def merge(self, later: Windows) -> None:
        """Add the counts of later frames."""
        for window, counts in later._counts.items():
            self._counts[window] = self._counts.get(window, 0) + counts
            self._frames[window] = self._frames.get(window, 0) + later._frames[window]
            self._heights[window] = self._heights.get(window, 0.0) + later._heights[window]

    def means(self) -> FloatArray:
        """Return the mean counts of a frame, ``(n_windows, n_kinds, n_bins)``, of the windows with a frame."""
        return np.array([self._counts[window] / self._frames[window] for window in sorted(self._counts)])

    def heights(self) -> FloatArray:
        """Return the mean of the heights that were given with the frames, ``(n_windows,)``, Å."""
        return np.array([self._heights[window] / self._frames[window] for window in sorted(self._counts)])

    def steps(self, run: Run) -> IntArray:
        """Return the step of the first frame of each window, ``(n_windows,)``."""
        first = [-(-window * self._n_frames // self._n_windows) for window in sorted(self._counts)]
        return np.asarray(run.steps[first])

    def arrays(self, run: Run, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the windows' steps and the middles of the slabs in the first frame, Å."""
        return {
            f"{prefix}_steps": self.steps(run),
            f"{prefix}_z_ang": (np.arange(self.n_bins) + 0.5) * self.height / self.n_bins,
        }

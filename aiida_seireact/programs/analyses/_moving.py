"""What the analyses of moving atoms share: their element, their times, and what an atom was when a window began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.path_store import PathStore
from aiida_seireact.programs.analyses._protocol import Arrays, IntArray, LabelRow, Observer, Run, Settings
from aiida_seireact.science.transport.membership import NOWHERE

DIRECTIONS = {"all": (0, 1, 2), "xy": (0, 1), "z": (2,)}


class Moving(Observer[Settings]):
    """An analysis of the paths that the pass keeps; it looks at no frame by itself.

    :raises InvalidInput: no timestep.
    """

    name = "msd"

    def __init__(self, settings: Settings, run: Run) -> None:
        super().__init__(settings, run)
        if run.timestep_fs is None:
            raise InvalidInput(f"{self.name}: needs timestep_fs, the time of one MD step.")
        self._arrays: Arrays | None = None
        self._summary: dict[str, Any] = {}

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        """The paths are kept for all analyses."""

    def merge(self, later: Self) -> None:
        """The paths are kept for all analyses."""

    def arrays(self) -> Arrays:
        if self._arrays is None:
            try:
                self._arrays, self._summary = self.work_out()
            except ValueError as error:
                raise InvalidInput(f"{self.name}: {error}") from error
        return self._arrays

    def summary(self) -> dict[str, Any]:
        self.arrays()
        return {self.name: self._summary}

    def work_out(self) -> tuple[Arrays, dict[str, Any]]:
        """Return what goes to analysis.npz, and what to the result.

        :raises ValueError: what the run is too short for; becomes the sentence of InvalidInput.
        """
        raise NotImplementedError

    @property
    def paths(self) -> PathStore:
        """Paths of all atoms."""
        assert self.run.paths is not None  # Needs(paths=True)
        return self.run.paths

    @property
    def interval_ps(self) -> float:
        """Time between two frames whose positions are kept.

        :raises ValueError: fewer than two.
        """
        kept = self.run.steps[self.run.path_frames]
        if len(kept) < 2:
            raise ValueError("one frame has no interval: time correlations need two or more")
        assert self.run.timestep_fs is not None
        return float(kept[1] - kept[0]) * self.run.timestep_fs * 1e-3

    def symbols(self, chosen: Sequence[str] | None) -> list[str]:
        """Return the elements that are followed.

        :raises InvalidInput: one that is not there.
        """
        present = [chemical_symbols[number] for number in self.run.species]
        if missing := [symbol for symbol in chosen or () if symbol not in present]:
            raise InvalidInput(f"{self.name}: the trajectory holds no {missing[0]}, only {', '.join(present)}.")
        return list(chosen or present)

    def kinds(self, symbols: Sequence[str]) -> IntArray:
        """Return for each atom the place of its element among `symbols`, −1 for others."""
        place = np.full(120, NOWHERE, dtype=np.int64)
        place[[atomic_numbers[symbol] for symbol in symbols]] = np.arange(len(symbols))
        return np.asarray(place[self.run.first.numbers], dtype=np.int64)

    def origins(self, at_ps: Sequence[float] | None, length: int) -> IntArray:
        """Return the kept frames that windows begin at.

        :param at_ps: from the first frame; None: one window after the other.
        :raises ValueError: no time, or a window that ends after the run.
        """
        if at_ps is not None and not at_ps:
            raise ValueError("at_ps is empty: give times, or null for windows in a row")
        last = self.paths.n_frames - 1 - length
        if length < 1 or last < 0:
            raise ValueError(
                f"a window of {length * self.interval_ps:g} ps is longer than the run of "
                f"{(self.paths.n_frames - 1) * self.interval_ps:g} ps or shorter than its frames are apart, "
                f"{self.interval_ps:g} ps"
            )
        if at_ps is None:
            return np.arange(0, last + 1, length)
        found: IntArray = np.round(np.array(at_ps) / self.interval_ps).astype(np.int64)
        late = [time for time, frame in zip(at_ps, found.tolist(), strict=True) if not 0 <= frame <= last]
        if late:
            raise ValueError(
                f"a window from {late[0]:g} ps on ends after the run of "
                f"{(self.paths.n_frames - 1) * self.interval_ps:g} ps"
            )
        return found

    def frames_of(self, length_ps: float) -> int:
        """Return a time in kept frames."""
        return round(length_ps / self.interval_ps)

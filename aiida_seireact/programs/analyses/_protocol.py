"""What every analysis of a run is: an observer that is shown frames, and is joined with one that saw later frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.path_store import PathStore

Arrays = dict[str, NDArray[Any]]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Needs:
    """What an analysis asks of a run; the program refuses runs that lack it before it reads them through.

    :param unwrapped: positions that keep track of crossed boundaries.
    :param labels: labels of the environments.
    :param even: frames evenly spaced in time.
    :param thermo: the thermo table.
    :param paths: the paths of all atoms after the pass, see :class:`Run`; implies unwrapped and even.
    """

    unwrapped: bool = False
    labels: bool = False
    even: bool = False
    thermo: bool = False
    paths: bool = False


@dataclass(frozen=True, eq=False)
class LabelRow:
    """Labels of the environments of one frame.

    :param centres: ``(n_centres,)`` index of the atom at each centre.
    :param labels: ``(n_centres,)`` index into ``names``; 0 is unknown.
    """

    centres: IntArray
    labels: NDArray[np.int8]
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Run:
    """What is known of a run before its frames are gone through.

    :param steps: ``(n_frames,)`` MD step of each frame.
    :param first: its first frame; all frames hold the same atoms.
    :param timestep_fs: None where nobody told.
    :param label_names: None without labels.
    :param paths: where the unwrapped paths are kept, if any analysis needs them, in lengths of the first frame's cell;
        readable in ``arrays`` and ``summary``, when the pass is over.
    :param thermo: columns ``(n_rows,)`` of the thermo table by LAMMPS's words, ``step`` among them; None without.
    :param path_frames: ``(paths.n_frames,)`` number of each frame whose positions are kept, evenly spaced.
    """

    steps: IntArray
    first: Snapshot
    timestep_fs: float | None = None
    label_names: tuple[str, ...] | None = None
    thermo: Mapping[str, NDArray[np.float64]] | None = None
    paths: PathStore | None = None
    path_frames: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.steps)

    @property
    def species(self) -> list[int]:
        """Atomic numbers that are there, in order."""
        return [int(number) for number in np.unique(self.first.numbers)]


Settings = TypeVar("Settings")


class Observer(ABC, Generic[Settings]):
    """One analysis. What it is made of must be small, whatever the number of atoms.

    The frames are shown in blocks, each to an observer of its own, maybe in another process; the blocks are merged in
    their order. The blocks are the same for any number of processes, so are the results, bit for bit.

    :raises InvalidInput: from ``__init__`` for what the run lacks, from ``add`` for what a frame lacks.
    """

    def __init__(self, settings: Settings, run: Run) -> None:
        self.settings, self.run = settings, run

    @classmethod
    def needs(cls, settings: Settings) -> Needs:
        """Return what it asks of a run."""
        return Needs()

    @abstractmethod
    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        """Look at the frame ``number`` of the run; ``labels`` is None for a frame without."""

    @abstractmethod
    def merge(self, later: Self) -> None:
        """Take in what an observer of the frames right after its own has seen."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """Return what goes to analysis.npz, all frames seen."""

    def summary(self) -> dict[str, Any]:
        """Return what goes to the result, all frames seen: few numbers, with units in their names."""
        return {}

    def times(self, steps: IntArray) -> NDArray[np.float64] | None:
        """Return steps as times in ps; None where nobody told the timestep."""
        return None if self.run.timestep_fs is None else steps * self.run.timestep_fs * 1e-3

    def __getstate__(self) -> dict[str, Any]:
        # The other side knows the run; the observer it is merged into keeps its own.
        return {name: value for name, value in self.__dict__.items() if name != "run"}


class Series(Observer[Settings]):
    """An analysis whose result is a row of numbers for each frame it looked at."""

    every = 1
    """Frames between two that it looks at."""

    def __init__(self, settings: Settings, run: Run) -> None:
        super().__init__(settings, run)
        self.frames: list[int] = []
        self.columns: dict[str, list[Any]] = {}

    @abstractmethod
    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any] | None:
        """Return a value for each column, the same columns for each frame; None to pass over the frame."""

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        if number % self.every:
            return
        found = self.measure(number, frame, labels)
        if found is None:
            return
        self.frames.append(number)
        for name, value in found.items():
            self.columns.setdefault(name, []).append(value)

    def merge(self, later: Self) -> None:
        self.frames += later.frames
        for name, values in later.columns.items():
            self.columns.setdefault(name, []).extend(values)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column, one row a frame that was looked at."""
        return np.array(self.columns.get(name, []))

    @property
    def steps(self) -> IntArray:
        """MD steps of the frames that were looked at."""
        return self.run.steps[self.frames]

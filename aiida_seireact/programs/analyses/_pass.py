"""One pass over a run for all analyses, by one process or several: the same result bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.dump import DumpError, Snapshot
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.frames import FramesError
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage, ProgramFailed
from aiida_seireact.programs._workers import WorkerDied, Workers
from aiida_seireact.programs.analyses._labels import LabelRows
from aiida_seireact.programs.analyses._protocol import LabelRow, Observer, Run

Observers = dict[str, Observer[Any]]
Progress = Callable[[str], None]
# Sums of floats depend on their order: blocks are cut alike for any number of processes and merged in order.
BLOCK = 16
_TOLD = 100  # lines of progress of a run, about
_PIECES = 2  # tasks a process: each passes over the frames before its own
_OURS = (InvalidInput, MissingPackage, ProgramFailed, DumpError, FramesError, PhasesError)


@dataclass(frozen=True, eq=False)
class Pass:
    """A run and who looks at it.

    :param kinds: class and settings of each analysis by its name.
    """

    stream: FrameStream
    run: Run
    labels: LabelRows | None
    kinds: Mapping[str, tuple[type[Observer[Any]], Any]]

    def observers(self) -> Observers:
        """Return one new observer of each kind."""
        return {name: kind(settings, self.run) for name, (kind, settings) in self.kinds.items()}

    def blocks(self, part: range, progress: Progress) -> Iterator[Observers]:
        """Show the frames of ``part``, whole blocks, and yield the observers of each block."""
        told = max(1, self.run.n_frames // _TOLD)
        shown = self.observers()
        with closing(self._frames(part)) as frames:
            for number, frame in zip(part, frames, strict=True):
                self._show(number, frame, shown)
                if number % told == 0 or number == self.run.n_frames - 1:
                    progress(f"frame {number + 1} of {self.run.n_frames}, step {frame.step}")
                if number % BLOCK == BLOCK - 1 or number == part[-1]:
                    yield shown
                    shown = self.observers()

    def _frames(self, part: range) -> Generator[Snapshot, None, None]:
        """Read the frames of ``part`` and not a line behind them."""
        for _, frame in zip(part, self.stream.at(part), strict=False):
            yield frame

    def _show(self, number: int, frame: Snapshot, observers: Observers) -> None:
        run = self.run
        if not (np.array_equal(run.first.ids, frame.ids) and np.array_equal(run.first.numbers, frame.numbers)):
            raise InvalidInput(
                f"trajectory, step {frame.step}: the atoms are not those of the first frame; analyse runs of other "
                "cells apart."
            )
        if not frame.pbc.all() or abs(np.linalg.det(frame.cell)) < 1e-3:
            raise InvalidInput(
                f"trajectory, step {frame.step}: the cell is not periodic in all directions, which volume, holes and "
                "distributions need."
            )
        row = None if self.labels is None else self.labels.at(frame.step, frame.ids)
        if run.paths is not None:
            self._keep(number, frame, row)
        for observer in observers.values():
            observer.add(number, frame, row)

    def _keep(self, number: int, frame: Snapshot, row: LabelRow | None) -> None:
        place = int(np.searchsorted(self.run.path_frames, number))
        if place == len(self.run.path_frames) or self.run.path_frames[place] != number:
            return
        if not frame.unwrapped:
            raise InvalidInput(
                f"trajectory, step {frame.step}: the positions are wrapped into the cell, the frames before were not."
            )
        shown = None
        if row is not None:
            shown = np.full(len(frame.ids), -1, dtype=np.int8)
            shown[row.centres] = row.labels
        assert self.run.paths is not None
        self.run.paths.put(place, frame.positions, frame.cell, frame.origin, shown)


def go_through(whole: Pass, workers: int, progress: Progress) -> Observers:
    """Show all frames and return the observers that know them all.

    :raises InvalidInput: a frame that an analysis can't take.
    :raises ProgramFailed: a process died.
    """
    total = whole.observers()
    n_frames = whole.run.n_frames
    if workers == 1 or n_frames <= BLOCK:
        _merge(total, whole.blocks(range(n_frames), progress))
        return total
    tasks = _tasks(n_frames, workers)
    waiting: dict[int, Sequence[Observers]] = {}
    following = 0
    with Workers[None, range, Any](lambda: (None, lambda part: _work(whole, part)), min(workers, len(tasks))) as pool:
        for number, found in pool.results(tasks):
            if isinstance(found, WorkerDied):
                raise ProgramFailed(
                    f"frames {tasks[number][0]} to {tasks[number][-1]} could not be analysed, twice: {found}. Its "
                    "messages are in the standard error of this job; use fewer workers if it was memory."
                )
            if isinstance(found, Exception):
                raise found
            part = tasks[number]
            progress(f"frames {part[0] + 1} to {part[-1] + 1} of {n_frames}, to step {whole.run.steps[part[-1]]}")
            waiting[number] = found
            while following in waiting:
                _merge(total, waiting.pop(following))
                following += 1
    return total


def _tasks(n_frames: int, workers: int) -> list[range]:
    """Cut a run into ranges of whole blocks, nearly equal."""
    n_blocks = -(-n_frames // BLOCK)
    cuts = np.unique(np.linspace(0, n_blocks, min(n_blocks, _PIECES * workers) + 1).round().astype(int)) * BLOCK
    return [range(int(a), min(int(b), n_frames)) for a, b in pairwise(cuts)]


def _work(whole: Pass, part: range) -> list[Observers] | Exception:
    try:
        return list(whole.blocks(part, lambda line: None))
    except _OURS as error:
        return error


def _merge(total: Observers, blocks: Iterator[Observers] | Sequence[Observers]) -> None:
    for block in blocks:
        for name, observer in block.items():
            total[name].merge(observer)

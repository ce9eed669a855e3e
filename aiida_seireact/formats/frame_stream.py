"""Frames of several files, one at a time: dumps of LAMMPS and our own frames files alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aiida_seireact.formats.dump import DumpError, Snapshot, read_dump, scan_dump
from aiida_seireact.formats.frames import Frames


@dataclass(frozen=True)
class _Part:
    path: Path
    indices: tuple[int, ...]
    steps: tuple[int, ...]


class FrameStream:
    """The frames chosen from a list of files; can be gone through several times, with one frame in memory.

    :param files: dumps, or frames files (``.npz``).
    :param skip_first: frames left out at the start: of the whole run, or of each file.
    :param stride: every how manieth frame after those.
    :param one_run: the files are chunks of one run. A chunk that starts with the step the chunk before ended with
        (as LAMMPS writes it after a restart) does not give it twice. Else each file is a run of its own.
    :param stop_before_truncated: end a dump before a last frame that is cut off.
    :raises DumpError: unreadable file, chunks in the wrong order, or nothing left to read.
    :raises FramesError: unreadable frames file.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        skip_first: int = 0,
        stride: int = 1,
        one_run: bool = True,
        stop_before_truncated: bool = False,
    ) -> None:
        self._stop = stop_before_truncated
        self._parts: list[_Part] = []
        last_step, place = -1, 0
        for path in files:
            steps = self._steps_of(path)
            if not one_run:
                last_step, place = -1, 0
            chosen = []
            for index, step in enumerate(steps):
                if one_run and step == last_step:
                    continue
                if one_run and step < last_step:
                    raise DumpError(
                        f"{path} goes back from step {last_step} to {step}: give the files of a run in their order, "
                        "and files of other runs apart."
                    )
                last_step = step
                if place >= skip_first and (place - skip_first) % stride == 0:
                    chosen.append(index)
                place += 1
            self._parts.append(_Part(path, tuple(chosen), tuple(steps[index] for index in chosen)))
        if not len(self):
            names = ", ".join(str(path) for path in files)
            raise DumpError(
                f"No frame is left of {names} with skip_first {skip_first} and stride {stride}: read more frames."
            )

    def __len__(self) -> int:
        return sum(len(part.indices) for part in self._parts)

    @property
    def steps(self) -> list[int]:
        """MD step of each frame; for frames without one, its place in the file."""
        return [step for part in self._parts for step in part.steps]

    def __iter__(self) -> Iterator[Snapshot]:
        yield from self._read(self._parts)

    def at(self, places: Collection[int]) -> Iterator[Snapshot]:
        """Yield the frames at some places of the stream, in their order; the others are not read.

        :raises IndexError: no such place.
        """
        wanted = set(places)
        if wrong := sorted(place for place in wanted if not 0 <= place < len(self)):
            raise IndexError(f"There is no frame {wrong[0]}: the stream has {len(self)} frames, from 0.")
        chosen, first = [], 0
        for part in self._parts:
            kept = [number for number in range(len(part.indices)) if first + number in wanted]
            chosen.append(_Part(part.path, tuple(part.indices[n] for n in kept), tuple(part.steps[n] for n in kept)))
            first += len(part.indices)
        yield from self._read(chosen)

    def _read(self, parts: Sequence[_Part]) -> Iterator[Snapshot]:
        for part in parts:
            if not part.indices:
                continue
            if _is_frames_file(part.path):
                yield from _snapshots_of(Frames.load(part.path), part)
            else:
                wanted = set(part.indices)
                yield from read_dump(part.path, indices=wanted, stop_before_truncated=self._stop)

    def _steps_of(self, path: Path) -> list[int]:
        if not _is_frames_file(path):
            return scan_dump(path, stop_before_truncated=self._stop)
        steps = Frames.load(path).md_step.tolist()
        return list(range(len(steps))) if min(steps) < 0 else steps


def _is_frames_file(path: Path) -> bool:
    return path.suffix == ".npz"


def _snapshots_of(frames: Frames, part: _Part) -> Iterator[Snapshot]:
    for index, step in zip(part.indices, part.steps, strict=True):
        rows = slice(int(frames.offsets[index]), int(frames.offsets[index + 1]))
        positions = frames.positions[rows]
        if not (np.isfinite(positions).all() and np.isfinite(frames.cells[index]).all()):
            raise DumpError(f"{part.path}, frame {index}: positions or cell hold NaN or infinity: drop the frame.")
        yield Snapshot(
            step=step,
            ids=np.arange(1, len(positions) + 1),
            numbers=frames.numbers[rows],
            positions=positions,
            cell=frames.cells[index],
            origin=np.zeros(3),
            pbc=frames.pbc[index],
            # A frames file does not say whether its positions were wrapped.
            unwrapped=False,
        )

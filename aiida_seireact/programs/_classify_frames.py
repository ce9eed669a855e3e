"""The frames that ``seireact-classify`` reads, a share of them, and their descriptors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.frame_stream import FrameStream
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.frame_files import FrameFiles
from aiida_seireact.science.analysis import height_along_z
from aiida_seireact.science.descriptors import (
    DescriptorError,
    DescriptorSpec,
    MissingSourceError,
    describe,
    describe_blocks,
)

Progress = Callable[[str], None]


def stream_of(files: FrameFiles, folder: Path, *, one_run: bool) -> FrameStream:
    """Open the files of a job, relative to its folder."""
    return FrameStream(
        [folder / name for name in files.files],
        skip_first=files.skip_first,
        stride=files.stride,
        one_run=one_run,
        stop_before_truncated=files.stop_before_truncated,
    )


@dataclass(frozen=True, eq=False)
class Run:
    """A run to classify, with what its first frame tells: all jobs side by side know the same of it.

    :param centre_ids: ``(n_centres,)`` ids of the atoms whose environments are classified.
    :param numbers: ``(n_atoms,)`` of the first frame.
    :param height_ang: of the first frame.
    """

    stream: FrameStream
    spec: DescriptorSpec
    centre_ids: NDArray[np.int64]
    numbers: NDArray[np.int64]
    height_ang: float

    @classmethod
    def open(cls, files: FrameFiles, folder: Path, spec: DescriptorSpec) -> Run:
        """Open the files and look at the first frame.

        :raises InvalidInput: it holds none of the centres.
        :raises DumpError, FramesError: unreadable files.
        """
        stream = stream_of(files, folder, one_run=True)
        first = next(stream.at([0]))
        ids = first.ids[first.numbers == atomic_numbers[spec.centre]]
        if not len(ids):
            raise InvalidInput(
                f"trajectory, step {first.step}: there is no {spec.centre}, whose environments are asked for, but "
                f"{', '.join(sorted({chemical_symbols[number] for number in first.numbers}))}: name another centre in "
                "spec."
            )
        return cls(stream, spec, ids, first.numbers, height_along_z(first.cell))

    @property
    def n_environments(self) -> int:
        """Number of environments in all frames."""
        return len(self.stream) * len(self.centre_ids)

    def places(self, share: tuple[int, int]) -> range:
        """Return the places of a share of the frames: frames in a row, as many in each share as can be.

        :raises InvalidInput: more shares than frames.
        """
        number, count = share
        n_frames = len(self.stream)
        if count > n_frames:
            raise InvalidInput(f"{count} jobs can't share {n_frames} frames: ask for at most {n_frames}.")
        return range(n_frames * number // count, n_frames * (number + 1) // count)

    def centres_of(self, frame: Snapshot) -> NDArray[np.int64]:
        """Return the rows of the centres of a frame.

        :raises InvalidInput: they are not those of the first frame.
        """
        centres = np.flatnonzero(frame.numbers == atomic_numbers[self.spec.centre])
        if not np.array_equal(self.centre_ids, frame.ids[centres]):
            raise InvalidInput(
                f"trajectory, step {frame.step}: the {self.spec.centre} atoms are not those of the first frame; "
                "classify runs of other cells apart."
            )
        return centres


def describe_frame(
    frame: Snapshot, spec: DescriptorSpec, what: str, *, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Return the descriptors of the centres of a frame, ``(n_centres, n_features)``.

    :param what: the run it is from, for messages.
    :param rows: which of the centres; None: all.
    :raises InvalidInput: it has none. :raises MissingSourceError: the spec's source is not installed.
    """
    try:
        return describe(frame.positions, frame.numbers, frame.cell, frame.pbc, spec, rows=rows)[0]
    except MissingSourceError:
        raise
    except DescriptorError as error:
        raise InvalidInput(f"{what}, step {frame.step}: {error}") from error


def describe_frame_blocks(
    frame: Snapshot, spec: DescriptorSpec, what: str, *, rows: NDArray[np.int64], most: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield the descriptors of some centres of a frame, a block at a time: rows and ``(n, n_features)``.

    :param most: centres of a block. :raises InvalidInput, MissingSourceError: as :func:`describe_frame`.
    """
    try:
        for places, found in describe_blocks(
            frame.positions, frame.numbers, frame.cell, frame.pbc, spec, rows=rows, most=most
        ):
            yield rows[places], found
    except MissingSourceError:
        raise
    except DescriptorError as error:
        raise InvalidInput(f"{what}, step {frame.step}: {error}") from error

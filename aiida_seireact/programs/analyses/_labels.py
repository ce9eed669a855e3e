"""Labels of environments, frame by frame, of a small run's one file or a large run's chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.arrays_file import PhasesError
from aiida_seireact.formats.environments import Labels
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.label_chunks import load_chunk, read_manifest
from aiida_seireact.programs.analyses._protocol import IntArray, LabelRow


class LabelRows:
    """Gives the labels of the environments of a frame by its MD step; one file is held at a time.

    :param path: ``labels.npz``, or the manifest ``labels.json`` of chunks that lie beside it.
    :raises PhasesError: missing or foreign file.
    """

    def __init__(self, path: Path) -> None:
        self._held: tuple[Path, Labels] | None = None
        self._chunks: dict[Path, dict[str, Any]] = {}
        self._parts: list[tuple[int, int, Path]] = []
        if path.suffix == ".json":
            for chunk in read_manifest(path):
                place = path.parent / chunk["file"]
                self._chunks[place] = chunk
                self._parts.append((chunk["first_step"], chunk["last_step"], place))
        else:
            steps = self._load(path).steps
            self._parts.append((int(steps[0]), int(steps[-1]), path))
        if not self._parts:
            raise PhasesError(f"{path} names no chunk of labels.")
        self.names = tuple(str(name) for name in self._load(self._parts[0][2]).label_names)
        self._path = path

    def require_any(self, steps: IntArray) -> None:
        """Refuse labels of another run, or of other frames.

        :raises InvalidInput: no frame has labels.
        """
        within = [path for low, high, path in self._parts if ((steps >= low) & (steps <= high)).any()]
        if not any(np.isin(steps, self._load(path).steps).any() for path in within):
            first, last = self._parts[0][0], self._parts[-1][1]
            raise InvalidInput(
                f"{self._path} has labels of the steps {first} to {last}, and none of the frames read, which are of "
                f"the steps {steps[0]} to {steps[-1]}: give the labels of this run, of the same skip_first and "
                "stride."
            )

    def at(self, step: int, ids: NDArray[np.int64]) -> LabelRow | None:
        """Return the labels of a frame, None if it has none.

        :param ids: ``(n_atoms,)`` of the frame, sorted.
        :raises InvalidInput: atoms that the frame has not.
        """
        for first, last, path in self._parts:
            if first <= step <= last:
                labels = self._load(path)
                row = int(np.searchsorted(labels.steps, step))
                if row == len(labels.steps) or labels.steps[row] != step:
                    return None
                centres = np.searchsorted(ids, labels.atom_ids)
                if (centres == len(ids)).any() or not np.array_equal(ids[centres], labels.atom_ids):
                    raise InvalidInput(
                        f"{self._path}, step {step}: labels of atoms that the frame has not: they are of another run."
                    )
                return LabelRow(centres, labels.labels[row], self.names)
        return None

    def _load(self, path: Path) -> Labels:
        if self._held is None or self._held[0] != path:
            chunk = self._chunks.get(path)
            self._held = (path, Labels.load(path) if chunk is None else load_chunk(path.parent, chunk))
        return self._held[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": None}

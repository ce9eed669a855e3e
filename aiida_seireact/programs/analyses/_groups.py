"""What an atom was in a frame that the path store keeps: its phase, its slab, or both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.transport import WindowSettings
from aiida_seireact.programs.analyses._protocol import IntArray, Run
from aiida_seireact.science import analysis
from aiida_seireact.science.transport.membership import combined, slab_of


class Groups:
    """Groups of atoms in kept frames.

    Structures by templates were told once a frame, in the pass over the run; the path store keeps them.
    """

    def __init__(self, settings: WindowSettings, run: Run) -> None:
        self.settings, self.run = settings, run
        self.by_phase = settings.by in ("phase", "both")
        slabs = [
            f"z {low / settings.n_slabs:.2f}-{(low + 1) / settings.n_slabs:.2f}" for low in range(settings.n_slabs)
        ]
        phases = list(analysis.STRUCTURES if settings.phase_from == "ptm" else run.label_names or ())
        self.names = {
            "none": ["all"],
            "slab": slabs,
            "phase": phases,
            "both": [f"{phase} {slab}" for phase in phases for slab in slabs],
        }[settings.by]
        assert run.paths is not None  # the analysis needs them
        self.paths = run.paths
        self._cells, self._corners = run.paths.cells()

    def at(self, frame: int) -> IntArray:
        """Return the group of each atom, −1: none.

        :param frame: number among the kept ones.
        :raises InvalidInput: phases by labels, and the frame has none.
        """
        if self.settings.by == "none":
            return np.zeros(self.paths.n_atoms, dtype=np.int64)
        if self.settings.by == "phase":
            return self._phase(frame)
        n_slabs = self.settings.n_slabs
        slab = slab_of(
            analysis.z_fractions(self.paths.places(frame), self._cells[frame], self._corners[frame]), n_slabs
        )
        return slab if self.settings.by == "slab" else combined(self._phase(frame), slab, n_slabs)

    def known(self, frame: int) -> bool:
        """Whether groups of a frame are known: with phases by labels, where it has any."""
        return not self.by_phase or self.settings.phase_from == "ptm" or bool((self.paths.labels(frame) >= 0).any())

    def volume(self) -> float | None:
        """Return the volume of a group, Å³, in the mean of the run; None of a phase, which has no faces."""
        if self.by_phase:
            return None
        n_slabs = self.settings.n_slabs if self.settings.by == "slab" else 1
        return float(np.abs(np.linalg.det(self._cells)).mean()) / n_slabs

    def z_ang(self) -> NDArray[np.float64]:
        """Return the middles of the slabs in the first frame, Å; none without slabs."""
        n = self.settings.n_slabs if self.settings.by in ("slab", "both") else 0
        return (np.arange(n) + 0.5) * analysis.height_along_z(self.run.first.cell) / max(n, 1)

    def _phase(self, frame: int) -> IntArray:
        if self.settings.phase_from == "ptm":
            return self.paths.structures(frame).astype(np.int64)
        if not self.known(frame):
            step = self.run.steps[self.run.path_frames[frame]]
            raise InvalidInput(
                f"windows: the labels have none of step {step}, where a window begins: choose at_ps among the "
                "labelled frames, label more of them, or set by to slab."
            )
        return self.paths.labels(frame).astype(np.int64)

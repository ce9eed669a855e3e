"""Powder diffraction of the whole cell or of one phase, averaged over the last part of a run."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import XrdSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Needs, Observer, Run
from aiida_seireact.science.discovery.xrd import ReciprocalGrid, pattern, q_of
from aiida_seireact.science.images import with_images


class XrdObserver(Observer[XrdSettings]):
    """``xrd_two_theta_deg`` and ``xrd_intensity``, 100 at its highest."""

    def __init__(self, settings: XrdSettings, run: Run) -> None:
        super().__init__(settings, run)
        names = run.label_names or ()
        if settings.label is not None and settings.label not in names:
            raise InvalidInput(f"xrd.label is {settings.label!r}, but the labels are {', '.join(names)}.")
        self.start = run.n_frames - max(1, round(settings.last_fraction * run.n_frames))
        self.angles = np.arange(settings.from_deg, settings.to_deg, settings.step_deg)
        self.total = np.zeros(len(self.angles))
        self.n_averaged = 0

    @classmethod
    def needs(cls, settings: XrdSettings) -> Needs:
        return Needs(labels=settings.label is not None)

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        if number < self.start or (number - self.start) % self.settings.every:
            return
        weights = None
        if self.settings.label is not None:
            if labels is None:
                return
            weights = self._weights(frame, labels)
            if not weights.any():
                return
        # A little beyond the last angle, whose peaks reach into the range.
        q_max = float(q_of(min(self.angles[-1] + 2.0, 175.0)))
        found = ReciprocalGrid(frame.cell, q_max=q_max).reflections(frame.positions, frame.numbers, weights)
        self.total += pattern(found, self.angles, fwhm_deg=self.settings.fwhm_deg)
        self.n_averaged += 1

    def _weights(self, frame: Snapshot, labels: LabelRow) -> NDArray[np.float64]:
        """Return 1 for centres of the label, and for each other atom the share of the centres around it that are."""
        assert self.settings.label is not None
        mine = labels.labels == labels.names.index(self.settings.label)
        weights = np.zeros(len(frame.numbers))
        others = np.setdiff1d(np.arange(len(frame.numbers)), labels.centres)
        reach = self.settings.neighbour_ang
        wrapped, images, owner = with_images(frame.positions.copy(), frame.cell, frame.pbc, reach)
        is_mine, is_centre = np.zeros(len(weights), dtype=bool), np.zeros(len(weights), dtype=bool)
        is_mine[labels.centres[mine]] = True
        is_centre[labels.centres] = True
        near = cKDTree(images[is_centre[owner]])
        owners = owner[is_centre[owner]]
        pairs = cKDTree(wrapped[others]).sparse_distance_matrix(near, reach, output_type="coo_matrix")
        around = np.bincount(pairs.row, minlength=len(others))
        ours = np.bincount(pairs.row, is_mine[owners[pairs.col]], len(others))
        weights[others] = np.divide(ours, around, out=np.zeros(len(others)), where=around > 0)
        weights[is_mine] = 1.0
        return weights

    def merge(self, later: Self) -> None:
        self.total += later.total
        self.n_averaged += later.n_averaged

    def arrays(self) -> Arrays:
        highest = self.total.max()
        return {
            "xrd_two_theta_deg": self.angles,
            "xrd_intensity": 100 * self.total / highest if highest > 0 else self.total,
        }

    def summary(self) -> dict[str, Any]:
        arrays = self.arrays()
        highest = float(self.angles[np.argmax(arrays["xrd_intensity"])]) if self.n_averaged else None
        return {"xrd": {"frames": self.n_averaged, "highest_two_theta_deg": highest, "label": self.settings.label}}

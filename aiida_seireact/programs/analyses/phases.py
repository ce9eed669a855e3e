"""Phases with time and along z, and the thickness of the interphase by their profile, each side apart."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import PhasesSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Needs, Run, Series
from aiida_seireact.programs.analyses._windows import Windows
from aiida_seireact.science import analysis


class PhasesObserver(Series[PhasesSettings]):
    """``phase_counts``, ``phase_profile`` and ``thickness_profile_ang`` with its two sides."""

    def __init__(self, settings: PhasesSettings, run: Run) -> None:
        super().__init__(settings, run)
        self.names = list(run.label_names or ())
        for key in ("metal", "electrolyte"):
            if getattr(settings, key) not in self.names:
                raise InvalidInput(
                    f"phases.{key} is {getattr(settings, key)!r}, but the labels are {', '.join(self.names)}: "
                    "give the name that the classification used."
                )
        self.windows = Windows(run, len(self.names), bin_width_ang=settings.bin_width_ang, n_times=settings.n_times)

    @classmethod
    def needs(cls, settings: PhasesSettings) -> Needs:
        return Needs(labels=True)

    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any] | None:
        if labels is None:
            return None
        z = analysis.z_fractions(frame.positions[labels.centres], frame.cell, frame.origin)
        profile = self.windows.add(number, z, labels.labels)
        height = analysis.height_along_z(frame.cell)
        rows = {"metal": self.names.index(self.settings.metal)}
        rows["electrolyte"] = self.names.index(self.settings.electrolyte)
        threshold = self.settings.profile_threshold
        sides = analysis.sides_of_profile(profile, height, threshold=threshold, **rows)
        return {
            "phase_counts": profile.sum(axis=1),
            "thickness_profile_ang": analysis.thickness_of_profile(profile, height, threshold=threshold, **rows),
            "thickness_profile_lower_ang": np.nan if sides is None else sides.lower_ang,
            "thickness_profile_upper_ang": np.nan if sides is None else sides.upper_ang,
        }

    def merge(self, later: Self) -> None:
        super().merge(later)
        self.windows.merge(later.windows)

    def arrays(self) -> Arrays:
        return {
            "phase_names": np.array(self.names),
            "thickness_profile_steps": self.steps,
            **{name: self.column(name) for name in self.columns},
            **self.windows.arrays(self.run, "phase_profile"),
            "phase_profile": self.windows.means(),
        }

    def summary(self) -> dict[str, Any]:
        thickness, counts = self.column("thickness_profile_ang"), self.column("phase_counts")
        return {
            "profile_thickness_start_ang": float(thickness[0]),
            "profile_thickness_end_ang": float(thickness[-1]),
            "profile_thickness_end_lower_ang": float(self.column("thickness_profile_lower_ang")[-1]),
            "profile_thickness_end_upper_ang": float(self.column("thickness_profile_upper_ang")[-1]),
            "phase_fractions_end": {
                name: float(share) for name, share in zip(self.names, counts[-1] / counts[-1].sum(), strict=True)
            },
        }

"""Intact PS4, where they end, and the interphase beyond them on each side."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import ThicknessSettings
from aiida_seireact.programs.analyses._pace import pace
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Series
from aiida_seireact.science import analysis


class ThicknessObserver(Series[ThicknessSettings]):
    """``n_intact_ps4``, ``ps4_lower_ang``, ``ps4_upper_ang``, ``thickness_lower_ang``, ``thickness_upper_ang``."""

    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any]:
        settings = self.settings
        positions = frame.positions - frame.origin
        intact = analysis.intact_ps4(
            positions, frame.numbers, frame.cell, frame.pbc, cutoff_ang=settings.ps4_cutoff_ang
        )
        height = analysis.height_along_z(frame.cell)
        z = analysis.z_fractions(positions, frame.cell) * height
        boundary = analysis.ps4_boundary(z[frame.numbers == analysis.PHOSPHORUS][intact], height)
        thickness = analysis.thickness_beyond(z, frame.numbers, intact, height, min_metal_ang=settings.min_metal_ang)
        return {
            "n_intact_ps4": int(intact.sum()),
            "ps4_lower_ang": np.nan if boundary is None else boundary.lower_ang,
            "ps4_upper_ang": np.nan if boundary is None else boundary.upper_ang,
            "thickness_lower_ang": np.nan if thickness is None else thickness.lower_ang,
            "thickness_upper_ang": np.nan if thickness is None else thickness.upper_ang,
        }

    def arrays(self) -> Arrays:
        return {name: self.column(name) for name in self.columns}

    def summary(self) -> dict[str, Any]:
        intact, lower, upper = (
            self.column(name) for name in ("n_intact_ps4", "thickness_lower_ang", "thickness_upper_ang")
        )
        defined = np.flatnonzero(np.isfinite(lower))
        last = int(defined[-1]) if len(defined) else None
        return {
            "n_p": int((self.run.first.numbers == analysis.PHOSPHORUS).sum()),
            "ps4_intact_start": int(intact[0]),
            "ps4_intact_end": int(intact[-1]),
            "ps4_pace": pace(self.steps, intact, self.run.timestep_fs),
            "outermost_thickness": None
            if last is None
            else {
                "last_defined_step": int(self.steps[last]),
                "lower_ang": float(lower[last]),
                "upper_ang": float(upper[last]),
            },
        }

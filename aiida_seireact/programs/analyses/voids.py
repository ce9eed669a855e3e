"""Volume of voids with time."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import VoidSettings
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Run, Series
from aiida_seireact.science import analysis


class VoidsObserver(Series[VoidSettings]):
    """``void_volume_ang3`` with ``void_steps``."""

    def __init__(self, settings: VoidSettings, run: Run) -> None:
        super().__init__(settings, run)
        self.every = settings.every

    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any]:
        volume = analysis.void_volume(
            frame.positions,
            frame.cell,
            frame.pbc,
            probe_radius_ang=self.settings.probe_radius_ang,
            spacing_ang=self.settings.spacing_ang,
        )
        return {"void_volume_ang3": volume, "share": volume / abs(float(np.linalg.det(frame.cell)))}

    def arrays(self) -> Arrays:
        return {"void_steps": self.steps, "void_volume_ang3": self.column("void_volume_ang3")}

    def summary(self) -> dict[str, Any]:
        volume, share = self.column("void_volume_ang3"), self.column("share")
        return {
            "voids": {
                "volume_ang3_end": float(volume[-1]),
                "share_end": float(share[-1]),
                "share_largest": float(share.max()),
                "step_of_largest": int(self.steps[np.argmax(share)]),
            }
        }

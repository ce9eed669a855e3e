"""Volume, smallest distance and largest hole: whether the run stayed among states its model knows."""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import HealthSettings
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Series
from aiida_seireact.science.health import largest_hole_radius, smallest_distance


class HealthObserver(Series[HealthSettings]):
    """``volume_ang3``, ``smallest_distance_ang`` with the ids of the pair, ``largest_hole_ang``."""

    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any]:
        distance, (i, j) = smallest_distance(frame.positions, frame.cell, frame.pbc)
        searched = number % self.settings.hole_every == 0
        hole = largest_hole_radius(frame.positions, frame.cell, frame.pbc) if searched else np.nan
        return {
            "volume_ang3": abs(float(np.linalg.det(frame.cell))),
            "smallest_distance_ang": float(distance),
            "smallest_distance_ids": (int(frame.ids[i]), int(frame.ids[j])),
            "largest_hole_ang": float(hole),
        }

    def arrays(self) -> Arrays:
        return {name: self.column(name) for name in self.columns}

    def summary(self) -> dict[str, Any]:
        volume, distance, hole = (
            self.column(name) for name in ("volume_ang3", "smallest_distance_ang", "largest_hole_ang")
        )
        closest, widest = int(np.argmin(distance)), int(np.nanargmax(hole))
        n_atoms = len(self.run.first.numbers)
        return {
            "volume_ang3_per_atom_start": float(volume[0]) / n_atoms,
            "volume_ang3_per_atom_end": float(volume[-1]) / n_atoms,
            "smallest_distance_ang": float(distance[closest]),
            "smallest_distance_step": int(self.steps[closest]),
            "largest_hole_ang": float(hole[widest]),
            "largest_hole_step": int(self.steps[widest]),
        }

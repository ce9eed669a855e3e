"""Distance between the layers of one element along z, with time."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from ase.data import atomic_numbers

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import LayerSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Observer, Run
from aiida_seireact.programs.analyses._windows import Windows
from aiida_seireact.science import analysis


class LayersObserver(Observer[LayerSettings]):
    """``layer_spacing_ang``, ``layer_error_ang``, ``layer_strength`` with ``layer_steps``; NaN without layers."""

    def __init__(self, settings: LayerSettings, run: Run) -> None:
        super().__init__(settings, run)
        self.chosen = np.flatnonzero(run.first.numbers == atomic_numbers[settings.species])
        if not len(self.chosen):
            raise InvalidInput(f"layers: the trajectory holds no {settings.species}: choose another species.")
        self.windows = Windows(run, 1, bin_width_ang=settings.shortest_ang / 10, n_times=settings.n_times)
        length = (settings.to_fraction - settings.from_fraction) * self.windows.height
        if length < 3 * settings.longest_ang:
            raise InvalidInput(
                f"layers: {length:.1f} Å of the cell are looked at, which hold no three periods of "
                f"{settings.longest_ang:g} Å: widen from_fraction to to_fraction, or lower longest_ang."
            )

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        z = analysis.z_fractions(frame.positions[self.chosen], frame.cell, frame.origin)
        self.windows.add(number, z, np.zeros(len(z), dtype=np.int64), height=analysis.height_along_z(frame.cell))

    def merge(self, later: Self) -> None:
        self.windows.merge(later.windows)

    def arrays(self) -> Arrays:
        settings, n_bins = self.settings, self.windows.n_bins
        part = slice(round(settings.from_fraction * n_bins), round(settings.to_fraction * n_bins))
        rows = []
        for profile, height in zip(self.windows.means()[:, 0], self.windows.heights(), strict=True):
            found = analysis.layer_spacing(
                profile[part], height / n_bins, shortest_ang=settings.shortest_ang, longest_ang=settings.longest_ang
            )
            rows.append((np.nan,) * 3 if found is None else (found.spacing_ang, found.error_ang, found.strength))
        spacing, error, strength = np.array(rows).T
        return {
            "layer_steps": self.windows.steps(self.run),
            "layer_spacing_ang": spacing,
            "layer_error_ang": error,
            "layer_strength": strength,
        }

    def summary(self) -> dict[str, Any]:
        arrays = self.arrays()
        return {
            "layers": {
                "species": self.settings.species,
                **{name: float(arrays[f"layer_{name}"][-1]) for name in ("spacing_ang", "error_ang", "strength")},
            }
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "chosen": None}

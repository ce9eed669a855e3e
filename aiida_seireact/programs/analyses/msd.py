"""Mean squared displacement of each element, over all time origins."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import MsdSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Needs, Observer, Run
from aiida_seireact.science import analysis


class MsdObserver(Observer[MsdSettings]):
    """``msd_species``, ``msd_lag_steps``, ``msd_ang2``."""

    def __init__(self, settings: MsdSettings, run: Run) -> None:
        super().__init__(settings, run)
        present = [chemical_symbols[number] for number in run.species]
        self.species = list(settings.species or present)
        missing = [symbol for symbol in self.species if symbol not in present]
        if missing:
            raise InvalidInput(f"msd: the trajectory holds no {missing[0]}, only {', '.join(present)}.")
        self._arrays: Arrays = {}

    @classmethod
    def needs(cls, settings: MsdSettings) -> Needs:
        return Needs(paths=True)

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        """The paths are kept for all analyses."""

    def merge(self, later: Self) -> None:
        """The paths are kept for all analyses."""

    def arrays(self) -> Arrays:
        if self._arrays:
            return self._arrays
        paths = self.run.paths
        assert paths is not None
        drift = paths.drift() if self.settings.remove_drift else None
        found = []
        for symbol in self.species:
            total, n_atoms = np.zeros((paths.n_frames, 3)), 0
            for atoms, block in paths.blocks(self.run.first.numbers == atomic_numbers[symbol]):
                total += len(atoms) * analysis.mean_squared_displacement(block, drift=drift)
                n_atoms += len(atoms)
            found.append(total / n_atoms)
        lags = self.run.steps[self.run.path_frames] - self.run.steps[0]
        self._arrays = {"msd_species": np.array(self.species), "msd_lag_steps": lags, "msd_ang2": np.stack(found)}
        times = self.times(lags)
        if times is not None:
            self._arrays["msd_lag_ps"] = times
        return self._arrays

    def summary(self) -> dict[str, Any]:
        arrays = self.arrays()
        n_kept = len(arrays["msd_lag_steps"])
        return {
            "msd": {
                "stride_frames": int(self.run.path_frames[1]) if n_kept > 1 else 1,
                "n_frames": n_kept,
                # Beyond half of the run too few origins are left to mean anything.
                "lag_steps": int(arrays["msd_lag_steps"][n_kept // 2]),
                "ang2_at_lag": {
                    symbol: float(arrays["msd_ang2"][row, n_kept // 2].sum()) for row, symbol in enumerate(self.species)
                },
            }
        }

"""Composition along z with time, and the formal charge of each slab as a proxy of where charge gathers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from ase.data import chemical_symbols

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import CompositionSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Observer, Run
from aiida_seireact.programs.analyses._windows import Windows
from aiida_seireact.science import analysis


class CompositionObserver(Observer[CompositionSettings]):
    """``composition_atoms`` (mean atoms of each element in each slab) with steps and z; ``charge_e``."""

    def __init__(self, settings: CompositionSettings, run: Run) -> None:
        super().__init__(settings, run)
        self.symbols = [chemical_symbols[number] for number in run.species]
        if settings.charges is not None and (missing := sorted(set(self.symbols) - set(settings.charges))):
            raise InvalidInput(
                f"composition.charges has no charge of {', '.join(missing)}: give one for each of "
                f"{', '.join(self.symbols)}, or set charges to null."
            )
        self.kinds = np.searchsorted(run.species, run.first.numbers)
        self.windows = Windows(run, len(self.symbols), bin_width_ang=settings.bin_width_ang, n_times=settings.n_times)

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        self.windows.add(number, analysis.z_fractions(frame.positions, frame.cell, frame.origin), self.kinds)

    def merge(self, later: Self) -> None:
        self.windows.merge(later.windows)

    def arrays(self) -> Arrays:
        counts = self.windows.means()
        arrays = {
            **self.windows.arrays(self.run, "composition"),
            "composition_species": np.array(self.symbols),
            "composition_atoms": counts,
        }
        if self.settings.charges is not None:
            formal = np.array([self.settings.charges[symbol] for symbol in self.symbols])
            arrays["charge_e"] = np.einsum("tsz,s->tz", counts, formal)
        return arrays

    def summary(self) -> dict[str, Any]:
        if self.settings.charges is None:
            return {}
        charge = self.arrays()["charge_e"][-1]
        return {
            "charge": {
                "formal_charges": {symbol: self.settings.charges[symbol] for symbol in self.symbols},
                "total_e": float(charge.sum()),
                "largest_slab_e": float(charge.max()),
                "smallest_slab_e": float(charge.min()),
            }
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "kinds": None}

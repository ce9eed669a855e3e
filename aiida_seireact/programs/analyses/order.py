"""Crystalline and amorphous share of sublattices, with time and along z."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from ase.data import atomic_numbers

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import OrderSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Run, Series
from aiida_seireact.programs.analyses._windows import Windows
from aiida_seireact.science import analysis


class OrderObserver(Series[OrderSettings]):
    """``crystalline_fraction`` and ``crystalline_profile``: mean atoms (amorphous, crystalline) of each slab."""

    def __init__(self, settings: OrderSettings, run: Run) -> None:
        super().__init__(settings, run)
        self.every = settings.every
        wanted = [atomic_numbers[symbol] for symbol in settings.species]
        if missing := [s for s, number in zip(settings.species, wanted, strict=True) if number not in run.species]:
            raise InvalidInput(f"order: the trajectory holds no {missing[0]}: choose others of its elements.")
        self.chosen = np.flatnonzero(np.isin(run.first.numbers, wanted))
        self.windows = Windows(run, 2, bin_width_ang=settings.bin_width_ang, n_times=settings.n_times)

    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any]:
        settings = self.settings
        found = analysis.crystalline(
            frame.positions[self.chosen],
            frame.cell,
            frame.pbc,
            settings.cutoff_ang,
            alike=settings.alike,
            share=settings.share,
        )
        z = analysis.z_fractions(frame.positions[self.chosen], frame.cell, frame.origin)
        self.windows.add(number, z, found)
        return {"crystalline_fraction": float(found.mean())}

    def merge(self, later: Self) -> None:
        super().merge(later)
        self.windows.merge(later.windows)

    def arrays(self) -> Arrays:
        return {
            "crystalline_steps": self.steps,
            "crystalline_fraction": self.column("crystalline_fraction"),
            **self.windows.arrays(self.run, "crystalline_profile"),
            "crystalline_profile": self.windows.means(),
        }

    def summary(self) -> dict[str, Any]:
        fraction = self.column("crystalline_fraction")
        return {
            "crystalline": {
                "species": list(self.settings.species),
                "start": float(fraction[0]),
                "end": float(fraction[-1]),
            }
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "chosen": None}

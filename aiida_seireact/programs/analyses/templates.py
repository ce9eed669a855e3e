"""Crystal structure around the atoms of one element, with time and along z: bcc, hcp, fcc or other."""

from __future__ import annotations

import importlib.util
from typing import Any, Self

import numpy as np
from ase.data import atomic_numbers

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import PtmSettings
from aiida_seireact.formats.jobs.base import InvalidInput, MissingPackage
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Run, Series
from aiida_seireact.programs.analyses._windows import Windows
from aiida_seireact.science import analysis
from aiida_seireact.science.analysis.templates import INSTALL_OVITO


class PtmObserver(Series[PtmSettings]):
    """``ptm_fractions`` with ``ptm_steps``, and ``ptm_profile`` (mean atoms of each structure in each slab)."""

    def __init__(self, settings: PtmSettings, run: Run) -> None:
        super().__init__(settings, run)
        if importlib.util.find_spec("ovito") is None:
            raise MissingPackage(INSTALL_OVITO)
        self.every = settings.every
        self.chosen = np.flatnonzero(run.first.numbers == atomic_numbers[settings.species])
        if not len(self.chosen):
            raise InvalidInput(f"ptm: the trajectory holds no {settings.species}: choose another species.")
        self.windows = Windows(
            run, len(analysis.STRUCTURES), bin_width_ang=settings.bin_width_ang, n_times=settings.n_times
        )

    def measure(self, number: int, frame: Snapshot, labels: LabelRow | None) -> dict[str, Any]:
        found = analysis.template_matching(frame.positions, frame.cell, frame.pbc, rmsd_max=self.settings.rmsd_max)[
            self.chosen
        ]
        z = analysis.z_fractions(frame.positions[self.chosen], frame.cell, frame.origin)
        profile = self.windows.add(number, z, found)
        return {"ptm_fractions": profile.sum(axis=1) / len(self.chosen)}

    def merge(self, later: Self) -> None:
        super().merge(later)
        self.windows.merge(later.windows)

    def arrays(self) -> Arrays:
        return {
            "ptm_structures": np.array(analysis.STRUCTURES),
            "ptm_steps": self.steps,
            "ptm_fractions": self.column("ptm_fractions"),
            **self.windows.arrays(self.run, "ptm_profile"),
            "ptm_profile": self.windows.means(),
        }

    def summary(self) -> dict[str, Any]:
        fractions = self.column("ptm_fractions")
        return {
            "ptm": {
                name: {"start": float(values[0]), "end": float(values[-1]), "largest": float(values.max())}
                for name, values in zip(analysis.STRUCTURES, fractions.T, strict=True)
            }
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "chosen": None}

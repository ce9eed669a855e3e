"""Energy, volume, temperature and pressure of the run's thermo table, and how they drift."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from aiida_seireact.formats.dump import Snapshot
from aiida_seireact.formats.jobs.analyse import ThermoSettings
from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.programs.analyses._protocol import Arrays, LabelRow, Needs, Observer, Run
from aiida_seireact.science import analysis

# Column of LAMMPS -> name, unit, whether it is divided by the number of atoms.
COLUMNS = {
    "pe": ("potential_energy", "ev_per_atom", True),
    "etotal": ("total_energy", "ev_per_atom", True),
    "econserve": ("conserved_energy", "ev_per_atom", True),
    "vol": ("volume", "ang3_per_atom", True),
    "temp": ("temperature", "k", False),
    "press": ("pressure", "bar", False),
}


class ThermoObserver(Observer[ThermoSettings]):
    """``thermo_steps`` and a series ``thermo_<quantity>_<unit>`` of each column that the table has."""

    def __init__(self, settings: ThermoSettings, run: Run) -> None:
        super().__init__(settings, run)
        if run.thermo is None:
            raise InvalidInput("thermo: there is no thermo table: give the log of the run as thermo_log.")

    @classmethod
    def needs(cls, settings: ThermoSettings) -> Needs:
        return Needs(thermo=True)

    def add(self, number: int, frame: Snapshot, labels: LabelRow | None) -> None:
        """The table is there already."""

    def merge(self, later: Self) -> None:
        """The table is there already."""

    def arrays(self) -> Arrays:
        table = self.run.thermo
        assert table is not None
        # Rows before the first frame belong to the settling of the run that skip_first leaves out.
        inside = (table["step"] >= self.run.steps[0]) & np.isfinite(table["step"])
        n_atoms = len(self.run.first.numbers)
        arrays: Arrays = {"thermo_steps": table["step"][inside].astype(np.int64)}
        for column, (name, unit, shared) in COLUMNS.items():
            if column in table:
                arrays[f"thermo_{name}_{unit}"] = table[column][inside] / (n_atoms if shared else 1)
        return arrays

    def summary(self) -> dict[str, Any]:
        arrays = self.arrays()
        times = self.times(arrays["thermo_steps"])
        found: dict[str, Any] = {}
        for column, (name, unit, _) in COLUMNS.items():
            key = f"thermo_{name}_{unit}"
            if key not in arrays or not len(arrays[key]):
                continue
            if not np.isfinite(arrays[key]).all():
                bad = int(arrays["thermo_steps"][~np.isfinite(arrays[key])][0])
                raise InvalidInput(f"thermo: {column} at step {bad} is not a number: the run broke; end it before.")
            line = analysis.trend(arrays["thermo_steps"] if times is None else times, arrays[key])
            per = "step" if times is None else "ps"
            found[name] = {
                f"mean_{unit}": line.mean,
                f"drift_{unit}_per_{per}": line.slope,
                f"drift_error_{unit}_per_{per}": line.error,
            }
        return {"thermo": found}

"""Onsager coefficients of the whole cell with cross terms; conductivity and Haven ratio by formal charges."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.data import atomic_masses, chemical_symbols

from aiida_seireact.formats.jobs.base import InvalidInput
from aiida_seireact.formats.jobs.transport import OnsagerSettings
from aiida_seireact.programs.analyses._moving import Moving
from aiida_seireact.programs.analyses._protocol import Arrays, Needs, Run
from aiida_seireact.science.transport.collective import collective_paths
from aiida_seireact.science.transport.displacements import msd_of_time_blocks
from aiida_seireact.science.transport.estimates import Estimate
from aiida_seireact.science.transport.onsager import haven, onsager
from aiida_seireact.science.transport.weights import fitted_lags, slope_weights


class OnsagerObserver(Moving[OnsagerSettings]):
    """``onsager_per_ev_ang_ps`` and its error, ``(n_species, n_species)``."""

    name = "onsager"

    def __init__(self, settings: OnsagerSettings, run: Run) -> None:
        super().__init__(settings, run)
        self.present = self.symbols(None)
        if len(self.present) < 2:
            raise InvalidInput(
                f"onsager: the trajectory holds {self.present[0]} alone, which does not move against its own centre of "
                "mass: set onsager to null."
            )
        if settings.charges is not None and (missing := sorted(set(self.present) - set(settings.charges))):
            raise InvalidInput(
                f"onsager.charges has no charge of {', '.join(missing)}: give one for each of "
                f"{', '.join(self.present)}, or set charges to null."
            )

    @classmethod
    def needs(cls, settings: OnsagerSettings) -> Needs:
        return Needs(paths=True)

    def work_out(self) -> tuple[Arrays, dict[str, Any]]:
        settings, paths, numbers = self.settings, self.paths, self.run.species
        kinds = self.kinds([chemical_symbols[number] for number in numbers])
        counts, masses = np.bincount(kinds), atomic_masses[numbers]
        volume = float(np.abs(np.linalg.det(paths.cells()[0])).mean())
        kelvin = settings.temperature_k
        fit = (settings.first_lag, settings.last_lag)
        summed = collective_paths(paths.blocks(), kinds, len(numbers))
        found = onsager(
            summed, self.interval_ps, counts=counts, masses=masses, volume_ang3=volume, temperature_k=kelvin,
            n_blocks=settings.n_blocks, fit=fit,
        )  # fmt: skip
        rest = found.sum_rule(masses)
        arrays: Arrays = {
            "onsager_species": np.array(self.present),
            "onsager_per_ev_ang_ps": found.matrix,
            "onsager_error_per_ev_ang_ps": found.error,
            "onsager_replicates_per_ev_ang_ps": found.replicates,
        }
        told: dict[str, Any] = {
            "unit": "1/(eV Å ps)",
            "volume_ang3": volume,
            "temperature_k": kelvin,
            "n_blocks": settings.n_blocks,
            "sum_rule_relative": float(np.abs(rest).max()),
        }
        if settings.charges is not None:
            charges = np.array([settings.charges[symbol] for symbol in self.present])
            told["conductivity_s_per_cm"] = _told(found.conductivity(charges))
            each = self._self_diffusion(kinds, len(numbers), fit)
            ratio = haven(found, each, counts, charges, volume_ang3=volume, temperature_k=kelvin)
            told["haven_ratio"] = _told(ratio)
        return arrays, told

    def _self_diffusion(self, kinds: Any, n_species: int, fit: tuple[float, float]) -> Any:
        """Return the coefficient of each element in the same stretches of time, ``(n_blocks, n_species)``."""
        paths, n_blocks = self.paths, self.settings.n_blocks
        length = paths.n_frames // n_blocks
        lags = fitted_lags(length, fit)
        weights = slope_weights(lags, length)[0] / (6 * self.interval_ps)
        found = np.empty((n_blocks, n_species))
        for row in range(n_species):
            curves = msd_of_time_blocks(
                paths.blocks(kinds == row), n_blocks=n_blocks, drift=paths.drift(), n_lags=int(lags[-1]) + 1
            )
            found[:, row] = curves[:, lags].sum(axis=2) @ weights
        return found


def _told(found: Estimate) -> dict[str, Any]:
    interval = found.interval()
    return {
        "value": found.value,
        "error": found.error,
        "interval_95": None if interval is None else list(interval),
    }

"""Entropy of ions that share the sites of a crystal: of ideal mixing, and of the orderings of a cell.

Both are of where ions sit, not of how they vibrate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase.units import kB
from numpy.typing import ArrayLike, NDArray

FULL = 0.002
"""A site whose shares sum to 1 within this is always filled."""


@dataclass(frozen=True)
class Ensemble:
    """Orderings in equilibrium at a temperature; energies and entropies are of the whole cell.

    :param probabilities: ``(n_orderings,)`` of each ordering, its arrangements together.
    :param energy_ev: mean energy.
    :param free_energy_ev: ``-kT ln Z``.
    :param ts_ev: temperature times entropy: ``energy_ev - free_energy_ev``.
    """

    probabilities: NDArray[np.float64]
    energy_ev: float
    free_energy_ev: float
    ts_ev: float


def mixing_entropy(shares: Mapping[str, float]) -> float:
    """Return the entropy of ideal mixing of **one site**, in units of kB: ``-sum x ln x``.

    :param shares: what the site holds on the mean; what is missing to 1 is empty, and counts as a species.
    :raises ValueError: shares below 0 or of more than one ion.
    """
    values = np.array(list(shares.values()), dtype=float)
    if (values < 0).any() or values.sum() > 1 + FULL:
        raise ValueError(f"shares of a site lie between 0 and 1 and sum to 1 at most, not {dict(shares)}")
    if values.sum() < 1 - FULL:
        values = np.append(values, 1 - values.sum())
    values = values[values > 0]
    return float(-(values * np.log(values)).sum()) + 0.0


def ensemble(energies_ev: ArrayLike, degeneracies: ArrayLike, temperature_k: float) -> Ensemble:
    """Return the canonical ensemble of orderings: ``Z = sum g exp(-E/kT)``.

    At 0 K it is the ordering of lowest energy; what equally low ones there are does not count, since their ``T S`` is
    zero. The cell is what is counted: ``ln`` of all its arrangements is less than ideal mixing of as many sites, the
    more so the smaller it is (56 of 8 sites are 0.50 kB a site, ideally 0.74).

    :param energies_ev: ``(n_orderings,)`` of the cell.
    :param degeneracies: ``(n_orderings,)`` arrangements that are the same ordering.
    :raises ValueError: no orderings, unlike lengths, a degeneracy below 1, or a temperature below 0.
    """
    energies, counts = np.asarray(energies_ev, dtype=float), np.asarray(degeneracies, dtype=float)
    if not len(energies) or energies.shape != counts.shape or (counts < 1).any():
        raise ValueError(f"an ensemble needs an energy and a degeneracy of 1 or more each: {energies}, {counts}")
    if not np.isfinite(energies).all():
        raise ValueError(f"an ordering has the energy {energies[~np.isfinite(energies)][0]}")
    if temperature_k < 0:
        raise ValueError(f"the temperature is {temperature_k:g} K; it begins at 0")
    lowest = float(energies.min())
    if temperature_k == 0:
        ground = np.where(energies == lowest, counts, 0.0)
        return Ensemble(ground / ground.sum(), lowest, lowest, 0.0)
    kt = kB * temperature_k
    weights = counts * np.exp(-(energies - lowest) / kt)
    partition = float(weights.sum())
    probabilities = weights / partition
    mean, free = float(probabilities @ energies), lowest - kt * float(np.log(partition))
    return Ensemble(probabilities, mean, free, mean - free)


def random_mean(energies_ev: ArrayLike, degeneracies: ArrayLike) -> float:
    """Return the mean energy of arrangements that are all alike probable, as at a high temperature, eV."""
    counts = np.asarray(degeneracies, dtype=float)
    return float(np.asarray(energies_ev, dtype=float) @ counts / counts.sum())

"""What the energies of the orderings of a composition say about its stability, at 0 K and with its disorder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase.units import _e, kB
from numpy.typing import ArrayLike

from aiida_seireact.science.hull import Hull
from aiida_seireact.science.mixing import ensemble, mixing_entropy, random_mean
from aiida_seireact.science.products import PhaseEnergy

MEV = 1000.0
DIGITS = 3
"""Decimals of meV/atom in results."""
A_PER_CM = 1e-8
SEEN = {"confined": "no diffusion was seen", "undecided": "whether the ions diffuse is not decided"}
"""What is said of a regime that is no diffusion."""


def stability(
    orderings: Sequence[PhaseEnergy],
    degeneracies: ArrayLike,
    hull: Hull,
    *,
    shares: Mapping[str, float],
    n_shared_sites: int,
    temperatures_k: Sequence[float],
) -> dict[str, Any]:
    """Return how far a composition is above the hull of other phases, without and with the entropy of its disorder.

    Two estimates of that entropy, in meV per **atom of the whole cell**:

    * ``ideal``: the shared sites filled at random, ``TS = kT (-sum x ln x) n_shared / n_atoms``, with the mean energy
      of all arrangements. It is that of an infinite crystal whose ions don't see each other.
    * ``ensemble``: ``F = -kT ln sum g exp(-E/kT)`` over the orderings of this cell; of a small cell its entropy is
      smaller than that of a crystal.

    The phases of the hull are taken at their energies at 0 K, and nothing vibrates.

    :param orderings: one composition, energies of whole cells of the same number of atoms.
    :param degeneracies: ``(n_orderings,)``
    :param shares: of a shared site.
    :param n_shared_sites: in the cell.
    :returns: ``orderings`` (rows in the order given, with `above_hull_mev_per_atom`), ``lowest`` (index),
        ``decomposition``, ``temperatures`` (rows), and the entropy of ideal mixing.
    :raises ValueError: no orderings, or several compositions.
    """
    if not orderings:
        raise ValueError("there is no energy of any ordering")
    first = dict(orderings[0].composition)
    if other := [one.name for one in orderings if dict(one.composition) != first]:
        raise ValueError(f"{other[0]} is of another composition than {orderings[0].name}")
    n_atoms = sum(first.values())
    energies = np.array([one.energy_ev for one in orderings])
    counts = np.asarray(degeneracies, dtype=float)
    places = [hull.above(one) for one in orderings]
    lowest = int(np.argmin(energies))

    def above(energy_ev: float) -> float:
        return _mev(hull.at(first, energy_ev).above_hull_ev_per_atom)

    per_site = mixing_entropy(shares)
    mean = random_mean(energies, counts)
    rows = []
    for temperature in temperatures_k:
        ideal = kB * temperature * per_site * n_shared_sites
        found = ensemble(energies, counts, temperature)
        rows.append(
            {
                "temperature_k": float(temperature),
                "ideal": {
                    "ts_mev_per_atom": _mev(ideal / n_atoms),
                    "ts_mev_per_shared_site": _mev(ideal / n_shared_sites),
                    "above_hull_mev_per_atom": above(mean - ideal),
                },
                "ensemble": {
                    "ts_mev_per_atom": _mev(found.ts_ev / n_atoms),
                    "ts_mev_per_shared_site": _mev(found.ts_ev / n_shared_sites),
                    "mean_energy_above_hull_mev_per_atom": above(found.energy_ev),
                    "above_hull_mev_per_atom": above(found.free_energy_ev),
                    "probabilities": [round(float(one), 6) for one in found.probabilities],
                },
            }
        )
    return {
        "orderings": [
            {
                "name": one.name,
                "degeneracy": int(count),
                "energy_ev_per_atom": round(one.energy_ev / n_atoms, 6),
                "above_lowest_mev_per_atom": _mev((one.energy_ev - energies[lowest]) / n_atoms),
                "above_hull_mev_per_atom": _mev(place.above_hull_ev_per_atom),
                "formation_ev_per_atom": place.formation_ev_per_atom,
                "source": one.source,
            }
            for one, count, place in zip(orderings, counts, places, strict=True)
        ],
        "lowest": lowest,
        "above_hull_mev_per_atom": _mev(places[lowest].above_hull_ev_per_atom),
        "mean_above_hull_mev_per_atom": above(mean),
        "formation_ev_per_atom": places[lowest].formation_ev_per_atom,
        "decomposition": list(places[lowest].decomposition),
        "mixing_entropy_kb_per_shared_site": round(per_site, 6),
        "mixing_entropy_kb_per_atom": round(per_site * n_shared_sites / n_atoms, 6),
        "temperatures": rows,
    }


def conductivity_s_per_cm(
    d_cm2_per_s: float, n_ions: int, volume_ang3: float, temperature_k: float, charge_e: float = 1
) -> float:
    """Return the conductivity by Nernst and Einstein, ``n q^2 D / kT``, with a Haven ratio of one.

    :param n_ions: that move, in ``volume_ang3``.
    """
    density = n_ions / (volume_ang3 * A_PER_CM**3)
    return density * (charge_e * _e) ** 2 * d_cm2_per_s / (kB * _e * temperature_k)


def conducts(
    d_cm2_per_s: float | None,
    interval_cm2_per_s: Sequence[float] | None,
    below_cm2_per_s: float | None,
    factor: float,
    *,
    minimum_s_per_cm: float,
    regime: str | None = None,
) -> tuple[bool | None, str]:
    """Return whether something is a conductor, None where the error bars don't tell, and the sentence that says so.

    :param d_cm2_per_s: None where no diffusion was seen; the truth is then below ``below_cm2_per_s`` at 95 %.
    :param interval_cm2_per_s: that holds the truth at 95 %.
    :param factor: S/cm of one cm²/s.
    :param regime: of the displacements, as `transport.estimates.Regime`.
    """
    seen = SEEN.get(regime or "confined", f"the motion is {regime}")
    limit = f"{minimum_s_per_cm:.1e} S/cm"
    if d_cm2_per_s is None or interval_cm2_per_s is None:
        if below_cm2_per_s is None:
            return None, "Nobody can say whether it conducts: there is no diffusion coefficient."
        bound = f"below {below_cm2_per_s:.1e} cm²/s and {below_cm2_per_s * factor:.1e} S/cm (95 %)"
        if below_cm2_per_s * factor < minimum_s_per_cm:
            return False, f"No conductor: {seen}, so {bound}, and it counts from {limit} on."
        return None, (
            f"The run can't tell: {seen}, which only says {bound}, and it counts from {limit} on. Run it longer or "
            "hotter."
        )
    low, high = (one * factor for one in interval_cm2_per_s)
    told = (
        f"D is {d_cm2_per_s:.1e} cm²/s, the conductivity {d_cm2_per_s * factor:.1e} S/cm, from {max(low, 0.0):.1e} to "
        f"{high:.1e} (95 %)"
    )
    if low > minimum_s_per_cm:
        return True, f"A conductor: {told}, above {limit}."
    if high < minimum_s_per_cm:
        return False, f"No conductor: {told}, below {limit}."
    return None, f"The run can't tell: {told}, and {limit} lies within. Run it longer."


def _mev(value_ev: float) -> float:
    return round(float(value_ev) * MEV, DIGITS) + 0.0

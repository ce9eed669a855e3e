"""Amorphous cells by random packing: atoms in a periodic box, none closer than its pair may come."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import combinations_with_replacement
from math import gcd

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers, covalent_radii
from ase.formula import Formula
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.structures import rounded

FloatArray = NDArray[np.float64]

AMU_PER_ANG3 = 1.66053906660
"""Density of 1 u/Å³ in g/cm³ (CODATA 2018)."""
CANDIDATES = 20
MAX_SWEEPS = 3000
# Pairs are pushed a little beyond their distance, or the last overlaps would shrink for ever and never vanish.
PUSHED_TO = 1.005
LOOSER = 0.97


def pair_name(first: str, second: str) -> str:
    """Return the name of a pair of elements, ``Li-S``, in alphabetical order."""
    return "-".join(sorted((first, second)))


def default_distances(species: list[str], scale: float = 0.9) -> dict[str, float]:
    """Return how close each pair may come, Å: ``scale`` times the sum of the covalent radii (ASE's, from Cordero
    et al., Dalton Trans. 2832 (2008))."""
    radius = {symbol: float(covalent_radii[atomic_numbers[symbol]]) for symbol in species}
    return {
        pair_name(first, second): scale * (radius[first] + radius[second])
        for first, second in combinations_with_replacement(sorted(species), 2)
    }


def counts_of(composition: str, n_atoms: int) -> dict[str, int]:
    """Return the atoms of the cell of whole formula units that comes closest to ``n_atoms``, at least one unit.

    :raises ValueError: not a chemical formula.
    """
    try:
        counts = Formula(composition).count()
    except ValueError:
        raise ValueError(f"{composition!r} is no chemical formula: write for example Li3PS4.") from None
    if not counts:
        raise ValueError("The composition holds no atom: write for example Li3PS4.")
    unit = reduce(gcd, counts.values())
    reduced = {symbol: count // unit for symbol, count in counts.items()}
    units = max(1, round(n_atoms / sum(reduced.values())))
    return {symbol: units * count for symbol, count in reduced.items()}


def box_side(counts: Mapping[str, int], density_g_per_cm3: float) -> float:
    """Return the side of the cube that holds these atoms at this density, Å."""
    mass = sum(count * float(atomic_masses[atomic_numbers[symbol]]) for symbol, count in counts.items())
    return float((mass * AMU_PER_ANG3 / density_g_per_cm3) ** (1 / 3))


def density_of(atoms: Atoms) -> float:
    """Return the density of a periodic cell, g/cm³."""
    return float(atoms.get_masses().sum() / atoms.get_volume() * AMU_PER_ANG3)


def random_packing(
    counts: Mapping[str, int],
    density_g_per_cm3: float,
    rng: np.random.Generator,
    *,
    distances: Mapping[str, float] | None = None,
    scale: float = 0.9,
) -> Atoms:
    """Return atoms packed at random into a periodic cube, in the order of ``counts``.

    Atom after atom goes to the best of 20 random places; then pairs that are too close push each other apart, all at
    once, until none is. The pushes are plain sums in a fixed order, so a seed gives the same bytes on any machine; a
    minimiser on top of a BLAS would not.

    :param counts: atoms of each element.
    :param distances: pair (``Li-S``) -> smallest distance in Å, in place of :func:`default_distances`.
    :param scale: of the covalent radii for pairs that are not named.
    :raises ValueError: nothing to pack, a pair that is unknown, a box narrower than twice the largest distance, or a
        density at which no packing was found; the sentence tells the nearest at which one was.
    """
    counts = {symbol: int(count) for symbol, count in counts.items() if count}
    if not counts or min(counts.values()) < 0 or not density_g_per_cm3 > 0:
        raise ValueError(
            f"A packing needs atoms and a density above 0 g/cm³, not {dict(counts)} at {density_g_per_cm3:g} g/cm³."
        )
    least = default_distances(list(counts), scale)
    unknown = sorted({pair_name(*pair.split("-")) if pair.count("-") == 1 else pair for pair in distances or {}})
    unknown = [pair for pair in unknown if pair not in least]
    if unknown:
        raise ValueError(f"There is no pair {unknown[0]} in {''.join(counts)}: its pairs are {', '.join(least)}.")
    least |= {pair_name(*pair.split("-")): float(distance) for pair, distance in (distances or {}).items()}
    numbers = np.repeat([atomic_numbers[symbol] for symbol in counts], list(counts.values()))
    table = _table(list(counts), least)
    kinds = np.repeat(np.arange(len(counts)), list(counts.values()))
    side = box_side(counts, density_g_per_cm3)
    if side < 2 * table.max() * PUSHED_TO:
        needed = int(np.ceil(len(numbers) * (2 * table.max() * PUSHED_TO / side) ** 3))
        raise ValueError(
            f"{len(numbers)} atoms at {density_g_per_cm3:g} g/cm³ fill a cube of {side:.2f} Å, narrower than twice the "
            f"largest distance between a pair ({table.max():.2f} Å): take at least {needed} atoms."
        )
    start = _inserted(kinds, table / side, rng)
    places = _relaxed(start, kinds, table, side)
    if places is None:
        density = _nearest_density(start, kinds, table, side, density_g_per_cm3)
        raise ValueError(
            f"No packing of {len(numbers)} atoms was found at {density_g_per_cm3:g} g/cm³ with these smallest "
            f"distances; one was at {density:.4g} g/cm³: lower the density to that, or the distances (scale {scale:g})."
        )
    return rounded(Atoms(numbers=numbers, positions=places, cell=[side] * 3, pbc=True))


def _table(species: list[str], least: Mapping[str, float]) -> FloatArray:
    return np.array([[least[pair_name(first, second)] for second in species] for first in species])


def _inserted(kinds: NDArray[np.int64], table: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return fractional places ``(n, 3)``, each the best of some random ones by the distances to those before it."""
    places = np.zeros((len(kinds), 3))
    for number, kind in enumerate(kinds.tolist()):
        candidates = rng.uniform(size=(CANDIDATES, 3))
        if number == 0:
            places[0] = candidates[0]
            continue
        away = candidates[:, None, :] - places[None, :number, :]
        away -= np.round(away)
        room = (np.sqrt((away**2).sum(axis=2)) / table[kind, kinds[:number]]).min(axis=1)
        places[number] = candidates[int(np.argmax(room))]
    return places


def _relaxed(start: FloatArray, kinds: NDArray[np.int64], table: FloatArray, side: float) -> FloatArray | None:
    """Return places in Å ``(n, 3)`` without an overlap, or None if pushing apart does not end."""
    places = start * side
    reach = float(table.max()) * PUSHED_TO
    for _ in range(MAX_SWEEPS):
        places %= side
        # Rounding can leave a place at the side itself, which a periodic tree refuses.
        places[places >= side] = 0.0
        pairs = cKDTree(places, boxsize=side).query_pairs(reach, output_type="ndarray")
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        first, second = pairs[:, 0], pairs[:, 1]
        away = places[first] - places[second]
        away -= side * np.round(away / side)
        lengths = np.sqrt((away**2).sum(axis=1))
        wanted = table[kinds[first], kinds[second]]
        if not (lengths < wanted).any():
            return places
        push = np.maximum(wanted * PUSHED_TO - lengths, 0.0) / 2
        step = away * (push / np.maximum(lengths, 1e-6))[:, None]
        for axis in range(3):
            places[:, axis] += np.bincount(first, step[:, axis], len(places))
            places[:, axis] -= np.bincount(second, step[:, axis], len(places))
    return None


def _nearest_density(
    start: FloatArray, kinds: NDArray[np.int64], table: FloatArray, side: float, density: float
) -> float:
    """Return the first lower density, in steps of 3 %, at which the same start packs; far apart all do."""
    looser = LOOSER
    while _relaxed(start, kinds, table, side / looser ** (1 / 3)) is None:
        looser *= LOOSER
    return density * looser

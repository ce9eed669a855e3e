"""Melting temperature by coexistence: half crystal, half melt, at one temperature after another, until bracketed.

Below the melting temperature the crystal grows into the melt, above it the melt into the crystal: the interface is
there from the beginning, so nothing is superheated or undercooled as with one phase alone (J. R. Morris, C. Z. Wang, K.
M. Ho and C. T. Chan, Phys. Rev. B 49, 3109 (1994)). What a run has become is read off the crystal's own structure
factor, layer by layer (`science.order`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from ase import Atoms
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from aiida_seireact.science.images import with_images
from aiida_seireact.science.order import order_by_layer, order_of, peaks_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Outcome = Literal["froze", "melted", "both"]
ORDER_MIN = 0.25
"""Order from which on a layer is crystalline, over that at rest; crystals near melting have 0.4 and more, melts below
0.1."""
WHOLE = 0.9
"""Fraction of the layers that makes a run one phase."""
TREND_MIN = 0.15
"""Change of the fraction, from the first third of a run to its last, that is called growth."""

SWEEPS_MAX = 500


@dataclass(frozen=True, eq=False)
class TwoPhase:
    """A crystal whose upper half has room to melt.

    :param atoms: the lower half first.
    :param n_held: atoms of the lower half, which is held while the upper one melts.
    :param peaks: of `science.order.peaks_of` within the plane.
    :param n_layers: layers along the third axis that are told apart.
    :param at_rest: order of the crystal at rest at these peaks.
    """

    atoms: Atoms
    n_held: int
    peaks: IntArray
    n_layers: int
    at_rest: float


def two_phase_cell(
    crystal: Atoms, repeat: Sequence[int], *, expansion: float = 1.06, species: Sequence[str] | None = None
) -> TwoPhase:
    """Return the crystal repeated, its upper half stretched along the third axis.

    :param crystal: a cell; the interface is normal to its third reciprocal vector.
    :param repeat: ``(n1, n2, n3)``, n3 even and 4 or more.
    :param expansion: of the upper half, so that it melts at about the pressure it will have; a barostat does the rest.
    :param species: elements whose lattice tells crystal from melt; None: all.
    :raises ValueError: too few repeats.
    """
    n3 = repeat[2]
    if n3 < 4 or n3 % 2:
        raise ValueError(f"the cell is repeated {n3} times along its third axis: take an even number from 4 on")
    if not expansion >= 1:
        raise ValueError(f"a melt takes more room than its crystal: the expansion is at least 1, not {expansion:g}")
    atoms = crystal * tuple(repeat)
    # Planes in the middle of their layers: no rounding decides which half an atom belongs to.
    fractions = atoms.get_scaled_positions(wrap=False)
    heights = np.sort(np.unique(np.round(fractions[:, 2] % (1 / n3), 9)))
    gaps = np.diff(heights, append=heights[0] + 1 / n3)
    widest = int(np.argmax(gaps))
    fractions[:, 2] = (fractions[:, 2] - heights[widest] - gaps[widest] / 2) % 1.0
    order = np.argsort(fractions[:, 2] >= 0.5, kind="stable")
    atoms, fractions = atoms[order], fractions[order]
    n_held = int((fractions[:, 2] < 0.5).sum())
    height = (1 + expansion) / 2
    fractions[:, 2] = (
        np.where(fractions[:, 2] < 0.5, fractions[:, 2], 0.5 + (fractions[:, 2] - 0.5) * expansion) / height
    )
    cell = atoms.cell.array.copy()
    cell[2] *= height
    atoms.set_cell(cell)
    atoms.set_scaled_positions(fractions)
    peaks = peaks_of(crystal, repeat, species=species, in_plane=True)
    chosen = np.isin(crystal.get_chemical_symbols(), list(species)) if species else np.ones(len(crystal), dtype=bool)
    at_rest = order_of(crystal.positions[chosen], crystal.cell.array, peaks // np.asarray(repeat))
    return TwoPhase(atoms, n_held, peaks, n3, at_rest)


def crystalline_fraction(
    positions: ArrayLike,
    cell: ArrayLike,
    peaks: ArrayLike,
    n_layers: int,
    *,
    order_min: float = ORDER_MIN,
    at_rest: float = 1.0,
) -> float:
    """Return the fraction of the layers that are crystalline.

    :param positions: ``(n_atoms, 3)`` Å, of the species looked at.
    :param order_min: over ``at_rest``, that of the crystal at rest.
    """
    layers = order_by_layer(positions, cell, peaks, n_layers)
    return float((np.nan_to_num(layers) >= order_min * at_rest).mean())


def outcome_of(fractions: ArrayLike) -> Outcome:
    """Return what became of a run: all crystal, all melt, the one that grew, or both if neither did.

    :param fractions: ``(n_frames,)`` of `crystalline_fraction`, in order of time; the first third is the beginning.
    :raises ValueError: fewer than 6 frames.
    """
    series = np.asarray(fractions, dtype=float)
    if len(series) < 6:
        raise ValueError(f"{len(series)} frames don't show what a run becomes: dump 6 or more")
    part = len(series) // 3
    begin, end = float(series[:part].mean()), float(series[-part:].mean())
    if end >= WHOLE:
        return "froze"
    if end <= 1 - WHOLE:
        return "melted"
    if abs(end - begin) >= TREND_MIN:
        return "froze" if end > begin else "melted"
    return "both"


@dataclass(frozen=True)
class Bracket:
    """What is known of a melting temperature.

    :param low_k: highest temperature at which the crystal grew; None: it never did.
    :param high_k: lowest one at which it melted; None: it never did.
    :param both_k: temperatures between these at which neither grew.
    """

    low_k: float | None
    high_k: float | None
    both_k: tuple[float, ...] = ()

    @property
    def temperature_k(self) -> float | None:
        """The middle of the bracket; None while it is open."""
        return None if self.low_k is None or self.high_k is None else (self.low_k + self.high_k) / 2

    @property
    def error_k(self) -> float | None:
        """Half its width: the truth lies within, as far as the runs are long enough to tell."""
        return None if self.low_k is None or self.high_k is None else (self.high_k - self.low_k) / 2


def bracket_of(known: Mapping[float, Outcome]) -> Bracket:
    """Return the bracket that some runs make.

    :param known: temperature in K to outcome.
    :raises ValueError: a crystal grew at a temperature above one at which it melted: the runs are too short, or the
        cell too small.
    """
    low = max((kelvin for kelvin, outcome in known.items() if outcome == "froze"), default=None)
    high = min((kelvin for kelvin, outcome in known.items() if outcome == "melted"), default=None)
    if low is not None and high is not None and low > high:
        raise ValueError(
            f"the crystal grew at {low:g} K and melted at {high:g} K, below that: take longer runs or a larger cell"
        )
    both = (
        kelvin
        for kelvin, outcome in known.items()
        if outcome == "both" and (low is None or kelvin > low) and (high is None or kelvin < high)
    )
    return Bracket(low, high, tuple(sorted(both)))


def next_temperatures(
    known: Mapping[float, Outcome], low_k: float, high_k: float, tolerance_k: float, *, at_once: int = 1
) -> list[float]:
    """Return the temperatures to try next: the two ends first, then evenly within the bracket; none when it is done.

    Temperatures at which neither phase grew say nothing of the width: it goes on beside them, between them and the ends
    of the bracket. Where they alone are farther apart than a bracket may be, no run of this length closes it: it ends,
    and `Bracket.error_k` tells that it is not narrow enough.

    :param low_k: where to begin; ``high_k``: the other end.
    :param tolerance_k: half width of a bracket that is narrow enough.
    :param at_once: runs at the same time.
    :raises ValueError: the crystal melted at ``low_k``, grew at ``high_k``, or as `bracket_of`.
    """
    if ends := [kelvin for kelvin in (low_k, high_k) if kelvin not in known]:
        return ends
    if known[low_k] == "melted":
        raise ValueError(f"the crystal melted at {low_k:g} K, the lowest temperature: begin lower")
    if known[high_k] == "froze":
        raise ValueError(f"the crystal grew at {high_k:g} K, the highest temperature: begin higher")
    bracket = bracket_of(known)
    if bracket.low_k is None or bracket.high_k is None:
        raise ValueError(
            f"neither phase grew at {'the lowest' if bracket.low_k is None else 'the highest'} temperature: "
            "take a wider range"
        )
    if (bracket.high_k - bracket.low_k) / 2 <= tolerance_k:
        return []
    if not bracket.both_k:
        return _within(bracket.low_k, bracket.high_k, at_once)
    lowest, highest = bracket.both_k[0], bracket.both_k[-1]
    if (highest - lowest) / 2 >= tolerance_k:
        return []
    wide, other = sorted(
        [(bracket.low_k, lowest), (highest, bracket.high_k)], key=lambda gap: gap[1] - gap[0], reverse=True
    )
    return sorted([*_within(*wide, (at_once + 1) // 2), *_within(*other, at_once // 2)])


def _within(low_k: float, high_k: float, count: int) -> list[float]:
    return [float(kelvin) for kelvin in np.linspace(low_k, high_k, count + 2)[1:-1]]


def shaken(cell: TwoPhase, *, seed: int = 1, nearest: float = 0.85) -> TwoPhase:
    """Return the cell with its upper half in disorder, without MD: a melt in a picosecond or two of any thermostat.

    Its atoms are displaced by about a distance of neighbours, then pairs that are too close push each other apart.

    :param nearest: smallest distance of a pair, over that in the crystal.
    :raises ValueError: no such arrangement was found: the half has too little room.
    """
    atoms = cell.atoms.copy()
    free = np.arange(len(atoms)) >= cell.n_held
    # Neighbours of any structure are nearer than twice the edge of a cube that holds one atom.
    limits = _nearest_of_pairs(atoms, 2.0 * (atoms.get_volume() / len(atoms)) ** (1 / 3)) * nearest
    reach = float(limits.max())
    rng = np.random.default_rng(seed)
    atoms.positions[free] += rng.normal(scale=0.5 * reach, size=(int(free.sum()), 3))
    # Those that have left their half come in again at its other end: inside of the crystal they would be caught.
    fractions = atoms.get_scaled_positions(wrap=False)
    middle = float(cell.atoms.get_scaled_positions()[: cell.n_held, 2].max())
    middle = (middle + float(cell.atoms.get_scaled_positions()[cell.n_held :, 2].min())) / 2
    fractions[free, 2] = middle + (fractions[free, 2] - middle) % (1 - middle)
    atoms.set_scaled_positions(fractions)
    kinds = np.unique(atoms.numbers, return_inverse=True)[1]
    for _ in range(SWEEPS_MAX):
        i, j, d, away = _pairs(atoms, reach)
        wanted = limits[kinds[i], kinds[j]]
        near = d < wanted
        if not (near & free[i]).any():
            return replace(cell, atoms=atoms)
        # Each of a pair goes half of the way, one beside a held atom all of it; a little more, or it would never end.
        share = np.where(free[j], 0.5, 1.0) * (1.01 * wanted - d) * near * free[i]
        step = away / np.maximum(d, 1e-6)[:, None] * share[:, None]
        for axis in range(3):
            atoms.positions[:, axis] -= np.bincount(i, step[:, axis], len(atoms))
    raise ValueError("the half that melts has too little room for disorder: take a larger expansion")


def _nearest_of_pairs(atoms: Atoms, reach_ang: float) -> FloatArray:
    """Return the smallest distance of each pair of elements, by the place of each among them; 0 beyond reach."""
    kinds, n_kinds = np.unique(atoms.numbers, return_inverse=True)[1], len(np.unique(atoms.numbers))
    i, j, d, _ = _pairs(atoms, reach_ang)
    found = np.full((n_kinds, n_kinds), np.inf)
    np.minimum.at(found, (kinds[i], kinds[j]), d)
    return np.where(np.isfinite(found), found, 0.0)


def _pairs(atoms: Atoms, reach_ang: float) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Return first and second atom, distance and the way from first to second, of all pairs, both ways round."""
    wrapped, images, owner = with_images(atoms.positions, atoms.cell.array, atoms.pbc, reach_ang)
    found = cKDTree(wrapped).sparse_distance_matrix(cKDTree(images), reach_ang, output_type="coo_matrix")
    # An order of its own, so that sums of pushes are the same bytes on any machine.
    order = np.lexsort((found.col, found.row))
    i, k, d = found.row[order], found.col[order], found.data[order]
    other = i != k  # an atom is the first of its images
    i, k, d = i[other], k[other], d[other]
    return i, owner[k], d, images[k] - wrapped[i]

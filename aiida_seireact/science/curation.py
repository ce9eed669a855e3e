"""What is told of frames to sort them: numbers a frame, near doubles, and outliers, which are flagged, not dropped.

Which frames are then used is a matter of :mod:`aiida_seireact.science.selection`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.reference_energies import fit_reference_energies
from aiida_seireact.science.selection import farthest_first
from aiida_seireact.science.sketches import Rows, Sketches, in_blocks, part_distances

FloatArray = NDArray[np.float64]

# 1.4826 times the median absolute deviation is the standard deviation of a normal distribution.
NORMAL_MAD = 1.4826


def largest_forces(forces: ArrayLike, offsets: ArrayLike) -> FloatArray:
    """Return the length of the largest force of each frame in eV/Å, ``(n_frames,)``.

    :param forces: ``(n_atoms_total, 3)``; :param offsets: ``(n_frames + 1,)``.
    """
    lengths = np.linalg.norm(np.asarray(forces, dtype=float), axis=1)
    return np.asarray(np.maximum.reduceat(lengths, np.asarray(offsets, dtype=np.int64)[:-1]))


def volumes_per_atom(cells: ArrayLike, offsets: ArrayLike) -> FloatArray:
    """Return the volume an atom of each frame in Å³, ``(n_frames,)``.

    :param cells: ``(n_frames, 3, 3)``; :param offsets: ``(n_frames + 1,)``.
    """
    return np.asarray(np.abs(np.linalg.det(np.asarray(cells, dtype=float))) / np.diff(np.asarray(offsets)))


def smallest_distances(positions: ArrayLike, offsets: ArrayLike, cells: ArrayLike, pbc: ArrayLike) -> FloatArray:
    """Return the smallest distance between two atoms of each frame in Å, ``(n_frames,)``.

    :param positions: ``(n_atoms_total, 3)``; :param offsets: ``(n_frames + 1,)``; :param cells: ``(n_frames, 3, 3)``;
        :param pbc: ``(n_frames, 3)``.
    """
    places, bounds, lattices, periodic = (np.asarray(item) for item in (positions, offsets, cells, pbc))
    return np.array(
        [
            smallest_distance(places[first:last], lattices[index], periodic[index])[0]
            for index, (first, last) in enumerate(pairwise(bounds.tolist()))
        ]
    )


def compositions(numbers: ArrayLike, offsets: ArrayLike) -> tuple[NDArray[np.int64], list[str]]:
    """Return how many atoms of each species each frame has, ``(n_frames, n_species)``, and the species.

    :param numbers: ``(n_atoms_total,)`` atomic numbers; :param offsets: ``(n_frames + 1,)``.
    """
    atoms, bounds = np.asarray(numbers, dtype=np.int64), np.asarray(offsets, dtype=np.int64)
    species = np.unique(atoms)
    is_species = (atoms[:, None] == species[None, :]).astype(np.int64)
    return np.add.reduceat(is_species, bounds[:-1], axis=0), [chemical_symbols[number] for number in species.tolist()]


def formulas(numbers: ArrayLike, offsets: ArrayLike) -> list[str]:
    """Return the reduced formula of each frame in Hill's order: ``Li2S`` for 4 Li and 2 S.

    :param numbers: ``(n_atoms_total,)`` atomic numbers; :param offsets: ``(n_frames + 1,)``.
    """
    counts, species = compositions(numbers, offsets)
    different, which = np.unique(counts, axis=0, return_inverse=True)
    names = [reduced_formula(dict(zip(species, row, strict=True))) for row in different.tolist()]
    return [names[index] for index in which.reshape(-1).tolist()]


def reduced_formula(counts: dict[str, int]) -> str:
    """Return the reduced formula in Hill's order of so many atoms of each element: ``Li2S`` for 4 Li and 2 S."""
    divisor = math.gcd(*counts.values())
    return formula_of({symbol: count // divisor for symbol, count in counts.items()})


def formula_of(counts: dict[str, int]) -> str:
    """Return a formula in Hill's order."""
    return str(Formula.from_dict({symbol: count for symbol, count in counts.items() if count}).format("hill"))


def same_formula(formula: str) -> str:
    """Return any way to write a composition as :func:`formulas` does: ``LiLiS``, ``S2Li4`` -> ``Li2S``.

    :raises ValueError: not a chemical formula.
    """
    try:
        reduced, _ = Formula(formula).reduce()
    except ValueError:
        raise ValueError(f"{formula!r} is no chemical formula: write for example Li2S.") from None
    return str(reduced.format("hill"))


def energies_beyond_composition(counts: ArrayLike, energies: ArrayLike) -> FloatArray:
    """Return what the energy of a frame is beside the sum over its atoms, in eV/atom, ``(n_frames,)``.

    The energies of the atoms are a least-squares fit to these frames, so that compositions can be compared.

    :param counts: ``(n_frames, n_species)`` atoms of each species; :param energies: ``(n_frames,)`` in eV.
    """
    atoms_of, values = np.asarray(counts, dtype=np.int64), np.asarray(energies, dtype=float)
    atoms, _ = fit_reference_energies(atoms_of, values)
    return np.asarray((values - atoms_of @ atoms) / atoms_of.sum(axis=1))


def robust_scores(values: ArrayLike, kinds: Sequence[str]) -> FloatArray:
    """Return how many robust standard deviations each value is from the median of its kind, ``(n,)``.

    The standard deviation is 1.4826 times the median absolute deviation, which outliers do not widen (P. J. Rousseeuw
    and C. Croux, J. Am. Stat. Assoc. 88, 1273 (1993)). Where more than half of a kind are equal it is 0, and then no
    value is told to be far.

    :param values: ``(n,)``; :param kinds: ``(n,)``.
    """
    numbers, names = np.asarray(values, dtype=float), np.asarray(kinds)
    scores = np.zeros(len(numbers))
    for name in np.unique(names):
        mine = names == name
        away = numbers[mine] - np.median(numbers[mine])
        spread = NORMAL_MAD * np.median(np.abs(away))
        if spread > 0:
            scores[mine] = away / spread
    return scores


def relative_distances(features: ArrayLike, to: ArrayLike) -> FloatArray:
    """Return how unlike each frame is to one, 0 for equal descriptors, about 1 for unrelated ones, ``(n_frames,)``.

    ``max over species of |a − b| / max(|a|, |b|)``: it depends on the two frames only, not on the set they are in.

    :param features: ``(n_frames, n_species, n_features)``, `descriptors.mean_descriptors` of each frame.
    :param to: ``(n_species, n_features)``.
    """
    one, other = np.asarray(features, dtype=float), np.asarray(to, dtype=float)
    return _of_lengths(part_distances(one, other), np.linalg.norm(one, axis=2), np.linalg.norm(other, axis=1))


def _of_lengths(away: FloatArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """Return distances ``(n, n_species)`` divided by the longer of the two vectors, the largest of each row."""
    lengths = np.maximum(one, other[None, :])
    return np.asarray(np.divide(away, lengths, out=np.zeros_like(away), where=lengths > 0).max(axis=1))


def near_doubles(features: Rows, n_frames: int, closest: float) -> NDArray[np.int64]:
    """Return for each frame the earlier one that it nearly repeats, -1 for none, ``(n_frames,)``.

    Frames are looked at in their order, and compared with those that were kept; of several that are near the nearest
    is told. What a sketch shows to be far is not compared in full.

    :param features: gives ``(n, n_species, n_features)`` of frames by their index; see :func:`relative_distances`.
    :param closest: two frames nearer than this are doubles.
    """
    found = np.full(n_frames, -1, dtype=np.int64)
    sketches = Sketches(features, n_frames)
    kept = np.zeros(n_frames, dtype=np.int64)
    n_kept = 0
    for index in range(n_frames):
        earlier = kept[:n_kept]
        least = _of_lengths(sketches.at_least(index, earlier), sketches.lengths[earlier], sketches.lengths[index])
        near = earlier[least < closest]
        if len(near):
            known = features(np.array([index]))[0]
            distances = np.concatenate([relative_distances(features(some), known) for some in in_blocks(near)])
            nearest = int(np.argmin(distances))
            if distances[nearest] < closest:
                found[index] = near[nearest]
                continue
        kept[n_kept] = index
        n_kept += 1
    return found


def unlike_each_other(features: Rows, n_frames: int, count: int, first: int) -> list[int]:
    """Return the indices of ``count`` frames as unlike each other as can be, ascending.

    Farthest-point sampling (:func:`aiida_seireact.science.selection.farthest_first`) on vectors in which each species
    counts alike, as :func:`aiida_seireact.science.selection.equally_weighted` makes them. A frame that its sketch
    shows to be farther from a new one than from those taken before is not compared in full.

    :param features: gives ``(n, n_species, n_features)`` of frames by their index.
    :param first: the frame taken first.
    """
    sketches = Sketches(features, n_frames)
    weights = np.divide(1.0, sketches.spread, out=np.zeros_like(sketches.spread), where=sketches.spread > 0)
    everybody = np.arange(n_frames)

    def approach(taken: int, near: FloatArray) -> FloatArray:
        least = np.linalg.norm(sketches.at_least(taken, everybody) * weights, axis=1)
        closer, known = near.copy(), features(np.array([taken]))[0]
        for some in in_blocks(np.flatnonzero(least < near)):
            away = np.linalg.norm(part_distances(features(some), known) * weights, axis=1)
            closer[some] = np.minimum(near[some], away)
        return closer

    start = np.full(n_frames, np.inf)
    return farthest_first(start, count, approach, first=first)

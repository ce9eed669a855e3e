"""What is told of frames to sort them: numbers a frame, near doubles, and outliers, which are flagged, not dropped.

Which frames are then used is a matter of :mod:`aiida_seireact.science.selection`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.health import smallest_distance
from aiida_seireact.science.reference_energies import fit_reference_energies

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
    known: dict[tuple[int, ...], str] = {}
    found = []
    for row in map(tuple, (counts // np.gcd.reduce(counts, axis=1)[:, None]).tolist()):
        if row not in known:
            known[row] = formula_of(dict(zip(species, row, strict=True)))
        found.append(known[row])
    return found


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


def energies_beyond_composition(numbers: ArrayLike, offsets: ArrayLike, energies: ArrayLike) -> FloatArray:
    """Return what the energy of a frame is beside the sum over its atoms, in eV/atom, ``(n_frames,)``.

    The energies of the atoms are a least-squares fit to these frames, so that compositions can be compared.

    :param numbers: ``(n_atoms_total,)``; :param offsets: ``(n_frames + 1,)``; :param energies: ``(n_frames,)`` in eV.
    """
    counts, _ = compositions(numbers, offsets)
    values = np.asarray(energies, dtype=float)
    atoms, _ = fit_reference_energies(counts, values)
    return np.asarray((values - counts @ atoms) / counts.sum(axis=1))


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
    lengths = np.maximum(np.linalg.norm(one, axis=2), np.linalg.norm(other, axis=1)[None, :])
    away = np.linalg.norm(one - other[None], axis=2)
    return np.asarray(np.divide(away, lengths, out=np.zeros_like(away), where=lengths > 0).max(axis=1))


def near_doubles(features: ArrayLike, kinds: Sequence[str], closest: float) -> NDArray[np.int64]:
    """Return for each frame the earlier one of its kind that it nearly repeats, -1 for none, ``(n_frames,)``.

    Frames are looked at in their order, and compared with those that were kept.

    :param features: ``(n_frames, n_species, n_features)`` as in :func:`relative_distances`.
    :param kinds: ``(n_frames,)``, for example formulas: only frames of one kind are compared.
    :param closest: two frames nearer than this are doubles.
    """
    found = np.full(len(kinds), -1, dtype=np.int64)
    values, names = np.asarray(features, dtype=float), np.asarray(kinds)
    for name in np.unique(names):
        kept: list[int] = []
        for index in np.flatnonzero(names == name).tolist():
            if kept:
                distances = relative_distances(values[kept], values[index])
                nearest = int(np.argmin(distances))
                if distances[nearest] < closest:
                    found[index] = kept[nearest]
                    continue
            kept.append(index)
    return found

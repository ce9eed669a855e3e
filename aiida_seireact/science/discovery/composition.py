"""What a group of environments is made of: its centres, and its share of the atoms around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import ArrayLike, NDArray

from aiida_seireact.science.discovery.surroundings import Surroundings

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
TRACE = 0.02
"""Fewer anions among the atoms are those of a neighbouring phase."""
ENCLOSING_ANG = 2.6
"""An atom with so near anions belongs to them and not to a centre, as P in PS4 (arXiv:2506.10944)."""


def shares(shells: ArrayLike, members: ArrayLike, n_atoms: int) -> FloatArray:
    """Return how much of each shell atom belongs to a group: its neighbours in the group over all its neighbours.

    No atom is given to one phase alone: one at a boundary counts for both sides, and the shares of groups that
    together hold all centres add up to 1.

    :param shells: ``(n_centres, n)`` rows of the nearest anions of every centre of the frame, −1 for none.
    :param members: ``(n_centres,)`` bool, or weights in [0, 1].
    :returns: ``(n_atoms,)`` in [0, 1].
    """
    around = np.asarray(shells, dtype=np.int64)
    weights = np.repeat(np.asarray(members, dtype=np.float64)[:, None], around.shape[1], axis=1)
    there = around >= 0
    every = np.bincount(around[there], minlength=n_atoms)
    mine = np.bincount(around[there], weights=weights[there], minlength=n_atoms)
    return np.asarray(np.divide(mine, every, out=np.zeros(n_atoms), where=every > 0))


def enclosed(frame: Surroundings, shells: ArrayLike, elements: Sequence[int], n: int = 4) -> tuple[IntArray, IntArray]:
    """Find atoms that are in no centre's shell but have shell atoms around them, as P in PS4.

    :param shells: as of `shares`.
    :param elements: atomic numbers of the anions.
    :returns: rows of the atoms ``(n_enclosed,)`` and of the anions around each ``(n_enclosed, n)``, −1 for none.
    """
    around = np.asarray(shells)
    inside = np.zeros(len(frame.numbers), dtype=bool)
    inside[around[around >= 0]] = True
    rows = np.flatnonzero(np.isin(frame.numbers, elements) & ~inside)
    first, neighbour, vectors = frame.within(rows, ENCLOSING_ANG)
    kept = inside[neighbour]
    first, neighbour, vectors = first[kept], neighbour[kept], vectors[kept]
    found = np.full((len(rows), n), -1, dtype=np.int64)
    order = np.lexsort((np.linalg.norm(vectors, axis=1), first))
    place = np.arange(len(order)) - np.searchsorted(first[order], first[order])
    near = place < n
    found[first[order][near], place[near]] = neighbour[order][near]
    some = (found >= 0).any(axis=1)
    return rows[some], found[some]


def with_enclosed(weights: FloatArray, rows: IntArray, around: IntArray) -> FloatArray:
    """Give each enclosed atom the mean share of the anions around it; see `enclosed`."""
    if not len(rows):
        return weights
    there = around >= 0
    values = np.where(there, weights[around], 0.0).sum(axis=1) / there.sum(axis=1)
    full = weights.copy()
    full[rows] = values
    return full


def amounts(weights: ArrayLike, numbers: ArrayLike, n_members: float, centre: str) -> dict[str, float]:
    """Return how many atoms of each element a group holds, its centres first; elements it lacks are left out.

    :param weights: ``(n_atoms,)`` of `with_enclosed`.
    """
    totals = np.bincount(np.asarray(numbers, dtype=np.int64), weights=np.asarray(weights, dtype=np.float64))
    found = {chemical_symbols[number]: float(totals[number]) for number in np.flatnonzero(totals > 0)}
    return {centre: float(n_members), **{symbol: found[symbol] for symbol in sorted(found) if symbol != centre}}


def formula(composition: Mapping[str, float], centre: str, order: Sequence[str] = ("P", "S", "Cl")) -> str:
    """Return a formula with one anion in all, most frequent anion first: ``Li2S0.72P0.14Cl0.14``.

    Amounts below 0.005 are left out; anions in less than 2 % of the atoms are traces, and the centre stands alone.

    :param order: of anions that are as frequent.
    """
    anions = {symbol: amount for symbol, amount in composition.items() if symbol != centre and amount > 0}
    total = sum(anions.values())
    if total < TRACE * (total + composition[centre]):
        return centre
    ranked = sorted(anions, key=lambda symbol: (-anions[symbol], order.index(symbol) if symbol in order else 99))
    parts = [(centre, composition[centre] / total), *((symbol, anions[symbol] / total) for symbol in ranked)]
    return "".join(f"{symbol}{_number(amount)}" for symbol, amount in parts if amount >= 0.005)


def _number(amount: float) -> str:
    rounded = f"{amount:.2f}".rstrip("0").rstrip(".")
    return "" if rounded == "1" else rounded

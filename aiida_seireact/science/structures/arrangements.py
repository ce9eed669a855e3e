"""Every way to put whole numbers of ions on the sites of a cell so that no two that exclude each other are filled."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.science.structures.exclusion import Exclusions

MAX_ARRANGEMENTS = 100_000
"""So many are listed and sorted into orbits within seconds."""

EMPTY = 0
"""What an empty site holds in an arrangement; ion ``k`` of the site is ``k + 1``."""

_STEPS_PER_ARRANGEMENT = 50


class TooMany(Exception):
    """There are more arrangements than may be listed."""


def count_free(n_sites: Sequence[int], numbers: Sequence[Sequence[int]]) -> int:
    """Return the number of arrangements if no site excluded another: a product of multinomials.

    :param n_sites: of each sublattice.
    :param numbers: of each sublattice the number of each ion; other sites stay empty.
    """
    total = 1
    for sites, of_ion in zip(n_sites, numbers, strict=True):
        left = [sites - sum(of_ion[:index]) for index in range(len(of_ion))]
        total *= prod(comb(free, number) for free, number in zip(left, of_ion, strict=True))
    return total


def arrangements(
    part_of: NDArray[np.int64], numbers: Sequence[Sequence[int]], excluded: Exclusions, limit: int = MAX_ARRANGEMENTS
) -> list[bytes]:
    """Return every arrangement, one byte a site, sorted.

    :param part_of: ``(n_sites,)`` sublattice of each site.
    :param numbers: of each sublattice the number of each ion; other sites stay empty.
    :param excluded: pairs of sites of which at most one is filled; of periodic images of this very cell.
    :raises TooMany: there are more than ``limit``, or the search for them takes too long.
    """
    order, capacity = _order(part_of, excluded)
    rank = {site: position for position, site in enumerate(order)}
    later: list[list[int]] = [[] for _ in order]
    closed = [False] * len(order)
    for i, j in excluded.pairs.tolist():
        first, second = sorted((rank[i], rank[j]))
        if first == second:  # a site nearer to its own image than allowed
            closed[first] = True
        else:
            later[first].append(second)
    parts = part_of[order].tolist()
    left = [[int((part_of == part).sum()) - sum(of_ion), *of_ion] for part, of_ion in enumerate(numbers)]
    against, values = [0] * len(order), bytearray(len(order))
    found: list[bytes] = []
    steps = 0

    def place(position: int) -> None:
        nonlocal steps
        steps += 1
        if len(found) > limit or steps > _STEPS_PER_ARRANGEMENT * limit:
            raise TooMany
        if position == len(order):
            found.append(bytes(values[rank[site]] for site in range(len(order))))
            return
        quota = left[parts[position]]
        if sum(quota[1:]) > capacity[position]:
            return
        for ion, number in enumerate(quota):
            if not number or (ion != EMPTY and (closed[position] or against[position])):
                continue
            values[position] = ion
            quota[ion] -= 1
            for other in later[position] if ion != EMPTY else ():
                against[other] += 1
            place(position + 1)
            for other in later[position] if ion != EMPTY else ():
                against[other] -= 1
            quota[ion] += 1

    place(0)
    return sorted(found)


def _order(part_of: NDArray[np.int64], excluded: Exclusions) -> tuple[list[int], list[int]]:
    """Return the sites sublattice by sublattice, those that exclude each other side by side, and for each place in
    this order how many ions of its sublattice the sites from there on can hold at most."""
    groups = excluded.groups()
    owner = np.arange(len(part_of)) if groups is None else groups[0]
    order = np.lexsort((np.arange(len(part_of)), owner, part_of)).tolist()
    capacity = [0] * len(order)
    seen: set[int] = set()
    for position in reversed(range(len(order))):
        site = order[position]
        if position + 1 < len(order) and part_of[order[position + 1]] != part_of[site]:
            seen = set()
        seen.add(int(owner[site]))
        capacity[position] = len(seen)
    return order, capacity

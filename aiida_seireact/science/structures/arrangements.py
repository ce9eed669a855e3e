"""Every way to put whole numbers of ions on the sites of a cell so that no two that exclude each other are filled."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, inf, prod

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
    rank = np.argsort(order).tolist()
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
    against = [0] * len(order)  # filled sites that exclude each
    held = [-1] * len(order)  # -1: not decided
    found: list[bytes] = []
    # Where distances rule out most of what is free, the search may halt in dead ends.
    free = count_free([sum(quota) for quota in left], numbers)
    most_steps = inf if free <= limit else _STEPS_PER_ARRANGEMENT * limit
    position = steps = 0
    while position >= 0:
        steps += 1
        if len(found) > limit or steps > most_steps:
            raise TooMany
        if position == len(order):
            found.append(bytes(held[place] for place in rank))
            position -= 1
            continue
        quota, before = left[parts[position]], held[position]
        if before >= 0:
            quota[before] += 1
            for other in later[position] if before != EMPTY else ():
                against[other] -= 1
        elif sum(quota[1:]) > capacity[position]:
            position -= 1
            continue
        may_fill = not (closed[position] or against[position])
        ion = next((k for k in range(before + 1, len(quota)) if quota[k] and (k == EMPTY or may_fill)), -1)
        held[position] = ion
        if ion < 0:
            position -= 1
            continue
        quota[ion] -= 1
        for other in later[position] if ion != EMPTY else ():
            against[other] += 1
        position += 1
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

"""Which partly filled sites exclude each other, and a seeded choice of sites of which none excludes another.

Two paths. Where the sites that exclude each other form *groups* with room for one ion (argyrodite: the doublets of
48h sites 1.9 Å apart), the choice is exact, uniform and a matter of sorting, for millions of sites. Everything else is
a *network*, filled one by one in a seeded order, with moves where that comes to a halt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_NETWORK_SITES = 200_000
MOVES_PER_SITE = 50


@dataclass(frozen=True)
class Exclusions:
    """Pairs of sites of a unit cell that cannot both be filled.

    :param pairs: ``(n_pairs, 2)`` sites ``i, j``; each pair once.
    :param offsets: ``(n_pairs, 3)`` the unit cell of ``j`` as seen from that of ``i``.
    :param n_sites: number of sites of the unit cell.
    """

    pairs: IntArray
    offsets: IntArray
    n_sites: int

    def groups(self) -> tuple[IntArray, IntArray] | None:
        """Return the group of each site and its offset from the group's unit cell, or None for a network.

        A group of a site in unit cell ``c`` belongs to cell ``c - offset``: it is whole across the seams of cells.

        :returns: ``(n_sites,)`` the smallest site of the group, ``(n_sites, 3)`` offsets.
        """
        neighbours: list[list[tuple[int, tuple[int, ...]]]] = [[] for _ in range(self.n_sites)]
        for (i, j), offset in zip(self.pairs.tolist(), self.offsets.tolist(), strict=True):
            neighbours[i].append((j, tuple(offset)))
            neighbours[j].append((i, tuple(-x for x in offset)))
        owner = np.full(self.n_sites, -1, dtype=np.int64)
        shift = np.zeros((self.n_sites, 3), dtype=np.int64)
        for start in range(self.n_sites):
            if owner[start] >= 0:
                continue
            owner[start], members = start, [start]
            for site in members:
                for other, offset in neighbours[site]:
                    place = shift[site] + offset
                    if owner[other] < 0:
                        owner[other], shift[other] = start, place
                        members.append(other)
                    elif not np.array_equal(shift[other], place):
                        return None
            # Room for one ion only if every two of its sites exclude each other.
            if sum(len(neighbours[site]) for site in members) != len(members) * (len(members) - 1):
                return None
        return owner, shift


def over_cells(sites: IntArray, offsets: IntArray, repeat: tuple[int, int, int], n_sites: int) -> IntArray:
    """Return the running number of ``sites``, seen from every unit cell of the periodic repeated cell.

    :param sites: ``(n,)`` sites of the unit cell.
    :param offsets: ``(n, 3)`` the unit cell each lies in, as seen from the cell at hand.
    :returns: ``(n_cells, n)``; cells run with the third axis fastest.
    """
    axes = [(np.arange(n)[:, None] + offsets[:, axis]) % n for axis, n in enumerate(repeat)]
    first, second, third = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]
    cells = (first * repeat[1] + second) * repeat[2] + third
    return np.asarray((cells * n_sites + sites).reshape(-1, len(sites)), dtype=np.int64)


def fill_groups(
    kind: NDArray[np.int8], group: IntArray, quotas: Sequence[int], keys: Sequence[NDArray[np.uint64]]
) -> tuple[NDArray[np.bool_], list[int]]:
    """Fill ``quotas[k]`` sites of each kind, at most one of a group, all choices of the first kind equally likely.

    :param kind: ``(n,)`` kind of each site, the index in ``quotas``; -1 is never filled.
    :param group: ``(n,)`` running number of the group of each site.
    :param keys: for each kind random numbers, one for each of its sites: the order in which they are tried.
    :returns: which sites are filled ``(n,)``, and how many of each kind are missing to the quota.
    """
    filled = np.zeros(len(kind), dtype=bool)
    taken = np.zeros(int(group.max()) + 1 if len(group) else 0, dtype=bool)
    missing = []
    for number, quota in enumerate(quotas):
        members = np.flatnonzero(kind == number)
        members = members[np.argsort(keys[number], kind="stable")]
        members = members[~taken[group[members]]]
        _, first = np.unique(group[members], return_index=True)
        chosen = members[np.sort(first)[:quota]]
        filled[chosen] = True
        taken[group[chosen]] = True
        missing.append(quota - len(chosen))
    return filled, missing


def fill_network(
    kind: NDArray[np.int8], edges: IntArray, quotas: Sequence[int], order: IntArray, draws: NDArray[np.uint64]
) -> tuple[NDArray[np.bool_], list[int]]:
    """Fill ``quotas[k]`` sites of each kind in a network of exclusions, one by one.

    Sites are tried in ``order``. What is missing then is sought by moves: an empty site taken at random is filled if
    nothing excludes it, and takes the ion of the one site that excludes it if that has the same kind.

    :param edges: ``(n_edges, 2)`` running numbers of sites that exclude each other.
    :param draws: random numbers for the moves, one a move.
    :returns: as `fill_groups`.
    """
    n_sites = len(kind)
    both = np.concatenate([edges, edges[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    starts = np.searchsorted(both[:, 0], np.arange(n_sites + 1)).tolist()
    ends, kinds = both[:, 1].tolist(), kind.tolist()
    # A site that meets its own image is closed for good.
    closed = set(edges[edges[:, 0] == edges[:, 1], 0].tolist())
    filled, left = [False] * n_sites, list(quotas)

    def blockers(site: int) -> list[int]:
        return sorted({other for other in ends[starts[site] : starts[site + 1]] if filled[other]})

    for site in order.tolist():
        if kinds[site] >= 0 and left[kinds[site]] and site not in closed and not blockers(site):
            filled[site] = True
            left[kinds[site]] -= 1
    for draw in draws.tolist():
        if not any(left):
            break
        site = draw % n_sites
        if filled[site] or kinds[site] < 0 or site in closed:
            continue
        against = blockers(site)
        if not against and left[kinds[site]]:
            filled[site] = True
            left[kinds[site]] -= 1
        elif len(against) == 1 and kinds[against[0]] == kinds[site]:
            filled[against[0]], filled[site] = False, True
    return np.array(filled, dtype=bool), left

"""Which environments of a frame become landmarks: equally many from each slab, so that a thin layer is not lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def even_shares(counts: ArrayLike, total: int) -> NDArray[np.int64]:
    """Share ``total`` draws among groups: as equally as the groups allow, what one lacks goes to the others.

    :param counts: ``(n_groups,)`` members of each.
    :returns: ``(n_groups,)`` draws from each; their sum is ``total``, or all members if there are fewer.
    """
    left = np.asarray(counts, dtype=np.int64).copy()
    shares = np.zeros_like(left)
    missing = min(int(total), int(left.sum()))
    while missing:
        open_groups = np.flatnonzero(left)
        each, rest = divmod(missing, len(open_groups))
        # The rest goes to the largest groups, the first of equals.
        extra = np.zeros(len(open_groups), dtype=np.int64)
        extra[np.argsort(-left[open_groups], kind="stable")[:rest]] = 1
        given = np.minimum(left[open_groups], each + extra)
        shares[open_groups] += given
        left[open_groups] -= given
        missing -= int(given.sum())
    return shares


def draw_landmarks(
    z_fractions: ArrayLike, height_ang: float, count: int, *, slab_ang: float | None, seed: int | Sequence[int]
) -> NDArray[np.int64]:
    """Draw environments of a frame without replacement.

    :param z_fractions: ``(n,)`` place of each along the cell, [0, 1).
    :param height_ang: height of the cell, Å.
    :param slab_ang: thickness of the slabs that give equally many; None, or a cell under two slabs: one slab.
    :param seed: one or more integers.
    :returns: ``(count,)`` indices, ascending; all ``n`` if there are not more.
    """
    places = np.asarray(z_fractions, dtype=np.float64)
    if len(places) <= count:
        return np.arange(len(places))
    n_slabs = 1 if slab_ang is None else max(1, int(height_ang // slab_ang))
    slab = np.minimum((places * n_slabs).astype(np.int64), n_slabs - 1)
    shares = even_shares(np.bincount(slab, minlength=n_slabs), count)
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(slab == number), share, replace=False) for number, share in enumerate(shares) if share
    ]
    return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *chosen]))

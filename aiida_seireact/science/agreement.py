"""How far two partitions of the same points agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def contingency(first: ArrayLike, second: ArrayLike) -> NDArray[np.int64]:
    """Count points by class of the one and class of the other, ``(n_first, n_second)``.

    :param first, second: ``(n,)`` classes of any kind.
    :raises ValueError: unlike lengths.
    """
    some, others = np.ravel(first), np.ravel(second)
    if len(some) != len(others):
        raise ValueError(f"Partitions of {len(some)} and of {len(others)} points can't be compared.")
    rows, columns = np.unique(some, return_inverse=True)[1], np.unique(others, return_inverse=True)[1]
    n_rows, n_columns = (int(index.max()) + 1 if len(index) else 0 for index in (rows, columns))
    counted = np.bincount(rows * n_columns + columns, minlength=n_rows * n_columns)
    return np.asarray(counted, dtype=np.int64).reshape(n_rows, n_columns)


def adjusted_rand(first: ArrayLike, second: ArrayLike) -> float:
    """Return the adjusted Rand index: 1 for equal partitions, about 0 for unrelated ones.

    Hubert and Arabie, J. Classif. 2, 193 (1985), eq. 5.

    :param first, second: ``(n,)`` classes of any kind.
    :raises ValueError: unlike lengths.
    """
    table = contingency(first, second).astype(np.float64)

    def pairs(counts: NDArray[np.float64]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    together, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    all_pairs = pairs(table.sum(keepdims=True))
    if all_pairs == 0:
        return 1.0
    expected, most = rows * columns / all_pairs, (rows + columns) / 2
    return 1.0 if most == expected else (together - expected) / (most - expected)

"""Equal points, which have distance 0 and so no density."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def distinct_rows(points: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices of the first of each set of equal rows, in order, and the map from rows to those.

    Exact duplicates (a frame read twice, a cell repeated by its symmetry) have distance 0 and log density NaN.
    """
    # Adding zero makes −0.0 equal 0.0 as bytes.
    rows = np.ascontiguousarray(points + np.zeros(1, dtype=points.dtype))
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[np.ravel(inverse)]

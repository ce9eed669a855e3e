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
    keys: NDArray[Any] = _sums(rows)
    first, inverse = _first_of_each(keys)
    repeated = np.flatnonzero(first[inverse] != np.arange(len(rows)))
    if not np.array_equal(rows[first[inverse[repeated]]], rows[repeated]):
        # Unlike rows of one sum, which no data has shown yet: compare whole rows, at many times the cost.
        keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
        first, inverse = _first_of_each(keys)
    return first, inverse


def _sums(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Return one number a row, equal for equal rows: its bits times odd numbers drawn, modulo 2⁶⁴."""
    odd = np.random.default_rng(0).integers(2**63, size=rows.shape[1], dtype=np.uint64) * 2 + 1
    sums = np.empty(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), 4096):
        bits = rows[start : start + 4096].view(f"u{rows.dtype.itemsize}").astype(np.uint64)
        # Numbers with few digits differ in high bits only, which a product would push out.
        bits ^= bits >> np.uint64(32) if rows.dtype.itemsize == 8 else bits >> np.uint64(16)
        sums[start : start + 4096] = (bits * odd).sum(axis=1, dtype=np.uint64)
    return sums


def _first_of_each(keys: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[np.ravel(inverse)]

"""A curve in one line of text."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(steps: ArrayLike, values: ArrayLike, width: int = 48) -> str:
    """Return means over equal spans of steps as blocks from the smallest to the largest; a space where there are none.

    :param steps: ``(n,)``, in any order.
    :param values: ``(n,)``; what is not finite is left out.
    """
    where, what = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    finite = np.isfinite(what)
    if not finite.any():
        return ""
    span = where.max() - where.min()
    width = width if span else 1
    bins = np.minimum(((where - where.min()) / (span or 1.0) * width).astype(int), width - 1)
    counts = np.bincount(bins[finite], minlength=width)
    sums = np.bincount(bins[finite], weights=what[finite], minlength=width)
    means = np.divide(sums, counts, out=np.full(width, np.nan), where=counts > 0)
    low, high = np.nanmin(means), np.nanmax(means)
    # What hardly varies is drawn in the middle, not from the lowest to the highest block.
    scale = (len(BLOCKS) - 1) / (high - low) if high - low > 1e-9 * max(abs(high), 1e-300) else 0.0
    heights = np.where(np.isfinite(means), (means - low) * scale if scale else len(BLOCKS) // 2, -1)
    return "".join(" " if height < 0 else BLOCKS[round(float(height))] for height in heights)

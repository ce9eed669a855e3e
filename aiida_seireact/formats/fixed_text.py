"""Numbers as text in columns of fixed width, a whole array at once: a line of Python each would take minutes.

A record array is the text: every field is a column, and looking a number up in a table of its digits writes it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

INTEGER_WIDTH = 6
"""Characters before the decimal point, sign included."""
DECIMALS = 8
"""Digits after it: positions are rounded to 1e-8 Å, so nothing is lost."""
LARGEST = 10 ** (INTEGER_WIDTH - 1)
"""First number without a place; 10 µm where the numbers are Å."""
_SCALE = 10**DECIMALS
_QUAD = 10**4


def decimal_fields(name: str) -> list[tuple[str, str]]:
    """Return the fields of one decimal number in a record dtype, for `put_decimals`."""
    return [
        (f"{name}_whole", f"S{INTEGER_WIDTH}"),
        (f"{name}_point", "S1"),
        (f"{name}_high", "S4"),
        (f"{name}_low", "S4"),
    ]


def put_decimals(text: NDArray[Any], name: str, values: NDArray[np.float64]) -> None:
    """Write ``values`` ``(n,)`` with 8 decimals into the fields ``name`` of the records ``text`` ``(n,)``.

    :raises ValueError: NaN, infinity, or a number of six digits before the point.
    """
    if len(values) and not np.abs(values).max() < LARGEST - 1:
        raise ValueError(f"Numbers in {name} are not finite or reach {LARGEST}, where the column ends: check the cell.")
    scaled = np.rint(values * _SCALE).astype(np.int64)
    whole, fraction = np.divmod(np.abs(scaled), _SCALE)
    high, low = np.divmod(fraction, _QUAD)
    text[f"{name}_whole"] = _wholes()[whole + LARGEST * (scaled < 0)]
    text[f"{name}_point"] = b"."
    text[f"{name}_high"] = _quads()[high]
    text[f"{name}_low"] = _quads()[low]


def integers(first: int, count: int, width: int) -> NDArray[np.bytes_]:
    """Return ``count`` consecutive integers as texts ``(count,)`` of ``width`` characters, blanks first.

    :param first: not negative; the last has at most ``width`` digits.
    """
    values = np.arange(first, first + count, dtype=np.int64)
    digits = np.full((count, width), ord(" "), dtype=np.uint8)
    left = values.copy()
    for place in range(width):
        left, digit = np.divmod(left, 10)
        shown = (values >= 10**place) | (place == 0)
        digits[shown, width - 1 - place] = digit[shown] + ord("0")
    return digits.view(f"S{width}")[:, 0]


@lru_cache(maxsize=1)
def _wholes() -> NDArray[np.bytes_]:
    """Digits before the point of 0 … 99,999, then the same with a minus."""
    shown = [f"{number:{INTEGER_WIDTH}d}" for number in range(LARGEST)]
    return np.array(shown + [f"-{number}".rjust(INTEGER_WIDTH) for number in range(LARGEST)], dtype=f"S{INTEGER_WIDTH}")


@lru_cache(maxsize=1)
def _quads() -> NDArray[np.bytes_]:
    """Four digits of 0 … 9,999."""
    return np.array([f"{number:04d}" for number in range(_QUAD)], dtype="S4")

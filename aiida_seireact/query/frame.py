"""Tables: from blocks of rows that share a source to one data frame with known columns, empty ones too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

SOURCE = {
    "run": "str",
    "run_uuid": "str",
    "stage": "str",
    "part": "str",
    "path": "str",
    "node_uuid": "str",
    "process_uuid": "str",
}
"""Columns of every table: the top process asked for, where under it, the node that holds the number, who made it."""

Columns = Mapping[str, str]
"""By name ``int``, ``float``, ``bool``, ``str`` or ``object``."""
Block = Mapping[str, Any]
"""By column an array, or one value for all rows of the block."""

_DTYPES = {"int": np.int64, "float": np.float64, "bool": np.bool_}


def table(columns: Columns, blocks: Sequence[Block]) -> pd.DataFrame:
    """Return one frame of all blocks, rows in their order, the columns of `SOURCE` last.

    A missing value is NaN, of text the empty string; an ``int`` column with missing values becomes ``float``.

    :param columns: those beside `SOURCE`, in order.
    :param blocks: a block without arrays is one row.
    :raises ValueError: arrays of unlike lengths in a block.
    """
    lengths = [_length(block) for block in blocks]
    return pd.DataFrame({name: _column(kind, name, blocks, lengths) for name, kind in {**columns, **SOURCE}.items()})


def _length(block: Block) -> int:
    lengths = {len(value) for value in block.values() if isinstance(value, np.ndarray | list)}
    if len(lengths) > 1:
        raise ValueError(f"a block of rows has columns of {' and '.join(map(str, sorted(lengths)))} rows")
    return lengths.pop() if lengths else 1


def _column(kind: str, name: str, blocks: Sequence[Block], lengths: Sequence[int]) -> Any:
    values = [block.get(name) for block in blocks]
    if kind == "str":
        return _texts(values, lengths)
    if kind == "object":
        parts: list[Any] = []
        for value, length in zip(values, lengths, strict=True):
            parts += list(value) if isinstance(value, np.ndarray | list) else [value] * length
        return pd.Series(parts, dtype=object)
    if kind != "float" and any(value is None for value in values):
        kind = "float"
    numbers = [
        np.broadcast_to(np.asarray(np.nan if value is None else value, dtype=_DTYPES[kind]), (length,))
        for value, length in zip(values, lengths, strict=True)
    ]
    return np.concatenate(numbers) if numbers else np.zeros(0, dtype=_DTYPES[kind])


def _texts(values: Sequence[Any], lengths: Sequence[int]) -> Any:
    """Return text row by row; what a block repeats is made text once."""
    codes: list[Any] = []
    words: dict[str, int] = {}
    for value, length in zip(values, lengths, strict=True):
        if isinstance(value, np.ndarray | list):
            mine, inverse = np.unique(np.asarray(value, dtype=str), return_inverse=True)
            places = np.array([words.setdefault(str(word), len(words)) for word in mine], dtype=np.int64)
            codes.append(places[inverse.ravel()])
        else:
            word = "" if value is None else str(value)
            codes.append(np.full(length, words.setdefault(word, len(words)), dtype=np.int64))
    every = np.concatenate(codes) if codes else np.zeros(0, dtype=np.int64)
    return pd.Series(np.array(list(words), dtype=object)[every], dtype="str")

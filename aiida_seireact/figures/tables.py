"""What a table may need before it is drawn: columns below each other, sums. The numbers stay those of the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from aiida_seireact.figures.figure import UUID_COLUMNS

QUANTITY, VALUE = "quantity", "value"


def below_each_other(table: pd.DataFrame, quantities: Mapping[str, str]) -> pd.DataFrame:
    """Return a row for each number of some columns: its name in `QUANTITY`, itself in `VALUE`.

    :param quantities: name of a quantity by its column, in the order they are drawn; those that are nowhere known are
        left out.
    """
    kept = [column for column in table if column not in quantities]
    parts = [
        table[kept].assign(**{QUANTITY: name, VALUE: table[column].astype(float)})
        for column, name in quantities.items()
        if column in table and table[column].notna().any()
    ]
    if not parts:
        return table[kept].assign(**{QUANTITY: "", VALUE: 0.0})[:0]
    return pd.concat(parts, ignore_index=True)


def summed(table: pd.DataFrame, by: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """Return the sums of some columns for each value of others, with all UUIDs of what was summed."""
    grouped = table.groupby(list(by), sort=False, dropna=False)
    found = grouped[list(numbers)].sum()
    for column in UUID_COLUMNS:
        if column not in by and column in table:
            found[column] = grouped[column].agg(joined)
    return found.reset_index()


def joined(cells: pd.Series) -> str:
    """Return the UUIDs of several cells as one, sorted."""
    return " ".join(sorted({uuid for cell in cells for uuid in str(cell).split()}))


def chosen(table: pd.DataFrame, **values: str) -> pd.DataFrame:
    """Return the rows with some values."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table.reset_index(drop=True)

"""The files that ``fix ave/time`` and ``fix ave/histo`` write: a row, or a table of rows, of a step.

A run in several tries or segments is brought to one table by step: the step of a seam stands in both files, with the
same numbers, and is kept once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically


class TableError(ValueError):
    """A file of computed quantities that is missing or damaged; the message names it."""


@dataclass(frozen=True)
class Table:
    """What was computed.

    :param steps: ``(n,)``, ascending.
    :param values: ``(n, n_columns)``, or of tables ``(n, n_rows, n_columns)``, the number of the row left out.
    :param columns: names, as LAMMPS heads them.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    columns: list[str]

    def after(self, step: float) -> Table:
        """Return what was computed after a step."""
        kept = self.steps > step
        return Table(self.steps[kept], self.values[kept], self.columns)

    def up_to(self, step: int) -> Table:
        """Return what was computed up to a step, that step included."""
        kept = self.steps <= step
        return Table(self.steps[kept], self.values[kept], self.columns)


def read_table(path: str | Path) -> Table:
    """Read a file of LAMMPS; what was cut at its end, by a kill, is left out.

    :raises TableError: missing, not of that kind, or damaged before its end.
    """
    source = Path(path)
    try:
        lines = source.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        raise TableError(f"There is no file {source.name} of computed quantities.") from None
    lines.pop()  # empty, or a line that was cut
    heads = [line[1:].split() for line in lines if line.startswith("#")]
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if len(heads) < 2:
        return Table(np.empty(0, np.int64), np.empty((0, 0)), [])
    columns = heads[-1][1:]
    try:
        return _tables(rows, columns) if len(heads) > 2 else _scalars(rows, columns)
    except (ValueError, IndexError) as error:
        raise TableError(f"{source.name} is no table of LAMMPS ({error}): it is damaged.") from error


def _scalars(rows: Sequence[Sequence[str]], columns: list[str]) -> Table:
    table = np.array([[float(word) for word in row] for row in rows]).reshape(len(rows), len(columns) + 1)
    return Table(table[:, 0].astype(np.int64), table[:, 1:], columns)


def _tables(rows: Sequence[Sequence[str]], columns: list[str]) -> Table:
    steps, tables = [], []
    place = 0
    while place < len(rows):
        step, count = int(rows[place][0]), int(rows[place][1])
        body = rows[place + 1 : place + 1 + count]
        if len(body) < count:
            break
        steps.append(step)
        tables.append([[float(word) for word in row[1:]] for row in body])
        place += 1 + count
    shape = (len(tables), len(tables[0]) if tables else 0, len(columns))
    return Table(np.array(steps, np.int64), np.array(tables, np.float64).reshape(shape), columns)


def joined_tables(tables: Sequence[Table]) -> Table:
    """Return tables one after another, each step once: the first that tells of it.

    :raises TableError: of different columns or rows.
    """
    filled = [table for table in tables if len(table.steps)]
    if not filled:
        return tables[0]
    parts: list[Table] = []
    for table in filled:
        if table.columns != filled[0].columns or table.values.shape[1:] != filled[0].values.shape[1:]:
            raise TableError(
                f"The columns {', '.join(table.columns)} don't follow {', '.join(filled[0].columns)}: one run is of "
                "other settings."
            )
        parts.append(table.after(parts[-1].steps[-1]) if parts and len(parts[-1].steps) else table)
        parts = [part for part in parts if len(part.steps)]
    return Table(
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.values for part in parts]),
        filled[0].columns,
    )


def missing_steps(table: Table, *, begun: int, until: int, every: int) -> list[int]:
    """Return the multiples of a stride that a table lacks, after ``begun`` up to ``until``, both steps."""
    wanted = range(begun // every * every + every, until + 1, every)
    return sorted(set(wanted) - set(table.steps.tolist()))


def save_tables(path: str | Path, tables: Mapping[str, Table]) -> None:
    """Write tables by name, atomically.

    :raises OSError: the disk is full.
    """
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, table in tables.items():
        arrays |= {f"{name}/steps": table.steps, f"{name}/values": table.values}
        arrays[f"{name}/columns"] = np.array(table.columns, dtype=np.str_)
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def load_tables(path: str | Path) -> dict[str, Table]:
    """Return what `save_tables` wrote.

    :raises OSError, ValueError, zipfile.BadZipFile: missing or torn file.
    """
    with np.load(path, allow_pickle=False) as archive:
        names = list(dict.fromkeys(key.rpartition("/")[0] for key in archive.files))
        return {
            name: Table(
                archive[f"{name}/steps"], archive[f"{name}/values"], [str(one) for one in archive[f"{name}/columns"]]
            )
            for name in names
        }

"""The thermo table of a LAMMPS log written with ``thermo_modify line yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from aiida_seireact.formats.atomic import write_atomically

Value = TypeVar("Value", bound=Any)

_KEYWORDS = re.compile(r"^keywords:\s*\[(.*)\]\s*$")
_ROW = re.compile(r"^\s*-\s*\[(.*)\]\s*$")

# LAMMPS heads its tables with other words than its input takes; trajectories keep those of the input.
INPUT_WORDS = {"PotEng": "pe", "KinEng": "ke", "TotEng": "etotal", "Volume": "vol"}
# LAMMPS keyword -> our name and the factor from units metal.
_UNITS = {
    "Step": ("step", 1.0),
    "Time": ("time_ps", 1.0),
    "Temp": ("temperature_k", 1.0),
    "PotEng": ("potential_energy_ev", 1.0),
    "KinEng": ("kinetic_energy_ev", 1.0),
    "TotEng": ("total_energy_ev", 1.0),
    "Volume": ("volume_ang3", 1.0),
    "Press": ("pressure_gpa", 1e-4),
    **{f"P{ij}": (f"p{ij}_gpa", 1e-4) for ij in ("xx", "yy", "zz", "xy", "xz", "yz")},
    **{f"{name}": (f"{name.lower()}_ang", 1.0) for name in ("Lx", "Ly", "Lz", "Xy", "Xz", "Yz")},
}


class ThermoError(ValueError):
    """A log without a readable thermo table; the message names the file and what to do."""


def read_thermo(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Return ``{keyword: (n_rows,)}`` in LAMMPS's metal units, all runs of the log one after another.

    The first row of a run that repeats the step before it is left out, as is a last line that was cut in
    writing.

    :raises ThermoError: no log, no yaml thermo block, runs with different columns, or a row that is not
        numbers.
    """
    runs = read_runs(path)
    keywords = list(runs[0])
    rows = [row for run in runs for row in zip(*run.values(), strict=True)]
    step = keywords.index("Step") if "Step" in keywords else None
    kept = [row for index, row in enumerate(rows) if step is None or index == 0 or row[step] != rows[index - 1][step]]
    return _columns(keywords, kept)


def read_runs(path: str | Path) -> list[dict[str, NDArray[np.float64]]]:
    """Return the table of each run or minimisation of a log, in order, as `read_thermo` does, with all rows.

    :raises ThermoError: as `read_thermo`.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ThermoError(f"There is no LAMMPS log {source.name}.") from None
    keywords: list[str] | None = None
    runs: list[list[list[float]]] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        head = _KEYWORDS.match(line)
        if head:
            found = [word.strip().strip("'\"") for word in head.group(1).split(",") if word.strip()]
            if keywords is not None and found != keywords:
                raise ThermoError(
                    f"Line {number} of {source.name} starts a thermo table with other columns than the one "
                    "before: "
                    "keep one thermo_style for all runs."
                )
            keywords, inside = found, True
            runs.append([])
            continue
        row = _ROW.match(line)
        if inside and keywords is not None and row:
            runs[-1].append(_numbers(row.group(1), keywords, source, number))
        elif line.startswith("..."):
            inside = False
    if keywords is None:
        raise ThermoError(
            f"{source.name} has no thermo table in yaml: add `thermo_modify line yaml`, or the run ended "
            "before its first step."
        )
    return [_columns(keywords, rows) for rows in runs]


def _columns(keywords: list[str], rows: Sequence[Sequence[float]]) -> dict[str, NDArray[np.float64]]:
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(keywords))
    return {keyword: table[:, column].copy() for column, keyword in enumerate(keywords)}


def up_to(table: Mapping[str, NDArray[np.float64]], step: int) -> dict[str, NDArray[np.float64]]:
    """Return the rows of a table up to a step, that step included."""
    kept = table["Step"] <= step
    return {keyword: column[kept] for keyword, column in table.items()}


def joined(tables: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    """Return the rows of tables one after another, each step once: the first that is told of it.

    :raises ThermoError: tables of different columns.
    """
    columns = list(tables[0])
    parts: list[dict[str, NDArray[np.float64]]] = []
    for table in tables:
        if list(table) != columns:
            raise ThermoError(
                f"A thermo table has the columns {', '.join(table)}, the one before {', '.join(columns)}."
            )
        last = parts[-1]["Step"][-1] if parts else -np.inf
        new = table["Step"] > last
        if new.any():
            parts.append({name: column[new] for name, column in table.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in columns}


def save_thermo(path: str | Path, table: Mapping[str, NDArray[np.float64]]) -> None:
    """Write a table atomically, column by column under LAMMPS's keywords.

    :raises OSError: the disk is full.
    """
    with write_atomically(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **dict(table))


def load_thermo(path: str | Path) -> dict[str, NDArray[np.float64]]:
    """Return what `save_thermo` wrote, in its order.

    :raises OSError, ValueError, zipfile.BadZipFile: missing or torn file.
    """
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def in_our_units(table: Mapping[str, Value]) -> dict[str, Value]:
    """Rename LAMMPS's keywords to ours and convert bar to GPa; keywords without a name here are left out.

    :param table: keyword to a number or an array, as :func:`read_thermo` and LAMMPS's last row give it.
    """
    return {
        name: table[keyword] if factor == 1.0 else table[keyword] * factor
        for keyword, (name, factor) in _UNITS.items()
        if keyword in table
    }


def _numbers(text: str, keywords: list[str], source: Path, number: int) -> list[float]:
    try:
        values = [float(word) for word in text.split(",") if word.strip()]
    except ValueError as error:
        raise ThermoError(f"Line {number} of {source.name} is not a row of numbers ({error}).") from error
    if len(values) != len(keywords):
        raise ThermoError(
            f"Line {number} of {source.name} has {len(values)} values for {len(keywords)} columns: the log is damaged."
        )
    return values

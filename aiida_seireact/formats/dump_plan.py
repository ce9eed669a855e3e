"""Which columns of a dump are read, and how they become elements and places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_seireact.formats.dump_header import DumpError, FloatArray, Header

Columns = dict[str, NDArray[Any]]
# Coordinates in order of preference; the flags: scaled by the cell, unwrapped.
COORDINATES = {
    ("xu", "yu", "zu"): (False, True),
    ("x", "y", "z"): (False, False),
    ("xsu", "ysu", "zsu"): (True, True),
    ("xs", "ys", "zs"): (True, False),
}
IMAGES = ("ix", "iy", "iz")
ELEMENT = "element"


@dataclass(frozen=True)
class Plan:
    """The columns to read of one frame.

    :param names: all columns of the file, in order.
    :param whole: columns of integers that are read.
    :param real: the three columns of coordinates.
    :param has_symbols: whether the column of element symbols is read.
    """

    names: tuple[str, ...]
    whole: tuple[str, ...]
    real: tuple[str, str, str]
    has_symbols: bool

    def place(self, name: str) -> int:
        """Return the number of a column, counted from 0."""
        return self.names.index(name)


def plan_of(header: Header, where: str, *, by_type: bool) -> Plan:
    """Choose the columns to read.

    :param by_type: elements of the atom types are given, so that a dump without symbols can be read.
    :raises DumpError: a column is missing.
    """
    names = header.columns
    _need(names, "id", where)
    has_symbols = ELEMENT in names or not by_type
    _need(names, ELEMENT if has_symbols else "type", where)
    whole = ("id",) if has_symbols else ("id", "type")
    for wanted, (_, unwrapped) in COORDINATES.items():
        if all(name in names for name in wanted):
            images = IMAGES if not unwrapped and all(name in names for name in IMAGES) else ()
            return Plan(names, whole + images, wanted, has_symbols)
    raise DumpError(f"{where}: the dump has no coordinates (xu yu zu, x y z, xsu … or xs …), only {' '.join(names)}.")


def positions_of(columns: Columns, plan: Plan, header: Header) -> tuple[FloatArray, bool]:
    """Return positions ``(n_atoms, 3)``, Å, and whether they keep track of crossed boundaries."""
    scaled, unwrapped = COORDINATES[plan.real]
    places = np.stack([columns[name] for name in plan.real], axis=1)
    if scaled:
        places = places @ header.cell + header.origin
    if not unwrapped and IMAGES[0] in plan.whole:
        images = np.stack([columns[name] for name in IMAGES], axis=1).astype(np.float64)
        return places + images @ header.cell, True
    return places, unwrapped


def numbers_of_types(kinds: NDArray[np.int64], types: Mapping[int, str], where: str) -> NDArray[np.int64]:
    """Return the atomic number of each atom by its type.

    :raises DumpError: a type without an element, or with one that is none.
    """
    # The last place of the table is for all types that are not given.
    table = np.full(max(types, default=0) + 2, -1, dtype=np.int64)
    for kind, symbol in types.items():
        table[kind] = atomic_numbers.get(symbol, -2)
    numbers: NDArray[np.int64] = table[np.where((kinds < 0) | (kinds >= len(table)), len(table) - 1, kinds)]
    if (numbers == -1).any():
        raise DumpError(f"{where}: atom type {kinds[numbers == -1].min()} has no element among the types given.")
    if (numbers == -2).any():
        raise no_element(types[int(kinds[numbers == -2].min())], where)
    return numbers


def no_element(symbol: str, where: str) -> DumpError:
    """Return the complaint about a name that is no element."""
    return DumpError(f"{where}: {symbol!r} is no element symbol: set the names by 'dump_modify ... element'.")


def _need(names: tuple[str, ...], name: str, where: str) -> None:
    if name not in names:
        raise DumpError(
            f"{where}: the dump has no column {name!r}, only {' '.join(names)}: "
            "write it with 'dump ... custom N file id element xu yu zu', as text (binary files hold no symbols)."
        )

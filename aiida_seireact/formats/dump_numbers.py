"""Columns of numbers from blocks of text, a whole column at once: digits by their place, exact to the last bit.

A column fits if its numbers have at most 15 digits and no exponent; it is fastest if all have as many decimals, as by
LAMMPS's ``%.6f``. The digits as an integer are found by arithmetic on bytes that numpy does many at a time; then one
division of two numbers that a double holds exactly gives the nearest double, as ``float`` does (W. D. Clinger, PLDI
1990, "How to read floating point numbers accurately", the fast case). What does not fit is left to numpy's own parser
of text, which takes each number by itself.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from aiida_seireact.formats.dump_bytes import ROOM, Bytes

Whole = NDArray[np.int64]
Real = NDArray[np.float64]
MOST_DIGITS = 15
_POWERS = 10 ** np.arange(MOST_DIGITS + 1)
_SCALES = _POWERS.astype(np.float64)
_BLANK, _MINUS, _POINT, _ZERO, _NEWLINE = 32, 45, 46, 48, 10


class Block:
    """Lines of a table whose tokens are found; made by :meth:`of`.

    :ivar n_rows: number of lines.
    """

    def __init__(self, text: Bytes, stops: Whole, starts: Whole, n_separators: int) -> None:
        self._text, self._stops, self._starts = text, stops, starts
        self.n_rows = len(stops)
        self._points: Whole | None = None
        digits = text - np.uint8(_ZERO)
        is_digit = digits < 10
        digits *= is_digit
        # The two digits that end at each byte, as a number below 100: what is no digit counts as 0.
        self._pairs = digits.copy()
        self._pairs[1:] += digits[:-1] * np.uint8(10)
        self._other = len(text) - ROOM - int(np.count_nonzero(is_digit[ROOM:])) - n_separators

    @classmethod
    def of(cls, text: Bytes, n_rows: int, n_columns: int) -> Block | None:
        """Find the tokens of ``n_rows`` lines of ``n_columns``, one blank between them and at most one after the last.

        :param text: whole lines after ``ROOM`` bytes, of which the last is a line feed.
        """
        separators = np.flatnonzero(text[ROOM:] <= _BLANK)
        width, rest = divmod(len(separators), n_rows)
        if rest or width not in (n_columns, n_columns + 1):
            return None
        starts = np.empty_like(separators)
        starts[0] = 0
        np.add(separators[:-1], 1, out=starts[1:])
        is_empty = starts == separators
        ends = separators[width - 1 :: width]
        if not (_at(text, 0, ends) == _NEWLINE).all() or np.count_nonzero(is_empty) != n_rows * (width - n_columns):
            return None
        if width > n_columns and not is_empty[width - 1 :: width].all():
            return None
        stops, starts = separators.reshape(n_rows, width), starts.reshape(n_rows, width)
        return cls(text, stops, starts, len(separators))

    def whole_numbers(self, column: int) -> Whole | None:
        """Return a column of integers ``(n_rows,)``; None if it does not fit."""
        stops, lengths, minus = self._numbers(column)
        if (lengths <= minus).any() or lengths.max() > MOST_DIGITS:
            return None
        value: Whole = self._digits(stops, lengths, 0, int(lengths.max()), 0).astype(np.int64)
        if minus.any():
            value[minus] *= -1
        return value

    def reals(self, column: int) -> Real | None:
        """Return a column of numbers without exponents ``(n_rows,)``; None if it does not fit."""
        first = self._text[ROOM + int(self._starts[0, column]) : ROOM + int(self._stops[0, column])]
        points = np.flatnonzero(first == _POINT)
        tail = len(first) - int(points[0]) if len(points) else 0
        stops, lengths, minus = self._numbers(column)
        longest = int(lengths.max())
        if (
            longest > MOST_DIGITS + 1
            or (lengths - minus <= tail).any()
            or not tail
            or not (_at(self._text, tail, stops) == _POINT).all()
        ):
            return self._mixed(stops, lengths, minus)
        self._other -= len(stops)
        # The sign is divided in, so that -0.000000 keeps it.
        scale = np.array([_SCALES[tail - 1], -_SCALES[tail - 1]])
        return np.divide(self._digits(stops, lengths, tail, longest, 1), scale.take(minus))

    def _mixed(self, stops: Whole, lengths: Whole, minus: NDArray[np.bool_]) -> Real | None:
        """Return numbers of which each has its own number of decimals, or no point."""
        starts = stops - lengths
        if self._points is None:
            self._points = np.append(np.flatnonzero(self._text[ROOM:] == _POINT), len(self._text))
        # Where the digits before the point end.
        ends = np.minimum(self._points.take(np.searchsorted(self._points, starts)), stops)
        has_point = ends < stops
        heads, places = ends - starts, stops - ends - has_point
        if (heads <= minus).any() or (lengths - minus - has_point > MOST_DIGITS).any():
            return None
        self._other -= int(np.count_nonzero(has_point))
        value = self._digits(ends, heads, 0, int(heads.max()), 0).astype(np.int64)
        value *= _POWERS.take(places)
        value += self._digits(stops, places, 0, int(places.max()), 0) * (places > 0)
        return np.divide(value, np.concatenate([_SCALES, -_SCALES]).take(places + len(_SCALES) * minus))

    def symbols(self, column: int) -> Whole | None:
        """Return the atomic numbers of a column of element symbols ``(n_rows,)``; None if one is unknown."""
        stops, starts = self._stops[:, column], self._starts[:, column]
        lengths = stops - starts
        if lengths.max() > 2:
            return None
        # A symbol of one letter is read with the separator after it.
        second = np.maximum(_at(self._text, -1, starts), _BLANK)
        numbers: Whole = _symbol_table().take(_at(self._text, 0, starts) * np.uint16(256) + second)
        if (numbers < 0).any():
            return None
        self._other -= int(lengths.sum())
        return numbers

    def is_proved(self) -> bool:
        """Tell, after every column was read, that no other byte than their points, signs and letters is no digit."""
        return self._other == 0

    def _numbers(self, column: int) -> tuple[Whole, Whole, NDArray[np.bool_]]:
        """Return where the numbers of a column end, how long they are and which have a minus."""
        stops, starts = np.ascontiguousarray(self._stops[:, column]), np.ascontiguousarray(self._starts[:, column])
        minus = _at(self._text, 0, starts) == _MINUS
        self._other -= int(np.count_nonzero(minus))
        return stops, stops - starts, minus

    def _digits(self, stops: Whole, lengths: Whole, tail: int, longest: int, n_points: int) -> NDArray[Any]:
        """Return the digits of numbers read as integers, without point and sign; two digits at a time.

        A pair that begins before its number, or at its point, holds one digit and a 0. Pairs further ahead belong to
        the number before and are left out.

        :param tail: bytes of each number from its point on.
        """
        kind = np.int32 if longest - n_points <= 9 else np.int64
        value: NDArray[Any] = np.zeros(len(stops), dtype=kind)
        places = tail - n_points
        for place in range(0, places, 2):
            value += np.multiply(_at(self._pairs, place + 1, stops), 10**place, dtype=kind)
        for place in range(0, longest - tail, 2):
            pair = _at(self._pairs, tail + place + 1, stops)
            if place:
                pair = pair * (lengths > tail + place)
            value += np.multiply(pair, 10 ** (places + place), dtype=kind)
        return value


def by_library(text: Bytes, columns: list[int]) -> Real:
    """Return columns of numbers ``(n_rows, len(columns))`` of any form by numpy's parser of text.

    :raises ValueError: a token is not a number.
    """
    return np.loadtxt(io.BytesIO(text[ROOM:].tobytes()), usecols=columns, comments=None, ndmin=2)


def _at(text: Bytes, back: int, where: Whole) -> Bytes:
    """Return the bytes ``back`` before the places ``where``, which count from the end of the room."""
    return text[ROOM - back :].take(where, mode="clip")


@lru_cache(maxsize=1)
def _symbol_table() -> Whole:
    """Atomic numbers by the two letters of a symbol as a number; -1 for what is none."""
    table = np.full(1 << 16, -1, dtype=np.int64)
    for number, symbol in enumerate(chemical_symbols):
        first, second = (symbol + " ")[:2].encode()
        table[first * 256 + second] = number
    return table

"""Numbers from text equal Python's own, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from ase.data import atomic_numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_seireact.formats.dump_bytes import ROOM
from aiida_seireact.formats.dump_numbers import Block, by_library


def text_of(lines: list[str]) -> np.ndarray:
    return np.frombuffer(b"\n" * ROOM + "".join(f"{line}\n" for line in lines).encode(), dtype=np.uint8)


def bits(values: np.ndarray) -> list[int]:
    """Floats as integers, which tell -0.0 from 0.0."""
    return np.asarray(values, dtype=np.float64).view(np.int64).tolist()


@st.composite
def fixed(draw: st.DrawFn) -> list[list[str]]:
    """Rows of three columns, each column with its own number of decimals, at most 15 digits in all."""
    n_rows = draw(st.integers(1, 12))
    columns = []
    for _ in range(3):
        places = draw(st.integers(0, 9))
        whole = st.integers(0, 10 ** draw(st.integers(1, 14 - places)) - 1)
        column = []
        for _ in range(n_rows):
            text = f"{draw(st.sampled_from(['', '-']))}{draw(whole)}"
            column.append(text + (f".{draw(st.integers(0, 10**places - 1)):0{places}d}" if places else ""))
        columns.append(column)
    return [list(row) for row in zip(*columns, strict=True)]


@settings(max_examples=300, deadline=None)
@given(rows=fixed(), end=st.sampled_from(["", " ", "\r"]))
def test_numbers_of_fixed_form_are_read_fast_and_equal_float(rows: list[list[str]], end: str) -> None:
    block = Block.of(text_of([" ".join(row) + end for row in rows]), len(rows), 3)
    assert block is not None
    for column in range(3):
        found = block.reals(column)
        assert found is not None
        assert bits(found) == bits([float(row[column]) for row in rows])
    assert block.is_proved()


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(st.tuples(*[st.floats(-1e5, 1e5).filter(lambda x: x == 0 or abs(x) >= 1e-4)] * 2), min_size=1),
    digits=st.integers(1, 10),
)
def test_numbers_with_as_many_decimals_as_each_needs_are_read_fast_too(
    values: list[tuple[float, float]], digits: int
) -> None:
    rows = [[f"{number:.{digits}g}" for number in row] for row in values]
    rows = [row for row in rows if not any("e" in part for part in row)]
    if not rows:
        return
    block = Block.of(text_of([" ".join(row) for row in rows]), len(rows), 2)
    assert block is not None
    for column in range(2):
        found = block.reals(column)
        assert found is not None
        assert bits(found) == bits([float(row[column]) for row in rows])
    assert block.is_proved()


token = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.floats(allow_nan=False).map("{:g}".format),
    st.floats(-1e9, 1e9).map("{:.6f}".format),
    st.integers(-(10**20), 10**20).map(str),
    st.text("0123456789.-+eE", min_size=1, max_size=12),
)


@settings(max_examples=500, deadline=None)
@given(rows=st.lists(st.tuples(token, token), min_size=1, max_size=6))
def test_whatever_is_taken_for_proved_equals_float(rows: list[tuple[str, str]]) -> None:
    block = Block.of(text_of([" ".join(row) for row in rows]), len(rows), 2)
    assert block is not None
    found = [block.reals(column) for column in range(2)]
    if any(values is None for values in found) or not block.is_proved():
        return
    for column, values in enumerate(found):
        assert bits(values) == bits([float(row[column]) for row in rows])


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=8))
def test_numbers_of_any_form_equal_float(values: list[float]) -> None:
    rows = [f"{number:.16e} {number!r} {number:g}" for number in values]
    found = by_library(text_of(rows), [0, 1, 2])
    assert bits(found) == bits([[float(part) for part in row.split()] for row in rows])


@pytest.mark.parametrize(
    "lines",
    [
        ["1.5", "2.5e1"],
        ["1.500", "1.5.0"],
        ["1.5", ".5"],
        ["1.5", "5..5"],
        ["1.5", "-.5"],
        ["1.5", "nan"],
        ["1.5", "1,5"],
        ["15", "-"],
        ["15", "+5"],
        ["15", "1-5"],
        ["1.5", "--1.5"],
        ["1.5", "123456789012345678.5"],
    ],
)
def test_what_does_not_fit_is_never_taken_for_proved(lines: list[str]) -> None:
    block = Block.of(text_of(lines), 2, 1)
    assert block is not None
    assert block.reals(0) is None or not block.is_proved()


@pytest.mark.parametrize("lines", [["1 2", "3"], ["1  2", "3 4"], ["1 2 3", "4 5 6"], ["1 2", ""], [" 1 2", " 3 4"]])
def test_lines_of_another_form_are_left_to_the_library(lines: list[str]) -> None:
    assert Block.of(text_of(lines), len(lines), 2) is None


def test_every_element_symbol_is_known_by_its_letters() -> None:
    symbols = list(atomic_numbers)
    block = Block.of(text_of([f"{symbol} 1" for symbol in symbols]), len(symbols), 2)
    assert block is not None
    found = block.symbols(0)
    assert found is not None
    assert found.tolist() == list(atomic_numbers.values())
    ones = block.whole_numbers(1)
    assert ones is not None
    assert ones.tolist() == [1] * len(symbols)
    assert block.is_proved()


@pytest.mark.parametrize("name", ["Qq", "Lix", "L1", "li", "é"])
def test_an_unknown_symbol_is_not_read(name: str) -> None:
    block = Block.of(text_of(["Li 1", f"{name} 2"]), 2, 2)
    assert block is not None
    assert block.symbols(0) is None

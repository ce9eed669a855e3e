"""Numbers in columns, digit for digit those of Python's own formatting."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.formats.fixed_text import decimal_fields, integers, put_decimals


def written(values: list[float]) -> list[str]:
    text = np.zeros(len(values), dtype=np.dtype(decimal_fields("x")))
    put_decimals(text, "x", np.array(values))
    return [line.decode() for line in text.view("S15").ravel()]


def test_positions_read_as_python_writes_them() -> None:
    rng = np.random.default_rng(0)
    values = [0.0, -0.0, 1e-8, -1e-8, 0.99999999, -12.5, 99998.0, -99998.0, *rng.normal(scale=500, size=500).round(8)]
    assert written(values) == [f"{value + 0.0:15.8f}" for value in values]


def test_a_digit_too_many_is_rounded_up_into_the_next_whole() -> None:
    assert written([0.999999999, -0.000000001]) == ["     1.00000000", "     0.00000000"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 123456.0])
def test_what_has_no_place_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite or reach 100000"):
        written([1.0, value])


def test_integers_are_right_aligned_across_every_power_of_ten() -> None:
    assert [text.decode() for text in integers(0, 1002, 6)] == [f"{number:6d}" for number in range(1002)]
    assert [text.decode() for text in integers(999_998, 4, 7)] == [
        f"{number:7d}" for number in range(999_998, 1_000_002)
    ]

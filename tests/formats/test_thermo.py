"""Thermo tables of LAMMPS logs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.thermo import ThermoError, in_our_units, read_thermo

BLOCK = """run 20
---
keywords: ['Step', 'Temp', 'Press', ]
data:
  - [0, 300, 1000, ]
  - [10, 310.5, -2e3, ]
...
Loop time of 1
"""


def log(folder: Path, text: str) -> Path:
    """Write a log."""
    path = folder / "log.lammps"
    path.write_text(text)
    return path


def test_runs_are_joined_without_the_repeated_step(tmp_path: Path) -> None:
    second = BLOCK.replace("[0, 300, 1000, ]", "[10, 310.5, -2e3, ]").replace(
        "[10, 310.5, -2e3, ]\n...", "[20, 1, 2, ]\n..."
    )
    table = read_thermo(log(tmp_path, BLOCK + second))
    assert table["Step"].tolist() == [0, 10, 20]
    assert table["Temp"].tolist() == [300, 310.5, 1]


def test_cut_log_gives_the_whole_lines(tmp_path: Path) -> None:
    text = BLOCK[: BLOCK.index("...")] + "  - [20, 29"
    assert read_thermo(log(tmp_path, text))["Step"].tolist() == [0, 10]


def test_our_units_are_gpa(tmp_path: Path) -> None:
    table = in_our_units(read_thermo(log(tmp_path, BLOCK)))
    np.testing.assert_allclose(table["pressure_gpa"], [0.1, -0.2])
    assert set(table) == {"step", "temperature_k", "pressure_gpa"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Step Temp\n0 300\n", "no thermo table in yaml"),
        (BLOCK + BLOCK.replace("'Temp'", "'Volume'"), "other columns than the one before"),
        (BLOCK.replace("310.5, -2e3", "310.5"), "has 2 values for 3 columns"),
        (BLOCK.replace("310.5", "hot"), "is not a row of numbers"),
    ],
)
def test_logs_that_cannot_be_read_say_why(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ThermoError, match=sentence):
        read_thermo(log(tmp_path, text))


def test_missing_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(ThermoError, match=r"There is no LAMMPS log log\.lammps"):
        read_thermo(tmp_path / "log.lammps")

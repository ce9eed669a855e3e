"""Files of computed quantities: whole, cut, joined, damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.compute_tables import (
    Table,
    TableError,
    joined_tables,
    load_tables,
    missing_steps,
    read_table,
    save_tables,
)

SCALARS = "# Time-averaged data for fix m\n# TimeStep c_m[1] c_m[2]\n0 0 0\n10 0.5 1\n20 0.75 2.5\n"
VECTORS = (
    "# Time-averaged data for fix g\n# TimeStep Number-of-rows\n# Row c_g[1] c_g[2]\n"
    "0 2\n1 0.5 0\n2 1.5 3\n50 2\n1 0.5 1\n2 1.5 4\n"
)


def write(folder: Path, text: str) -> Path:
    """Write a file."""
    path = folder / "m.table"
    path.write_text(text)
    return path


def test_rows_and_tables_are_read(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, SCALARS))
    assert table.steps.tolist() == [0, 10, 20]
    assert table.values.tolist() == [[0, 0], [0.5, 1], [0.75, 2.5]]
    assert table.columns == ["c_m[1]", "c_m[2]"]
    table = read_table(write(tmp_path, VECTORS))
    assert table.steps.tolist() == [0, 50]
    assert table.values.tolist() == [[[0.5, 0], [1.5, 3]], [[0.5, 1], [1.5, 4]]]
    assert table.columns == ["c_g[1]", "c_g[2]"]


@pytest.mark.parametrize(("text", "kept"), [(SCALARS, [0, 10]), (VECTORS, [0])])
def test_what_a_kill_has_cut_is_left_out(tmp_path: Path, text: str, kept: list[int]) -> None:
    for cut in (1, 2, 3):
        assert read_table(write(tmp_path, text[:-cut])).steps.tolist() == kept
    assert len(read_table(write(tmp_path, text[:20])).steps) == 0


def test_damage_before_the_end_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="m.table is no table of LAMMPS"):
        read_table(write(tmp_path, SCALARS.replace("0.5", "o.5")))
    with pytest.raises(TableError, match="m.table is no table of LAMMPS"):
        read_table(write(tmp_path, SCALARS.replace("10 0.5 1", "10 0.5")))
    with pytest.raises(TableError, match="There is no file gone.table"):
        read_table(tmp_path / "gone.table")


def test_a_seam_stands_once(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, SCALARS))
    joined = joined_tables([table.up_to(10), table.after(0), table.after(20)])
    assert joined.steps.tolist() == [0, 10, 20]
    np.testing.assert_array_equal(joined.values, table.values)
    with pytest.raises(TableError, match="don't follow"):
        joined_tables([table, Table(table.steps + 20, table.values, ["a", "b"])])


def test_steps_that_are_missing_are_counted(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, SCALARS))
    assert missing_steps(table, begun=0, until=29, every=10) == []
    assert missing_steps(table, begun=5, until=30, every=10) == [30]
    assert missing_steps(table, begun=10, until=40, every=5) == [15, 25, 30, 35, 40]


def test_tables_come_back(tmp_path: Path) -> None:
    tables = {"m": read_table(write(tmp_path, SCALARS)), "g": read_table(write(tmp_path, VECTORS))}
    save_tables(tmp_path / "c.npz", tables)
    again = load_tables(tmp_path / "c.npz")
    assert list(again) == ["m", "g"]
    for name, table in tables.items():
        np.testing.assert_array_equal(again[name].values, table.values)
        np.testing.assert_array_equal(again[name].steps, table.steps)
        assert again[name].columns == table.columns

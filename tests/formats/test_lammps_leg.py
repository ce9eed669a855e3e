"""The input of a leg by LAMMPS against golden files, its dump, and a LAMMPS without the plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_seireact.formats.jobs.flare import LegSettings
from aiida_seireact.formats.lammps_leg import (
    COLUMNS,
    LammpsLegError,
    leg_input,
    look_every,
    read_frames,
    require_styles,
)

GOLDEN = Path(__file__).parent / "lammps_leg"
CASES: dict[str, dict[str, Any]] = {
    "nvt": {"temperature_k": 600, "label_every": 10, "visit_every": 5},
    "npt": {"temperature_k": 300, "ensemble": "npt", "pressure_gpa": 1.0, "label_every": 0, "visit_every": 4},
}


@pytest.mark.parametrize("name", CASES)
def test_the_input_is_the_golden_file(name: str) -> None:
    settings = LegSettings(engine="lammps", steps=300, call_threshold=0.12, **CASES[name])
    text = leg_input(settings, ["Cl", "Li", "P", "S"], first_step=20, last_step=300, seed=4711)
    assert text == (GOLDEN / f"in.{name}").read_text(encoding="utf-8")


def test_it_looks_where_frames_are_due() -> None:
    assert look_every(LegSettings(temperature_k=300, steps=10, label_every=10, visit_every=4)) == 2
    assert look_every(LegSettings(temperature_k=300, steps=10, label_every=0, visit_every=4)) == 4


def test_a_lammps_without_the_plugin_is_refused_with_the_way_to_build_one() -> None:
    require_styles("* Pair styles:\n\neam  flare  lj/cut\n\n* Compute styles\n\nflare/std/atom  pe", "lmp")
    with pytest.raises(LammpsLegError, match=r"^lmp was built without FLARE's plugin \(it lacks flare/std/atom\): run"):
        require_styles("* Pair styles:\n\neam  flare  lj/cut", "lmp")
    with pytest.raises(LammpsLegError, match="lacks flare and flare/std/atom"):
        require_styles("pair_flare.h", "lmp")


def frame(step: int, shift: float = 0.0) -> str:
    rows = [f"{number} 1 {number + shift} {2.5 + shift} 0 0.1 0.2 0.3 -1 -2 -3 {0.01 * number}\n" for number in (1, 2)]
    bounds = f"{shift} {shift + 4}\n{shift} {shift + 5}\n0 6\n"
    return (
        f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
        f"ITEM: ATOMS {' '.join(COLUMNS)}\n{''.join(rows)}"
    )


def test_frames_are_read_and_counted_from_the_corner_of_the_cell(tmp_path: Path) -> None:
    (tmp_path / "leg.dump").write_text(frame(0) + frame(5, shift=0.5))
    first, second = read_frames(tmp_path / "leg.dump")
    assert (first.step, second.step) == (0, 5)
    for got in (first, second):
        assert got.positions.tolist() == [[1, 2.5, 0], [2, 2.5, 0]]
        assert got.lengths.tolist() == [4, 5, 6]
        assert got.velocities[1].tolist() == [0.1, 0.2, 0.3]
        assert got.forces[0].tolist() == [-1, -2, -3]
        assert np.array_equal(got.stds, [0.01, 0.02])


def test_a_last_frame_that_was_cut_is_left_out(tmp_path: Path) -> None:
    whole = frame(0) + frame(5)
    for length in (len(whole) - 8, len(whole) - 60, len(frame(0)) + 30):
        (tmp_path / "leg.dump").write_text(whole[:length])
        assert [got.step for got in read_frames(tmp_path / "leg.dump")] == [0]


def test_another_dump_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LammpsLegError, match=r"LAMMPS left no leg\.dump"):
        list(read_frames(tmp_path / "leg.dump"))
    (tmp_path / "leg.dump").write_text(frame(0).replace("c_unc", "c_pe"))
    with pytest.raises(LammpsLegError, match=r"leg\.dump, line 1: this is no frame of a leg"):
        list(read_frames(tmp_path / "leg.dump"))

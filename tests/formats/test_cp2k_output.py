"""Real outputs of CP2K 2023.1, shortened: each frame has its own mark, numbers and signs.

``two_frames``: Li2S, the second cell 2 % shorter. ``one_unconverged``: the first of two is stopped at 13 SCF steps.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.cp2k_output import abort_of, read_cells, read_output, read_positions

OUTPUTS = Path(__file__).parent / "cp2k"


def text(name: str) -> str:
    return (OUTPUTS / name).read_text(encoding="utf-8")


def test_two_frames_have_their_own_numbers():
    output = read_output(text("two_frames.out"))
    assert (output.version, output.abort, output.ended) == ("2023.1", "", True)
    assert [frame.converged for frame in output.frames] == [True, True]
    assert [frame.scf_steps for frame in output.frames] == [14, 12]
    assert [frame.energy_ha for frame in output.frames] == [-25.001114519705258, -24.980375309277246]
    first = output.frames[0]
    assert first.forces_au.shape == (3, 3)
    assert first.forces_au[0].tolist() == [0.014912864476, 0.001061849964, -0.000583956774]
    assert first.stress_gpa[0].tolist() == [29.4723502997, 0.129067996354, 0.0839335564425]
    # The compressed cell presses more, and CP2K counts pressure as positive.
    assert np.trace(output.frames[1].stress_gpa) > np.trace(first.stress_gpa) > 0


def test_an_unconverged_frame_is_told_from_the_other():
    output = read_output(text("one_unconverged.out"))
    assert output.ended
    assert [frame.converged for frame in output.frames] == [False, True]
    assert [frame.not_converged for frame in output.frames] == [True, False]
    # CP2K goes on, and prints an energy all the same.
    assert all(frame.energy_ha is not None for frame in output.frames)


def test_a_torn_frame_is_not_whole():
    whole = text("two_frames.out")
    output = read_output(whole[: whole.rindex("SUM OF ATOMIC FORCES")])
    assert not output.ended
    assert output.frames[0].forces_au is not None
    # It says that it converged, and its table of forces has all rows, but nobody knows whether the last is whole.
    assert output.frames[1].converged
    assert output.frames[1].forces_au is None
    assert output.frames[1].stress_gpa is None


def test_without_a_word_of_convergence_there_is_none():
    output = read_output(text("two_frames.out").replace("*** SCF run converged", "*** SCF run ended"))
    assert [frame.converged for frame in output.frames] == [False, False]


def test_what_fortran_could_not_write_is_no_number():
    output = read_output(text("two_frames.out").replace("0.014912864476", "**************"))
    assert np.isnan(output.frames[0].forces_au[0, 0])


def test_basis_sets_and_potentials_are_known_by_what_is_printed():
    output = text("two_frames.out")
    kinds = read_output(output).kinds_sha256
    assert sorted(kinds) == ["Li", "S"]
    # The number of atoms of a kind does not belong to it; a coefficient does.
    more = read_output(output.replace("Number of atoms:       2", "Number of atoms:       9")).kinds_sha256
    assert more == kinds
    other = read_output(output.replace("-14.081155", "-14.081156")).kinds_sha256
    assert (other["S"], other["Li"] == kinds["Li"]) == (kinds["S"], False)


def test_the_box_of_stars_is_read():
    box = """
 *******************************************************************************
 *   ___                                                                       *
 *  /   \\                                                                      *
 * [ABORT]                                                                     *
 *  \\___/        found an unknown keyword NDIGITS in section STRESS_TENSOR     *
 *    |                                                                        *
 *  O/|                                                                        *
 * /| |                                                                        *
 * / \\                                               input/input_parsing.F:246 *
 *******************************************************************************
 ===== Routine Calling Stack =====
"""
    assert abort_of(box) == "found an unknown keyword NDIGITS in section STRESS_TENSOR input/input_parsing.F:246"
    assert abort_of(text("two_frames.out")) == ""


def test_positions_and_cells_that_were_computed_come_back():
    symbols, positions = read_positions(text("two_frames-pos-1.xyz"))
    assert symbols == ["S", "Li", "Li"]
    assert positions.shape == (2, 3, 3)
    assert positions[0, 0].tolist() == [0.0276467354, 0.0657294515, 0.0264349661]
    cells = read_cells(text("two_frames-1.cell"))
    assert cells.shape == (2, 3, 3)
    assert cells[1, 0].tolist() == [0.0, 2.7979, 2.7979]


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_line_that_is_cut_is_no_line(cut):
    assert len(read_positions(text("two_frames-pos-1.xyz")[:-cut])[1]) == 1
    assert len(read_cells(text("two_frames-1.cell")[:-cut])) == 1


def test_files_that_are_not_there_hold_no_frame():
    assert read_positions("")[1].shape[0] == 0
    assert len(read_cells("")) == 0
    assert read_output("").frames == []

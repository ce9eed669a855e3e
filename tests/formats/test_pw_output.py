"""A real MD of pw.x 6.7, shortened: two atoms of Li from 600 K, the start and three steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_seireact.formats.labels import Label
from aiida_seireact.formats.pw_output import read_md

TEXT = (Path(__file__).parent / "pw" / "md.out").read_text(encoding="utf-8")


def test_positions_belong_to_the_step_that_follows_them():
    run = read_md(TEXT)
    assert (run.version, run.ended, len(run.labels)) == ("6.7MaX", True, 4)
    start, first, *_ = run.labels
    # pw.x does not tell where the start was, and after it where the atoms go.
    assert start.positions is None
    assert first.positions[0].tolist() == [0.0230836211, -0.0010507808, -0.0014548302]
    assert first.numbers.tolist() == [3, 3]
    # -25.91259293 Ry of the start: the first atom is pulled along its force, so the energy falls.
    assert start.energy == pytest.approx(-25.91259293 * 13.6056917253, abs=1e-9)
    assert first.energy < start.energy


def test_forces_are_the_total_ones_and_the_stress_has_the_sign_of_ase():
    start = read_md(TEXT).labels[0]
    # Contributions follow at high verbosity, atom by atom: 0.03348126 Ry/bohr is the sum.
    assert start.forces.shape == (2, 3)
    assert start.forces[0, 0] == pytest.approx(0.03348126 * 13.6056917253 / 0.52917720859)
    # -2161.53 kbar by pw.x, where negative is stretched: positive here, 216.153 GPa.
    assert start.stress[:3] * 160.21766208 == pytest.approx([216.153, 215.849, 215.849], abs=2e-2)


def test_forces_are_the_slope_of_the_energy_along_the_path():
    labels = read_md(TEXT).labels
    moved = labels[2].positions - labels[1].positions
    work = -0.5 * ((labels[1].forces + labels[2].forces) * moved).sum()
    # An energy one step off would not fit its positions. The cut-off of 15 Ry moves with no atom.
    assert labels[2].energy - labels[1].energy == pytest.approx(work, rel=0.02)


def test_a_torn_step_is_left_out_and_those_before_are_whole():
    whole = read_md(TEXT).labels
    for end in range(0, TEXT.index("JOB DONE."), 501):
        torn = read_md(TEXT[:end])
        assert not torn.ended
        for label, expected in zip(torn.labels, whole, strict=False):
            assert isinstance(label, Label)
            assert label.energy == expected.energy
            assert np.array_equal(label.forces, expected.forces)
            assert label.positions is None or np.array_equal(label.positions, expected.positions)
            assert label.stress is None or np.array_equal(label.stress, expected.stress)


def test_an_unconverged_step_is_told_and_the_last():
    words = "convergence NOT achieved after 100 iterations: stopping"
    before, mark, _ = TEXT.rpartition("     convergence has been achieved in   6 iterations")
    run = read_md(f"{before}{words}\n")
    assert mark
    assert run.labels[3] == "its electronic structure is not converged after 100 steps"
    assert all(label.converged for label in run.labels[:3])


def test_without_a_word_of_convergence_there_is_none():
    run = read_md(TEXT.replace("convergence has been achieved", "convergence has been looked for"))
    assert [label.converged for label in run.labels] == [False] * 4
    assert read_md("").labels == []

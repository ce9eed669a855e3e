"""Output of CP2K 2023.1 (Debian), cut to the lines that are read; Li2S of 3 atoms at Γ, two frames by REFTRAJ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.units import Bohr, GPa, Hartree

from aiida_seireact.formats.cp2k_output import Cp2kOutput, read_output

FIXTURES = Path(__file__).parent / "fixtures" / "cp2k"


def texts(name: str) -> list[str]:
    """Return standard output, positions and cells of a run; empty where it left none."""
    paths = [FIXTURES / name / file for file in ("aiida.out", "aiida-pos-1.xyz", "aiida-1.cell")]
    return [path.read_text(encoding="utf-8") if path.exists() else "" for path in paths]


def read(name: str) -> Cp2kOutput:
    return read_output(*texts(name))


def test_two_converged_frames_are_read_in_ase_units_and_signs():
    run = read("converged")
    assert (run.version, run.abort, run.finished) == ("2023.1", None, True)
    first, second = run.frames
    assert first.converged
    assert second.converged
    assert first.energy == pytest.approx(-25.007992532717466 * Hartree, abs=1e-12)
    assert second.energy == pytest.approx(-24.988526789112026 * Hartree, abs=1e-12)
    assert first.forces[0] / (Hartree / Bohr) == pytest.approx([0.014337684518, -0.008510117973, 0.005595982450])
    assert first.forces.shape == (3, 3)
    # Printed 30.8027 GPa in xx, -0.5590 in yz: positive where squeezed, negative in the sign of ASE.
    assert first.stress[[0, 3, 4, 5]] / GPa == pytest.approx(
        [-30.8027750878, 0.558968622841, -2.55385232749, 0.852654459021]
    )
    assert first.symbols == ("S", "Li", "Li")
    # The second cell is smaller by 2 % in length.
    assert second.cell == pytest.approx(0.98 * first.cell, abs=1e-9)
    assert first.positions[1] == pytest.approx([1.3416625102, 1.4967326103, 1.2433769042])


def test_unconverged_frames_are_whole_but_not_converged():
    # MAX_SCF 3: CP2K ends regularly, with energies, forces and stresses.
    run = read("unconverged")
    assert run.finished
    assert run.abort is None
    assert [frame.converged for frame in run.frames] == [False, False]


def test_a_mark_of_convergence_belongs_to_its_frame():
    run = read("first_unconverged")
    assert [frame.converged for frame in run.frames] == [False, True]


def test_an_atom_has_no_stress():
    (atom,) = read("atom").frames
    assert atom.converged
    assert atom.stress is None
    assert np.abs(atom.forces).max() < 5e-3  # eV/Å, what the grid leaves of zero


def test_what_cp2k_said_when_it_gave_up_is_told():
    run = read("abort")
    assert run.frames == ()
    assert not run.finished
    assert run.abort == "GEOMETRY wrong or EMAX_SPLINE too small! fist_neighbor_lists.F:606"


@pytest.mark.parametrize("file", [0, 1, 2])
def test_a_run_cut_anywhere_gives_only_whole_frames(file):
    whole, uncut = read("converged").frames, texts("converged")
    seen = set()
    for end in range(0, len(uncut[file]), 7):
        cut = [text[:end] if number == file else text for number, text in enumerate(uncut)]
        frames = read_output(*cut).frames
        seen.add(len(frames))
        for frame, known in zip(frames, whole, strict=False):
            assert (frame.energy, frame.converged) == (known.energy, known.converged)
            assert np.array_equal(frame.forces, known.forces)
            assert np.array_equal(frame.positions, known.positions)
            assert np.array_equal(frame.cell, known.cell)
    assert {0, 1} <= seen


def test_frames_whose_energies_do_not_match_their_positions_are_not_taken():
    stdout, positions, cells = texts("converged")
    assert len(read_output(stdout, positions.replace("-24.9885267891", "-24.9885267951"), cells).frames) == 1


def test_asterisks_in_place_of_numbers_end_the_list():
    stdout, positions, cells = texts("converged")
    assert read_output(stdout.replace("0.014337684518", "**************"), positions, cells).frames == ()

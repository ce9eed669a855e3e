"""Band gaps of levels with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.gaps import gap_of

# Two k-points, a valence and a conduction band.
BANDS = np.array([[-1.0, 2.0], [-0.5, 1.5]])
FILLED = np.array([[2.0, 0.0], [2.0, 0.0]])


def test_an_insulator_has_the_gap_between_its_bands():
    found = gap_of(BANDS, FILLED)
    assert (found.gap_ev, found.direct_ev, found.metallic, found.remark) == (2.0, 2.0, False, "")
    assert (found.vbm_ev, found.cbm_ev) == (-0.5, 1.5)


def test_an_indirect_gap_is_smaller_than_the_direct_one():
    found = gap_of([[0.0, 3.0], [-1.0, 1.0]], FILLED)
    assert (found.gap_ev, found.direct_ev) == (1.0, 2.0)


def test_two_spins_have_the_gap_of_both():
    found = gap_of(np.stack([BANDS, BANDS - 1.2]), np.stack([FILLED / 2, FILLED / 2]))
    assert found.gap_ev == pytest.approx(0.3 + 0.5)


def test_a_band_that_dives_below_the_others_is_a_metal():
    # A band crosses the Fermi level between the two k-points, where the electrons of one go to the other.
    found = gap_of([[-1.0, 0.5], [-0.8, -0.9]], [[2.0, 0.0], [2.0, 0.0]])
    assert found.metallic
    assert found.gap_ev == 0
    assert "overlap" in found.remark


def test_half_a_band_is_a_metal_however_far_the_next_one_is():
    found = gap_of([[-1.0, 5.0], [1.0, 6.0]], [[2.0, 0.0], [0.0, 0.0]])
    assert found.metallic
    assert "fill 0.50 bands" in found.remark


def test_k_points_count_by_their_weights():
    found = gap_of([[-1.0, 5.0], [1.0, 6.0]], [[2.0, 0.0], [0.0, 0.0]], weights=[3.0, 1.0])
    assert "fill 0.75 bands" in found.remark


def test_cold_smearing_that_empties_the_top_of_the_valence_band_is_no_metal():
    # Li2S by pw.x 6.7 with mv: the Fermi level lies at the top of the valence band, at Γ.
    bands = [[2.07, 2.19, 2.51, 6.48], [-0.03, 1.65, 2.14, 7.91]]
    filled = [[2.16, 2.093, 0.667, 0.0], [2.0, 2.0, 2.157, 0.0]]
    found = gap_of(bands, filled, weights=[0.1, 0.9])
    assert found.metallic is False
    assert found.gap_ev == pytest.approx(3.97)


def test_smearing_that_is_wide_against_the_gap_is_told_and_decides_nothing():
    found = gap_of([[-0.05, 0.05]], [[1.7, 0.3]])
    assert found.metallic is None
    assert found.gap_ev == pytest.approx(0.1)
    assert "15%" in found.remark


def test_without_empty_bands_there_is_no_gap_and_a_sentence():
    found = gap_of([[-1.0, -0.5]], [[2.0, 2.0]])
    assert found.gap_ev is None
    assert found.metallic is None
    assert "no empty band" in found.remark


@pytest.mark.parametrize(("bands", "filled"), [([[1.0]], [[1.0, 2.0]]), ([[np.nan]], [[2.0]]), ([], [])])
def test_what_are_no_bands_is_refused(bands, filled):
    with pytest.raises(ValueError, match="bands of shape|not a number"):
        gap_of(bands, filled)

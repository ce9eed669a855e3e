"""The classifier on environments of known truth (issue 9, item 8): what must hold, by `benchmarks.phases`."""

from __future__ import annotations

import pytest

from aiida_seireact.science.labelling import same_neighbours_expectation
from benchmarks import phases_md
from benchmarks._phases import SHARE_CL, SHARE_P
from benchmarks.phases import Scores, Settings, make_world, measure


def require(scores: Scores, rattle: float) -> None:
    """Assert what is asked of every rattle and seed."""
    assert scores.accuracy >= 0.99
    assert scores.rand >= 0.99
    assert scores.foreign_unknown >= 0.98
    assert scores.four_sulfur_li2s >= 0.95
    assert scores.li2s_share == pytest.approx(scores.counted_share, abs=0.02)
    assert scores.absent == scores.left_out == 0
    assert scores.left_out_accuracy >= 0.99
    if rattle <= 0.15:
        assert scores.amorphous_unknown >= 0.95
    assert scores.adopted >= 0.98
    assert scores.known_changed == 0


def test_a_small_world_is_named_rightly() -> None:
    scores, _ = measure(make_world("small", rattle=0.15, seed=1), Settings())
    require(scores, 0.15)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 7, 8, 9])
@pytest.mark.parametrize("rattle", [0.10, 0.15, 0.20])
def test_one_z_names_all_rightly_at_every_rattle(rattle: float, seed: int) -> None:
    scores, _ = measure(make_world("full", rattle, seed), Settings())
    require(scores, rattle)
    expected = same_neighbours_expectation(1 - SHARE_P - SHARE_CL)
    assert scores.counted_share == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("z", [2.0, 3.0])
@pytest.mark.parametrize("strain", [0.0, 0.02])
def test_recorded_md_gets_no_wrong_name_and_is_known_inside_its_slabs(strain: float, z: float) -> None:
    recorded = phases_md.data(phases_md.RECORD)
    labels = phases_md.classify(recorded, phases_md.RECORD, z=z, strain=strain)
    crystal = recorded.truth != phases_md.DISORDERED
    wrong = crystal & (labels != recorded.truth) & (labels != "unknown")
    assert wrong.sum() == 0
    inside = crystal & (recorded.border > 6.0)
    assert (labels[inside] == recorded.truth[inside]).mean() >= 0.95
    four = recorded.sulfur == 4
    assert (labels[~crystal & ~four] == "unknown").mean() >= 0.98
    assert (labels[four] == "Li2S").mean() >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("phase", [*phases_md.SLABS, "Li6PS5Cl"])
def test_a_phase_taken_from_recorded_md_names_nothing(phase: str) -> None:
    """Li of a strained border lie between one and 1.7 gates from Li6PS5Cl, whose own disorder makes its gate wide."""
    recorded = phases_md.data(phases_md.RECORD)
    rest = recorded.without((recorded.truth == phase) | ((phase == "Li2S") & (recorded.sulfur == 4)))
    for strain in (0.0, 0.02):
        assert not (phases_md.classify(rest, phases_md.RECORD, z=3.0, strain=strain) == phase).any()

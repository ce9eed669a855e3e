"""When a cluster is of a phase: near its references, or connected with them. Points on a strip: the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_seireact.science.density_peaks import density_peaks
from aiida_seireact.science.labelling import Gates, build_classifier, fit_reduction, label_landmarks, reference

# A grid of spacing 1, so the gate is 1: what is accepted ends at x = 10.5, what can be reached at 13.
GRID = np.stack(np.meshgrid(np.arange(10.0), np.arange(5.0)), axis=-1).reshape(-1, 2)


def strip(length: float, *, gap: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Points all over a strip of width 4, in one dense cluster."""
    points = np.random.default_rng(0).uniform((0.0, 0.0), (length, 4.0), size=(1500, 2))
    return points[(points[:, 0] < gap[0]) | (points[:, 0] > gap[1])]


def named(points: np.ndarray, gates: Gates) -> np.ndarray:
    """Which points have the name of the references."""
    reduction = fit_reduction(points)
    reduced = reduction.apply(points)
    references = [reference("A", reduction.apply(GRID))]
    assert references[0].gate == pytest.approx(1.0)
    peaks = density_peaks(reduced, z=50.0)
    made = build_classifier(reduction, reduced, peaks, references, gates, maxk=100, alpha=1e-6)
    return label_landmarks(made).labels == 1


def test_a_core_mostly_beyond_its_references_is_named_if_it_is_connected_with_them() -> None:
    """Less than half lies within 1.5 gates, as in a strained crystal; more than half can be reached."""
    points = strip(24.0)
    assert not named(points, Gates(reach=None)).any()
    assert points[named(points, Gates()), 0].max() == pytest.approx(13.0, abs=0.3)


def test_a_core_mostly_out_of_reach_is_unknown() -> None:
    assert not named(strip(30.0), Gates()).any()


def test_no_chain_leads_over_a_gap() -> None:
    points = strip(14.0, gap=(10.2, 12.2))
    assert points[named(points, Gates(point=1.5)), 0].max() < 10.2


def test_a_core_beside_the_references_is_not_theirs() -> None:
    """All of it within 1.5 gates and none within one, where 99 of 100 of the phase would be."""
    beside = np.random.default_rng(0).uniform((0.0, 5.15), (9.0, 5.4), size=(800, 2))
    assert not named(beside, Gates()).any()
    assert named(beside - (0.0, 1.0), Gates()).all()
